"""Writes the pages of docs/reference/ that are made from the code: public names, flags and results."""

import contextlib
import inspect
import io

# Members of public classes that are shown; Keras' own methods are documented by Keras.
MEMBERS = {
    "Autoencoder": "adapt, call, decode, encode, from_preset, log_weights, sample, save_to_preset, score, summary",
    "LadderDisplay": "from_results, plot",
    "CodesDisplay": "from_results",
    "HistoryDisplay": "from_run, from_history",
    "ReconstructionsDisplay": "from_model",
}
HELPS = {"serve": (["run"], ["prepare"])}  # commands that have subcommands


def write(folder):
    """Writes `names.md`, `flags.md` and `results.md` into `folder`."""
    for name, page in (("names", names), ("flags", flags), ("results", results)):
        (folder / f"{name}.md").write_text(page(), encoding="utf-8")


def names():
    """Returns the page of all public names, in the order of `keras_vae.PUBLIC`."""
    import keras_vae

    parts = ["# Public names\n\n`import keras_vae` gives these names.\n"]
    for name in keras_vae.PUBLIC:
        parts.append(f"## {name}\n\n{description(name, getattr(keras_vae, name))}")
    return "\n".join(parts)


def description(name, value):
    """Returns the text on a public name: a directive for autodoc, or the entries of a dict."""
    if isinstance(value, dict):
        return "".join(f"* `{entry}`: {cell(first_line(kind))}\n" for entry, kind in value.items())
    kind = "autoclass" if inspect.isclass(value) else "autofunction"
    members = f"\n   :members: {MEMBERS[name]}" if name in MEMBERS else ""
    return f"```{{eval-rst}}\n.. {kind}:: {value.__module__}.{value.__qualname__}{members}\n```\n"


def first_line(kind):
    """Returns the first line of the docstring of `kind`."""
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def flags():
    """Returns the page of all flags: what `--help all` says, with the commands as the documentation spells them."""
    import keras_vae_commands

    parts = ["# Flags\n"]
    for name in keras_vae_commands.COMMANDS:
        for words in HELPS.get(name, ([],)):
            title = " ".join(["keras-vae", name, *words])
            parts.append(f"## {title}\n\n```text\n{help_of([name, *words])}```\n")
    return "\n".join(parts)


def help_of(words):
    """Returns what a command prints for `--help all`."""
    import keras_vae_commands
    from keras_vae.runtime.programs import SPELLINGS, program, runnable

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        keras_vae_commands.main([*words, "--help", "all"])
    text = out.getvalue()
    for spelling, name in SPELLINGS.items():
        for typed in (runnable(program(name)), program(name)):
            text = text.replace(typed, spelling if spelling.endswith(".py") else f"keras-vae {name}")
    return text


def results():
    """Returns the page of all entries of results.json: title, unit, meaning and healthy range."""
    from keras_vae.evaluation.results.schema import results_schema

    schema = results_schema()
    parts = ["# results.json\n", "Every entry with its unit, its meaning, and how a healthy model reads.\n"]
    top = {name: node for name, node in schema["properties"].items() if "properties" not in node}
    parts.append(table("The evaluation", top))
    for name, node in schema["properties"].items():
        if "properties" in node:
            parts += section(name, node)
    for name, node in schema["$defs"].items():
        parts += section(f"each `{name}`", node)
    return "\n".join(parts)


def section(path, node):
    """Yields the tables of a section and of those within it."""
    yield table(
        f"{node.get('title', path)}: `{path}`" if "`" not in path else path,
        node["properties"],
        node.get("description"),
    )
    for name, inner in node["properties"].items():
        if "properties" in inner:
            yield from section(f"{path}.{name}", inner)


def table(title, properties, words=None):
    """Returns the entries of a section as a table, without those of the sections within it."""
    rows = [
        "| entry | meaning | unit | healthy |",
        "|---|---|---|---|",
        *(
            f"| `{name}` | {cell(node.get('description') or node.get('title'))} | {cell(node.get('x-unit'))} |"
            f" {cell(node.get('x-healthy'))} |"
            for name, node in properties.items()
            if "properties" not in node
        ),
    ]
    return f"## {title}\n\n{cell(words)}\n\n" + "\n".join(rows) + "\n"


def cell(text):
    """Returns a text that a table's cell can hold."""
    return " ".join((text or "").split()).replace("|", "\\|").replace("<", "&lt;")

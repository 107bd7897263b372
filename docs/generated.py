"""Writes the pages of docs/reference/ that are made from the code: flags and results."""

import contextlib
import importlib
import io

COMMANDS = {"train": "keras_vae.cli.train", "evaluate": "keras_vae.cli.evaluate"}


def write(folder):
    """Writes `flags.md` and `results.md` into `folder`."""
    (folder / "flags.md").write_text(flags(), encoding="utf-8")
    (folder / "results.md").write_text(results(), encoding="utf-8")


def flags():
    """Returns the page of all flags: what `--help` says."""
    parts = ["# Flags\n"]
    for name, module in COMMANDS.items():
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
            importlib.import_module(module).main(["--help", "all"])
        parts.append(f"## {name}.py\n\n```text\n{out.getvalue()}```\n")
    return "\n".join(parts)


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

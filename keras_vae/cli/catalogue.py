"""Prints all components as Markdown tables, made from the registries: `python -m keras_vae.cli.catalogue`.

Given the path of a page (docs/components.md), writes the tables between the two markers in that page.
"""

import dataclasses
import pathlib
import re
import sys

from keras_vae.model.corruptions import CORRUPTIONS
from keras_vae.model.likelihoods import LIKELIHOODS
from keras_vae.model.networks import NETWORKS
from keras_vae.model.objectives import OBJECTIVES
from keras_vae.model.priors import PRIORS
from keras_vae.model.regularizers import REGULARIZERS
from keras_vae.samplers import SAMPLERS

START, END = "<!-- catalogue -->", "<!-- end of catalogue -->"
# Components chosen by flags of train.py, and those that are fitted after training.
FLAGS = {
    "--likelihood": LIKELIHOODS,
    "--prior": PRIORS,
    "--network": NETWORKS,
    "--corruption": CORRUPTIONS,
    "--regularizer": REGULARIZERS,
    "samplers, fitted by evaluate.py": SAMPLERS,
}


def objectives_table():
    """Returns the table of objectives: name, loss, paper, use and settings."""
    rows = ["| `--objective` | loss | paper | good for | settings |", "|---|---|---|---|---|"]
    for name, kind in sorted(OBJECTIVES.items()):
        settings = ", ".join(f"`{field.name}`" for field in dataclasses.fields(kind))
        words = (text.replace("|", r"\|") for text in (kind.formula, kind.paper, kind.good_for))
        rows.append(f"| `{name}` | {' | '.join(words)} | {settings} |")
    return "\n".join(rows)


def components_table():
    """Returns the table of all other components: flag, name and first sentence of the docstring."""
    rows = ["| | | |", "|---|---|---|"]
    for flag, kinds in FLAGS.items():
        for name, kind in kinds.items():
            title = f"`{flag}`" if flag.startswith("--") else flag
            rows.append(f"| {title} | `{name}` | {first_line(kind)} |")
            flag = ""
    return "\n".join(row.replace("| `` |", "| |").replace("|  |", "| |") for row in rows)


def first_line(kind):
    """Returns the first sentence of a class's docstring, without its full stop."""
    paragraph = " ".join(kind.__doc__.strip().partition("\n\n")[0].split())
    return re.split(r"(?<!et al)\.(?: |$)", paragraph)[0].replace("|", r"\|")


def catalogue():
    """Returns both tables between the markers."""
    key = "D is the distortion and R the rate, both in nats per image."
    return "\n\n".join((START, objectives_table(), key, components_table(), END))


def replaced(text):
    """Returns `text`, a page, with the catalogue in place of the text between the markers."""
    before, _, rest = text.partition(START)
    return before + catalogue() + rest.partition(END)[2]


if __name__ == "__main__":
    if len(sys.argv) == 1:
        print(catalogue())
    for name in sys.argv[1:]:
        path = pathlib.Path(name)
        path.write_text(replaced(path.read_text(encoding="utf-8")), encoding="utf-8")

"""The page that compares runs: `static/index.html` with its modules and its data in one file."""

import json
import os
import pathlib
import urllib.parse

from keras_vae.report.page import asset
from keras_vae.report.single_page import filled, inlined
from keras_vae.report.verdict import VERDICTS
from keras_vae.sweep.ladders import read_ladder

STATIC = pathlib.Path(__file__).parent / "static"
EXPLORER = pathlib.Path(__file__).parents[1] / "explorer/static"  # the room itself imports Keras


def comparison_page(comparison, table, members, folder):
    """Returns the page as self-contained HTML.

    Args:
        comparison: The result of `keras_vae.sweep.comparison.compare`.
        table: The text of comparison.csv, which the page offers for download.
        members: The runs.
        folder: The folder of the page, for relative links to the runs' reports.
    """
    done = [member for member in members if member.results]
    data = {
        **comparison,
        "csv": table,
        "verdicts": {key: {"words": words, "tone": tone} for key, (_, words, tone) in VERDICTS.items()},
        "ladders": {member.name: read_ladder(member.run) for member in done},
        "reports": {member.name: link(member.run.report / "index.html", folder) for member in done},
    }
    modules = {f"sweep/{path.stem}": path for path in sorted(STATIC.glob("*.js"))}
    modules["explorer/dom"] = EXPLORER / "dom.js"
    style = f"<style>{asset('report.css')}{(STATIC / 'style.css').read_text(encoding='utf-8')}</style>"
    return filled(STATIC / "index.html", comparison["title"], inlined(modules), style, json.dumps(data))


def link(path, folder):
    """Returns the address of `path` for a page in `folder`."""
    return urllib.parse.quote(os.fsencode(pathlib.Path(os.path.relpath(path, folder)).as_posix()))

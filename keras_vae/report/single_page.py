"""Fills an HTML template with title, style, modules and data, which makes one self-contained page."""

import base64
import json
import pathlib

from keras_vae.report.page import NAME, text


def inlined(modules):
    """Returns the entries of an import map with the modules inlined.

    Args:
        modules: Paths of JavaScript files by the names under which they import each other, such as `explorer/maths`.
    """
    return {
        name: "data:text/javascript;base64," + base64.b64encode(path.read_bytes()).decode()
        for name, path in modules.items()
    }


def filled(template, title, imports, style, data):
    """Returns the page.

    Args:
        template: Path of the HTML file with the four placeholders.
        title: Any text; shortened if it is long.
        imports: The entries of the import map.
        style: HTML.
        data: JSON.
    """
    places = {
        "<!-- title -->": text(title, NAME),
        "<!-- style -->": style,
        "<!-- imports -->": in_script(json.dumps({"imports": imports})),
        "<!-- data -->": in_script(data),
    }
    page = pathlib.Path(template).read_text(encoding="utf-8")
    for place, content in places.items():
        before, _, after = page.partition(place)
        page = before + content + after
    return page


def in_script(text):
    """Returns JSON escaped for a `script` element: without `<`, it can neither end the element nor begin a comment."""
    return text.replace("<", "\\u003c")

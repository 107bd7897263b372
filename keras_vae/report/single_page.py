"""A web page as one HTML text: a template with places for its title, its style, its modules and its data."""

import base64
import json
import pathlib

from keras_vae.report.page import NAME, text


def inlined(modules):
    """Returns an import map's entries that hold the modules themselves.

    Args:
        modules: Paths of JavaScript files by the names that they import each other by, such as `explorer/maths`.
    """
    return {
        name: "data:text/javascript;base64," + base64.b64encode(path.read_bytes()).decode()
        for name, path in modules.items()
    }


def filled(template, title, imports, style, data):
    """Returns the page.

    Args:
        template: Path of the HTML file whose four places are filled.
        title: Any text; shown in part where it is long.
        imports: The import map's entries.
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
    """Returns JSON that may stand in a `script` element: `<` ends none there, and begins no comment."""
    return text.replace("<", "\\u003c")

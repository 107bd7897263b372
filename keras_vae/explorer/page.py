"""The page: `static/index.html` with its modules, live or as one file."""

import base64
import html
import json
import pathlib

from keras_vae.explorer.dead_zones import grid_codes
from keras_vae.explorer.network import CannotCompute, computable
from keras_vae.explorer.packing import to_text

STATIC = pathlib.Path(__file__).parent / "static"
GRID_BUDGET = 12 << 20  # bytes of pictures in the grid of a model that the browser cannot compute
GRID_SAMPLES = 16  # of each sampler then


def modules():
    """Returns the page's modules by the names that they import each other by, such as `explorer/maths`."""
    return {f"explorer/{path.stem}": path for path in sorted(STATIC.glob("*.js"))}


def live_page(title):
    """Returns the page that asks a server."""
    urls = {name: f"explorer/static/{path.name}" for name, path in modules().items()}
    style = '<link rel="stylesheet" href="explorer/static/style.css">'
    return filled(title, {name: f"./{url}" for name, url in urls.items()}, style, "null")


def static_page(worlds):
    """Returns the page on `worlds`, one or two, as one HTML text that needs nothing else."""
    inlined = {
        name: "data:text/javascript;base64," + base64.b64encode(path.read_bytes()).decode()
        for name, path in modules().items()
    }
    style = f"<style>{(STATIC / 'style.css').read_text(encoding='utf-8')}</style>"
    data = to_text([static_facts(world) for world in worlds])
    return filled(" and ".join(world.name for world in worlds), inlined, style, data)


def static_facts(world):
    """Returns the facts of `world`, and what replaces a server: the networks, or a grid of pictures; and codes."""
    facts = {
        **world.facts,
        "report": None,
        "codes": {name: world.sample(name, range(world.seeds)) for name in world.samplers},
    }
    try:
        return {**facts, "network": computable(world)}
    except CannotCompute as problem:
        codes = {name: drawn[:GRID_SAMPLES] for name, drawn in facts["codes"].items()}
        return {**facts, "codes": codes, "grid": picture_grid(world, codes), "why_grid": str(problem)}


def picture_grid(world, codes):
    """Returns what the map decodes to, cell by cell, and what the samplers' `codes` do."""
    height, width, channels = world.model.image_shape
    side = int(min(max((GRID_BUDGET / (height * width * channels)) ** 0.5, 8), 48))
    return {
        "side": side,
        "images": world.decode(grid_codes(world, side)),
        "samples": {name: world.decode(drawn) for name, drawn in codes.items()},
    }


def filled(title, imports, style, data):
    """Returns `index.html` with its four places filled; `data` is JSON."""
    places = {
        "<!-- title -->": html.escape(title),
        "<!-- style -->": style,
        "<!-- imports -->": in_script(json.dumps({"imports": imports})),
        "<!-- data -->": in_script(data),
    }
    text = (STATIC / "index.html").read_text(encoding="utf-8")
    for place, content in places.items():
        before, _, after = text.partition(place)
        text = before + content + after
    return text


def in_script(text):
    """Returns JSON that may stand in a `script` element: `<` ends none there, and begins no comment."""
    return text.replace("<", "\\u003c")

"""The page: `static/index.html` with its modules, live or as one file."""

import pathlib

from keras_vae.explorer.dead_zones import grid_codes
from keras_vae.explorer.network import CannotCompute, computable
from keras_vae.explorer.packing import to_text
from keras_vae.single_page import filled, inlined

STATIC = pathlib.Path(__file__).parent / "static"
TEMPLATE = STATIC / "index.html"
GRID_BUDGET = 12 << 20  # bytes of pictures in the grid of a model that the browser cannot compute
GRID_SAMPLES = 16  # of each sampler then


def modules():
    """Returns the page's modules by the names that they import each other by, such as `explorer/maths`."""
    return {f"explorer/{path.stem}": path for path in sorted(STATIC.glob("*.js"))}


def live_page(title):
    """Returns the page that asks a server."""
    urls = {name: f"explorer/static/{path.name}" for name, path in modules().items()}
    style = '<link rel="stylesheet" href="explorer/static/style.css">'
    return filled(TEMPLATE, title, {name: f"./{url}" for name, url in urls.items()}, style, "null")


def static_page(worlds):
    """Returns the page on `worlds`, one or two, as one HTML text that needs nothing else."""
    style = f"<style>{(STATIC / 'style.css').read_text(encoding='utf-8')}</style>"
    data = to_text([static_facts(world) for world in worlds])
    return filled(TEMPLATE, " and ".join(world.name for world in worlds), inlined(modules()), style, data)


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

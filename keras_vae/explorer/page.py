"""The explorer's page: `static/index.html` with its modules, live or as one file."""

import math
import pathlib

import numpy as np

from keras_vae.errors import UsageError
from keras_vae.explorer.dead_zones import grid_codes, labels_of
from keras_vae.explorer.network import CannotCompute, computable
from keras_vae.explorer.packing import to_text
from keras_vae.explorer.replay import replay_of
from keras_vae.explorer.world import LAYERS
from keras_vae.report.single_page import filled, inlined
from keras_vae.runtime.programs import to_type, typed_path

STATIC = pathlib.Path(__file__).parent / "static"
TEMPLATE = STATIC / "index.html"
GRID_BUDGET = 12 << 20  # bytes of images in the grid for a model that the browser cannot compute
GRID_SIDES = 8, 48  # the fewest and the most cells per side
GRID_SAMPLES = 16  # per sampler in that case


def modules():
    """Returns the page's modules by their import names, such as `explorer/maths`."""
    return {f"explorer/{path.stem}": path for path in sorted(STATIC.glob("*.js"))}


def live_page(title):
    """Returns the page that requests its data from a server."""
    urls = {name: f"explorer/static/{path.name}" for name, path in modules().items()}
    style = '<link rel="stylesheet" href="explorer/static/style.css">'
    # After the import map in the page: browsers ignore an import map once a module is requested.
    style += "".join(f'<link rel="modulepreload" href="{url}">' for url in urls.values())
    return filled(TEMPLATE, title, {name: f"./{url}" for name, url in urls.items()}, style, "null")


def static_page(worlds):
    """Returns the page about one or two `worlds` as self-contained HTML."""
    style = f"<style>{(STATIC / 'style.css').read_text(encoding='utf-8')}</style>"
    data = to_text([static_facts(world) for world in worlds])
    return filled(TEMPLATE, " and ".join(world.name for world in worlds), inlined(modules()), style, data)


def static_facts(world):
    """Returns the facts of `world`, with codes and either the networks or a grid of images in place of a server."""
    facts = {
        **world.facts,
        **{name: world.layer(name) for name in LAYERS},
        "replay": replay_of(world),
        "report": None,
        "codes": {name: world.sample(name, range(world.seeds)) for name in world.sampler_names},
    }
    try:
        return {**facts, "network": computable(world)}
    except CannotCompute as problem:
        codes = {name: drawn[:GRID_SAMPLES] for name, drawn in facts["codes"].items()}
        grid = picture_grid(world, codes, str(problem))
        return {**facts, "codes": codes, "grid": grid, "why_grid": str(problem)}


def picture_grid(world, codes, why):
    """Returns the decoded images of the map's cells and of the samplers' `codes`, for each label.

    Raises:
        UsageError: There are too many labels for one page. `why` says why the browser cannot compute the model.
    """
    labels, (fewest, most) = labels_of(world), GRID_SIDES
    side = int((GRID_BUDGET / (math.prod(world.model.image_shape) * len(labels))) ** 0.5)
    if len(labels) > 1 and side < fewest:
        raise UsageError(
            f"{world.run.path}: the browser cannot compute the model ({why}), and images for each of its"
            f" {len(labels)} labels are too large for one file (show it live:"
            f" {to_type('serve', 'run', typed_path(world.run.path))})"
        )
    side = min(max(side, fewest), most)

    def decoded(codes):
        return np.concatenate([world.decode(codes, label) for label in labels])

    return {
        "side": side,
        "images": decoded(grid_codes(world, side)),
        "samples": {name: decoded(drawn) for name, drawn in codes.items()},
    }

"""The latent explorer: a web page on one run, or on two side by side.

    explorer_routes(app, runs)      adds the live page to a FastAPI application
    static_page(worlds)             the same page as one HTML file, the networks computed in the browser

The page is made of modules in JavaScript, `static/`, that need no build step. What it knows of a run is a `World`;
what has to be computed while somebody plays is asked from an engine, of which there are three (`static/engines.js`):
this package behind HTTP, the networks in the browser, or a grid of pictures for those that the browser cannot compute.

Imports: `report`, `evaluation`. Begin with `world.py` and `static/main.js`.
"""

from keras_vae.explorer.live import explorer_routes
from keras_vae.explorer.page import static_page
from keras_vae.explorer.projector import write_projector
from keras_vae.explorer.world import World

__all__ = ["World", "explorer_routes", "static_page", "write_projector"]

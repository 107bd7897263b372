"""The latent explorer: a web page about one run, or two side by side.

    live.explorer_routes(app, runs)      adds the live page to a FastAPI application
    live.prepare(app)                    computes what the page opens with, before it is requested
    world.keep(run, model, dataset)      computes the same after a training or an evaluation
    page.static_page(worlds)             the same page as one HTML file, with the networks computed in the browser
    projector.write_projector(world)     files for TensorBoard's Embedding Projector

The page consists of JavaScript modules, `static/`, without a build step. All data of a run that are computed in advance
are a `World`, and are kept with the run (`kept.py`). Everything else is computed on demand by one of three engines
(`static/engines.js`): this package behind HTTP, the networks in the browser, or a grid of images for networks that the
browser cannot compute.

Imports: `report`, `evaluation`. Begin with `world.py` and `static/main.js`.
"""

"""Which places of the map decode to what no image looks like."""

import numpy as np

from keras_vae.datasets.preparing import cache_folder
from keras_vae.features import choose_features
from keras_vae.metrics.manifold import dead_zone
from keras_vae.metrics.neighbours import nearest

CELLS, CELLS_OF_LARGE = 40, 24  # a side; fewer where images are large
LARGE = 64 * 64
REFERENCE = 2000  # real images


def shade(world):
    """Returns how far what each cell of the map decodes to lies from real images.

    The unit is the distance that 95% of the reconstructions keep to their nearest real image, in the features of the
    report: above 1 is what `keras_vae.metrics.manifold.dead_zone` counts. Where a code has more than two numbers, the
    map is the plane of the first two principal axes through the codes' mean.

    Returns:
        {"distances": float32 `[cells, cells]`, rows from the map's bottom; "share": of the cells beyond 1}.
    """
    codes = grid_codes(world, cells_of(world))
    features = choose_features(world.dataset, "auto", cache_folder())
    reference = features(world.dataset.train.images(0, REFERENCE))
    reconstructed = features(world.decode(world.codes.mean).astype("float32") / 255)
    looks = features(world.decode(codes).astype("float32") / 255)
    threshold = max(dead_zone(looks, reference, reconstructed)["threshold"], 1e-12)
    relative = np.sqrt(nearest(looks, reference)[1][:, 0] / threshold).astype("float32")
    side = cells_of(world)
    return {"distances": relative.reshape(side, side), "share": float((relative > 1).mean())}


def cells_of(world):
    """Returns the number of cells a side."""
    height, width, _ = world.model.image_shape
    return CELLS if height * width < LARGE else CELLS_OF_LARGE


def grid_codes(world, side):
    """Returns the codes at the centers of the cells, `[side * side, d]`: rows from the bottom, each from the left."""
    left, right, bottom, top = world.bounds
    steps = (np.arange(side) + 0.5) / side
    across, up = np.meshgrid(left + steps * (right - left), bottom + steps * (top - bottom))
    center, directions = world.axes
    points = np.stack([across.ravel(), up.ravel()], axis=1)[:, : len(directions)].astype("float32")
    return center + points @ directions[: points.shape[1]]

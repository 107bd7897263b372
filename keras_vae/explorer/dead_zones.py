"""Which places of the map decode to what no image looks like."""

import numpy as np

from keras_vae.datasets.preparing import cache_folder
from keras_vae.evaluation.features import choose_features
from keras_vae.evaluation.metrics.manifold import dead_zone
from keras_vae.evaluation.metrics.neighbours import nearest

CELLS, CELLS_OF_LARGE, FEWEST_CELLS = 40, 24, 8  # a side; fewer where images are large, or labels many
LARGE = 64 * 64
MAPS = 4  # as many pictures as so many maps have are decoded for all labels together
REFERENCE = 2000  # real images


def shade(world):
    """Returns how far what each cell of the map decodes to lies from real images.

    The unit is the distance that 95% of the reconstructions keep to their nearest real image, in the features of the
    report: above 1 is what `keras_vae.evaluation.metrics.manifold.dead_zone` counts. Where a code has more than two numbers, the
    map is the plane of the first two principal axes through the codes' mean. A conditional model has a map a label.

    Returns:
        {"distances": float32 `[labels, cells, cells]`, one map where no labels are told, rows from its bottom;
        "share": of the cells beyond 1, of all maps}.
    """
    side = cells_of(world)
    codes = grid_codes(world, side)
    features = choose_features(world.dataset, "auto", cache_folder())
    reference = features(world.dataset.train.images(0, REFERENCE))
    reconstructed = features(world.reconstructions.astype("float32") / 255)

    def distances(label):
        looks = features(world.decode(codes, label).astype("float32") / 255)
        threshold = max(dead_zone(looks, reference, reconstructed)["threshold"], 1e-12)
        return np.sqrt(nearest(looks, reference)[1][:, 0] / threshold).astype("float32").reshape(side, side)

    relative = np.stack([distances(label) for label in labels_of(world)])
    return {"distances": relative, "share": float((relative > 1).mean())}


def labels_of(world):
    """Returns what a code can be decoded as: the labels of a conditional model, else [None]."""
    return list(range(world.model.num_classes)) if world.model.conditional else [None]


def cells_of(world):
    """Returns the number of cells a side."""
    height, width, _ = world.model.image_shape
    side = CELLS if height * width < LARGE else CELLS_OF_LARGE
    return max(FEWEST_CELLS, int(side * min(1, MAPS / len(labels_of(world))) ** 0.5))


def grid_codes(world, side):
    """Returns the codes at the centers of the cells, `[side * side, d]`: rows from the bottom, each from the left."""
    left, right, bottom, top = world.bounds
    steps = (np.arange(side) + 0.5) / side
    across, up = np.meshgrid(left + steps * (right - left), bottom + steps * (top - bottom))
    center, directions = world.axes
    points = np.stack([across.ravel(), up.ravel()], axis=1)[:, : len(directions)].astype("float32")
    return center + points @ directions[: points.shape[1]]

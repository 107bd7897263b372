"""Finds the parts of the map, and the share of prior samples, that do not decode to realistic images."""

import numpy as np

from keras_vae.errors import UsageError
from keras_vae.evaluation.features import choose_features
from keras_vae.evaluation.metrics.manifold import dead_zone, distances_to
from keras_vae.evaluation.sections.codes import held_out, in_batches
from keras_vae.runtime.files import cache_folder

CELLS, CELLS_OF_LARGE, FEWEST_CELLS = 40, 24, 8  # per side; fewer for large images or many labels
LARGE = 64 * 64
MAPS = 4  # all labels together decode at most as many images as this many maps
REFERENCE = 2000  # real images
OFFLINE = ("classifier", "random")  # features of a report that are available here too
COMPARED = 1000  # reconstructions and samples, each


def shade(world):
    """Returns the distance of each cell's decoded image from real images, and the share of samples that are dead.

    Both are defined as in the report (`keras_vae.evaluation.metrics.manifold.dead_zone`). Distances are to the nearest
    of a set of held-out images, in the features of the report. The unit is the distance within which 95% of the
    reconstructions of other held-out images lie; more than 1 is dead. If a code has more than two numbers, the map is
    the plane of the first two principal axes through the codes' mean. A conditional model has one map per label.

    Returns:
        {"distances": float32 `[labels, cells, cells]`, one map for unconditional models, rows from the bottom;
        "share": the dead zone of samples from the prior, as in the report; "map_share": the share of cells beyond 1 in
        all maps, which depends on the extent of the map}.
    """
    side = cells_of(world)
    codes = grid_codes(world, side)
    kind = world.report.get("features")
    features = choose_features(world.dataset, kind if kind in OFFLINE else "auto", cache_folder())
    measured, own, reference = compared(world.dataset)
    reference = features(reference)
    sampled = dead_zone(
        features(prior_samples(world, len(measured))),
        reference,
        features(reconstructed(world, measured)),
        own,
    )
    threshold = max(sampled["threshold"], 1e-12)

    def distances(label):
        looks = features(world.decode(codes, label).astype("float32") / 255)
        return (distances_to(looks, reference) / threshold).astype("float32").reshape(side, side)

    relative = np.stack([distances(label) for label in labels_of(world)])
    return {
        "distances": relative,
        "share": max(sampled["dead_zone"], 0.0),
        "map_share": float((relative > 1).mean()),
    }


def compared(dataset):
    """Returns (split, own, images): held-out images to reconstruct, and other images to compare with.

    If too few images are held out, both are the same training images, and `own` is the index of each one in `images`.
    """
    try:
        count, reference, _ = held_out(dataset, REFERENCE, REFERENCE)
        return dataset.test.take(min(count, COMPARED)), None, reference
    except UsageError:
        split = dataset.train.take(REFERENCE)
        return split.take(COMPARED), np.arange(min(len(split), COMPARED)), split.images()


def reconstructed(world, split):
    """Returns the reconstructions of `split` from the means of its codes, in [0, 1] with 8 bits per channel."""
    images = world.subject.observe(split.images(), 0)
    mean = in_batches(world.subject.encode, images, *world.label_inputs(split.labels, len(images)))[0]
    return world.decode(mean.reshape(len(mean), -1), split.labels).astype("float32") / 255


def prior_samples(world, count):
    """Returns `count` images decoded from the prior; conditional models get labels as frequent as in training."""
    labels = world.dataset.train.labels
    if world.model.conditional:
        labels = np.random.default_rng(0).choice(labels, count)
    return world.decode(world.sample("prior", range(count)), labels).astype("float32") / 255


def labels_of(world):
    """Returns the labels that a code can be decoded with: those of a conditional model, else [None]."""
    return list(range(world.model.num_classes)) if world.model.conditional else [None]


def cells_of(world):
    """Returns the number of cells per side."""
    height, width, _ = world.model.image_shape
    side = CELLS if height * width < LARGE else CELLS_OF_LARGE
    return max(FEWEST_CELLS, int(side * min(1, MAPS / len(labels_of(world))) ** 0.5))


def grid_codes(world, side):
    """Returns the codes at the centers of the cells, `[side * side, d]`: rows from the bottom, cells from the left."""
    left, right, bottom, top = world.bounds
    steps = (np.arange(side) + 0.5) / side
    across, up = np.meshgrid(left + steps * (right - left), bottom + steps * (top - bottom))
    center, directions = world.axes
    points = np.stack([across.ravel(), up.ravel()], axis=1)[:, : len(directions)].astype("float32")
    return center + points @ directions[: points.shape[1]]

"""The small colour sets of section 3: coloured shapes, and one of them changed as augmentation changes it."""

import numpy as np

from keras_vae.data.augment import augment_batch
from keras_vae.data.sources.sprites import draw_factors, render
from keras_vae.runtime.files import whole

SIDE, FACTOR = 32, 2  # pixels; sprites are drawn at twice that
COLOURED, SINGLE = 1500, 2000  # images
CHANGES = ("flip", "shift", "zoom", "rotate")


def write_sets(folder):
    """Writes `coloured.npz` and `single.npz` into `folder`, where they are not there yet."""
    for name, draw in {"coloured": coloured, "single": single}.items():
        if not (folder / f"{name}.npz").is_file():
            pictures, labels = draw()
            with whole(folder / f"{name}.npz") as temporary, open(temporary, "wb") as file:
                np.savez_compressed(file, images=pictures, labels=labels)


def coloured(count=COLOURED, seed=0):
    """Returns `count` shapes in one colour on another, uint8 `[n, 32, 32, 3]`, and which shape each is."""
    factors = draw_factors(count, seed)
    large = render(factors).astype("float32") / 255
    cover = large.reshape(count, SIDE, FACTOR, SIDE, FACTOR, 1).mean(axis=(2, 4))
    generator = np.random.default_rng(seed)
    # Bright on dark: the two never meet.
    bright, dark = generator.uniform(0.5, 1, (count, 1, 1, 3)), generator.uniform(0, 0.4, (count, 1, 1, 3))
    return np.rint(255 * (cover * bright + (1 - cover) * dark)).astype("uint8"), factors[:, 0]


def single(count=SINGLE):
    """Returns one of these images, changed at random `count` times, and its shape as often."""
    pictures, labels = coloured(1)
    copies = np.repeat(pictures / np.float32(255), count, axis=0)
    changed = np.asarray(augment_batch(copies, CHANGES, np.array([0, 1], "int64")))
    return np.rint(255 * changed).astype("uint8"), np.repeat(labels, count)

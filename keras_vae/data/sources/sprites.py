"""Shapes drawn from the known factors of dSprites (Matthey et al. 2017), for measuring disentanglement."""

from dataclasses import dataclass, field

import numpy as np

from keras_vae.data.dataset import Annotations, in_memory
from keras_vae.errors import DatasetError

SHAPES = ("square", "ellipse", "heart")
FACTOR_NAMES = ("shape", "scale", "orientation", "x", "y")
FACTOR_SIZES = (3, 6, 40, 32, 32)
SIDE = 64
MOST_IMAGES = 10**7  # 38 GiB
RADIUS = 15  # pixels from a shape's centre to its farthest point, at the largest scale
PATCH = 33  # a shape is drawn at the centre of a patch, which is placed at one of 32x32 positions
# Distinct orientations of 40: a square looks the same after a quarter turn, an ellipse after a half turn.
DIFFERENT_ORIENTATIONS = (10, 20, 40)


@dataclass(frozen=True)
class Sprites:
    """White squares, ellipses and hearts on black, 64x64x1, with the factors of each image."""

    size: int = field(default=10000, metadata={"help": "number of images; there are 737,280 combinations"})
    seed: int = field(default=0, metadata={"help": "random seed for the choice of factors"})

    def load(self, options):
        """Returns the `Dataset`; the label is the shape."""
        if self.size < 1:
            raise DatasetError(f"sprites: size is {self.size}: at least 1 image is needed")
        if self.size > MOST_IMAGES:
            raise DatasetError(f"sprites: size is {self.size}: at most {MOST_IMAGES} are drawn")
        if self.seed < 0:
            raise DatasetError(f"sprites: seed is {self.seed}: it must be 0 or more")
        factors = draw_factors(self.size, self.seed)
        known = Annotations(
            labels=factors[:, 0],
            label_names=SHAPES,
            factors=factors,
            factor_names=FACTOR_NAMES,
            factor_sizes=FACTOR_SIZES,
        )
        return in_memory("sprites", render(factors), options, known)


def draw_factors(size, seed):
    """Returns random factors, int64 `[size, 5]`; no combination repeats before all have occurred."""
    generator = np.random.default_rng(seed)
    combinations = int(np.prod(FACTOR_SIZES))
    rounds = [np.argsort(generator.random(combinations)) for _ in range(-(-size // combinations))]
    return np.stack(np.unravel_index(np.concatenate(rounds)[:size], FACTOR_SIZES), axis=1).astype(np.int64)


def render(factors):
    """Returns uint8 images `[n, 64, 64, 1]` of `factors`, int `[n, 5]` in the order of `FACTOR_NAMES`.

    Scales run from 0.5 to 1, orientations over the full circle, and a step of x or y is one pixel.
    """
    patches = _patches()
    shape, scale, orientation, x, y = factors.T
    images = np.zeros((len(factors), SIDE, SIDE, 1), np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(images[..., 0], (PATCH, PATCH), (1, 2), writeable=True)
    windows[np.arange(len(factors)), y, x] = patches[shape, scale, orientation]
    return images


def _patches():
    """Returns uint8 `[shape, scale, orientation, 33, 33]`: each sprite at the centre of its patch."""
    grid = np.arange(PATCH) - (PATCH - 1) / 2
    patches = np.empty((*FACTOR_SIZES[:3], PATCH, PATCH), np.uint8)
    for scale, size in enumerate(RADIUS * np.linspace(0.5, 1.0, FACTOR_SIZES[1])):
        for shape, distance in enumerate((_square, _ellipse, _heart)):
            # Orientations that look the same are drawn at the same angle, so they are equal bit for bit.
            step = np.arange(FACTOR_SIZES[2]) % DIFFERENT_ORIENTATIONS[shape]
            angle = (2 * np.pi / FACTOR_SIZES[2]) * step[:, None, None]
            across = np.cos(angle) * grid + np.sin(angle) * grid[:, None]
            down = np.cos(angle) * grid[:, None] - np.sin(angle) * grid
            # The coverage of a pixel is the part of it inside the outline: half of it at distance 0.
            coverage = np.clip(0.5 - size * distance(across / size, down / size), 0, 1)
            patches[shape, scale] = np.rint(255 * coverage)
    return patches


# Signed distances from points (x to the right, y down) to the outline of a shape, negative inside, in units of its
# radius (the distance from the centre to the farthest point).


def _square(x, y):
    x, y = np.abs(x) - np.sqrt(0.5), np.abs(y) - np.sqrt(0.5)
    return np.hypot(np.maximum(x, 0), np.maximum(y, 0)) + np.minimum(np.maximum(x, y), 0)


def _ellipse(x, y, width=1.0, height=0.5):
    # To first order: the implicit function divided by the norm of its gradient (exact at the outline).
    norm = np.maximum(np.hypot(x / width, y / height), 1e-3)  # avoids 0/0 at the centre
    slope = np.maximum(np.hypot(x / width**2, y / height**2), norm / width)
    return norm * (norm - 1) / slope


def _heart(x, y, size=1.48):
    # A square on its corner with half a disk on each upper side (Quilez, "2D distance functions").
    x, y = np.abs(x) / size, 0.55 - y / size
    lobe = np.hypot(x - 0.25, y - 0.75) - np.sqrt(0.125)
    along = np.maximum(x + y, 0) / 2
    rest = np.minimum(np.hypot(x, y - 1), np.hypot(x - along, y - along)) * np.sign(x - y)
    return size * np.where(x + y > 1, lobe, rest)

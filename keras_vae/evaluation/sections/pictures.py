"""What the report shows beside numbers."""

import numpy as np

from keras_vae.evaluation.metrics import paths
from keras_vae.principal import project

SHOWN = 16


def take_pictures(study):
    """What the report shows beside numbers: strips of images along paths, and the map of the codes."""
    generator = study.generator("pictures")
    half = len(study.test) // 2
    rows, points = 4, 9
    start, end = study.test.mean[:rows], study.test.mean[half : half + rows]
    rows = min(len(start), len(end))
    labels = study.test.labels_of(rows)
    fractions = np.linspace(0, 1, points)

    def strip(walks):
        images = study.decode(walks.reshape(-1, walks.shape[-1]), labels)
        return images.reshape(rows, -1, *study.test.images.shape[1:])

    pixel = fractions[None, :, None, None, None]
    first, last = study.test.images[:rows, None], study.test.images[half : half + rows, None]
    study.pictures["interpolation"] = {
        "linear": strip(paths.linear(start[:rows], end[:rows], fractions)),
        "slerp": strip(paths.slerp(start[:rows], end[:rows], fractions)),
        "variance_preserving": strip(paths.variance_preserving(start[:rows], end[:rows], fractions)),
        "pixel_blend": (1 - pixel) * first + pixel * last,
    }
    angles = np.linspace(0, 90, points)
    study.pictures["posterior_to_prior"] = strip(
        paths.posterior_to_prior(study.codes["posterior"][:rows], study.codes["prior"][:rows], angles)
    )
    study.pictures["ladder"] = {name: images[:SHOWN] for name, images in study.rungs.items()}
    study.pictures["map"] = code_map(study, generator)
    study.pictures["plane"] = plane(study) if study.test.latent_shape == (2,) else None


def code_map(study, generator):
    """Returns codes and prior draws in two dimensions: a 2-d latent's own, else the first principal components."""
    size = study.test.mean.shape[1]
    prior = study.codes["prior"]
    if size == 2:
        codes, shown, explained = study.test.mean, prior, 1.0
    else:
        components = study.components
        directions = components.directions[:, :2]
        codes, shown = (project(values, components.center, directions) for values in (study.test.mean, prior))
        total = float(components.eigenvalues.sum())
        explained = float(components.eigenvalues[:2].sum()) / total if total > 0 else 0.0
    if codes.shape[1] < 2:
        codes, shown = (np.pad(values, ((0, 0), (0, 2 - values.shape[1]))) for values in (codes, shown))
    return {"codes": codes, "labels": study.test.labels, "prior": shown, "explained": explained}


def plane(study, side=21, reach=3.0):
    """Returns what a latent of size 2 decodes to over [-3, 3]^2, `[side, side, height, width, channels]`.

    Of a conditional model, for the class of the first test image.
    """
    ticks = np.linspace(-reach, reach, side)
    codes = np.stack(np.meshgrid(ticks, ticks[::-1]), axis=-1).reshape(-1, 2)
    return study.decode(codes, study.test.labels_of(1)).reshape(side, side, *study.test.images.shape[1:])

"""The pictures of the report."""

import numpy as np

from keras_vae.evaluation.metrics import paths
from keras_vae.evaluation.sections.found import Found
from keras_vae.samplers.principal import oriented, project


def take_pictures(evidence, latent, ladder):
    """Takes the pictures of the report: strips of images along paths, and the map of the codes."""
    half = len(evidence.test) // 2
    rows, points = 4, 9
    start, end = evidence.test.mean[:rows], evidence.test.mean[half : half + rows]
    rows = min(len(start), len(end))
    labels = evidence.test.labels_of(rows)
    fractions = np.linspace(0, 1, points)

    def strip(walks):
        images = evidence.decode(walks.reshape(-1, walks.shape[-1]), labels)
        return images.reshape(rows, -1, *evidence.test.images.shape[1:])

    pixel = fractions[None, :, None, None, None]
    first, last = evidence.test.images[:rows, None], evidence.test.images[half : half + rows, None]
    pictures = {}
    pictures["interpolation"] = {
        "linear": strip(paths.linear(start[:rows], end[:rows], fractions)),
        "slerp": strip(paths.slerp(start[:rows], end[:rows], fractions)),
        "variance_preserving": strip(paths.variance_preserving(start[:rows], end[:rows], fractions)),
        "pixel_blend": (1 - pixel) * first + pixel * last,
    }
    angles = np.linspace(0, 90, points)
    pictures["posterior_to_prior"] = strip(
        paths.posterior_to_prior(
            ladder.kept.codes["posterior"][:rows], ladder.kept.codes["prior"][:rows], angles
        )
    )
    pictures["map"] = code_map(evidence, latent.kept, ladder.kept.codes["prior"])
    pictures["plane"] = plane(evidence) if evidence.test.latent_shape == (2,) else None
    return Found(pictures=pictures)


def code_map(evidence, components, prior):
    """Returns codes and prior draws in two dimensions: those of a 2-d latent, else the first principal components."""
    size = evidence.test.mean.shape[1]
    if size == 2:
        codes, shown, shares = evidence.test.mean, prior, None
    else:
        directions = oriented(components.directions[:, :2])
        codes, shown = (
            project(values, components.center, directions) for values in (evidence.test.mean, prior)
        )
        total = float(components.eigenvalues.sum())
        shares = [float(value) / total if total > 0 else 0.0 for value in (*components.eigenvalues, 0, 0)[:2]]
    if codes.shape[1] < 2:
        codes, shown = (np.pad(values, ((0, 0), (0, 2 - values.shape[1]))) for values in (codes, shown))
    return {
        "codes": codes,
        "labels": evidence.test.labels,
        "prior": shown,
        "explained": 1.0 if shares is None else sum(shares),
        "shares": shares,
        "axes": "latent" if size == 2 else "principal",
    }


def plane(evidence, side=21, reach=3.0):
    """Returns the decoded images of a latent of size 2 over [-3, 3]^2, `[side, side, height, width, channels]`.

    A conditional model decodes them with the label of the first test image.
    """
    ticks = np.linspace(-reach, reach, side)
    codes = np.stack(np.meshgrid(ticks, ticks[::-1]), axis=-1).reshape(-1, 2)
    return evidence.decode(codes, evidence.test.labels_of(1)).reshape(
        side, side, *evidence.test.images.shape[1:]
    )

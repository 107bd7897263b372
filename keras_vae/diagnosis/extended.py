"""What takes longer."""

import math
import warnings

import numpy as np

from keras_vae.diagnosis.codes import in_batches
from keras_vae.diagnosis.study import MOST_SAMPLES
from keras_vae.metrics import frechet, memorisation, paths, reconstruction
from keras_vae.principal import project


def measure_extended(study):
    """What takes longer, and is asked for by `--extended`."""
    return {
        "n": len(study.reference),
        "frechet_by_n": frechet_by_n(study),
        "cell_z": {name: cell_z(study, seen) for name, seen in study.seen.items() if name != "real"},
        "spectral_norm": spectral_norm(study),
        "path_length": path_length(study),
        "swapped_mse_ratio": swapped_mse_ratio(study),
        "prior_classifier": prior_classifier(study),
    }


def frechet_by_n(study):
    """Returns the Frechet distance at several n, and at infinite n by a line in 1 / n (Chong and Forsyth 2020)."""
    sizes = [int(share * len(study.reference)) for share in (0.25, 0.4, 0.6, 0.8, 1)]
    section = {"n": sizes, "rungs": {}, "limit": {}}
    for name, seen in study.seen.items():
        distances = [
            frechet.frechet_distance(seen.looks[:size], study.seen_reference.looks[:size]) for size in sizes
        ]
        section["rungs"][name] = distances
        section["limit"][name] = float(np.polyfit(1 / np.array(sizes), distances, 1)[1])
    return section


CELLS = 10


def cell_z(study, seen):
    """Returns C_T, the mean over k-means cells of how much closer than test images to training images a rung is.

    Meehan, Chaudhuri and Dasgupta 2020, section 3.2; cells with fewer than 20 of either are left out. None where
    all are.
    """
    from sklearn.cluster import KMeans

    training = study.see(study.train.images[:MOST_SAMPLES]).looks
    real = study.seen["real"].looks
    cells = KMeans(CELLS, n_init=1, random_state=study.seed).fit(training)
    where, where_real = cells.predict(seen.looks), cells.predict(real)
    distances, real_distances = (
        memorisation.nearest_training_images(looks, training)[1][:, 0] for looks in (seen.looks, real)
    )
    scores, weights = [], []
    for cell in range(CELLS):
        inside, inside_real = distances[where == cell], real_distances[where_real == cell]
        if min(len(inside), len(inside_real)) >= 20:
            scores.append(memorisation.closeness_z(inside, inside_real))
            weights.append(len(inside_real))
    if not scores:
        study.reasons["extended.cell_z"] = "no cell holds 20 images of a rung and 20 test images"
        return None
    return float(np.average(scores, weights=weights))


def spectral_norm(study, points=16, most=32):
    """Returns the median over posterior draws of the decoder's largest stretch within the codes' principal directions.

    The Jacobian's products with at most 32 directions, and their largest singular value: the true spectral norm
    where the latent has no more, else a lower bound of it.
    """
    directions = study.components.directions[:, :most].T
    if not len(directions):
        study.reasons["extended.spectral_norm"] = "the codes do not vary"
        return None
    norms = []
    for code in study.codes["posterior"][:points]:
        codes = np.repeat(code[None], len(directions), axis=0)
        norms.append(np.linalg.norm(study.slopes(codes, directions), ord=2))
    return float(np.median(norms))


def path_length(study, count=256, step=1e-2):
    """Returns E d(G(slerp(t)), G(slerp(t + step))) / step^2 between prior draws, d the squared feature distance.

    The perceptual path length of Karras et al. 2019 in these features: it compares with itself only.
    """
    generator = study.generator("path length")
    codes = study.codes["prior"][: 2 * count]
    half = len(codes) // 2
    looks = []
    starts = generator.random(half)
    for fractions in (starts, starts + step):
        pairs = zip(codes[:half], codes[half : 2 * half], fractions)
        points = [paths.slerp(start[None], end[None], [fraction])[0, 0] for start, end, fraction in pairs]
        looks.append(study.see(study.decode(np.stack(points))).looks.astype("float64"))
    return float(np.square(looks[1] - looks[0]).sum(axis=1).mean() / step**2)


def swapped_mse_ratio(study):
    """Returns the squared error of reconstructing images whose quadrants are exchanged, over that of images as they are.

    Above 1: the model knows its images; one that copies pixels, whatever they show, would have 1.
    """
    images = study.test.images[: study.results["reconstruction"]["test"]["n"]]
    count = len(images)
    swapped = np.roll(images, (images.shape[1] // 2, images.shape[2] // 2), axis=(1, 2))
    mean, _ = in_batches(study.subject.encode, study.subject.observe(swapped, study.seed))
    error = reconstruction.mse(swapped, study.decode(mean.reshape(count, -1))).mean()
    return float(error / max(study.results["reconstruction"]["test"]["mse"], 1e-12))


def prior_classifier(study):
    """Returns how well a small network tells posterior draws from prior draws, in principal coordinates, and its error.

    The accuracy on the half that it has not learnt from: 0.5 where the aggregated posterior is the prior.
    """
    from sklearn.neural_network import MLPClassifier

    axes = study.components.directions[:, :32]
    if not axes.shape[1]:
        study.reasons["extended.prior_classifier"] = "the codes do not vary"
        return None
    rows = [project(study.codes[name], study.components.center, axes) for name in ("posterior", "prior")]
    count = len(rows[0]) // 2
    known, new = (
        np.concatenate([part[cut] for part in rows]) for cut in (slice(count), slice(count, 2 * count))
    )
    answers = np.repeat([0, 1], count)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # stopped before it has converged: a lower bound all the same
        network = MLPClassifier((64,), max_iter=200, random_state=study.seed).fit(known, answers)
    accuracy = float(network.score(new, answers))
    return {"accuracy": accuracy, "accuracy_se": math.sqrt(accuracy * (1 - accuracy) / len(answers))}

"""Measures whether samples copy training images, and whether held-out images have larger errors."""

import numpy as np

from keras_vae.evaluation.metrics import memorisation
from keras_vae.evaluation.metrics.overfitting import elbo_gap
from keras_vae.evaluation.sections.found import Found, missing

ROUNDING = 1 / 255**2 / 12  # squared error of rounding to 8 bits; the smallest error that counts
SHOWN = 8
OF_THE_BOUND = ("elbo_gap", "elbo_gap_se", "elbo_gap_fraction", "elbo_gap_fraction_se")


def measure_memorisation(evidence, reconstruction, rate_distortion, ladder, copying, generation_gap):
    """Measures the generalisation gap, and whether samples copy training images."""
    known, rates, scores = reconstruction.values, rate_distortion.values, copying.kept.scores
    errors = {name: max(known[name]["mse"], ROUNDING) for name in ("train", "test")}
    best = generation_gap.values["best_sampler"]
    copied, sentence = copying.kept.verdicts[best]
    pixels = copying.kept.pixels[best]
    values = {
        "mse_ratio": errors["test"] / errors["train"],
        **gap_of_the_bound(rate_distortion.kept),
        "n": copying.kept.num_images,
        "rungs": {name: {"z": score.z, "authenticity": score.authenticity} for name, score in scores.items()},
        "real_authenticity": scores["real"].authenticity,
        "reconstruction_z": scores["reconstruction"].z,
        "copied_share": pixels.share,
        "copied_low": pixels.low,
        "copied_high": pixels.high,
        "copied_chance": pixels.chance,
        "copied_tolerance": pixels.tolerance,
        "copies": copied,
        "sentence": sentence,
    }
    reasons = {} if copied is not None else {"memorisation.copies": sentence}
    if rates["elbo"] is None:
        reasons |= missing("memorisation", OF_THE_BOUND, rate_distortion.reasons["rate_distortion.elbo"])
    neighbours = nearest_to(evidence, ladder.kept, copying.kept.training, best)
    return Found(values, reasons, pictures={"neighbours": neighbours})


def gap_of_the_bound(nats):
    """Returns the difference between the ELBOs of training and held-out images, in nats, with its error."""
    if not nats.bounds:
        return dict.fromkeys(OF_THE_BOUND)
    bounds = nats.bounds
    found = elbo_gap(bounds["train"], bounds["test"], nats.rates["test"][: len(bounds["test"])])
    return {
        "elbo_gap": found.gap.value,
        "elbo_gap_se": found.gap.se,
        "elbo_gap_fraction": found.fraction.value,
        "elbo_gap_fraction_se": found.fraction.se,
    }


def nearest_to(evidence, ladder, training, rung):
    """Returns the first samples of a rung and the training images nearest to each."""
    looks = ladder.seen[rung].looks[:SHOWN]
    indices, _ = memorisation.nearest_training_images(looks, training, min(3, len(training)))
    images = evidence.dataset.train.images
    nearest = [np.concatenate([images(index, index + 1) for index in row]) for row in indices]
    return {"samples": ladder.images[rung][:SHOWN], "nearest": np.stack(nearest), "sampler": rung}

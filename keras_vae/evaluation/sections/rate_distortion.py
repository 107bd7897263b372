"""Measures the two terms of the loss."""

import math
from typing import NamedTuple

from keras_vae.evaluation.sections.against_prior import excess_of, rates
from keras_vae.evaluation.sections.evidence import NO_DENSITY, NO_LIKELIHOOD, mean_and_error
from keras_vae.evaluation.sections.found import Found
from keras_vae.evaluation.sections.reconstruction import bits_per_dim

NO_SIGMA = "the decoder's likelihood has no known standard deviation of a pixel"
REASONS = {
    "effective_beta": "the weight of the rate in the loss is unknown for a model of another library",
    "implied_sigma": NO_SIGMA,
    "calibration": NO_SIGMA,
    "distortion": NO_LIKELIHOOD,
    "distortion_se": NO_LIKELIHOOD,
}
RATES = ("rate", "rate_se", "rate_per_dim", "rate_bits", "train_rate")
BOUNDS = ("elbo", "elbo_se", "bits_per_dim", "train_elbo", "train_elbo_se")


class Nats(NamedTuple):
    """Values per image that later sections need.

    Attributes:
        excess: E log N(z; 0, I) - log p(z) of the codes of each split, `[n]` (`against_prior`).
        rates: The rates of each split, `[n]`; empty without a rate.
        bounds: ELBOs of each split, `[n]`; empty without a bound.
    """

    excess: dict
    rates: dict
    bounds: dict


def measure_rate_distortion(evidence, reconstruction):
    """Measures rate and distortion of held-out images, and their weights in the loss."""
    subject, known = evidence.subject, reconstruction.values["test"]
    values = {
        "n": known["n"],
        "distortion": known["distortion"],
        "distortion_se": known["distortion_se"],
        "effective_beta": subject.effective_beta,
        "implied_sigma": subject.sigma,
        "calibration": known["mse"] / subject.sigma**2 if subject.sigma else None,
        **dict.fromkeys((*RATES, *BOUNDS)),
    }
    nats, excess, by_split, bounds = reconstruction.kept.nats, {}, {}, {}
    if subject.is_variational:
        excess = {name: excess_of(evidence, name) for name in ("train", "test")}
        by_split = {
            name: known_rates(evidence, name, min(known["n"], len(getattr(evidence, name))), excess[name])
            for name in ("train", "test")
        }
        values |= describe_rate(by_split, evidence.test.mean.shape[1])
        if nats and subject.bin_width is not None:
            bounds = {name: elbos(nats[name], by_split[name]) for name in by_split}
            values |= describe_bound(evidence, bounds)
    unknown = (NO_DENSITY if nats else NO_LIKELIHOOD) if subject.is_variational else subject.no_rate
    reasons = {
        f"rate_distortion.{name}": REASONS.get(name, unknown)
        for name, value in values.items()
        if value is None
    }
    return Found(values, reasons, Nats(excess, by_split, bounds))


def known_rates(evidence, name, count, excess):
    """Returns the rates of the first images of a split, `[count]`, shifted if their mean is negative by chance."""
    nats = rates(evidence, name, count, excess)
    return nats - min(nats.mean(), 0.0)


def describe_rate(by_split, size):
    """Returns the rate in several units, from the rates of each split, a dict of `[n]`."""
    rate, error = mean_and_error(by_split["test"])
    return {
        "rate": rate,
        "rate_se": error,
        "rate_per_dim": rate / size,
        "rate_bits": rate / math.log(2),
        "train_rate": float(by_split["train"].mean()),
    }


def elbos(nats, rates):
    """Returns the ELBO of each image, from -log p(x|z) and rates, `[n]`."""
    count = min(len(nats), len(rates))
    return -nats[:count] - rates[:count]


def describe_bound(evidence, bounds):
    """Returns the mean ELBO of held-out and of training images, with standard errors."""
    elbo, error = mean_and_error(bounds["test"])
    train, train_error = mean_and_error(bounds["train"])
    return {
        "elbo": elbo,
        "elbo_se": error,
        "bits_per_dim": bits_per_dim(evidence, -elbo),
        "train_elbo": train,
        "train_elbo_se": train_error,
    }

"""The two terms of the loss."""

import math

from keras_vae.evaluation.sections.against_prior import excess, rates
from keras_vae.evaluation.sections.reconstruction import bits_per_dim
from keras_vae.evaluation.sections.study import NO_DENSITY, NO_LIKELIHOOD, mean_and_error

NO_SIGMA = "the decoder's likelihood has no standard deviation of a pixel, or none that is known"


def measure_rate_distortion(study):
    """Rate and distortion of held-out images, and what the loss weighs them by."""
    subject, test = study.subject, study.test
    known = study.results["reconstruction"]["test"]
    count = known["n"]
    section = {
        "n": count,
        "distortion": known["distortion"],
        "distortion_se": known["distortion_se"],
        "effective_beta": subject.effective_beta,
        "implied_sigma": subject.sigma,
        "calibration": known["mse"] / subject.sigma**2 if subject.sigma else None,
        **dict.fromkeys(("rate", "rate_se", "rate_per_dim", "rate_bits", "train_rate")),
        **dict.fromkeys(("elbo", "elbo_se", "bits_per_dim", "train_elbo")),
    }
    if subject.is_variational:
        study.excess.update({name: excess(study, name) for name in ("train", "test")})
        nats, learned = rates(study, "test", count), rates(study, "train", min(count, len(study.train)))
        # What is never negative may come out so where it is averaged over draws.
        nats, learned = (values - min(values.mean(), 0.0) for values in (nats, learned))
        section["rate"], section["rate_se"] = mean_and_error(nats)
        section["rate_per_dim"] = section["rate"] / test.mean.shape[1]
        section["rate_bits"] = section["rate"] / math.log(2)
        section["train_rate"] = float(learned.mean())
        if study.nats and subject.bin_width is not None:
            section["elbo"], section["elbo_se"] = mean_and_error(-study.nats["test"] - nats)
            section["train_elbo"] = -float(study.nats["train"].mean()) - section["train_rate"]
            section["bits_per_dim"] = bits_per_dim(study, -section["elbo"])
    unknown = subject.no_rate
    if subject.is_variational:
        unknown = NO_DENSITY if study.nats else NO_LIKELIHOOD
    for name in [name for name, value in section.items() if value is None]:
        reason = {
            "effective_beta": "how the loss weighs the rate is not known of a model that was not trained here",
            "implied_sigma": NO_SIGMA,
            "calibration": NO_SIGMA,
        }.get(name, NO_LIKELIHOOD if "distortion" in name else unknown)
        study.explain("rate_distortion", [name], reason)
    return section

"""Measures how well codes can be distinguished from draws of the prior, and from each other."""

import math
import warnings

import numpy as np

from keras_vae.evaluation.metrics import mismatch
from keras_vae.evaluation.sections.found import Found
from keras_vae.samplers.principal import project

MOST_DIMS = 512  # largest latent size for the information from all codes
MOST_PAIRED = 10_000
DIRECTIONS = 32
MOST_CODES = 2000


def prior_classifier(evidence, earlier):
    """Returns how well a small network distinguishes posterior draws from prior draws, in principal coordinates.

    It returns the accuracy on the half that was not used for training, with its standard error. The accuracy is 0.5 if
    the aggregated posterior equals the prior (Lopez-Paz and Oquab 2017).
    """
    from sklearn.neural_network import MLPClassifier

    axes, center = earlier.components.directions[:, :DIRECTIONS], earlier.components.center
    if not axes.shape[1]:
        return Found(reasons={"extended.prior_classifier": "the codes do not vary"})
    count = min(evidence.affordable(MOST_CODES, MOST_CODES // 2), len(evidence.test)) // 2 * 2
    generator = evidence.generator("prior classifier")
    codes = project(evidence.test.draw(generator, count), center, axes)
    if evidence.subject.prior is None:
        # N(0, I) has the same distribution along orthonormal axes.
        prior = generator.standard_normal(codes.shape) - center @ axes
    else:
        prior = project(evidence.prior_codes(count, "prior of the classifier"), center, axes)
    known, new = (np.concatenate([codes[part::2], prior[part::2]]) for part in (0, 1))
    mean, deviation = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-12)
    answers = np.repeat([0, 1], count // 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without convergence, the accuracy is still a lower bound
        network = MLPClassifier((64,), max_iter=200, alpha=1e-2, random_state=evidence.seed)
        network.fit((known - mean) / deviation, answers)
    accuracy = float(network.score((new - mean) / deviation, answers))
    error = math.sqrt(accuracy * (1 - accuracy) / len(answers))
    return Found({"n": len(answers), "accuracy": accuracy, "accuracy_se": error})


def mutual_information(evidence, earlier):
    """Returns the bounds on the information as in the section `prior_mismatch`, but from up to 10,000 test codes.

    They also satisfy 0 <= lower <= upper <= rate (`mismatch.information`).
    """
    size = evidence.test.mean.shape[1]
    if not evidence.subject.is_variational:
        return Found(reasons={"extended.mutual_information": evidence.subject.no_rate})
    if size > MOST_DIMS:
        large = (
            f"with {size:,} dimensions, more codes than in the section on the prior mismatch take too long"
        )
        return Found(reasons={"extended.mutual_information": large})
    found = mismatch.contrast(evidence.test.mean, evidence.test.log_var, evidence.seed, MOST_PAIRED)
    bounded = mismatch.information(earlier.rate["rate"], earlier.mismatch["nats"], found)
    error = error_of_upper(bounded.upper_from, found, earlier)
    values = {
        "n": round(math.exp(found.log_n)),
        **bounded._asdict(),
        "lower_se": {"contrast": found.lower_se, "zero": 0.0, "upper": error}[bounded.lower_from],
        "upper_se": error,
        "log_n": found.log_n,
    }
    return Found(values)


def error_of_upper(name, found, earlier):
    """Returns the standard error of the upper bound `name`, given the `Contrast`.

    The error of the rate minus the mismatch is an upper limit, because the two are correlated over images.
    """
    rate, nats = earlier.rate["rate_se"] or 0.0, earlier.mismatch["nats_se"] or 0.0
    return {"leave_one_out": found.upper_se, "rate": rate, "mismatch": math.hypot(rate, nats)}[name]

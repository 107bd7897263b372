"""Measures how much of the latent the codes use."""

import math

import numpy as np

from keras_vae.evaluation.metrics import rate, spectrum
from keras_vae.evaluation.sections.evidence import NOT_STANDARD
from keras_vae.evaluation.sections.found import Found, missing
from keras_vae.samplers.principal import principal_components

FEW_CODES = "there are too few codes for this number of directions"
OF_RATES = ("collapsed_units", "kl_spectrum", "kl_dims90", "second_moment")


def measure_latent(evidence):
    """Measures the rates of the units and the principal directions; keeps the principal components."""
    train, subject = evidence.train, evidence.subject
    components = principal_components(train.mean)
    eigenvalues, directions = components.eigenvalues, describe_directions(train.mean)
    unknown = [name for name, value in directions.items() if value is None]
    reasons = missing("latent", unknown, FEW_CODES)
    values = {
        "n": len(train),
        "size": train.mean.shape[1],
        "active_units": int(np.sum(rate.active_units(train.mean))),
        "participation_ratio": spectrum.participation_ratio(eigenvalues),
        "pc90": int(spectrum.pc90(eigenvalues)),
        "pc95": int(spectrum.pc95(eigenvalues)),
        **directions,
        "eigenvalues": [float(value) for value in eigenvalues[:200]],
    }
    if subject.is_variational and evidence.is_standard:
        return Found({**values, **rates_of_units(evidence.test)}, reasons, components)
    reason = NOT_STANDARD if subject.is_variational else subject.no_rate
    reasons |= missing("latent", OF_RATES, reason)
    return Found({**values, **dict.fromkeys(OF_RATES)}, reasons, components)


def describe_directions(mean):
    """Returns the number of directions that codes `[n, d]` use, corrected for the number of codes, with limits."""
    found = spectrum.count_directions(mean)
    high = found.pc95_high
    return {
        "participation_ratio_corrected": found.participation_ratio,
        "pc95_corrected": round(found.pc95),
        "pc95_low": int(found.pc95_low),
        "pc95_high": None if high is None else math.ceil(high),
        "recommended_size": int(found.recommended_size),
        "recommended_low": int(found.recommended_low),
        "recommended_high": None if found.recommended_high is None else int(found.recommended_high),
    }


def rates_of_units(test):
    """Returns the rate of each unit, for Gaussian posteriors against N(0, I)."""
    rates = rate.measure_rate(test.mean, test.log_var)
    return {
        "collapsed_units": int(rates.collapsed.sum()),
        "kl_spectrum": [float(value) for value in rate.spectrum(rates.per_dim)[:200]],
        "kl_dims90": int(rate.dims90(rates.per_dim)),
        "second_moment": rate.second_moments(test.mean, test.log_var)._asdict(),
    }

"""How much of the latent the codes use."""

import numpy as np

from keras_vae.evaluation.metrics import rate, spectrum
from keras_vae.evaluation.sections.evidence import NOT_STANDARD
from keras_vae.evaluation.sections.found import Found, missing
from keras_vae.principal import principal_components

OF_RATES = ("collapsed_units", "kl_spectrum", "kl_dims90", "second_moment")


def measure_latent(evidence):
    """What the units and the principal directions of the codes carry; keeps the principal components."""
    train, subject = evidence.train, evidence.subject
    components = principal_components(train.mean)
    eigenvalues = components.eigenvalues
    values = {
        "n": len(train),
        "size": train.mean.shape[1],
        "active_units": int(np.sum(rate.active_units(train.mean))),
        "participation_ratio": spectrum.participation_ratio(eigenvalues),
        "pc90": int(spectrum.pc90(eigenvalues)),
        "pc95": int(spectrum.pc95(eigenvalues)),
        "recommended_size": int(spectrum.recommended_size(eigenvalues)),
        "eigenvalues": [float(value) for value in eigenvalues[:200]],
    }
    if subject.is_variational and evidence.is_standard:
        return Found({**values, **rates_of_units(evidence.test)}, kept=components)
    reason = NOT_STANDARD if subject.is_variational else subject.no_rate
    return Found({**values, **dict.fromkeys(OF_RATES)}, missing("latent", OF_RATES, reason), components)


def rates_of_units(test):
    """Returns what each unit carries, of Gaussian posteriors against N(0, I)."""
    rates = rate.measure_rate(test.mean, test.log_var)
    return {
        "collapsed_units": int(rates.collapsed.sum()),
        "kl_spectrum": [float(value) for value in rate.spectrum(rates.per_dim)[:200]],
        "kl_dims90": int(rate.dims90(rates.per_dim)),
        "second_moment": rate.second_moments(test.mean, test.log_var)._asdict(),
    }

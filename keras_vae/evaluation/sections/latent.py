"""How much of the latent the codes use."""

import numpy as np

from keras_vae.evaluation.metrics import rate, spectrum
from keras_vae.evaluation.sections.study import NOT_STANDARD
from keras_vae.principal import principal_components


def measure_latent(study):
    """What the units and the principal directions of the codes carry."""
    train = study.train
    study.components = principal_components(train.mean)
    eigenvalues = study.components.eigenvalues
    section = {
        "n": len(train),
        "size": train.mean.shape[1],
        "active_units": int(np.sum(rate.active_units(train.mean))),
        "participation_ratio": spectrum.participation_ratio(eigenvalues),
        "pc90": int(spectrum.pc90(eigenvalues)),
        "pc95": int(spectrum.pc95(eigenvalues)),
        "recommended_size": int(spectrum.recommended_size(eigenvalues)),
        "eigenvalues": [float(value) for value in eigenvalues[:200]],
    }
    if not (study.subject.is_variational and study.is_standard):
        missing = ("collapsed_units", "kl_spectrum", "kl_dims90", "second_moment")
        reason = NOT_STANDARD if study.subject.is_variational else study.subject.no_rate
        study.explain("latent", missing, reason)
        return {**section, **dict.fromkeys(missing)}
    rates = rate.measure_rate(study.test.mean, study.test.log_var)
    section["collapsed_units"] = int(rates.collapsed.sum())
    section["kl_spectrum"] = [float(value) for value in rate.spectrum(rates.per_dim)[:200]]
    section["kl_dims90"] = int(rate.dims90(rates.per_dim))
    section["second_moment"] = rate.second_moments(study.test.mean, study.test.log_var)._asdict()
    return section

"""Measures how far the codes lie from the prior."""

import numpy as np

from keras_vae.evaluation.metrics import mismatch, spectrum
from keras_vae.evaluation.sections.against_prior import excess_at
from keras_vae.evaluation.sections.found import Found, missing

MOST_DRAWS = 2000  # for a prior that is not N(0, I)


def measure_prior_mismatch(evidence, rate_distortion, latent):
    """Measures how far the aggregated posterior is from the prior, in nats, and compares the lengths of codes."""
    if not evidence.subject.is_variational:
        values = dict.fromkeys(("nats", "fraction_of_rate", "auc"))
        return Found(values, {"prior_mismatch": evidence.subject.no_rate})
    train, test, excess = evidence.train, evidence.test, rate_distortion.kept.excess
    drawn, reasons = None, {}
    if evidence.subject.prior is not None:
        drawn = evidence.prior_codes(min(len(test), MOST_DRAWS), "prior of the mismatch")
    aggregate = mismatch.fit_aggregate(train.mean, train.log_var, excess=excess["train"])
    found = mismatch.measure_mismatch(aggregate, test.mean, test.log_var, excess["test"])
    total = rate_distortion.values["rate"]
    contrasted = mismatch.contrast(test.mean, test.log_var, evidence.seed)
    bounded = mismatch.bounds(total, found.nats, contrasted)
    norms = spectrum.measure_norms(test.mean, test.log_var, evidence.seed, drawn)
    radius = spectrum.signal_radius(latent.kept, test.mean, test.log_var, drawn)
    if not radius.posterior:
        radius = radius._replace(ratio=None)
        reasons = missing("prior_mismatch.signal_radius", ["ratio"], "all images have the same code")
    shown = np.unique(np.geomspace(1, len(found.curve), 60).astype(int) - 1)
    values = {
        "n_fit": len(train),
        "n": len(test),
        "nats": found.nats,
        "nats_se": found.nats_se,
        "marginal_nats": found.marginal_nats,
        "rank": found.rank,
        "in_sample_nats": found.in_sample_nats,
        "curve": {"rank": shown.tolist(), "nats": found.curve[shown].tolist()},
        "fraction_of_rate": found.nats / total if total > 0 else None,
        "auc": told_apart(evidence, aggregate, found.rank, drawn),
        "mutual_information": {
            **mismatch.information(total, found.nats, contrasted)._asdict(),
            "log_n": contrasted.log_n,
        },
        "marginal_kl_lower": bounded.divergence_lower,
        "marginal_kl_upper": bounded.divergence_upper,
        "norms": describe_norms(norms),
        "signal_radius": radius._asdict(),
    }
    return Found(values, reasons)


def told_apart(evidence, aggregate, rank, drawn):
    """Returns the AUC of log f / p between held-out codes and prior draws `drawn` (None: N(0, I))."""
    test = evidence.test
    if drawn is None:
        return mismatch.mismatch_auc(aggregate, rank, test.mean, test.log_var, evidence.seed)
    posterior = test.draw(evidence.generator("mismatch"), len(drawn))
    return spectrum.area_under_curve(
        *(
            mismatch.log_ratio(aggregate, rank, codes) + excess_at(evidence, codes)
            for codes in (posterior, drawn)
        )
    )


def describe_norms(norms):
    """Returns means, standard deviations and a histogram of the lengths of prior and posterior draws."""
    edges = np.histogram_bin_edges(np.concatenate([norms.prior, norms.posterior]), 40)
    return {
        "prior_mean": float(norms.prior.mean()),
        "prior_sd": float(norms.prior.std()),
        "posterior_mean": float(norms.posterior.mean()),
        "posterior_sd": float(norms.posterior.std()),
        "auc": float(norms.auc),
        "histogram": {
            "edges": edges.tolist(),
            "prior": (np.histogram(norms.prior, edges)[0] / len(norms.prior)).tolist(),
            "posterior": (np.histogram(norms.posterior, edges)[0] / len(norms.posterior)).tolist(),
        },
    }

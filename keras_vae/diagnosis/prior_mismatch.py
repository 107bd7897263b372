"""How far the codes lie from N(0, I)."""

import numpy as np

from keras_vae.diagnosis.study import NO_RATE
from keras_vae.metrics import mismatch, spectrum


def measure_prior_mismatch(study):
    """How far the aggregated posterior is from N(0, I), in nats, and where lengths cannot see it."""
    if not study.subject.is_variational:
        study.reasons["prior_mismatch"] = NO_RATE
        return {"nats": None, "fraction_of_rate": None, "auc": None}
    train, test = study.train, study.test
    aggregate = mismatch.fit_aggregate(train.mean, train.log_var)
    found = mismatch.measure_mismatch(aggregate, test.mean, test.log_var)
    total = study.results["rate_distortion"]["rate"]
    contrasted = mismatch.contrast(test.mean, test.log_var, study.seed)
    bounded = mismatch.bounds(total, found.nats, contrasted)
    norms = spectrum.measure_norms(test.mean, test.log_var, study.seed)
    shown = np.unique(np.geomspace(1, len(found.curve), 60).astype(int) - 1)
    return {
        "n_fit": len(train),
        "n": len(test),
        "nats": found.nats,
        "nats_se": found.nats_se,
        "marginal_nats": found.marginal_nats,
        "rank": found.rank,
        "in_sample_nats": found.in_sample_nats,
        "curve": {"rank": shown.tolist(), "nats": found.curve[shown].tolist()},
        "fraction_of_rate": found.nats / total if total > 0 else None,
        "auc": mismatch.mismatch_auc(aggregate, found.rank, test.mean, test.log_var, study.seed),
        "mutual_information": {
            "lower": bounded.information_lower,
            "upper": bounded.information_upper,
            "log_n": contrasted.log_n,
        },
        "marginal_kl_lower": bounded.divergence_lower,
        "marginal_kl_upper": bounded.divergence_upper,
        "norms": describe_norms(norms),
        "signal_radius": spectrum.signal_radius(study.components, test.mean, test.log_var)._asdict(),
    }


def describe_norms(norms):
    """Returns means, deviations and a histogram of the lengths of codes, of the prior's and of the posteriors'."""
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

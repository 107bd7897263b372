"""Each verdict once, from results made by hand; numbers stand beside the thresholds, whatever these are."""

import copy

import pytest

from keras_vae.evaluation.verdict import THRESHOLDS, judge


def healthy():
    """Results of a model that nothing is wrong with, halfway to the nearest threshold."""
    return {
        "num_held_out": 10 * THRESHOLDS.fewest_images,
        "num_train": 10_000,
        "reconstruction": {"test": {"unexplained": 0.1}, "train": {"unexplained": 0.1}},
        "rate_distortion": {"rate": 20.0, "effective_beta": 1.0, "calibration": 1.0, "elbo_se": 0.7},
        "latent": {"size": 16, "active_units": 12, "recommended_size": 16, "pc95": 12},
        "prior_mismatch": {
            "nats": 0.2,
            "marginal_nats": 0.1,
            "fraction_of_rate": 0.01,
            "signal_radius": {"prior": 3.5, "posterior": 3.6},
        },
        "generation_gap": {
            "n": 2000,
            "features": {"name": "classifier"},
            "real": {"frechet": 1.0, "coverage": 0.97},
            "reconstruction": {"frechet": 1.0 + 0.2 * (THRESHOLDS.blurry - 1)},
            "gaussian": {"frechet": 1.3},
            "mixture": {"frechet": 1.2},
            "prior": {"frechet": 1.5, "coverage": 0.9},
            "gap_ratio": 0.2 * THRESHOLDS.patchy,
            "best_sampler": "prior",
            "repaired_fraction": None,
        },
        "completeness": {"dead_zone": 0.5 * THRESHOLDS.thin},
        "continuity": {
            "jacobian": {"posterior": {"median": 1.0, "p95_over_median": 1 + 0.3 * (THRESHOLDS.rough - 1)}},
            "jump": 1 + 0.3 * (THRESHOLDS.torn - 1),
        },
        "interpolation": {"noise_around_mean": {"same_class": 0.5}},
        "memorisation": {"mse_ratio": 1.0, "elbo_gap": 0.5, "elbo_gap_fraction": 0.025, "copies": False},
    }


def changed(**changes):
    """Healthy results with other values at paths, in which __ stands for a dot."""
    results = copy.deepcopy(healthy())
    for path, value in changes.items():
        *parents, name = path.split("__")
        section = results
        for parent in parents:
            section = section[parent]
        section[name] = value
    return results


HOLE = {
    "generation_gap__gap_ratio": 3 * THRESHOLDS.hole,
    "completeness__dead_zone": 0.5 * (THRESHOLDS.dead + 1),
    "generation_gap__best_sampler": "mixture",
    "generation_gap__repaired_fraction": 0.9,
}
MISMATCHED = {
    "prior_mismatch__nats": 4 * THRESHOLDS.mismatch,
    "prior_mismatch__fraction_of_rate": 0.5 * (1 + THRESHOLDS.mismatch_share),
    "rate_distortion__rate": 20 * THRESHOLDS.mismatch,
}
CASES = {
    "healthy": ({}, None),
    "insufficient_data": ({"num_held_out": THRESHOLDS.fewest_images - 1}, None),
    "collapsed": ({"rate_distortion__rate": 0.5 * THRESHOLDS.collapsed_rate}, None),
    "collapsed ": ({"latent__active_units": 0}, None),
    "collapsed  ": ({"reconstruction__train__unexplained": 1.0}, None),
    "overfitted": ({"memorisation__mse_ratio": 2 * THRESHOLDS.overfitted_mse}, None),
    "overfitted ": (
        {
            "memorisation__elbo_gap_fraction": 2 * THRESHOLDS.overfitted_elbo,
            "memorisation__elbo_gap": 40 * THRESHOLDS.overfitted_elbo,
        },
        None,
    ),
    "overfitted  ": ({"memorisation__copies": True}, "copies_training_images"),
    "blurry": ({"generation_gap__reconstruction": {"frechet": 3 * THRESHOLDS.blurry}}, None),
    "prior_hole": (
        {**HOLE, **MISMATCHED, "latent__size": 65_536, "latent__recommended_size": 64},
        "spread_code",
    ),
    "prior_hole ": (
        {**HOLE, **MISMATCHED, "rate_distortion__effective_beta": 0.5 * THRESHOLDS.low_beta},
        "under_regularised",
    ),
    "prior_hole  ": (
        {**HOLE, **MISMATCHED, "prior_mismatch__marginal_nats": 4 * THRESHOLDS.mismatch},
        "mis_scaled",
    ),
    "prior_hole   ": ({**HOLE, **MISMATCHED}, "correlated"),
    "prior_hole    ": (HOLE, "clustered"),
    "prior_hole     ": ({**HOLE, "rate_distortion__rate": None, "prior_mismatch__nats": None}, "no_prior"),
    "prior_hole      ": (
        {**HOLE, "rate_distortion__rate": None, "prior_mismatch__nats": None, "objective": "WassersteinMMD"},
        "missed_prior",
    ),
    "patchy": ({"completeness__dead_zone": 0.5 * (THRESHOLDS.thin + THRESHOLDS.dead)}, "clustered"),
    "patchy ": (
        {"generation_gap__gap_ratio": 0.5 * (THRESHOLDS.patchy + THRESHOLDS.hole), **MISMATCHED},
        "correlated",
    ),
    "patchy  ": ({**MISMATCHED, "generation_gap__best_sampler": "mixture"}, "correlated"),
    "discontinuous": ({"continuity__jump": 2 * THRESHOLDS.torn}, None),
    "discontinuous ": (
        {
            "continuity__jump": 2 * THRESHOLDS.torn,
            "generation_gap__reconstruction": {"frechet": 3 * THRESHOLDS.blurry},
        },
        None,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_verdict_is_given_on_its_evidence_and_says_what_to_do(name):
    changes, kind = CASES[name]
    verdict = judge(changed(**changes))
    assert (verdict["name"], verdict["sub_verdict"]) == (name.strip(), kind)
    assert verdict["findings"][0]["name"] == name.strip()
    for finding in verdict["findings"]:
        texts = [finding[part] for part in ("symptom", "evidence", "cause", "remedy")]
        assert all(text and "None" not in text and "nan" not in text for text in texts), texts
    assert verdict["command"].startswith("python ")


def test_a_collapse_of_points_is_told_without_a_rate_and_one_of_a_conditional_model_by_class():
    points = {"rate_distortion__rate": None, "latent__active_units": 0, "objective": "WassersteinMMD"}
    assert judge(changed(**points))["name"] == "healthy"  # codes without noise may be as small as they like
    verdict = judge(changed(**points, reconstruction__train__unexplained=1.0))
    assert not any(word in str(verdict["findings"]) for word in ("nats", "rate by", "?"))
    assert verdict["command"].endswith("--epochs 100 --likelihood gaussian_optimal")
    verdict = judge(changed(rate_distortion__rate=0.0, objective="ConditionalVAE"))
    assert "of a class look alike" in verdict["findings"][0]["symptom"]
    assert "--objective conditional_vae " in verdict["command"]


def test_a_smaller_latent_is_advised_only_where_the_codes_would_fit_into_one():
    smaller = judge(changed(**HOLE, latent__recommended_size=8))
    assert "train a latent of 8 numbers" in smaller["remedy"]
    assert smaller["command"].endswith("--latent 8")
    same = judge(changed(**HOLE, latent__recommended_size=16))
    assert "train a latent" not in same["remedy"]
    assert "train.py" not in same["command"]


def test_samples_that_are_images_of_some_kinds_only_are_told_from_samples_that_are_none():
    gap = 0.5 * (THRESHOLDS.patchy + THRESHOLDS.hole)
    one_sided = judge(changed(generation_gap__gap_ratio=gap, generation_gap__prior__coverage=0.46))
    assert one_sided["name"] == "patchy"
    assert "rare or missing" in one_sided["findings"][0]["symptom"]
    assert "46%" in one_sided["findings"][0]["evidence"]
    broken = judge(changed(completeness__dead_zone=0.5 * (THRESHOLDS.thin + THRESHOLDS.dead)))
    assert "rare or missing" not in broken["findings"][0]["symptom"]


def test_continuity_and_completeness_are_told_apart():
    torn = judge(changed(continuity__jump=2 * THRESHOLDS.torn))
    assert "bad" in torn["continuity"]
    assert "ok" in torn["completeness"]
    hollow = judge(changed(**HOLE))
    assert "ok" in hollow["continuity"]
    assert "bad" in hollow["completeness"]


def test_the_first_rule_that_holds_is_the_verdict_and_later_ones_are_added():
    verdict = judge(changed(**HOLE, memorisation__mse_ratio=2 * THRESHOLDS.overfitted_mse))
    assert [finding["name"] for finding in verdict["findings"]][:2] == ["overfitted", "prior_hole"]


def test_a_gap_of_the_elbo_within_its_error_is_no_overfitting():
    gap = {"memorisation__elbo_gap_fraction": 2 * THRESHOLDS.overfitted_elbo, "memorisation__elbo_gap": 40.0}
    assert judge(changed(**gap, rate_distortion__elbo_se=1.0))["name"] == "overfitted"
    assert judge(changed(**gap, rate_distortion__elbo_se=40.0))["name"] == "healthy"


def test_features_without_labels_lower_the_confidence():
    levels = ["low", "medium", "high"]
    sure = judge(healthy())["confidence"]
    unsure = judge(changed(generation_gap__features={"name": "random"}))["confidence"]
    assert levels.index(unsure) < levels.index(sure)


def leaves(node, path=()):
    for key, value in node.items():
        if isinstance(value, dict):
            yield (*path, key)
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


@pytest.mark.parametrize(
    "changes",
    [{}, HOLE, {**HOLE, **MISMATCHED}],
    ids=["healthy", "hole", "mismatch"],
)
def test_no_null_anywhere_is_a_crash(changes):
    counted = {("num_held_out",), ("num_train",), ("latent", "size"), ("latent",)}  # always known
    for path in set(leaves(healthy())) - counted:
        try:
            verdict = judge(without(changes, path))
        except (TypeError, KeyError, AttributeError) as error:
            pytest.fail(f"{'.'.join(path)} null: {error}")
        assert verdict["findings"]


def without(changes, path):
    results = changed(**changes)
    section = results
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = None
    return results


def test_a_model_in_files_is_given_no_training_command():
    verdict = judge(changed(**HOLE), "python evaluate.py --encoder E --decoder D", retrain=None)
    assert all(finding["command"] is None for finding in verdict["findings"])
    assert "train.py" not in verdict["command"]

"""The verdict, on stored results of models whose condition was planted (`benchmarks/replant.py` writes them)."""

import copy
import json
import pathlib
import shlex

import numpy as np
import pytest

from benchmarks.study.verdicts import in_words, is_right
from keras_vae.cli import train
from keras_vae.config.codec import to_json
from keras_vae.config.flags import parse
from keras_vae.evaluation.adapters import Given, source_of
from keras_vae.evaluation.metrics.estimate import Estimate
from keras_vae.evaluation.sections.continuity import bootstrapped, unevenness
from keras_vae.evaluation.settings import Evaluation
from keras_vae.evaluation.verdict import Source, judge
from keras_vae.evaluation.verdict.steps import PHRASES
from keras_vae.evaluation.verdict.words import share_with_error
from keras_vae.runtime.files import write_json
from keras_vae.training.advice import epochs_of
from keras_vae.training.config import Config
from keras_vae.training.run_folder import Run

PLANTED = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((pathlib.Path(__file__).parent / "planted").glob("*.json"))
}
# Two conditions at once: the planted one is among the findings, and another one is named first.
SECOND = ("blurry-sprites-latent-1-network.widths-16-16-seed-23", "discontinuous-sprites-latent-6-seed-23")


def results_of(condition, data="mnist", **changes):
    """The stored results of a condition on a set of images, with other values at paths, in which __ is a dot."""
    name = next(name for name in PLANTED if name.startswith(f"{condition}-{data}"))
    results = copy.deepcopy(PLANTED[name]["results"])
    for path, value in changes.items():
        *parents, last = path.split("__")
        section = results
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value
    return results


def older(condition, data="mnist", **changes):
    """The same, as of a version that had no classifier: distances decide."""
    return results_of(condition, data, told_apart=None, spaces=None, **changes)


def all_text(verdict):
    return json.dumps(verdict)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_condition_is_named(name):
    condition, verdict = PLANTED[name]["condition"], judge(PLANTED[name]["results"])
    words = [in_words(finding) for finding in verdict["findings"]]
    assert any(is_right(condition, one) for one in (words if name in SECOND else words[:1])), words
    assert not any(word in all_text(verdict) for word in ("nan", "?", "  "))


# What is said of the repair is what was done


def repaired(outcome, version=None):
    """A hole that the mixture closes, and what was done about it."""
    done = {"outcome": outcome, "sampler": "mixture" if version else None, "version": version}
    source = Source(("saved_models/a", "--no-repair"), "saved_models/a/config.json", Config())
    return judge(results_of("no_prior", repair=done, samplers={"mixture": {}}), source)


def test_a_decoder_is_said_to_sample_better_only_where_one_was_exported():
    assert "serving/decoder/3 does this" in repaired("exported", "serving/decoder/3")["remedy"]
    for outcome in ("not_asked", "outdated", "files", "program"):
        verdict = repaired(outcome)
        assert "does this" not in verdict["remedy"]
        assert "exported serving" not in verdict["remedy"]
        assert "sample from the fitted mixture" in verdict["remedy"]


def test_what_was_not_exported_is_said_with_the_way_to_it():
    left_out = repaired("not_asked")["steps"][0]
    assert left_out["command"].endswith("evaluate saved_models/a") or left_out["command"].endswith(
        "evaluate.py saved_models/a"
    )
    assert "--no-repair" in left_out["sentence"]
    assert "trained further" in repaired("outdated")["steps"][0]["sentence"]
    assert repaired("files")["steps"][0]["command"] is None
    by_program = repaired("program")["steps"][0]
    assert "program" in by_program["sentence"]
    assert by_program["command"] == left_out["command"]
    assert judge(results_of("no_prior", repair={"outcome": "program"}))["command"] is None


def test_more_time_is_recommended_where_the_one_that_learns_still_gains():
    training = {"minutes": 1.0, "held_out_loss": 0.8, "gains": True, "last_gain": 0.03, "next_gain": 0.02}
    training |= {"next_gain_low": 0.01, "next_gain_high": 0.03}
    source = Source(
        ("saved_models/a", "--repair_minutes", "1", "--seed", "3"), "saved_models/a/config.json", Config()
    )

    def steps_of(**changes):
        samplers = {"flow_matching": {"training": {**training, **changes}}}
        return judge(results_of("no_prior", samplers=samplers), source)["steps"]

    (step,) = (step for step in steps_of() if "still improving" in step["sentence"])
    assert "lowered the held-out loss by 0.03 to 0.8" in step["sentence"]
    assert "another 0.02 (0.01 to 0.03)" in step["sentence"]
    assert step["command"].endswith("saved_models/a --seed 3 --repair_minutes 5")
    (step,) = (step for step in steps_of(minutes=14.0) if "still improving" in step["sentence"])
    assert "when its 14 minutes ended" in step["sentence"]
    assert step["command"].endswith("--repair_minutes 28")
    assert not any("still improving" in step["sentence"] for step in steps_of(gains=False))
    assert not any("still improving" in step["sentence"] for step in steps_of(next_gain=None))


def test_no_sampler_is_said_to_help_for_the_reason_that_is_so():
    better = {"generation_gap__best_sampler": "prior", "generation_gap__repaired_fraction": None}
    tried = judge(results_of("no_prior", **better, samplers={"gaussian": {}, "mixture": {}}))
    assert "(gaussian or mixture) samples clearly better" in tried["remedy"]
    none = judge(results_of("no_prior", **better, samplers={}))
    assert "No density was fitted" in none["remedy"]
    reasons = {"samplers.gaussian": "not used: ..."}
    copies = judge(results_of("no_prior", **better, samplers={"gaussian": {}}, reasons=reasons))
    assert "samples of gaussian contain copies of training images" in copies["remedy"]
    healthy = judge(results_of("healthy", **better, samplers={"gaussian": {}}))
    assert healthy["remedy"] == "Use it."


# Steps: a sentence and a command of the same data


@pytest.mark.parametrize("objective", ["vae", "beta_vae", "autoencoder"])
@pytest.mark.parametrize("name", PLANTED)
def test_a_step_says_what_its_command_does(name, objective, tmp_path):
    config = Config(latent="40", objective=objective, epochs=7, augment=("flip",))
    file = tmp_path / "config.json"
    write_json(file, to_json(config))
    source = Source(("saved_models/a",), str(file), config, ("--data_dir", "images"))
    verdict = judge(PLANTED[name]["results"], source)
    assert verdict["steps"] == verdict["findings"][0]["steps"]
    for finding in verdict["findings"]:
        assert finding["remedy"] == " ".join(step["sentence"] for step in finding["steps"])
        commands = [step["command"] for step in finding["steps"] if step["command"]]
        assert finding["command"] == (commands[0] if commands else None)
        for step in finding["steps"]:
            if step["command"] and "--config" in step["command"]:
                check_training(step, config)


def check_training(step, before):
    """The command can be read, changes the configuration, and its sentence names every changed value, and no other."""
    words = shlex.split(step["command"])
    words = words[words.index("--config") :]
    after = parse(Config, words, base=train.starting_point, extra=train.add_arguments).config
    assert after.data_dir == "images"
    assert after != before
    flags = dict(zip((word.removeprefix("--") for word in words[4::2]), words[5::2]))
    for flag, value in flags.items():
        assert PHRASES[flag].format(value.replace(",", ", ")) in step["sentence"]
    unsaid = [name for name in PHRASES if name not in flags]
    openings = [
        PHRASES[name].partition("{")[0] for name in unsaid if name not in ("epochs", "objective.reduction")
    ]
    said = step["sentence"].partition(".")[0]
    assert [opening for opening in openings if opening in said] == []


def test_an_autoencoder_that_is_told_of_a_smaller_latent_gets_it_in_the_command():
    results = results_of("no_prior", latent__recommended_size=8, latent__size=16)
    verdict = judge(results, Source(("a",), "a/config.json", Config(objective="autoencoder", latent="16")))
    step = verdict["steps"][-1]
    assert "a latent size of 8" in step["sentence"]
    assert step["command"].endswith("--objective vae --latent 8")
    of_a_vae = results_of("spread_code", objective="vae", latent__recommended_size=8, latent__size=16)
    step = judge(of_a_vae, Source(("a",), "a/config.json", Config(objective="vae", latent="16")))["steps"][-1]
    assert step["command"].endswith("--config a/config.json --latent 8")
    assert step["sentence"].startswith("Retrain with a latent size of 8.")
    blurred = results_of("spread_code", objective="vae", latent__recommended_size=8, latent__size=16)
    blurred["generation_gap"] |= {"blur_ratio": 12.0, "blur_ratio_se": 1.0}
    # A smaller latent would blur more.
    assert not any("latent size" in step["sentence"] for step in judge(blurred)["steps"])
    same = judge(results_of("no_prior", latent__recommended_size=16, latent__size=16), Source(("a",), "a"))
    assert "latent size of" not in same["remedy"]


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_so_already_is_not_said_again(name):
    for objective in ("vae", "beta_vae", "autoencoder"):
        config = Config(latent="40", objective=objective, augment="shift,rotate,zoom", patience=10, epochs=9)
        results = {**PLANTED[name]["results"], "objective": objective}
        verdict = judge(results, Source(("a",), "a/config.json", config))
        told = " ".join(step["command"] or "" for finding in verdict["findings"] for step in finding["steps"])
        sentences = " ".join(finding["remedy"] for finding in verdict["findings"])
        assert not {"--augment", "--patience"} & set(told.split())
        assert f"--objective {objective} " not in f"{told} "
        assert f"with the objective {objective} " not in sentences.replace(".", " ").replace(",", " ")
        assert "Retrain ." not in sentences


def test_a_foreign_model_whose_codes_have_a_rate_is_not_told_to_become_what_it_is():
    results = results_of("spread_code", objective=None)
    assert "objective" not in judge(results)["remedy"]
    assert "with a latent size of" in judge(results)["remedy"]
    low = results_of("under_regularised", objective=None)
    assert "objective vae" in judge(low)["remedy"]


def test_training_longer_is_longer_and_wider_is_wider():
    config = Config(epochs=200)
    verdict = judge(results_of("blurry"), Source((), "c.json", config))
    words = shlex.split(verdict["command"])
    assert words[words.index("--epochs") + 1] == "400"
    widths = words[words.index("--network.widths") + 1].split(",")
    assert tuple(map(int, widths)) == (64, 128, 256)  # twice those of images of 28x28


def test_means_are_replaced_by_sums_where_the_latent_becomes_smaller():
    config = Config(latent="8x8x64", objective="vae")
    means = parse(
        Config, ["--latent", "8x8x64", "--objective", "vae", "--objective.reduction", "mean"]
    ).config
    results = results_of("spread_code")
    assert "reduction" not in judge(results, Source((), "c.json", config))["steps"][-1]["command"]
    step = judge(results, Source((), "c.json", means))["steps"][-1]
    assert "--objective.reduction sum" in step["command"]
    assert "both loss terms reduced by sum" in step["sentence"]


def test_a_model_in_files_is_given_no_training_command_and_its_own_flags():
    flags = (
        "--encoder e.keras --decoder d.keras --decoder_range symmetric --dataset digits --likelihood gaussian"
    )
    source = Source(tuple(flags.split()))
    for condition in ("no_prior", "overfitted", "clustered", "blurry"):
        verdict = judge(results_of(condition, repair={"outcome": "files"}), source)
        assert all(step["command"] is None for finding in verdict["findings"] for step in finding["steps"])
    assert source.evaluation().endswith(flags)
    words = shlex.split(source.evaluation())
    assert parse(Evaluation, words[words.index("--encoder") :]).config.decoder_range == "symmetric"


def test_no_step_is_the_command_that_was_just_run():
    source = Source(("saved_models/a",), "saved_models/a/config.json", Config())
    for name, planted in PLANTED.items():
        for outcome in ("exported", "not_needed", "files"):
            results = {**planted["results"], "repair": {"outcome": outcome, "version": "serving/decoder/2"}}
            steps = judge(results, source)["steps"]
            assert all(step["command"] != source.evaluation() for step in steps), name


def test_a_program_that_measures_a_run_is_told_the_commands_for_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "runs" / "a" / "config.json", to_json(Config(latent="8")))
    given = Given(None, Run(tmp_path / "runs" / "a"))
    settings = {"seed": 3, "limit": 100, "repair": False}
    source = source_of(given, None, Evaluation(**settings), settings)
    assert source.evaluated == ("runs/a", "--limit", "100", "--seed", "3", "--no-repair")
    assert source.training({"epochs": 4}).endswith("--config runs/a/config.json --limit 100 --epochs 4")
    by_name = source_of(given, "mnist", Evaluation(), {})
    assert by_name.evaluated == ("runs/a", "--dataset", "mnist")
    assert "--dataset mnist" in by_name.training({})
    in_memory = source_of(given, np.zeros((3, 8, 8)), Evaluation(), {})
    assert in_memory.evaluation() is None
    assert in_memory.training({}).endswith("--config runs/a/config.json")
    assert source_of(Given(None), None, Evaluation(), {}) == Source()


# Words


def test_the_prior_is_called_by_its_name():
    for condition in ("no_prior", "clustered", "healthy", "spread_code", "correlated"):
        assert "N(0, I)" in all_text(judge(results_of(condition, prior="standard")))
        text = all_text(judge(results_of(condition, prior="flow")))
        assert "N(0, I)" not in text
        assert "the flow prior" in text


def test_codes_that_are_spread_over_units_none_of_which_is_active_are_no_collapse():
    # Active units depend on the axes: a rotation of a good code into many dimensions has none.
    for condition in ("healthy", "no_prior", "spread_code"):
        before = judge(results_of(condition))
        assert judge(results_of(condition, latent__active_units=0))["name"] == before["name"] != "collapsed"


def test_collapse_takes_a_decoder_that_makes_nothing_of_the_code_and_a_rate_that_agrees():
    explained = {"reconstruction__train__unexplained": 0.2}
    assert judge(results_of("collapsed", **explained))["name"] != "collapsed"
    assert judge(results_of("collapsed", rate_distortion__rate=None))["name"] == "collapsed"
    assert judge(results_of("collapsed", rate_distortion__rate=25.0))["name"] != "collapsed"
    verdict = judge(results_of("collapsed", objective="conditional_vae"))
    assert "of a class look alike" in verdict["findings"][0]["symptom"]
    assert "with the objective" not in verdict["remedy"]  # it is a conditional VAE already


def test_a_warm_up_comes_with_as_many_epochs_as_it_needs():
    # 1,437 images in batches of 64 are 23 steps an epoch: 3,000 steps, for a warm-up of 2,000, are 131 epochs.
    for epochs, said in ((2, "--objective.warmup 2000 --epochs 131"), (131, "--objective.warmup 2000")):
        source = Source(
            config_file="run/config.json", config=Config(epochs=epochs), epoch=epochs, best_epoch=epochs
        )
        verdict = judge(results_of("collapsed", num_train=1437), source)
        assert said in verdict["command"]
        assert ("--epochs" in verdict["command"]) == (epochs == 2)


def test_more_than_all_of_the_variance_is_worse_than_the_mean_image():
    for left, said in (
        (1.47, "147% of the training images' variance remains unexplained: rec"),
        (0.99, "99%"),
    ):
        evidence = judge(results_of("collapsed", reconstruction__train__unexplained=left))["findings"][0][
            "evidence"
        ]
        assert said in evidence
        assert ("worse than the mean image" in evidence) == (left > 1)


def test_a_map_is_told_that_its_places_do_not_agree_and_nobody_that_dimensions_are_too_many():
    verdict = judge(results_of("spread_code"))
    assert verdict["sub_verdict"] == "spread_code"
    assert "8x8 positions" in verdict["findings"][0]["cause"]
    assert "oo many latent dimensions" not in all_text(verdict)
    vector = judge(results_of("spread_code", latent_shape=[2048]))
    assert "positions" not in vector["findings"][0]["cause"]


def test_only_what_was_found_is_said_of_copies_and_of_reconstructions():
    counted = "44 of 180 samples are copies of training images"
    copies = {"memorisation__copies": True, "memorisation__sentence": counted}
    copied = judge(results_of("healthy", **copies, generation_gap__best_sampler="mixture"))["findings"][0]
    assert copied["name"] == "overfitted"
    assert copied["symptom"] == "Samples of the fitted mixture contain copies of training images."
    assert copied["evidence"].endswith(f" {counted}.")
    both = judge(results_of("healthy", **copies, memorisation__mse_ratio=2.0))["findings"][0]["symptom"]
    assert both.startswith("Training images are reconstructed much better")
    assert "contain copies" in both
    worse = judge(results_of("healthy", memorisation__mse_ratio=2.0))["findings"][0]
    assert "copies" not in worse["symptom"] + worse["evidence"]


def test_most_samples_are_called_images_only_where_most_are():
    for dead, words in ((0.2, "Most samples"), (0.48, "About half")):
        share = {"completeness__dead_zone": dead, "completeness__dead_zone_se": 0.02}
        assert words in judge(older("clustered", **share))["findings"][0]["symptom"]


def test_samples_are_called_no_worse_than_blurred_reconstructions_only_where_they_are_not():
    thin = {"completeness__dead_zone": 0.0, "completeness__dead_zone_se": 0.01}
    for ratio, error, said in ((0.9, 0.06, False), (0.9, 0.6, True), (-0.1, 0.06, True)):
        changed = {"generation_gap__gap_ratio": ratio, "generation_gap__gap_ratio_se": error}
        symptom = judge(older("blurry", **changed, **thin))["findings"][0]["symptom"]
        assert symptom.startswith("Reconstructions are blurred")
        assert ("no worse" in symptom) == said


def test_what_is_incomplete_without_dead_samples_is_said_by_what_is_rare():
    dead = {"completeness__dead_zone": 0.0, "completeness__dead_zone_se": 0.01}
    gap = {"generation_gap__gap_ratio": 3.0, "generation_gap__gap_ratio_se": 0.4}
    verdict = judge(older("healthy", **dead, **gap, generation_gap__prior__coverage=0.45))
    assert verdict["completeness"].startswith("completeness: patchy (0%")
    assert verdict["completeness"].endswith("; 45% of the real images have a sample near them)")
    assert "have a sample near" not in judge(older("healthy"))["completeness"]


def test_a_gap_of_the_elbo_within_its_own_error_is_no_overfitting():
    lost = {
        "memorisation__mse_ratio": 1.0,
        "memorisation__elbo_gap": 40.0,
        "memorisation__elbo_gap_fraction": 0.8,
        "rate_distortion__elbo_se": 1.0,
    }
    assert judge(results_of("healthy", **lost, memorisation__elbo_gap_se=12.0))["name"] == "overfitted"
    # 2.9 errors of the gap, though 40 of the test ELBO's.
    assert judge(results_of("healthy", **lost, memorisation__elbo_gap_se=13.8))["name"] == "healthy"


def test_features_without_labels_lower_the_confidence():
    levels = ["low", "medium", "high"]
    sure = judge(older("healthy"))["confidence"]
    unsure = judge(older("healthy", generation_gap__features={"name": "random"}))["confidence"]
    assert levels.index(unsure) < levels.index(sure)


def leaves(node, path=()):
    for key, value in node.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))


@pytest.mark.parametrize("condition", ["healthy", "no_prior", "spread_code"])
def test_no_null_anywhere_is_a_crash(condition):
    counted = {("num_held_out",), ("num_train",), ("latent", "size"), ("latent",)}  # always known
    for path in set(leaves(results_of(condition))) - counted:
        results = results_of(condition)
        section = results
        for key in path[:-1]:
            section = section[key]
        section[path[-1]] = None
        try:
            assert judge(results)["findings"]
        except (TypeError, KeyError, AttributeError) as error:
            pytest.fail(f"{'.'.join(path)} null: {error}")


def test_a_hole_is_named_only_beyond_the_error_of_the_gap_and_patches_only_where_there_is_one():
    quiet = {"completeness__dead_zone": 0.0, "completeness__dead_zone_se": 0.01}
    gap = {"generation_gap__gap_ratio": 8.0, **quiet}
    assert judge(older("healthy", **gap, generation_gap__gap_ratio_se=1.0))["name"] == "prior_hole"
    # 8 +- 2 may be 5; that there is a gap is sure.
    assert judge(older("healthy", **gap, generation_gap__gap_ratio_se=2.0))["name"] == "patchy"
    assert judge(older("healthy", **gap, generation_gap__gap_ratio_se=4.5))["name"] == "healthy"


def test_blur_within_its_error_is_none():
    blur = {"generation_gap__blur_ratio": 12.0}
    assert judge(older("healthy", **blur, generation_gap__blur_ratio_se=1.0))["name"] == "blurry"
    assert judge(older("healthy", **blur, generation_gap__blur_ratio_se=3.0))["name"] == "healthy"


def test_an_error_that_rounds_to_nothing_is_not_said():
    assert share_with_error(Estimate(0.9997, 0.0001)) == "100%"
    assert share_with_error(Estimate(0.64, 0.04)) == "64% ± 4%"
    assert share_with_error(Estimate(0.64, None)) == "64%"


def test_a_share_over_all_within_its_error_is_all():
    done = {"outcome": "exported", "sampler": "mixture", "version": "serving/decoder/2"}
    noisy = {"generation_gap__repaired_fraction": 1.2, "repair": done}
    within = judge(older("no_prior", **noisy, generation_gap__repaired_fraction_se=0.2))
    assert "all of the gap, within the error of 20%" in within["remedy"]
    beyond = judge(older("no_prior", **noisy, generation_gap__repaired_fraction_se=0.05))
    assert "120% ± 5% of the gap" in beyond["remedy"]


def test_blur_is_not_named_before_a_hole():
    blurred = older("blurry", completeness__dead_zone=0.7, completeness__dead_zone_se=0.03)
    assert judge(blurred)["name"] == "prior_hole"
    assert judge(results_of("blurry", told_apart__prior__auc=0.99))["name"] == "prior_hole"


def test_blur_is_named_though_a_classifier_tells_the_samples_unless_they_are_much_farther():
    # A vector of 3 on MNIST: samples lie 1.3 times as far from real images as its blurred reconstructions.
    findings = [finding["name"] for finding in judge(results_of("blurry"))["findings"]]
    assert findings == ["blurry", "patchy"]
    farther = {"generation_gap__gap_ratio": 4.0, "generation_gap__gap_ratio_se": 0.1}
    assert judge(results_of("blurry", **farther))["name"] == "patchy"
    # Distances that cannot tell fog from images say nothing of that.
    blind = {"spaces__classifier__blind": True, "told_apart__reconstruction_half__auc": 0.99}
    assert judge(results_of("blurry", **blind))["name"] == "patchy"


# What a classifier tells apart


def told(prior, off=0.0, mixture=0.5, **changes):
    """Results of a healthy model with other numbers of the classifier: (value, error) of an AUC by rung."""
    entry = {"auc_se": 0.01, "tv_low": 0.5, "off_se": 0.01, "missing": 0.1, "n": 1000}
    rungs = {"prior": prior, "mixture": mixture, "posterior": 0.5, "planted": 0.6}
    apart = {name: {**entry, "auc": auc, "off": 0.01} for name, auc in rungs.items()}
    apart["prior"]["off"] = off
    best = {"generation_gap__best_sampler": "mixture", "samplers": {"mixture": {}}}
    return judge(results_of("healthy", told_apart=apart, **best, **changes))


def test_samples_that_are_always_told_apart_are_a_hole_and_half_of_them_patchy():
    # No threshold of the package stands here: 99% is a hole to anyone, and 52% is nothing.
    assert told(0.99, off=0.95)["name"] == "prior_hole"
    assert told(0.8, off=0.3)["name"] == "patchy"
    assert told(0.52, off=0.02)["name"] == "healthy"


@pytest.mark.parametrize(
    ("prior", "gaussian", "error", "kind"),
    [
        # z is 1.55 and 0.71: it removes 79%.
        (0.94, 0.76, 0.007, "correlated"),
        (0.94, 0.935, 0.007, "clustered"),
        (0.94, 0.96, 0.007, "clustered"),
        # A quarter, z = 2.00 and 1.74, although 2 nats are a mismatch.
        (0.977, 0.959, 0.004, "clustered"),
        (0.94, 0.935, 0.03, "correlated"),  # whether it helps is not known
        (0.999, 0.998, 0.001, "correlated"),  # neither is it where both are told apart nearly always
    ],
)
def test_mean_and_covariance_are_no_cause_if_a_gaussian_that_has_them_removes_less_than_half(
    prior, gaussian, error, kind
):
    entry = {"off": 0.6, "off_se": 0.02, "auc_se": error, "tv_low": 0.5, "missing": 0.1, "n": 1000}
    apart = {"prior": {**entry, "auc": prior}, "gaussian": {**entry, "auc": gaussian}}
    found = judge(results_of("correlated", told_apart=apart))["findings"][0]
    assert (found["name"], found["sub_verdict"]) == ("prior_hole", kind)
    assert ("of what tells samples of N(0, I)" in found["cause"]) == (kind == "clustered")


def test_a_mismatch_within_its_error_of_the_threshold_is_none():
    def kind(nats, error):
        changed = {"prior_mismatch__nats": nats, "prior_mismatch__nats_se": error}
        changed |= {"prior_mismatch__fraction_of_rate": 0.03, "prior_mismatch__fraction_of_rate_se": 0.001}
        return judge(results_of("correlated", **changed))["findings"][0]["sub_verdict"]

    # More than 2 nats, or a tenth of the rate, is far (docs/thresholds.md).
    assert kind(2.02, 0.08) == "clustered"
    assert kind(2.3, 0.08) == "correlated"
    assert kind(2.02, 0.001) == "correlated"


def test_samples_of_a_hole_are_called_unrealistic_only_where_they_are():
    # A vector of 2 on sprites: N(0, I) decodes to the same blurred spots as images do, but only in the middle.
    entry = {
        "auc": 0.93,
        "auc_se": 0.01,
        "off": 0.15,
        "off_se": 0.01,
        "tv_low": 0.7,
        "missing": 0.67,
        "n": 1000,
    }
    narrow = judge(results_of("no_prior", told_apart={"prior": entry}))["findings"][0]
    assert "67% of which resemble hardly any sample" in narrow["symptom"]
    assert "realistic" not in narrow["symptom"]
    for changed in ({"off": 0.7}, {"missing": 0.1}):
        found = judge(results_of("no_prior", told_apart={"prior": entry | changed}))["findings"][0]
        assert "do not decode to realistic images" in found["symptom"]


def test_a_repair_is_called_one_only_where_nothing_is_told_apart():
    assert "this is a repair" in told(0.99, off=0.95, mixture=0.5)["remedy"]
    assert "better, but not a repair" in told(0.99, off=0.95, mixture=0.86)["remedy"]
    assert "86% of pairs" in told(0.99, off=0.95, mixture=0.86)["remedy"]


def test_distances_of_blind_features_are_not_shown_and_decide_nothing():
    features = {"generation_gap__features": {"name": "classifier"}}
    far = {"generation_gap__gap_ratio": 40.0, "generation_gap__blur_ratio": 90.0}
    blind = told(0.52, off=0.02, spaces={"classifier": {"blind": True}}, **features, **far)
    assert blind["name"] == "healthy"
    assert "cannot tell fog" in blind["findings"][0]["evidence"]
    assert "distances from real images" not in blind["findings"][0]["evidence"]
    seeing = told(0.52, off=0.02, spaces={"classifier": {"blind": False}}, **features)
    assert "distances from real images" in seeing["findings"][0]["evidence"]


def test_confidence_follows_the_power_of_the_classifier():
    results = results_of("healthy", generation_gap__n=1000)
    entry = {"auc": 0.5, "auc_se": 0.01, "off": 0.01, "off_se": 0.01, "tv_low": 0.0, "missing": 0.01}
    results["told_apart"] = {name: dict(entry) for name in ("prior", "posterior", "planted")}
    assert judge(results)["confidence"] == "medium"  # the planted control was not seen
    assert "a fifth" in judge(results)["confidence_reason"]
    assert "images of each kind" not in judge(results)["confidence_reason"]
    few = judge({**results, "generation_gap": {**results["generation_gap"], "n": 180}})
    assert few["confidence"] == "low"
    assert few["confidence_reason"].endswith(", and only 180 images of each kind were compared")
    results["told_apart"]["planted"]["auc"] = 0.58
    assert judge(results)["confidence"] == "high"
    assert judge(results)["confidence_reason"] is None
    results["told_apart"]["posterior"]["auc"] = 0.58  # something is seen where there is nothing
    assert judge(results)["confidence"] == "medium"


@pytest.mark.parametrize(("left", "confidence"), [(0.7, "high"), (0.91, "medium")])
def test_confidence_in_a_cause_follows_what_removing_it_brings(left, confidence):
    """At the AUCs 0.97, 0.7 and 0.91, z is 1.881, 0.524 and 1.341: a Gaussian removes 92%, or 49%, half within the error."""
    results = results_of("correlated", generation_gap__n=1000)
    entry = {
        "auc": 0.97,
        "auc_se": 0.01,
        "off": 0.9,
        "off_se": 0.01,
        "tv": 0.9,
        "tv_low": 0.8,
        "missing": 0.9,
    }
    others = {"posterior": entry | {"auc": 0.5}, "planted": entry | {"auc": 0.6}}
    fitted = entry | {"auc": left}
    verdict = judge(results | {"told_apart": {"prior": entry, "gaussian": fitted, **others}})
    assert (verdict["sub_verdict"], verdict["confidence"]) == ("correlated", confidence)
    assert ("removes 49% ± " in str(verdict["confidence_reason"])) == (confidence == "medium")


def test_a_repair_is_not_decided_with_too_few_images():
    results = results_of("healthy", generation_gap__best_sampler="mixture", samplers={"mixture": {}})
    entry = {"auc": 0.99, "auc_se": 0.05, "off": 0.9, "off_se": 0.05, "tv_low": 0.5, "missing": 0.9}
    aucs = {"prior": 0.99, "mixture": 0.53, "planted": 0.6, "posterior": 0.5}
    results["told_apart"] = {name: {**entry, "auc": auc} for name, auc in aucs.items()}
    assert (
        "too few images to tell whether it is a repair" in judge(results)["remedy"]
    )  # 0.53 + 1.96 * 0.05 is above 0.6
    for entry in results["told_apart"].values():
        entry["auc_se"] = 0.01
    assert "this is a repair" in judge(results)["remedy"]
    results["told_apart"]["planted"]["auc"] = 0.51  # a classifier that sees nothing certifies nothing
    assert "too few images to tell whether it is a repair" in judge(results)["remedy"]


def test_a_share_that_chance_alone_puts_off_is_not_patchy():
    assert told(0.5, off=0.12)["name"] == "healthy"


def test_where_the_encoder_overfits_the_sampler_is_judged_by_draws_of_training_images():
    results = results_of("healthy", generation_gap__best_sampler="mixture", samplers={"mixture": {}})
    entry = {"auc_se": 0.01, "off": 0.5, "off_se": 0.01, "tv_low": 0.5, "missing": 0.5}
    aucs = {
        "prior": 0.99,
        "prior_training": 0.97,
        "mixture": 0.8,
        "mixture_training": 0.5,
        "training": 0.8,
        "planted": 0.6,
        "posterior": 0.5,
    }
    results["told_apart"] = {name: {**entry, "auc": auc} for name, auc in aucs.items()}
    results["told_apart"]["encoder_overfits"] = True
    verdict = judge(results)
    assert "The encoder causes part of this" in verdict["findings"][0]["evidence"]
    assert (
        "decoded codes of training images in 50% of pairs, those of N(0, I) in 97%; this is a repair"
        in verdict["remedy"]
    )


def test_blurred_reconstructions_are_named_beside_a_hole():
    features = {"generation_gap__features": {"name": "classifier"}}
    blind = {"classifier": {"blind": True}}
    poor = told(0.97, off=0.8, spaces=blind, **features)
    poor_names = [found["name"] for found in poor["findings"]]
    assert poor_names == ["prior_hole"]
    assert "reconstructs but cannot generate" in poor["findings"][0]["symptom"]
    quarter = {"told_apart__reconstruction_quarter": {"auc": 0.99, "auc_se": 0.01}}
    blurred = told(0.97, off=0.8, spaces=blind, **features, **quarter)
    assert [found["name"] for found in blurred["findings"]] == ["prior_hole", "blurry"]
    assert "its reconstructions are blurred" in blurred["findings"][0]["symptom"]


@pytest.mark.parametrize(
    ("epochs", "best", "said"),
    [
        (29, 28, "stopped after 29 of 79 epochs: continue it"),
        (29, 21, None),  # the held-out loss had stopped falling
        (79, 79, "for 158 epochs"),
        (79, 40, None),
    ],
)
def test_longer_training_is_advised_if_it_can_help(epochs, best, said):
    source = Source(("a",), "runs/a/config.json", Config(epochs=79), epoch=epochs, best_epoch=best)
    scales = {"prior_mismatch__nats": 9.0, "prior_mismatch__marginal_nats": 9.0, "latent__directions": 16}
    verdict = judge(results_of("correlated", **scales), source)
    sentences = " ".join(step["sentence"] for finding in verdict["findings"] for step in finding["steps"])
    assert verdict["sub_verdict"] == "mis_scaled"
    assert (said in sentences) if said else ("epochs" not in sentences)
    if said and "stopped" in said:
        assert "--resume runs/a" in all_text(verdict)


def test_the_epochs_of_a_run_are_those_of_its_history(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss,val_loss,extra\n1,9,8,\n2,8,6.5,1\n3,7,,\n")
    assert epochs_of(Run(tmp_path)) == {
        "epoch": 3,
        "best_epoch": 2,
    }
    assert epochs_of(Run(tmp_path / "none")) == {}


def test_unevenness_within_its_error_of_the_threshold_is_no_jump():
    at = "continuity__jacobian__posterior__p95_over_median"
    assert judge(results_of("healthy", **{at: 4.05}))["name"] == "discontinuous"  # older results: no error
    near = {at: 4.05, f"{at}_se": 0.3}
    assert judge(results_of("healthy", **near))["name"] == "healthy"
    far = judge(results_of("healthy", **near | {at: 4.9}))
    assert far["name"] == "discontinuous"
    assert "at least 4.9 ± 0.3 times its median" in far["findings"][0]["evidence"]


def test_the_error_of_a_median_is_the_known_one():
    # Of n normal values the median's standard error is sqrt(pi / 2 n).
    values = np.random.default_rng(0).normal(size=(40, 400))
    errors = [bootstrapped(np.median, row, seed) for seed, row in enumerate(values)]
    assert np.mean(errors) == pytest.approx(np.sqrt(np.pi / 800), rel=0.1)
    assert bootstrapped(unevenness, np.ones(9), 0) == 0

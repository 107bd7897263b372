"""What `--extended` adds, on a model of which each number is known, and on one of ours."""

import dataclasses
import functools
import json
import math
import pathlib
from types import SimpleNamespace

import numpy as np
import pytest
from test_diagnosis import (
    LENGTHS,
    PIXELS,
    SIGMA,
    cache,  # noqa: F401
    check,
    columns,
    dataset_of,
    entropy,
    linear_data,
    linear_model,
    linear_results,
    posterior_variance,
    small_vae,
    within,
)

from keras_vae import evaluate, samplers
from keras_vae.cli.evaluate import main
from keras_vae.cli.train import main as train
from keras_vae.evaluation.metrics.annealing import Annealing
from keras_vae.evaluation.metrics.mismatch import contrast
from keras_vae.evaluation.sections.extended import Earlier
from keras_vae.evaluation.sections.extended.codes import mutual_information

pytestmark = pytest.mark.long


def linear_score(images, codes):
    """log N(x; 1/2 + W z, sigma^2) and its gradient by z."""
    away = images.reshape(len(images), -1) - 0.5 - codes @ columns().T
    constant = PIXELS * (math.log(SIGMA) + 0.5 * math.log(2 * math.pi))
    return -0.5 * np.square(away / SIGMA).sum(axis=1) - constant, away @ columns() / SIGMA**2


def linear_pullback(codes, weights):
    """W' w."""
    return weights.reshape(len(codes), -1) @ columns()


FITTED = "keras_vae.evaluation.sections.samplers.FITTED"  # those that learn by gradients take seconds each
STRETCH = 1.5  # of the encoder's standard deviations, which are to be too large


@functools.cache
def extended_results():
    """Of the linear model with an encoder that is too unsure: what it loses is known."""
    exact = linear_model()

    def encode(images):
        mean, log_var = exact.encode(images)
        return mean, log_var + 2 * math.log(STRETCH)

    foreign = dataclasses.replace(exact.foreign, encode=encode)
    subject = dataclasses.replace(exact, foreign=foreign, score=linear_score, pullback=linear_pullback)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(samplers.SAMPLERS, "further", samplers.GaussianSampler)
        patch.setitem(samplers.SAMPLERS, "refusing", Refusing)
        patch.setattr(FITTED, ("gaussian", "mixture", "further", "refusing"))
        return check(evaluate(subject, linear_data(), extended=True, features="random"))


@dataclasses.dataclass(frozen=True)
class Refusing(samplers.PriorSampler):
    """A sampler that takes none of these codes."""

    def fit(self, codes, **further):
        raise ValueError("three numbers are too few for it")


@functools.cache
def lost():
    """KL(q || p(z|x)) of the unsure encoder: d (s^2 - 1 - log s^2) / 2."""
    return 1.5 * (STRETCH**2 - 1 - 2 * math.log(STRETCH))


def extended(name):
    return extended_results()["extended"][name]


def test_only_extended_has_a_section_of_its_own():
    assert "extended" not in linear_results()


def test_the_largest_stretch_of_the_linear_model_is_the_longest_column():
    assert extended("spectral_norm")["median"] == pytest.approx(LENGTHS.max(), rel=1e-4)


def test_the_amortisation_gap_of_an_unsure_encoder_is_its_divergence():
    found = extended("amortisation_gap")
    assert found["nats_se"] < 0.1 * lost()
    assert found["nats"] == pytest.approx(lost(), abs=0.05 + 4 * found["nats_se"])
    assert found["optimised_elbo"] - found["elbo"] == pytest.approx(found["nats"])


def test_annealing_gives_the_linear_model_its_likelihood():
    found = extended("annealed")
    within(found["nats"], entropy(), found["nats_se"])
    # Each image's gap is the divergence, but for the noise of 16 draws an ELBO and of 8 chains.
    within(found["inference_gap"], lost(), found["inference_gap_se"])
    assert found["inference_gap_se"] < 0.5 * lost()
    assert found["effective_sample_size"] > 6  # of 8 chains


def test_the_importance_weighted_bound_falls_from_the_elbo():
    found = extended("importance")
    assert found["nats"][0] > found["nats"][1] > found["nats"][2]  # beyond, all weights are nearly one
    within(found["nats"][-1], entropy(), found["nats_se"][-1])
    assert found["nats"][0] - found["nats"][-1] == pytest.approx(lost(), abs=0.6)
    assert found["effective_sample_size"][0] == 1


def test_distances_at_infinite_n_are_free_of_bias():
    found = extended("frechet_by_n")
    within(found["limit"]["real"], 0, found["limit_se"]["real"])
    assert np.polyfit(found["n"], found["rungs"]["real"], 1)[0] < 0
    assert found["rungs"]["real"][-1] > 2 * found["limit_se"]["real"]
    last = extended_results()["generation_gap"]["real"]
    # One division of the held-out images, and the mean over many.
    within(found["rungs"]["real"][-1], last["frechet"], last["frechet_sd"])
    kid = extended("kid_by_n")
    assert kid["rungs"]["real"][-1] == pytest.approx(last["kid"])
    within(kid["rungs"]["real"][0], 0, kid["rungs_se"]["real"][0])


def test_codes_that_fill_more_than_the_prior_are_told_from_it():
    # The posteriors' own noise is too large, and the bounds on the information enclose what is left of it:
    # q(z) = N(0, v s^2 + 1 - v), I = -1/2 sum log(v s^2 / (v s^2 + 1 - v)).
    noise = posterior_variance() * STRETCH**2
    information = -0.5 * np.log(noise / (noise + 1 - posterior_variance())).sum()
    found = extended("mutual_information")
    assert found["lower"] - 4 * found["lower_se"] < information < found["upper"] + 4 * found["upper_se"]
    assert found["n"] == round(math.exp(found["log_n"]))
    assert 0.4 < extended("prior_classifier")["accuracy"] < 0.65


def test_swapped_quadrants_lie_outside_what_the_linear_model_knows():
    found = extended("swapped_quadrants")
    assert found["ratio"] - 1 > 10 * found["ratio_se"]


def test_every_sampler_that_fits_is_a_rung_of_its_own():
    results = extended_results()
    further, gaussian = (results["generation_gap"][name] for name in ("further", "gaussian"))
    assert further["frechet"] == pytest.approx(gaussian["frechet"])
    assert list(results["extended"]["frechet_by_n"]["rungs"])[-2:] == ["further", "prior"]
    assert (
        results["completeness"]["by_rung"]["further"]["dead_zone"] is None
    )  # as fog, which these images are
    assert results["samplers"]["further"]["frechet"] == results["generation_gap"]["further"]["frechet"]
    assert "refusing" not in results["generation_gap"]
    assert results["reasons"]["generation_gap.refusing"] == "three numbers are too few for it"


def test_without_gradients_or_labels_extended_says_so(monkeypatch):
    monkeypatch.setattr(FITTED, ("gaussian",))
    reasons = extended_results()["reasons"]
    assert extended("class_survival") is None
    assert reasons["extended.class_survival"] == reasons["confidence"]
    few = check(evaluate(linear_model(), linear_data(130), extended=True, features="random"))
    missing = [name for name, value in few["extended"].items() if value is None]
    assert missing == [
        "frechet_by_n", "kid_by_n", "cell_z", "class_survival", "spectral_norm", "amortisation_gap", "annealed"
    ]  # fmt: skip


def quick(kind):
    """Returns the sampler `kind` with fewer updates."""
    return dataclasses.make_dataclass(kind.__name__, [("updates", int, 100)], bases=(kind,), frozen=True)


def test_extended_measures_a_model_of_ours(monkeypatch):
    short = functools.partial(Annealing, chains=2, temperatures=4)
    monkeypatch.setattr("keras_vae.evaluation.sections.extended.annealing.Annealing", lambda chains: short())
    for name in ("flow", "two_stage"):
        monkeypatch.setitem(samplers.SAMPLERS, name, quick(samplers.SAMPLERS[name]))
    results = check(evaluate(small_vae(), dataset_of(900), extended=True))
    assert {"gaussian", "mixture", "flow", "two_stage", "vamp"} <= set(results["generation_gap"])
    found = results["extended"]
    assert found["spectral_norm"]["median"] > 0
    assert found["amortisation_gap"]["nats"] > 0
    alive = found["class_survival"]["classes"]["all"]["share"]
    assert alive == sorted(alive, reverse=True)


def test_sprites_have_scores_of_disentanglement(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = ["--network.widths", "4", "--network.dense", "8", "--epochs", "1", "--latent", "3"]
    # As many images as it takes for some to share an orientation, of which there are 40.
    train(
        ["--dataset", "sprites", "--dataset.size", "4000", "--image_size", "16", "--name", "shapes", *small]
    )
    main(["saved_models/shapes", "--no-repair", "--features", "random"])
    found = json.loads(pathlib.Path("saved_models/shapes/report/results.json").read_text())
    scores = found["disentanglement"]
    assert scores["n"] == 400
    for name in ("mig", "sap", "factor_vae", "beta_vae"):
        assert 0 <= scores[name] <= 1
    assert 0 <= scores["dci"]["informativeness"] <= 1
    assert "disentanglement" not in found["reasons"]


def test_more_codes_never_show_more_information_than_the_rate():
    # Codes of 10 numbers at 20 nats fill the prior: the rate is the information, and I_LOO is far above it.
    generator, variance = np.random.default_rng(3), math.exp(-4)
    mean = math.sqrt(1 - variance) * generator.standard_normal((400, 10)).astype("float32")
    test = SimpleNamespace(mean=mean, log_var=np.full_like(mean, -4))
    evidence = SimpleNamespace(test=test, subject=SimpleNamespace(is_variational=True), seed=0)
    rate = float(0.5 * (np.square(mean).sum(axis=1) + 10 * (variance - 1 + 4)).mean())
    assert contrast(mean, test.log_var, 0).upper > rate + 5
    for nats, error, expected in ((0.0, 0.0, rate), (3.0, 0.4, rate - 3)):
        numbers = {"rate": rate, "rate_se": 0.3}, {"nats": nats, "nats_se": error}
        found = mutual_information(evidence, Earlier(None, *numbers, None, None)).values
        assert found["lower"] <= found["upper"] == pytest.approx(expected)
        assert found["upper_from"] == ("mismatch" if nats else "rate")
        assert found["upper_se"] == pytest.approx(0.5 if nats else 0.3)

"""Every measurement at once: on a model that is known in closed form, and on small untrained ones of all kinds."""

import dataclasses
import functools
import json
import math

import jsonschema
import numpy as np
import pytest
import tensorflow as tf

from keras_vae import VAE, Autoencoder, evaluate, from_functions, samplers
from keras_vae.data import Annotations, LoadOptions, in_memory
from keras_vae.evaluation.results import Results
from keras_vae.evaluation.results.schema import results_schema
from keras_vae.evaluation.sections import SECTIONS
from keras_vae.evaluation.sections.evidence import Evidence
from keras_vae.model.likelihoods import Bernoulli, Gaussian, LearnedGaussian
from keras_vae.model.objectives import OBJECTIVES
from keras_vae.report.tables import plain

SCHEMA = results_schema()

# The linear model: x = 1/2 + W z + sigma e, with orthogonal columns of W, so that the posterior is diagonal.
SIDE, SIGMA = 6, 0.03
LENGTHS = np.array([0.24, 0.15, 0.09])  # of W's columns
PIXELS = SIDE * SIDE


@functools.cache
def columns():
    return np.linalg.qr(np.random.default_rng(7).standard_normal((PIXELS, 3)))[0] * LENGTHS


def posterior_variance():
    """v_j = 1 / (1 + |w_j|^2 / sigma^2)."""
    return 1 / (1 + LENGTHS**2 / SIGMA**2)


@functools.cache
def linear_data(n=4000):
    """Images of the linear model: no pixel leaves [0, 1], more than six standard deviations off."""
    generator = np.random.default_rng(1)
    images = (
        0.5 + generator.standard_normal((n, 3)) @ columns().T + SIGMA * generator.standard_normal((n, PIXELS))
    )
    assert 0 < images.min() < images.max() < 1
    return in_memory(
        "linear", images.astype("float32").reshape(n, SIDE, SIDE, 1), LoadOptions(), Annotations()
    )


def linear_model(scale=1.0, shift=0.0):
    """The exact posterior and decoder; `scale` and `shift` put the codes elsewhere, for the decoder to undo."""

    def encode(images):
        mean = (images.reshape(len(images), -1) - 0.5) @ columns() / SIGMA**2 * posterior_variance()
        log_var = np.log(posterior_variance() * scale**2)
        return scale * mean + shift, np.broadcast_to(log_var, mean.shape)

    def decode(codes):
        return (0.5 + (codes - shift) / scale @ columns().T).reshape(-1, SIDE, SIDE, 1)

    return from_functions(encode, decode, Gaussian(sigma=SIGMA), "linear")


@functools.cache
def linear_results(scale=1.0, shift=0.0):
    return evaluate(linear_model(scale, shift), linear_data(), nll_samples=60)


def entropy():
    """-E log p(x) = (P log 2 pi e + log det(W W' + sigma^2 I)) / 2, the determinant from W's orthogonal columns."""
    log_det = 2 * PIXELS * math.log(SIGMA) - np.log(posterior_variance()).sum()
    return 0.5 * (PIXELS * math.log(2 * math.pi * math.e) + log_det)


def within(value, expected, error, deviations=4.0):
    assert error > 0
    assert abs(value - expected) <= deviations * error, f"{value} +- {error} is not {expected}"


def test_rate_of_the_linear_model_is_the_mutual_information():
    # R = I(x; z) = -1/2 sum log v_j, as the aggregated posterior is the prior.
    found = linear_results()["rate_distortion"]
    expected = -0.5 * np.log(posterior_variance()).sum()
    within(found["rate"], expected, found["rate_se"])
    assert found["rate_per_dim"] == pytest.approx(found["rate"] / 3)
    assert found["rate_bits"] == pytest.approx(found["rate"] / math.log(2))


def test_elbo_of_the_linear_model_is_its_log_likelihood():
    found = linear_results()["rate_distortion"]
    within(found["elbo"], -entropy(), found["elbo_se"])
    assert found["elbo"] == pytest.approx(-found["distortion"] - found["rate"])
    assert found["bits_per_dim"] == pytest.approx((-found["elbo"] / PIXELS + math.log(255)) / math.log(2))


def test_distortion_of_the_linear_model_is_that_of_its_noise():
    # E -log p(x|z) with z from the exact posterior: z and x are jointly the model's, so the residual is sigma e.
    found = linear_results()["reconstruction"]["test"]
    within(
        found["distortion"],
        PIXELS * (0.5 * math.log(2 * math.pi * math.e) + math.log(SIGMA)),
        found["distortion_se"],
    )
    # From the mean the residual is smaller: sigma^2 (P - sum (1 - v_j)) / P a pixel.
    expected = SIGMA**2 * (PIXELS - (1 - posterior_variance()).sum()) / PIXELS
    within(found["mse"], expected, found["mse_se"])
    calibration = linear_results()["rate_distortion"]["calibration"]
    assert calibration == pytest.approx(found["mse"] / SIGMA**2)


def test_codes_of_the_linear_model_fill_the_prior():
    results = linear_results()
    mismatch = results["prior_mismatch"]
    within(mismatch["nats"], 0, mismatch["nats_se"])
    assert mismatch["auc"] == pytest.approx(0.5, abs=0.06)
    assert mismatch["signal_radius"]["ratio"] == pytest.approx(1, abs=0.06)
    assert mismatch["marginal_kl_lower"] <= 0.02
    assert mismatch["marginal_kl_upper"] >= 0
    latent = results["latent"]
    assert latent["second_moment"]["mean"] == pytest.approx(1, abs=0.06)
    assert (latent["active_units"], latent["collapsed_units"], latent["recommended_size"]) == (3, 0, 4)


def test_importance_weighting_gives_the_linear_model_its_likelihood():
    # The posterior is exact: all weights of an image are p(x), and the bound is tight at once.
    found = linear_results()["likelihood"]
    within(found["nats"], entropy(), found["nats_se"])
    assert found["effective_sample_size"] == pytest.approx(60, rel=1e-3)
    assert found["accepted"]


def test_jacobian_of_the_linear_model_is_the_norm_of_its_matrix():
    # Hutchinson with 4 probes: |J v|^2 has mean |W|_F^2 and variance 2 sum |w_j|^4; the median of 64 is a little lower.
    for point in linear_results()["continuity"]["jacobian"].values():
        assert point["median"] == pytest.approx(np.linalg.norm(LENGTHS), rel=0.2)
    assert linear_results()["continuity"]["jump_pixels"] == pytest.approx(1, abs=1e-3)


def test_samples_of_the_linear_model_cannot_be_told_from_decoded_codes():
    told = linear_results()["told_apart"]
    for name in ("prior", "posterior", "training", "gaussian"):
        assert abs(told[name]["auc"] - 0.5) < 3.5 * told[name]["auc_se"], name
    assert told["repaired_share"] is None
    reason = linear_results()["reasons"]["told_apart.repaired_share"]
    assert "no fitted sampler is better than the prior beyond the error" in reason
    # Codes twice as wide as the prior's: what the prior decodes to has a quarter of the variance.
    wide = linear_results(scale=2.0)["told_apart"]
    assert wide["prior"]["auc"] > 0.5 + 3 * wide["prior"]["auc_se"]
    assert wide["prior"]["missing"] > wide["posterior"]["missing"]


def test_a_linear_model_generates_as_well_as_it_reconstructs():
    results = linear_results()
    gap = results["generation_gap"]
    assert abs(gap["gap"]) < 0.5 * gap["reconstruction"]["frechet"]
    assert results["completeness"]["dead_zone"] is None  # the images are themselves draws of a Gaussian
    assert "tell fog from real images" in results["reasons"]["dead_zone"]
    assert results["memorisation"]["copies"] is not True
    assert results["memorisation"]["mse_ratio"] == pytest.approx(1, abs=0.05)


@pytest.mark.long
def test_mismatch_of_scaled_codes_is_their_divergence():
    # q(z) = N(m, s^2 I): KL = d/2 (s^2 + m^2 - 1 - log s^2), all of it in the single dimensions.
    results = linear_results(1.8, 0.5)
    found = results["prior_mismatch"]
    expected = 1.5 * (1.8**2 + 0.5**2 - 1 - math.log(1.8**2))
    within(found["nats"], expected, found["nats_se"])
    assert found["marginal_nats"] == pytest.approx(found["nats"], abs=0.05)
    # R = I + KL: the information is that of the exact codes.
    information = -0.5 * np.log(posterior_variance()).sum()
    assert results["rate_distortion"]["rate"] == pytest.approx(information + expected, rel=0.05)
    bounds = found["mutual_information"]
    assert bounds["lower"] - 0.1 <= information <= bounds["upper"] + 0.1
    # E z^2 in each dimension.
    assert results["latent"]["second_moment"]["mean"] == pytest.approx(1.8**2 + 0.5**2, rel=0.06)
    # The ELBO loses what the prior misses; importance weighting finds p(x) under this prior, which is lower too.
    assert results["rate_distortion"]["elbo"] == pytest.approx(-entropy() - expected, abs=0.5)


# Results are what the schema says, for all kinds of models and data


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    """Classifiers are kept in a folder of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def pictures(n=200, shape=(8, 8, 1), seed=0, classes=3):
    """Blobs whose place says the class, and their labels."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, n)
    images = generator.random((n, *shape)).astype("float32") * 0.2
    for image, label in zip(images, labels):
        image[2 * label : 2 * label + 2] += 0.7
    return images, labels


def dataset_of(n=200, shape=(8, 8, 1), labels=True, name="blobs", **known):
    images, classes = pictures(n, shape)
    return in_memory(name, images, LoadOptions(), Annotations(labels=classes if labels else None, **known))


def small_vae(shape=(8, 8, 1), latent=(3,), **settings):
    return VAE(image_shape=shape, latent=latent, **settings)


def check(results):
    """The results are strict JSON, as the schema has it, and every null has a reason."""
    text = json.dumps(plain(results), allow_nan=False)
    assert json.dumps(plain(results)) == json.dumps(results, default=float), "a number is not finite"
    jsonschema.validate(json.loads(text), SCHEMA)
    Results.model_validate(json.loads(text))
    unexplained = [path for path in nulls(results) if not explained(results["reasons"], path)]
    assert unexplained == []
    return results


def nulls(node, path=""):
    """The dotted paths of all nulls but those of the verdict, which has its own words."""
    if node is None:
        yield path
    elif isinstance(node, dict) and path != "verdict":
        for key, value in node.items():
            yield from nulls(value, f"{path}.{key}" if path else key)


def explained(reasons, path):
    parts = path.split(".")
    return any(".".join(parts[:end]) in reasons for end in range(1, len(parts) + 1)) or parts[-1] in reasons


KINDS = {
    "vae": lambda: (small_vae(), dataset_of(900)),
    "autoencoder": lambda: (
        Autoencoder(image_shape=(8, 8, 1), latent=(3,), objective=OBJECTIVES["autoencoder"]()),
        dataset_of(900),
    ),
    "no labels, size 1": lambda: (small_vae(latent=(1,)), dataset_of(labels=False)),
    "colour, size 2, learned noise": lambda: (
        small_vae((8, 8, 3), (2,), likelihood=LearnedGaussian()),
        dataset_of(shape=(8, 8, 3)),
    ),
    "spatial, bernoulli": lambda: (small_vae(latent=(2, 2, 4), likelihood=Bernoulli()), dataset_of()),
    "not square, few": lambda: (small_vae((7, 10, 1)), dataset_of(130, (7, 10, 1))),
    "functions without a likelihood": lambda: (
        from_functions(
            lambda images: images[:, ::4, 0, 0], lambda codes: np.full((len(codes), 8, 8, 1), 0.5)
        ),
        dataset_of(),
    ),
}


@functools.cache
def results_of(kind):
    return evaluate(*KINDS[kind](), nll_samples=20 if kind == "vae" else 0)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_results_are_strict_json_as_the_schema_says_with_a_reason_for_every_null(kind):
    check(results_of(kind))


@pytest.mark.long
def test_samplers_that_were_asked_for_are_measured_and_the_usual_ones_say_why_not():
    results = check(evaluate(small_vae(), dataset_of(300), samplers=("vamp", "pixel_cnn")))
    gap = results["generation_gap"]
    assert gap["vamp"]["n"] == gap["prior"]["n"]
    assert list(results["samplers"]) == ["vamp"]
    assert gap["gaussian"] is None
    assert results["reasons"]["generation_gap.mixture"] == "not asked for: say --samplers mixture"
    assert "codebook" in results["reasons"]["generation_gap.pixel_cnn"]


def test_sixty_held_out_images_are_enough_to_measure_and_too_few_to_judge():
    results = check(evaluate(small_vae(), dataset_of(300)))
    assert results["num_held_out"] == 60
    assert results["generation_gap"]["n"] == 30
    assert results["verdict"]["name"] == "insufficient_data"
    assert results["memorisation"]["copies"] is None
    assert (
        "30 samples are too few to distinguish copies from chance"
        in results["reasons"]["memorisation.copies"]
    )


@dataclasses.dataclass(frozen=True)
class Copying:
    """A sampler that returns codes of training images as they are, in the place of both fitted ones."""

    latent_shape: tuple
    components: int = 0
    rank: int = 0
    seed: int = 0
    kept: np.ndarray | None = None
    settings = {}  # noqa: RUF012

    def fit(self, codes, **further):
        return dataclasses.replace(self, kept=codes.mean)

    def sample(self, seeds):
        return tf.gather(self.kept, np.asarray(seeds) % len(self.kept))


@pytest.mark.long
def test_a_sampler_that_copies_training_images_repairs_nothing(monkeypatch):
    for name in ("gaussian", "mixture"):
        monkeypatch.setitem(samplers.SAMPLERS, name, Copying)
    whole = from_functions(
        lambda images: 10 * images.reshape(len(images), -1),
        lambda codes: np.clip(codes / 10, 0, 1).reshape(-1, SIDE, SIDE, 1),
        name="copies",
    )
    results = check(evaluate(whole, linear_data(5000), features="random"))
    gap, reasons = results["generation_gap"], results["reasons"]
    assert gap["gaussian"]["frechet"] < 0.1 * gap["prior"]["frechet"]
    for name in ("gaussian", "mixture"):
        assert results["memorisation"]["rungs"][name]["authenticity"] < 0.05
        assert reasons[f"samplers.{name}"].startswith("not used: ")
    assert gap["best_sampler"] == "prior"
    assert gap["repaired_fraction"] is None
    assert "copies" in reasons["generation_gap.repaired_fraction"]
    assert "sample from the fitted" not in results["verdict"]["remedy"]


def test_a_section_is_made_of_earlier_ones_alone():
    names = list(SECTIONS)
    for index, section in enumerate(SECTIONS.values()):
        assert set(section.needs) <= set(names[:index])
    with pytest.raises(dataclasses.FrozenInstanceError):
        Evidence(*[None] * 8).train = None


def test_the_time_of_the_ladder_is_that_of_all_its_steps():
    results = linear_results()
    steps = {step["name"]: step["seconds"] for step in results["cost"]["steps"]}
    of_the_ladder = [steps[name] for name in ("ladder", "distances", "generation_gap")]
    assert results["generation_gap"]["seconds"] == pytest.approx(sum(of_the_ladder)) != of_the_ladder[-1]
    assert results["cost"]["seconds"] == pytest.approx(sum(steps.values()))


def test_the_gap_and_its_repair_have_intervals():
    gap = linear_results(1.8, 0.5)["generation_gap"]
    for name in ("gap", "gap_ratio", "repaired_fraction"):
        value, error = gap[name], gap[f"{name}_se"]
        assert error > 0
        assert gap[f"{name}_low"] == pytest.approx(value - 1.96 * error)
        assert gap[f"{name}_high"] == pytest.approx(value + 1.96 * error)

"""Anybody's model: what its outputs mean, told by names, by order, by shape or by a flag."""

import keras
import numpy as np
import pytest

from keras_vae.errors import UsageError
from keras_vae.evaluation.subject import (
    from_export,
    from_files,
    from_functions,
    from_model,
    image_log_prob,
    observe,
)
from keras_vae.export.saved_models import DESCRIPTION, export
from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.likelihoods import (
    Bernoulli,
    ContinuousBernoulli,
    Gaussian,
    GaussianPerPixel,
    Laplace,
    LearnedGaussian,
    LogisticMixture,
)

SHAPE = (6, 6, 1)
IMAGES = np.random.default_rng(0).random((5, *SHAPE)).astype("float32")


@keras.saving.register_keras_serializable("tests")
class Add(keras.layers.Layer):
    """Stands for a sampling layer: its output is no mean."""

    def call(self, inputs):
        return inputs[0] + inputs[1] + 7.0


def branches(flat_input=False):
    """The input of an encoder, its mean and its log-variance, 2 numbers each."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((36,) if flat_input else SHAPE)
    flat = keras.layers.Flatten()(inputs)
    return inputs, keras.layers.Dense(2)(flat), keras.layers.Dense(2, activation="tanh")(flat)


def truth():
    inputs, mean, log_var = branches()
    return [np.asarray(values) for values in keras.Model(inputs, [mean, log_var])(IMAGES)]


def named(values, name):
    return keras.layers.Identity(name=name)(values)


def encoder(kind):
    inputs, mean, log_var = branches(kind == "flat input")
    std = keras.ops.exp(0.5 * log_var)
    outputs = {
        "two": [mean, log_var],
        "three": [mean, log_var, Add()([mean, log_var])],
        "flat input": [mean, log_var],
        "concatenated": keras.layers.Concatenate()([mean, log_var]),
        "dict": {"z_log_var": log_var, "z_mean": mean, "z": Add()([mean, log_var])},
        "swapped, by names": [named(log_var, "z_log_var"), named(mean, "z_mean")],
        "swapped, unknown names": {"first": log_var, "second": mean},
        "std, by its name": {"mu": mean, "sigma": std},
        "std": [mean, std],
        "variance": [mean, std**2],
        "log_std": [mean, 0.5 * log_var],
    }[kind]
    return keras.Model(inputs, outputs, name="encoder")


def decoder(kind="probabilities", flat_output=False):
    """A decoder whose images are the same for every kind."""
    keras.utils.set_random_seed(2)
    codes = keras.Input((2,))
    logits = 3 * keras.layers.Dense(36)(codes)
    images = {
        "probabilities": keras.ops.sigmoid(logits),
        "logits": logits,
        "symmetric": keras.ops.tanh(logits / 2),
    }[kind]
    return keras.Model(codes, images if flat_output else keras.layers.Reshape(SHAPE)(images), name="decoder")


def saved(model, folder, form):
    path = folder / (f"{model.name}.keras" if form == "keras" else model.name)
    if form == "keras":
        model.save(path)
    else:
        model.export(str(path), verbose=False)
    return path


def subject_of(encoder_model, decoder_model, folder, form="keras", **settings):
    paths = [saved(model, folder, form) for model in (encoder_model, decoder_model)]
    return from_files(*paths, Bernoulli("none"), image_shape=SHAPE, **settings)


SETTINGS = {
    "swapped, unknown names": {"outputs": ("second", "first")},
    "std": {"spread": "std"},
    "variance": {"spread": "variance"},
    "log_std": {"spread": "log_std"},
}
ENCODERS = [
    "two",
    "three",
    "flat input",
    "concatenated",
    "dict",
    "swapped, by names",
    "swapped, unknown names",
    "std, by its name",
    "std",
    "variance",
    "log_std",
]


@pytest.mark.long
@pytest.mark.parametrize("form", ["keras", "SavedModel"])
@pytest.mark.parametrize("kind", ENCODERS)
def test_mean_and_log_variance_are_found(kind, form, tmp_path):
    if form == "SavedModel" and kind == "swapped, by names":
        pytest.skip("Keras numbers a list's outputs as it exports them: nobody could tell")
    subject = subject_of(encoder(kind), decoder(), tmp_path, form, **SETTINGS.get(kind, {}))
    for found, expected in zip(subject.encode(IMAGES), truth()):
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("flat_output", [False, True])
@pytest.mark.parametrize("kind", ["probabilities", "logits", "symmetric"])
def test_decoders_of_any_range_give_images(kind, flat_output, tmp_path):
    subject = subject_of(encoder("two"), decoder(kind, flat_output), tmp_path, decoder_range=kind)
    codes = np.random.default_rng(1).standard_normal((4, 2)).astype("float32")
    np.testing.assert_allclose(subject.decode(codes), np.asarray(decoder()(codes)), atol=1e-5)
    assert subject.decode(codes).shape == (4, *SHAPE)


def test_logits_that_are_taken_for_images_are_refused(tmp_path):
    subject = subject_of(encoder("two"), decoder("logits"), tmp_path)
    with pytest.raises(UsageError, match="--decoder_range logits"):
        subject.decode(np.full((2, 2), 3.0, "float32"))


def test_outputs_of_a_saved_model_with_unknown_names_are_not_guessed(tmp_path):
    subject = subject_of(encoder("swapped, unknown names"), decoder(), tmp_path, "SavedModel")
    with pytest.raises(UsageError, match=r"first, second.*--encoder_outputs"):
        subject.encode(IMAGES)


def test_one_output_that_the_decoder_takes_is_a_plain_autoencoders_code(tmp_path):
    inputs, mean, _ = branches()
    subject = subject_of(keras.Model(inputs, mean, name="encoder"), decoder(), tmp_path)
    found, log_var = subject.encode(IMAGES)
    np.testing.assert_allclose(found, truth()[0], atol=1e-5)
    assert (log_var == -100).all()


@pytest.mark.parametrize("content", ["text", "array", "layer"])
def test_a_file_that_is_no_model_is_refused_in_one_line(content, tmp_path):
    path = tmp_path / "encoder.keras"
    if content == "text":
        path.write_text("no model")
    elif content == "array":
        with path.open("wb") as file:
            np.savez(file, a=np.zeros(3))
    else:
        path.mkdir()
    with pytest.raises(UsageError, match=r"encoder\.keras cannot be loaded") as raised:
        from_files(path, path, None)
    assert "\n" not in str(raised.value)


def test_log_probabilities_are_those_of_the_densities():
    decoded = np.full(IMAGES.shape, 0.3, "float32")
    found = image_log_prob(Bernoulli())(np.ones_like(IMAGES), decoded)
    np.testing.assert_allclose(found, 36 * np.log(0.3), rtol=1e-6)
    found = image_log_prob(Gaussian(sigma=0.2))(decoded + 0.2, decoded)
    np.testing.assert_allclose(found, -36 * (0.5 * np.log(2 * np.pi * 0.04) + 0.5), rtol=1e-5)
    # Laplace at a distance of its scale: -log(2 scale) - 1 a pixel.
    found = image_log_prob(Laplace(scale=0.1))(decoded + 0.1, decoded)
    np.testing.assert_allclose(found, -36 * (np.log(0.2) + 1), rtol=1e-5)


def test_a_learned_variance_is_taken_as_the_best_one_where_only_images_are_known():
    decoded = IMAGES + 0.1
    found = image_log_prob(LearnedGaussian())(IMAGES, decoded)
    np.testing.assert_allclose(found, -36 * (0.5 * np.log(2 * np.pi * 0.01) + 0.5), rtol=1e-5)


@pytest.mark.parametrize("likelihood", [GaussianPerPixel(), ContinuousBernoulli(), LogisticMixture()])
def test_a_likelihood_that_images_do_not_tell_is_refused(likelihood):
    with pytest.raises(UsageError, match=r"cannot be computed from a decoder's images.*--likelihood"):
        from_functions(lambda images: images, lambda codes: codes, likelihood)


def test_images_are_observed_as_the_likelihood_says_and_the_same_for_a_seed():
    dynamic = observe(Bernoulli("dynamic"), IMAGES, 3)
    assert set(np.unique(dynamic)) == {0, 1}
    np.testing.assert_array_equal(dynamic, observe(Bernoulli("dynamic"), IMAGES, 3))
    assert (dynamic != observe(Bernoulli("dynamic"), IMAGES, 4)).any()
    np.testing.assert_array_equal(observe(Bernoulli("threshold"), IMAGES, 0), IMAGES > 0.5)
    assert observe(Gaussian(), IMAGES, 0) is IMAGES


def test_a_function_that_gives_the_code_alone_is_a_plain_autoencoder():
    subject = from_functions(lambda images: images[:, 0, :2, 0], lambda codes: codes)
    mean, log_var = subject.encode(IMAGES)
    assert mean.shape == log_var.shape == (5, 2)
    assert (log_var == -100).all()
    assert subject.log_prob is None


class Noise(keras.layers.Layer):
    """The sampling layer of keras.io's example; saved under the name that it has there."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        mean, log_var = inputs
        noise = keras.random.normal(keras.ops.shape(mean), seed=self.seed_generator)
        return mean + keras.ops.exp(0.5 * log_var) * noise


def test_a_keras_file_with_a_sampling_layer_of_somebodys_own_is_read(tmp_path):
    own = type("Sampling", (Noise,), {"__module__": "a_module_that_is_not_here"})
    inputs, mean, log_var = branches()
    outputs = [mean, log_var, own()([mean, log_var])]
    subject = subject_of(keras.Model(inputs, outputs, name="encoder"), decoder(), tmp_path)
    for found, expected in zip(subject.encode(IMAGES), truth()):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def exported(folder, **settings):
    """A model of ours, and the folders of its decoder and encoder."""
    keras.utils.set_random_seed(0)
    network = {"kind": "convolutional", "widths": [4], "dense": 8, "normalization": "batch"}
    model = Autoencoder(**{"image_shape": SHAPE, "latent": 2, "network": network, **settings})
    return model, export(model, folder)


@pytest.mark.long
def test_exported_networks_have_the_functions_and_derivatives_of_the_model(tmp_path):
    model, paths = exported(
        tmp_path, likelihood="gaussian_learned", objective={"kind": "beta_vae", "beta": 1.5}
    )
    own, loaded = from_model(model, "m"), from_export(paths["encoder"], paths["decoder"])
    codes, directions = np.random.default_rng(3).standard_normal((2, 7, 2)).astype("float32")
    images = np.random.default_rng(4).random((7, *SHAPE)).astype("float32")
    for one, two in (
        (own.encode(images), loaded.encode(images)),
        (own.decode(codes), loaded.decode(codes)),
        (own.log_prob(images, codes), loaded.log_prob(images, codes)),
        (own.tangent(codes, directions), loaded.tangent(codes, directions)),
        (own.pullback(codes, images), loaded.pullback(codes, images)),
        *zip(own.score(images, codes), loaded.score(images, codes)),
    ):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    assert np.abs(own.tangent(codes, directions)).max() > 0.01
    for fact in ("is_variational", "effective_beta", "sigma", "objective", "likelihood"):
        assert getattr(own, fact) == getattr(loaded, fact)
    assert loaded.effective_beta == 1.5
    assert loaded.sigma == pytest.approx(np.exp(-6 + np.log1p(np.exp(6))), rel=1e-5)  # softly above -6, at 0


@pytest.mark.long
def test_a_tangent_is_the_decoders_slope(tmp_path):
    _, paths = exported(tmp_path, likelihood="bernoulli")
    subject = from_export(paths["encoder"], paths["decoder"])
    codes, directions = np.random.default_rng(3).standard_normal((2, 7, 2)).astype("float32")
    step = 1e-2
    slope = (subject.decode(codes + step * directions) - subject.decode(codes - step * directions)) / (
        2 * step
    )
    np.testing.assert_allclose(subject.tangent(codes, directions), slope, atol=1e-4)


@pytest.mark.long
def test_the_halves_of_two_models_are_refused(tmp_path):
    first = exported(tmp_path / "first", likelihood="bernoulli")[1]
    second = exported(tmp_path / "second", likelihood="gaussian")[1]
    with pytest.raises(UsageError, match="belong to different models"):
        from_export(first["encoder"], second["decoder"])


def test_a_description_of_what_is_not_registered_is_refused_by_name(tmp_path):
    _, paths = exported(tmp_path)
    for path in paths.values():
        file = path / DESCRIPTION
        file.write_text(file.read_text().replace('"bernoulli"', '"poisson"'))
    with pytest.raises(UsageError, match=r"keras_vae\.json.*poisson"):
        from_export(paths["encoder"], paths["decoder"])


@pytest.mark.long
def test_the_model_of_a_mixed_precision_is_measured_as_it_is_exported(tmp_path):
    model, paths = exported(tmp_path, likelihood="gaussian", dtype="mixed_bfloat16")
    images = from_export(paths["encoder"], paths["decoder"]).decode(np.ones((3, 2), "float32"))
    np.testing.assert_array_equal(from_model(model).decode(np.ones((3, 2), "float32")), images)
    assert np.abs(np.asarray(model.decode(np.ones((3, 2), "float32"))) - images).max() > 0


@pytest.mark.parametrize(
    ("likelihood", "width"),
    [(Gaussian(), 1 / 255), (Bernoulli(), 1), (Bernoulli("none"), None), (None, None)],
)
def test_a_subject_has_the_bits_of_its_likelihood(likelihood, width):
    assert from_functions(lambda images: images, lambda codes: codes, likelihood).bin_width == width


@pytest.mark.parametrize(("objective", "is_plain"), [("autoencoder", True), ("wae_mmd", False)])
def test_only_a_plain_autoencoder_is_said_to_have_no_prior(objective, is_plain):
    model = Autoencoder((8, 8, 1), 2, objective, network={"kind": "mlp", "hidden": [4]})
    subject = from_model(model)
    assert not subject.is_variational
    assert ("no prior" in subject.no_rate) == is_plain

"""Conditional models: what labels do to codes, images, files and figures."""

import math

import jsonschema
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from linear import Linear
from test_diagnosis import SCHEMA, explained, nulls

from keras_vae import evaluate
from keras_vae.data import Annotations, LoadOptions, in_memory
from keras_vae.errors import UsageError
from keras_vae.evaluation.subject import check_subject, from_export, from_model
from keras_vae.export.saved_models import export
from keras_vae.layers.densities import MAX_LOG_VAR, MIN_LOG_VAR, soft_bounds
from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.likelihoods import Gaussian
from keras_vae.model.objectives import ConditionalVAE
from keras_vae.model.priors import MixturePrior, VampPrior
from keras_vae.model.step import Step
from keras_vae.runtime.lazy import keras, ops

SHAPE, SIGMA, NUM_CLASSES = (2, 2, 1), 0.5, 3
NETWORK = {"kind": "convolutional", "widths": [4], "dense": 6}
LATENTS = pytest.mark.parametrize("latent", [3, (2, 2, 2)], ids=["vector", "spatial"])


def make(latent=3, image_shape=(8, 8, 1), network=NETWORK, **kwargs):
    keras.utils.set_random_seed(1)
    kwargs = {"num_classes": NUM_CLASSES, **kwargs}
    return Autoencoder(image_shape, latent, "conditional_vae", network=network, **kwargs)


def images_of(count, image_shape=(8, 8, 1), seed=0):
    return np.random.default_rng(seed).random((count, *image_shape)).astype("float32")


def test_the_log_weights_of_a_linear_model_give_the_likelihood_under_each_label():
    # x = W z + B[y] + sigma e: log p(x|y) = log N(x; B[y], W W' + sigma^2 I), the label's rows of the kernel being B.
    model = make(2, SHAPE, Linear(), likelihood=Gaussian(SIGMA))
    kernel, bias = (weight.numpy() for weight in model.decoder.get_layer("kernel").weights)
    covariance = kernel[:2].T @ kernel[:2] + SIGMA**2 * np.eye(4)
    image = images_of(1, SHAPE)
    known = [
        scipy.stats.multivariate_normal(bias + row, covariance).logpdf(image.ravel()) for row in kernel[2:]
    ]
    assert np.ptp(known) > 0.1
    for weight in model.encoder.weights:  # the prior itself, or nearly: no weight is far above the others
        weight.assign(np.zeros(weight.shape))
    images, labels = np.repeat(image, NUM_CLASSES, axis=0), np.arange(NUM_CLASSES)
    weights = np.asarray(model.log_weights(images, 4000, 0, labels), "float64")
    shifted = np.exp(weights - np.array(known)[:, None])  # of mean 1
    error = shifted.std(axis=1) / math.sqrt(shifted.shape[1])
    assert (error < 0.1).all()
    assert (np.abs(shifted.mean(axis=1) - 1) < 4 * error).all()


def test_the_loss_is_distortion_plus_rate_each_under_the_image_s_own_label():
    model = make(2, SHAPE, Linear(), likelihood=Gaussian(SIGMA))
    images, labels = images_of(6, SHAPE), np.array([0, 1, 2, 0, 1, 2])
    step = Step(model, images, labels, True)
    terms = model.objective(model, step)
    flat = np.concatenate([images, np.broadcast_to(np.eye(3)[labels][:, None, None], (6, 2, 2, 3))], axis=-1)
    mean, log_var = (
        flat.reshape(6, -1) @ layer.kernel.numpy() + layer.bias.numpy()
        for layer in (model.encoder.get_layer("mean"), model.encoder.get_layer("log_var"))
    )
    log_var = np.asarray(soft_bounds(log_var, MIN_LOG_VAR, MAX_LOG_VAR))
    np.testing.assert_allclose(
        terms["rate"], 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(1), rtol=1e-3
    )
    told = np.concatenate([step.codes, np.eye(3)[labels]], axis=-1)
    kernel, bias = (weight.numpy() for weight in model.decoder.get_layer("kernel").weights)
    expected = -scipy.stats.norm(told @ kernel + bias, SIGMA).logpdf(images.reshape(6, 4)).sum(axis=1)
    np.testing.assert_allclose(terms["distortion"], expected, rtol=1e-4)
    np.testing.assert_allclose(terms["loss"], terms["distortion"] + terms["rate"], rtol=1e-6)


@LATENTS
def test_labels_reach_encoder_and_decoder(latent):
    model = make(latent)
    images, labels = images_of(4), np.array([0, 1, 2, 0])
    mean, _ = model.encode(images, labels)
    other, _ = model.encode(images, (labels + 1) % NUM_CLASSES)
    assert np.abs(mean - other).max(axis=tuple(range(1, np.ndim(mean)))).min() > 1e-3
    decoded, another = model.decode(mean, labels), model.decode(mean, (labels + 1) % NUM_CLASSES)
    assert np.abs(decoded - another).max(axis=(1, 2, 3)).min() > 1e-3
    np.testing.assert_array_equal(model.decode(mean, labels.astype("float32")), decoded)


@LATENTS
def test_a_sample_shows_the_label_asked_for_and_by_default_each_in_turn(latent):
    model = make(latent)
    first, second = (np.asarray(model.sample(6, seed=2, labels=np.full(6, label))) for label in (0, 1))
    assert np.abs(first - second).max() > 1e-3
    turns = np.asarray(model.sample(6, seed=2))
    np.testing.assert_allclose(turns[[0, 3]], first[[0, 3]], atol=1e-6)
    np.testing.assert_allclose(turns[[1, 4]], second[[1, 4]], atol=1e-6)


@pytest.mark.long
def test_what_the_label_says_is_left_out_of_the_code():
    # Images are their label's grey level: told the label, the decoder needs no code, and the rate goes to 0.
    labels = np.arange(240) % NUM_CLASSES
    images = np.broadcast_to(np.linspace(0.2, 0.8, NUM_CLASSES)[labels, None, None, None], (240, *SHAPE))
    images = images.astype("float32")
    model = make(2, SHAPE, Linear(), likelihood=Gaussian(0.2))
    model.compile(keras.optimizers.Adam(0.03))
    found = model.fit(images, labels, batch_size=24, epochs=40, verbose=0).history
    assert found["rate"][0] > 0.5
    assert found["rate"][-1] < 1e-3
    shown = np.asarray(model.sample(30, labels=np.arange(30) % NUM_CLASSES))
    np.testing.assert_allclose(shown, images[:30], atol=1e-3)


def test_it_is_refused_without_labels_and_with_a_prior_that_needs_them():
    for count in (None, 0, 1):
        with pytest.raises(ValueError, match=f"num_classes is {count}: .*two classes or more"):
            make(num_classes=count)
    with pytest.raises(ValueError, match=r"VampPrior .*--prior mixture"):
        make(prior=VampPrior(2))
    with pytest.raises(ValueError, match="the model is conditional: give the labels too"):
        make().encode(images_of(1))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 3], "the labels are 0 to 3: expected 0 to 2"),
        ([-1, 0], "the labels are -1 to 0: expected 0 to 2"),
        ([0, 1, 2], r"the labels have the shape \[3\]: expected one whole number per image, \[2\]"),
        (
            np.eye(3, dtype="int64")[:2],
            r"the labels have the shape \[2, 3\]: expected one whole number per image, \[2\]",
        ),
    ],
)
def test_labels_that_are_none_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        make().sample(2, labels=labels)


def test_labels_that_are_none_are_not_trained_on():
    model = make()
    model.compile("adam")
    with pytest.raises(ValueError, match="the labels are 1 to 3: expected 0 to 2"):
        model.fit(images_of(3), np.array([1, 2, 3]))


@pytest.mark.long
def test_labels_of_one_number_each_may_have_an_axis_for_it_also_later():
    losses = []
    for last in ((4,), (4, 1)):
        model = make()
        model.compile("sgd")
        for shape in ((4,), last):
            history = model.fit(images_of(4), np.array([0, 1, 2, 0]).reshape(shape), verbose=0).history
        losses.append(history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_one_label_does_for_all_samples():
    model = make()
    np.testing.assert_array_equal(model.sample(3, labels=2), model.sample(3, labels=[2, 2, 2]))


def test_what_is_called_without_labels_says_that_it_wants_them():
    model = make()
    for use in (model, model.predict):
        with pytest.raises(ValueError, match="the model is conditional: give the labels too"):
            use(images_of(2))
    model.compile("adam")
    with pytest.raises(
        ValueError, match=r"the labels have the shape \[2, 8, 8, 1\]: expected one whole number per image"
    ):
        model.train_on_batch(images_of(2), images_of(2))


def labelled_data(num_labels=NUM_CLASSES, count=400):
    """Bars, across or along, thick or thin, in noise: three classes, and what they leave open."""
    generator = np.random.default_rng(5)
    labels = generator.integers(num_labels, size=count)
    images = 0.1 * generator.random((count, 8, 8, 1))
    for image, label, place in zip(images, labels, generator.integers(1, 6, count)):
        bar = image if label else image.transpose(1, 0, 2)
        bar[place : place + 1 + (label == 2)] += 0.7
    return in_memory("bars", images.astype("float32"), LoadOptions(), Annotations(labels=labels))


@pytest.fixture(scope="module")
def trained():
    model, data = make(likelihood="gaussian_learned", prior=MixturePrior(3)), labelled_data()
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(data.train.images(), data.train.labels, epochs=20, verbose=0)
    return model, data


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    return export(trained[0], tmp_path_factory.mktemp("serving"))


def test_labels_that_are_no_class_are_refused_by_every_signature(exported):
    values = {"image": images_of(2), "latent": np.zeros((2, 3), "float32"), "seed": np.array([1, 2])}
    inputs = {**values, "label": np.array([0, NUM_CLASSES])}
    for path in exported.values():
        loaded = tf.saved_model.load(str(path))
        for function in loaded.signatures.values():
            takes = function.structured_input_signature[1]
            with pytest.raises(tf.errors.InvalidArgumentError, match="the labels run from"):
                function(**{name: tf.constant(inputs[name]) for name in takes})


def test_every_signature_takes_labels_and_gives_what_the_model_gives(trained, exported):
    model, _ = trained
    servables = {name: tf.saved_model.load(str(path)) for name, path in exported.items()}
    images, labels = images_of(6), np.array([0, 1, 2, 2, 1, 0], "int64")
    mean, log_var = model.encode(images, labels)
    codes = tf.constant(mean)
    inputs = {"image": tf.constant(images), "latent": codes, "seed": tf.range(6, dtype="int64")}
    drawn = model.prior.sampler().sample(np.arange(6))
    expected = {
        ("encoder", "encode", "image"): {"mean": mean, "log_var": log_var},
        ("encoder", "serving_default", "image"): {"mean": mean, "log_var": log_var},
        ("encoder", "reconstruct", "image"): {"image": model((images, labels))},
        ("decoder", "decode", "latent"): {"image": model.decode(codes, labels)},
        ("decoder", "serving_default", "latent"): {"image": model.decode(codes, labels)},
        ("decoder", "sample", "seed"): {"image": model.decode(drawn, labels), "latent": drawn},
    }
    for (servable, signature, name), outputs in expected.items():
        function = servables[servable].signatures[signature]
        specs = function.structured_input_signature[1]
        assert {key: (spec.dtype.name, spec.shape.rank) for key, spec in specs.items()}["label"] == (
            "int64",
            1,
        )
        assert set(specs) == {name, "label"}
        found = function(**{name: inputs[name]}, label=tf.constant(labels))
        assert set(found) == set(outputs)
        for key, value in outputs.items():
            np.testing.assert_allclose(found[key], value, atol=1e-5)
        none = function(**{name: inputs[name][:0]}, label=tf.constant(labels[:0]))
        assert all(value.shape[0] == 0 for value in none.values())


@pytest.fixture(scope="module")
def results(trained):
    return evaluate(*trained, nll_samples=64, features="random")


def test_all_that_is_measured_is_measured_under_the_labels(trained, results):
    model, data = trained
    jsonschema.validate(results, SCHEMA)
    assert [path for path in nulls(results) if not explained(results["reasons"], path)] == []
    images, labels = data.test.images(), data.test.labels
    found = results["rate_distortion"]
    kept = model.evaluate(images, labels, verbose=0, return_dict=True)
    assert found["rate"] == pytest.approx(kept["rate"], abs=4 * found["rate_se"])
    assert found["distortion"] == pytest.approx(kept["distortion"], abs=4 * found["distortion_se"])
    squares = np.square(np.asarray(model((images, labels))) - images).mean()
    assert results["reconstruction"]["test"]["mse"] == pytest.approx(squares, rel=1e-4)
    wrong = np.square(np.asarray(model((images, (labels + 1) % NUM_CLASSES))) - images).mean()
    assert wrong > 1.2 * squares
    assert results["likelihood"]["nats"] < -found["elbo"] + 2 * found["elbo_se"]


@pytest.mark.long
def test_an_export_is_measured_as_the_model_is(trained, exported):
    model, data = trained
    ours, theirs = from_model(model), from_export(exported["encoder"], exported["decoder"])
    images, labels = data.test.images(0, 9), data.test.labels[:9]
    codes = ours.encode(images, labels)[0]
    for name, inputs in {
        "encode": [images],
        "decode": [codes],
        "log_prob": [images, codes],
        "tangent": [codes, codes],
        "pullback": [codes, images],
        "score": [images, codes],
    }.items():
        pairs = (
            zip(*(ops.convert_to_numpy(getattr(one, name)(*inputs, labels)) for one in (ours, theirs)))
            if (name in ("decode", "log_prob", "tangent", "pullback"))
            else zip(getattr(ours, name)(*inputs, labels), getattr(theirs, name)(*inputs, labels))
        )
        for one, other in pairs:
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(ours.prior.log_prob(codes), theirs.prior.log_prob(codes))


def test_a_dataset_without_the_labels_is_refused_in_a_sentence(trained):
    subject = from_model(trained[0])
    bare = in_memory("bare", images_of(50), LoadOptions(), Annotations())
    with pytest.raises(UsageError, match="knows 3 classes, but bare has no labels"):
        check_subject(subject, bare)
    with pytest.raises(UsageError, match="knows 3 classes, but bars has 5"):
        check_subject(subject, labelled_data(5))


def test_labels_survive_a_file(trained, tmp_path):
    model, data = trained
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.objective, ConditionalVAE)
    assert loaded.num_classes == NUM_CLASSES
    inputs = data.test.images(0, 5), data.test.labels[:5]
    np.testing.assert_array_equal(loaded.predict(inputs, verbose=0), model.predict(inputs, verbose=0))


@pytest.mark.long
def test_keras_takes_an_exported_decoder_as_a_layer_of_codes_and_labels(tmp_path):
    model, labels = make(), np.array([0, 1, 2, 0])
    codes = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    path = str(export(model, tmp_path)["decoder"])
    layer, decode = (keras.layers.TFSMLayer(path, call_endpoint=name) for name in ("serve", "decode"))
    logits = model.decoder(np.concatenate([codes, np.eye(3, dtype="float32")[labels]], axis=-1))
    expected = 1 / (1 + np.exp(-np.asarray(logits, "float64")))
    by_name = {"latent": codes, "label": labels}
    ways = [layer((codes, labels)), layer([codes, labels.astype("int32")]), layer(by_name)]
    ways += [layer(codes, label=labels), decode(codes, label=labels)]
    inputs = [keras.Input((3,)), keras.Input((), dtype="int32")]
    ways.append(keras.Model(inputs, layer(inputs))([codes, labels.astype("int32")]))
    for found in ways:
        np.testing.assert_allclose(found["image"], expected, atol=1e-6)


def test_no_rows_are_encoded_decoded_and_sampled():
    model, none = make(), np.zeros(0, "int64")
    assert model.sample(0).shape == (0, 8, 8, 1)
    assert model.sample(0, labels=[]).shape == model.sample(0, labels=1).shape == (0, 8, 8, 1)
    assert model.encode(np.zeros((0, 8, 8, 1), "float32"), none)[0].shape == (0, 3)
    assert model.decode(np.zeros((0, 3), "float32"), none).shape == (0, 8, 8, 1)


def test_differences_of_a_conditional_decoder_get_its_labels():
    from keras_vae.evaluation.sections.evidence import differences

    codes, labels = np.ones((3, 2), "float64"), np.array([1.0, 2.0, 3.0])
    slopes = differences(lambda codes, labels: codes * labels[:, None])(codes, 2 * codes, labels)
    np.testing.assert_allclose(slopes, 2 * labels[:, None] * codes, rtol=1e-6)

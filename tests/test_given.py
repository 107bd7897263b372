"""What `keras_vae.evaluate` takes: models and images of every kind that people have."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae
from keras_vae.errors import DatasetError, UsageError
from keras_vae.evaluation.adapters import cut, dataset_of, model_of
from keras_vae.evaluation.settings import Evaluation
from keras_vae.model.autoencoder import Autoencoder
from keras_vae.training.config import Config
from keras_vae.training.loop import train

SETTINGS = Evaluation()
DIGITS = keras_vae.load_dataset("digits")
IMAGES = DIGITS.test.images(0, 5)
FIRST = keras_vae.load_dataset("digits", limit=60).train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of one step, with its exports."""
    return train(
        Config(
            latent=(2,),
            epochs=1,
            limit=64,
            precision="float32",
            network="mlp",
            output=str(tmp_path_factory.mktemp("runs")),
            name="small",
        )
    )


def subject(model, data=DIGITS, settings=SETTINGS):
    return model_of(model).subject(data, settings)


@pytest.mark.long
@pytest.mark.parametrize(
    "path", ["", "model.keras", "serving", "serving/decoder", "serving/encoder/1", "serving/decoder/1"]
)
def test_a_run_is_taken_as_itself_and_by_every_path_in_it(path, run):
    expected = keras.saving.load_model(run.model_file).encode(IMAGES)
    for model in (run.path / path, str(run.path / path), *([run] if not path else [])):
        given = model_of(model)
        assert given.run.path == run.path
        assert given.image_shape == (8, 8, 1)
        found = given.subject(DIGITS, SETTINGS)
        assert found.name == "small"
        np.testing.assert_allclose(found.encode(IMAGES)[0], np.asarray(expected[0]), atol=1e-5)
    assert dataset_of(None, given, SETTINGS).fingerprint == keras_vae.load_dataset("digits").fingerprint
    assert len(dataset_of(None, given, SETTINGS).train) == 64


def test_evaluate_takes_what_train_returns(run, monkeypatch):
    """The measuring itself is another test's."""
    asked = {}

    def measure(subject, dataset, settings):
        asked.update(subject=subject, dataset=dataset, settings=settings)
        return types.SimpleNamespace(name=subject.name, pictures={})

    monkeypatch.setattr("keras_vae.evaluation.sections.measure", measure)
    monkeypatch.setattr("keras_vae.evaluation.conclusion.conclude", lambda found, *_: {"run": found.name})
    assert keras_vae.evaluate(run, seed=3) == {"run": "small"}
    assert (asked["settings"].seed, len(asked["dataset"].train)) == (3, 64)
    keras_vae.evaluate(run, limit=30)
    assert len(asked["dataset"].train) == 30
    keras_vae.evaluate(run, DIGITS)
    assert asked["dataset"] is DIGITS
    keras_vae.evaluate(run.path, "digits")
    assert len(asked["dataset"].train) == len(DIGITS.train)
    keras_vae.evaluate(keras.saving.load_model(run.model_file), FIRST.images())
    assert asked["dataset"].image_shape == (8, 8, 1)


def halves(sampled=False):
    """An encoder and a decoder of two numbers, Keras models, and the mean that the encoder gives."""
    keras.utils.set_random_seed(3)
    images = keras.Input((8, 8, 1))
    hidden = keras.layers.Dense(12, activation="tanh")(keras.layers.Flatten()(images))
    mean, log_var = (
        keras.layers.Dense(2, name="z_mean")(hidden),
        keras.layers.Dense(2, name="z_log_var")(hidden),
    )
    z = [keras_vae.Sampling()([mean, log_var])] if sampled else []
    codes = keras.Input((2,))
    decoded = keras.layers.Dense(64, activation="sigmoid")(keras.layers.Dense(12, activation="relu")(codes))
    decoder = keras.Model(codes, keras.layers.Reshape((8, 8, 1))(decoded), name="decoder")
    encoder = keras.Model(images, [mean, log_var, *z] if sampled else [mean, log_var], name="encoder")
    return encoder, decoder


class Pair(keras.Model):
    """A model as keras.io's example has it."""

    def __init__(self, encoder, decoder):
        super().__init__(name="pair")
        self.encoder, self.decoder = encoder, decoder

    def call(self, images):
        return self.decoder(self.encoder(images)[0])


class Object:
    """Not a Keras model."""

    def __init__(self, encoder, decoder):
        self.encode = lambda images: [np.asarray(part) for part in encoder(images)[:2]]
        self.decode = lambda codes: np.asarray(decoder(codes))


def functions(encoder, decoder):
    own = Object(encoder, decoder)
    return own.encode, own.decode


def nested(encoder, decoder):
    images = keras.Input((8, 8, 1))
    return keras.Model(images, decoder(encoder(images)[2]), name="whole")


def flat(encoder, decoder):
    """One functional model of layers, with a layer that draws."""
    tensor = encoder.outputs[2]
    for layer in decoder.layers[1:]:
        tensor = layer(tensor)
    return keras.Model(encoder.inputs, tensor, name="whole")


def mixed(encoder, decoder):
    return encoder, Object(encoder, decoder).decode


def mixed_otherwise(encoder, decoder):
    return Object(encoder, decoder).encode, decoder


@pytest.mark.parametrize(
    "form", [lambda *pair: pair, Pair, Object, functions, nested, flat, mixed, mixed_otherwise]
)
@pytest.mark.long
def test_a_foreign_model_is_the_same_in_every_form(form):
    encoder, decoder = halves(sampled=True)
    found = subject(form(encoder, decoder))
    mean, log_var = found.encode(IMAGES)
    np.testing.assert_allclose(mean, np.asarray(encoder(IMAGES)[0]), atol=1e-5)
    np.testing.assert_allclose(log_var, np.asarray(encoder(IMAGES)[1]), atol=1e-5)
    np.testing.assert_allclose(found.decode(mean), np.asarray(decoder(mean)), atol=1e-5)
    assert found.likelihood is not None


def test_a_whole_model_in_a_file_is_cut(tmp_path):
    encoder, decoder = halves(sampled=True)
    nested(encoder, decoder).save(tmp_path / "whole.keras")
    found = subject(tmp_path / "whole.keras")
    np.testing.assert_allclose(found.encode(IMAGES)[0], np.asarray(encoder(IMAGES)[0]), atol=1e-5)
    assert found.name == f"{tmp_path.name}-whole"


@pytest.mark.parametrize("save", ["keras", "saved_model"])
def test_a_folder_of_two_halves_is_a_model(save, tmp_path):
    encoder, decoder = halves()
    for half in (encoder, decoder):
        half.save(tmp_path / f"{half.name}.keras") if save == "keras" else half.export(
            tmp_path / half.name, verbose=False
        )
    settings = SETTINGS if save == "keras" else Evaluation(encoder_outputs=("output_0", "output_1"))
    found = subject(tmp_path, settings=settings)
    np.testing.assert_allclose(found.encode(IMAGES)[0], np.asarray(encoder(IMAGES)[0]), atol=1e-5)


def test_a_sequential_autoencoder_is_cut_after_its_narrowest_layer():
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(3),
            layers.ReLU(),
            layers.Dense(64),
            layers.Reshape((8, 8, 1)),
        ]
    )
    encoder, decoder = cut(model)
    codes = np.asarray(encoder(IMAGES))
    assert codes.shape == (5, 3)
    assert codes.min() == 0  # after the activation
    np.testing.assert_allclose(np.asarray(decoder(codes)), np.asarray(model(IMAGES)), atol=1e-5)
    log_var = subject(model).encode(IMAGES)[1]
    assert (log_var == -100).all()


def test_a_model_with_a_way_around_its_code_is_not_cut():
    images = keras.Input((8, 8, 1))
    code = keras.layers.Dense(2)(keras.layers.Flatten()(images))
    around = keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64)(code)) + images
    with pytest.raises(UsageError, match=r"no tensor smaller.*pair \(encoder, decoder\)"):
        cut(keras.Model(images, around))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (3, "a int is not a model"),
        (None, "a NoneType is not a model"),
        (np.zeros((3, 8, 8, 1)), "a ndarray is not a model"),
        ("nowhere", "nowhere does not exist"),
        ((3, lambda codes: codes), "the encoder is a int"),
        (keras.Model(), "cannot be split into encoder and decoder: it is not a functional"),
    ],
)
def test_what_is_not_a_model_is_refused_in_one_sentence_with_a_way_out(model, words):
    with pytest.raises(UsageError, match=words) as raised:
        subject(model)
    assert "\n" not in str(raised.value)
    assert "(encoder," in str(raised.value) or "pair" in str(raised.value)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"neither the config\.json of a run nor an encoder and a decoder"):
        model_of(tmp_path)


def test_ranges_are_of_foreign_models_alone():
    settings = Evaluation(encoder_range="symmetric")
    own = Autoencoder((8, 8, 1), 2, network={"kind": "mlp", "hidden": [4]})
    with pytest.raises(UsageError, match=r"encoder_range is 'symmetric'.*leave encoder_range out"):
        subject(own, settings=settings)
    foreign = subject(keras_vae.from_functions(lambda images: images, lambda codes: codes), settings=settings)
    np.testing.assert_allclose(foreign.encode(IMAGES)[0], 2 * IMAGES - 1, atol=1e-6)


X, Y = np.asarray(FIRST.images()), np.asarray(FIRST.labels)
OTHER = DIGITS.test.images(0, 20), np.asarray(DIGITS.test.labels[:20])


def batched(**parts):
    return tf.data.Dataset.from_tensor_slices(parts).batch(16)


class Batches(keras.utils.PyDataset):
    """Images and labels, by batches."""

    def __len__(self):
        return 4

    def __getitem__(self, place):
        return X[15 * place : 15 * place + 15], Y[15 * place : 15 * place + 15]


# The images, and whether labels come with them.
ARRAYS = {
    "array": (lambda: X, False),
    "no channel": (lambda: X[..., 0], False),
    "bytes": (lambda: np.rint(255 * X).astype("uint8"), False),
    "tensor": (lambda: tf.constant(X), False),
    "list": (lambda: list(X), False),
    "images and labels": (lambda: (X, Y), True),
    "images and a list of labels": (lambda: [X, list(Y)], True),
    "one-hot": (lambda: (X, np.eye(10)[Y]), True),
    "dict": (lambda: {"images": X, "labels": Y}, True),
    "tf.data": (lambda: tf.data.Dataset.from_tensor_slices(X).batch(7), False),
    "tf.data of single images": (lambda: tf.data.Dataset.from_tensor_slices((X, Y)), True),
    "tf.data as TFDS has it": (lambda: batched(image=X, label=Y), True),
    "PyDataset": (lambda: Batches(), True),
    "generator": (lambda: (X[start : start + 20] for start in (0, 20, 40)), False),
}


@pytest.mark.parametrize("form", ARRAYS)
def test_images_are_the_same_in_every_form(form):
    make, labelled = ARRAYS[form]
    found = dataset_of(make(), model_of(keras_vae.from_functions(None, None)), SETTINGS)
    splits = [found.train, found.validation, found.test]
    rows = np.concatenate([split.images().reshape(-1, 64) for split in splits if len(split)])
    assert found.image_shape == (8, 8, 1)
    np.testing.assert_allclose(np.sort(rows.sum(1)), np.sort(X.reshape(-1, 64).sum(1)), rtol=1e-5)
    assert (found.num_classes == 10) == labelled
    if labelled:
        label_of = {row.tobytes(): label for row, label in zip(np.rint(255 * X).astype("uint8"), Y)}
        images = np.rint(255 * found.train.images()).astype("uint8")
        assert [label_of[row.tobytes()] for row in images] == found.train.labels.tolist()


@pytest.mark.parametrize("form", [((X, Y), OTHER), {"train": (X, Y), "test": OTHER}])
def test_splits_that_are_given_are_kept(form):
    found = dataset_of(form, model_of(keras_vae.from_functions(None, None)), SETTINGS)
    assert len(found.test) == 20
    assert len(found.train) + len(found.validation) == 60
    unlabelled = dataset_of((X, OTHER[0]), model_of(keras_vae.from_functions(None, None)), SETTINGS)
    assert (len(unlabelled.test), unlabelled.num_classes) == (20, 0)


def test_a_name_is_loaded_in_the_size_of_the_models_images():
    model = Autoencoder((12, 12, 1), 2, network={"kind": "mlp", "hidden": [4]})
    assert dataset_of("digits", model_of(model), SETTINGS).image_shape == (12, 12, 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "not in a run folder: give a Dataset"),
        (3, "expected"),
        ({"a": X}, "a dict with the keys a has no images"),
        ((X, Y, 3), "expected"),
        (iter(()), "yields no images"),
        (X[:, 0, 0], "expected"),
        ("nowhere/at/all.npy", "no such file"),
        (np.array(["a", "b"]), "expected"),
    ],
)
def test_what_is_not_images_is_refused_in_one_sentence_with_a_way_out(data, words):
    with pytest.raises((UsageError, DatasetError), match=words) as raised:
        dataset_of(data, model_of(keras_vae.from_functions(None, None)), SETTINGS)
    assert "\n" not in str(raised.value)

"""What a model takes, in every layout and from every kind of stream, and what it refuses."""

import types

import numpy as np
import pytest
import sklearn.datasets

from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.inputs import InputSpec, class_weights, unpack
from keras_vae.model.likelihoods import Bernoulli
from keras_vae.model.networks import Convolutional
from keras_vae.runtime.lazy import keras, tf

DIGITS = sklearn.datasets.load_digits()
IMAGES = (DIGITS.images[:32, ..., None] / 16).astype("float32")
LABELS = DIGITS.target[:32]
WEIGHTS = (np.arange(32) % 4 / 2).astype("float32")
ONE_IN_THREE = {label: float(label == 3) for label in range(10)}


def make(objective="autoencoder", eager=False, **compile_with):
    keras.utils.set_random_seed(1)
    model = Autoencoder(
        (8, 8, 1), 2, objective, Bernoulli("none"), Convolutional(widths=(2,), dense=4), num_classes=10
    )
    model.compile(keras.optimizers.SGD(1e-3), run_eagerly=eager, **compile_with)
    return model


@pytest.fixture(scope="module")
def plain():
    return make(eager=True)


@pytest.fixture(scope="module")
def conditional():
    return make("conditional_vae", eager=True)


class Batches(keras.utils.PyDataset):
    """Four batches of 8, each `layout` of images, labels and weights."""

    def __init__(self, layout, images=IMAGES, **kwargs):
        super().__init__(**kwargs)
        self.layout, self.images = layout, images

    def __len__(self):
        return 4

    def __getitem__(self, index):
        rows = slice(8 * index, 8 * index + 8)
        return self.layout(self.images[rows], LABELS[rows], WEIGHTS[rows])


def generator(layout, images=IMAGES):
    batches = Batches(layout, images)
    return (batches[index] for index in range(4))


def dataset(layout, images=IMAGES):
    return tf.data.Dataset.from_tensor_slices(layout(images, LABELS, WEIGHTS)).batch(8)


def unknown_rank(layout, images=IMAGES):
    types_of = tf.nest.map_structure(lambda part: part.dtype, layout(IMAGES, LABELS, WEIGHTS))
    return tf.data.Dataset.from_generator(lambda: generator(layout, images), output_types=types_of)


STREAMS = {
    "arrays": lambda layout, images=IMAGES: layout(images, LABELS, WEIGHTS),
    "dataset": dataset,
    "PyDataset": Batches,
    "generator": generator,
    "unknown rank": unknown_rank,
}
LAYOUTS = {
    "images": lambda images, labels, weights: images,
    "pairs": lambda images, labels, weights: (images, images),
    "TFDS": lambda images, labels, weights: {"image": images, "label": labels},
    "plural": lambda images, labels, weights: {"images": images, "labels": labels},
    "odd name": lambda images, labels, weights: {"Picture": images, "number": labels},
}
LAST_IS_BYTES = np.concatenate([IMAGES[:24], 255 * IMAGES[24:]])


def fresh(stream, layout, images=IMAGES):
    """A stream, in which NumPy arrays stand for `x` of `fit`."""
    return STREAMS[stream](layout, images)


@pytest.mark.long
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stream", STREAMS)
def test_every_layout_of_every_stream_measures_the_same_images(plain, stream, layout):
    if stream in ("unknown rank", "generator") and layout in ("plural", "pairs"):
        pytest.skip("covered by the other layouts")
    if (stream, layout) == ("unknown rank", "odd name"):
        pytest.skip("only the rank could tell which entry the images are")
    expected = -np.asarray(
        Bernoulli("none").log_prob(IMAGES, plain.decoder(plain.encoder(IMAGES)["mean"])), "float64"
    )
    logs = plain.evaluate(fresh(stream, LAYOUTS[layout]), verbose=0, return_dict=True)
    assert logs["distortion"] == pytest.approx(expected.mean(), rel=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("stream", STREAMS)
def test_the_last_batch_of_a_stream_is_looked_at_too(plain, stream):
    def bad():
        return fresh(stream, LAYOUTS["images"], LAST_IS_BYTES)

    for use in (
        plain.fit,
        plain.evaluate,
        plain.predict,
        lambda x, verbose: plain.fit(IMAGES, validation_data=x, verbose=verbose),
    ):
        with pytest.raises(ValueError, match=r"^the images.* run from 0 to 255: .*\(try images / 255\)$"):
            use(bad(), verbose=0)


@pytest.mark.parametrize("stream", ["dataset", "PyDataset", "generator", "unknown rank"])
def test_labels_of_a_stream_that_are_no_class_are_refused(conditional, stream):
    with pytest.raises(ValueError, match="the labels are 1 to 10: expected 0 to 9"):
        conditional.fit(fresh(stream, lambda images, labels, weights: (images, labels + 1)), verbose=0)


def test_a_batch_of_another_shape_is_refused_where_only_the_run_can_tell(plain):
    for cut in (lambda images, *_: images[:, :5], lambda images, *_: images[..., 0]):
        with pytest.raises(
            ValueError, match=r"^the images are \[batch, .*\]: the model takes \[batch, 8, 8, 1\]"
        ):
            plain.evaluate(unknown_rank(cut), verbose=0)


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_and_several_steps_an_execution_find_it_as_well(workers):
    model = make(steps_per_execution=2)
    with pytest.raises(ValueError, match="run from 0 to 255"):
        model.fit(Batches(LAYOUTS["images"], LAST_IS_BYTES, workers=workers), verbose=0)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (255 * IMAGES, "try images / 255"),
        ((65535 * IMAGES).astype("uint16"), "try images / 65535"),
        (2 * IMAGES - 1, r"try \(images \+ 1\) / 2"),
        (IMAGES + 0.2, r"try np.clip\(images, 0, 1\)"),
        (7 * IMAGES - 3, "divide by its range"),
    ],
)
def test_images_of_another_scale_are_used_by_nothing(plain, images, said):
    uses = [
        plain.predict_on_batch,
        plain.encode,
        plain,
        plain.terms,
        plain.train_on_batch,
        plain.test_on_batch,
        plain.adapt,
        lambda images: plain.log_weights(images, 2, 0),
    ]
    for use in uses:
        with pytest.raises(ValueError, match=said) as refused:
            use(images)
        assert "\n" not in str(refused.value)  # Keras' own text
    with pytest.raises(ValueError, match=said):
        plain.encode(tf.constant(images))


def test_one_that_was_trained_on_noise_takes_it_also_once_it_is_loaded(tmp_path):
    noisy = IMAGES + np.random.default_rng(0).normal(0, 0.3, IMAGES.shape).astype("float32")
    model = make(eager=True)
    with pytest.raises(ValueError, match="expected numbers from 0 to 1"):
        model.predict(noisy, verbose=0)
    model.fit(noisy, IMAGES, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(noisy, verbose=0), model.predict(noisy, verbose=0))
    for use in (
        lambda: loaded.predict(255 * noisy, verbose=0),
        lambda: loaded.fit(255 * noisy, IMAGES, verbose=0),
    ):
        with pytest.raises(ValueError, match="expected numbers from 0 to 1"):
            use()


@pytest.mark.long
@pytest.mark.parametrize(("noise", "learned"), [(0, False), (0.3, True)])
@pytest.mark.parametrize("stream", ["dataset", "PyDataset", "generator"])
def test_only_noise_beside_clean_images_widens_what_is_taken(tmp_path, stream, noise, learned):
    def pairs(images, labels, weights):
        return images + np.random.default_rng(0).normal(0, noise, images.shape).astype("float32"), images

    model = make()
    model.fit(fresh(stream, pairs), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = [keras.saving.load_model(tmp_path / "model.keras", compile=way) for way in (True, False)]
    assert [one.learned_from_noise for one in (model, *loaded)] == [learned] * 3


def test_labels_that_are_no_class_are_refused_in_tensors_too(conditional):
    for use in (
        lambda labels: conditional((IMAGES[:2], labels)),
        lambda labels: conditional.encode(IMAGES[:2], labels),
        lambda labels: conditional.sample(2, labels=labels),
    ):
        with pytest.raises(ValueError, match=r"^the labels are 1 to 10: expected 0 to 9$"):
            use(tf.constant([1, 10]))
    with pytest.raises(ValueError, match=r"^the model is conditional: give the labels too"):
        conditional(IMAGES[:2])


@pytest.mark.parametrize("stream", STREAMS)
def test_a_conditional_model_predicts_from_images_and_labels(conditional, stream):
    expected = conditional.decode(conditional.encode(IMAGES, LABELS)[0], LABELS)
    for layout in (lambda images, labels, weights: (images, labels), LAYOUTS["TFDS"]):
        shown = conditional.predict(fresh(stream, layout), verbose=0)
        np.testing.assert_allclose(shown, expected, atol=1e-6)


def test_an_unconditional_model_predicts_without_the_labels_of_a_stream(plain):
    for stream in ("dataset", "PyDataset", "generator"):
        shown = plain.predict(fresh(stream, lambda images, labels, weights: (images, labels)), verbose=0)
        np.testing.assert_array_equal(shown, plain.predict(IMAGES, batch_size=8, verbose=0))


def test_a_list_is_taken_for_the_array_that_it_holds(plain):
    for x in (list(IMAGES), IMAGES.tolist(), [IMAGES], (IMAGES,)):
        np.testing.assert_array_equal(plain.predict(x, verbose=0), plain.predict(IMAGES, verbose=0))


def test_images_that_cannot_be_told_in_a_dict_are_asked_for(plain):
    with pytest.raises(ValueError, match=r"the batch has 'a', 'b': expected the images under 'image'"):
        plain.fit({"a": LABELS, "b": LABELS}, verbose=0)
    with pytest.raises(ValueError, match="the weights are given twice"):
        plain.fit({"image": IMAGES, "weight": WEIGHTS}, sample_weight=WEIGHTS, verbose=0)
    with pytest.raises(ValueError, match="x is None: expected images"):
        plain.fit(verbose=0)


def test_a_batch_comes_out_of_its_layouts_as_it_went_in():
    weights = types.SimpleNamespace(shape=(4,))
    for data in ("x", ("x", None, "w"), ("x", "y"), ("x", "y", "w")):
        batch = unpack(data, conditional=True)
        assert unpack(batch.pack(), conditional=True) == batch
    inner = unpack(({"image": "x", "label": "y", "id": "i"}, None, weights), conditional=True)
    assert (inner.images, inner.labels, inner.targets, inner.weights) == ("x", "y", None, weights)


# Weights


def weighed(model, images, weights):
    """The mean distortion of images by weights, independent of any step."""
    each = -np.asarray(
        Bernoulli("none").log_prob(images, model.decoder(model.encoder(images)["mean"])), "float64"
    )
    return np.average(each, weights=weights)


WEIGHTED = {
    "arrays": lambda model: model.evaluate(
        IMAGES, sample_weight=WEIGHTS, batch_size=8, verbose=0, return_dict=True
    ),
    "dict": lambda model: model.evaluate(
        dataset(lambda images, labels, weights: {"image": images, "weight": weights}),
        verbose=0,
        return_dict=True,
    ),
    "PyDataset": lambda model: model.evaluate(
        Batches(lambda images, labels, weights: (images, None, weights)), verbose=0, return_dict=True
    ),
    "generator": lambda model: model.evaluate(
        generator(lambda images, labels, weights: (images, None, weights)), verbose=0, return_dict=True
    ),
}


@pytest.mark.parametrize("how", WEIGHTED)
def test_weights_without_targets_are_the_weights_of_the_mean(plain, how):
    logs = WEIGHTED[how](plain)
    assert logs["distortion"] == pytest.approx(weighed(plain, IMAGES, WEIGHTS), rel=1e-5)


def test_weights_without_targets_train_as_with_the_images_as_targets():
    one, other, none = make(eager=True), make(eager=True), make(eager=True)
    one.fit(IMAGES, sample_weight=WEIGHTS, shuffle=False, batch_size=16, validation_split=0.5, verbose=0)
    other.fit(IMAGES[:16], IMAGES[:16], sample_weight=WEIGHTS[:16], shuffle=False, batch_size=16, verbose=0)
    none.fit(IMAGES[:16], shuffle=False, batch_size=16, verbose=0)
    for ours, theirs in zip(one.get_weights(), other.get_weights()):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert max(np.abs(a - b).max() for a, b in zip(one.get_weights(), none.get_weights())) > 1e-6


@pytest.mark.long
@pytest.mark.parametrize("stream", ["arrays", "dataset", "PyDataset", "generator"])
def test_class_weights_are_the_sample_weights_of_their_labels(stream):
    layout = LAYOUTS["TFDS"]
    one, other = make(eager=True), make(eager=True)
    one.fit(fresh(stream, layout), class_weight=ONE_IN_THREE, shuffle=False, batch_size=8, verbose=0)
    other.fit(IMAGES, sample_weight=(LABELS == 3).astype("float32"), shuffle=False, batch_size=8, verbose=0)
    for ours, theirs in zip(one.get_weights(), other.get_weights()):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_a_label_without_a_class_weight_counts_once():
    np.testing.assert_array_equal(class_weights(np.array([0, 1, 2, 7]), {1: 3.0}), [1, 3, 1, 1])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"sample_weight": np.ones((32, 8, 8))},
            r"^sample_weight has the shape \[n, 8, 8\]: expected one number per image",
        ),
        (
            {"y": IMAGES, "sample_weight": np.ones((32, 8, 8, 1))},
            r"sample_weight has the shape \[n, 8, 8, 1\]",
        ),
        (
            {"sample_weight": np.ones(5)},
            r"sample_weight has the shape \[5\]: expected one number per image, \[32\]",
        ),
        ({"sample_weight": -WEIGHTS}, "sample_weight is -1.5 to -0.0: expected finite numbers of at least 0"),
        ({"sample_weight": np.nan * WEIGHTS}, "sample_weight is nan to nan"),
        ({"class_weight": ONE_IN_THREE}, "class_weight needs labels, and there are none"),
        ({"y": IMAGES, "class_weight": ONE_IN_THREE}, "class_weight needs labels, and there are none"),
        ({"class_weight": {"cat": 1.0}}, r"class_weight is \{'cat': 1.0\}: expected a dict from labels"),
        ({"class_weight": {0: -1.0}}, r"class_weight is \{0: -1.0\}: expected a dict from labels"),
        ({"class_weight": [1.0, 2.0]}, r"class_weight is \[1.0, 2.0\]: expected a dict from labels"),
    ],
)
def test_weights_that_cannot_be_honoured_are_refused(plain, given, said):
    for use in (lambda: plain.fit(IMAGES, **given, verbose=0), lambda: plain.train_on_batch(IMAGES, **given)):
        with pytest.raises(ValueError, match=said):
            use()


def test_a_training_that_nothing_counts_in_is_refused(plain):
    with pytest.raises(ValueError, match="the weights of all images are 0: there is nothing to learn from"):
        plain.fit(IMAGES, sample_weight=0 * WEIGHTS, verbose=0)


def test_a_class_weight_of_no_class_is_refused(conditional):
    with pytest.raises(ValueError, match="class_weight has the label 10: the model knows 0 to 9"):
        conditional.fit(IMAGES, LABELS, class_weight={0: 2.0, 10: 1.0}, verbose=0)


def test_masks_in_a_stream_are_refused(plain):
    def masks(images, labels, weights):
        return images, images, np.ones_like(images)[..., 0]

    for stream in ("dataset", "PyDataset", "generator"):
        with pytest.raises(
            ValueError, match=r"sample_weight has the shape \[n, 8, 8\]: expected one number per image"
        ):
            plain.fit(fresh(stream, masks), verbose=0)


def test_the_check_of_a_stream_leaves_python_out_of_good_batches(plain, monkeypatch):
    monkeypatch.setattr(InputSpec, "check_values", lambda *_: pytest.fail("Python looked at a good batch"))
    plain.evaluate(dataset(LAYOUTS["images"]), verbose=0)


# Metrics


def test_metrics_compare_images_with_what_predict_gives():
    metrics = {"metrics": ["mae"], "weighted_metrics": [keras.metrics.MeanSquaredError(name="error")]}
    model = make("vae", **metrics, steps_per_execution=2)
    stopping = keras.callbacks.EarlyStopping("val_mae", mode="min")
    history = model.fit(
        IMAGES,
        validation_data=(IMAGES[:12], None, WEIGHTS[:12]),
        batch_size=8,
        epochs=2,
        callbacks=[stopping],
        verbose=0,
    ).history
    error = IMAGES[:12] - model.predict(IMAGES[:12], verbose=0)
    assert history["val_mae"][-1] == pytest.approx(np.abs(error).mean(), rel=1e-5)
    each = np.square(error).mean(axis=(1, 2, 3))
    assert history["val_error"][-1] == pytest.approx(np.average(each, weights=WEIGHTS[:12]), rel=1e-5)
    assert stopping.best == pytest.approx(min(history["val_mae"]))
    # Where nothing moves, training measures what evaluation measures.
    model.optimizer.learning_rate = 0.0
    history = model.fit(IMAGES[:12], sample_weight=WEIGHTS[:12], batch_size=4, verbose=0).history
    assert history["mae"][-1] == pytest.approx(np.abs(error).mean(), rel=1e-5)
    assert history["error"][-1] == pytest.approx(np.average(each, weights=WEIGHTS[:12]), rel=1e-5)


def test_metrics_of_a_conditional_model_are_told_the_labels(conditional):
    conditional.compile("sgd", run_eagerly=True, metrics=["mae"])
    logs = conditional.evaluate(IMAGES, LABELS, verbose=0, return_dict=True)
    shown = conditional.predict((IMAGES, LABELS), verbose=0)
    assert logs["mae"] == pytest.approx(np.abs(IMAGES - shown).mean(), rel=1e-5)


def test_metrics_do_not_change_what_is_learned():
    one, other = make("vae", eager=True, metrics=["mae"]), make("vae", eager=True)
    for model in (one, other):
        model.fit(IMAGES, shuffle=False, batch_size=8, verbose=0)
    for ours, theirs in zip(one.get_weights(), other.get_weights()):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)


def test_metrics_are_saved_with_the_model(tmp_path):
    model = make(eager=True, metrics=["mae"], weighted_metrics=["mse"])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    logs = loaded.evaluate(IMAGES, verbose=0, return_dict=True)
    assert {"mae", "mse"} < set(logs)
    assert logs == pytest.approx(model.evaluate(IMAGES, verbose=0, return_dict=True), rel=1e-6)


def test_a_metric_may_be_infinite_without_ending_the_training():
    def endless(targets, shown):
        return 1 / (0 * keras.ops.mean(shown, axis=(1, 2, 3)))

    history = make(eager=True, metrics=[endless]).fit(IMAGES[:8], verbose=0).history
    assert history["endless"] == [np.inf]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"loss": "mse"}, "the model's objective is its loss"),
        ({"loss_weights": [2.0]}, r"compile was given loss_weights: .*\(leave `loss_weights` out"),
        ({"metrics": ["maee"]}, "the metrics .*cannot compare images .*maee"),
        ({"metrics": [keras.metrics.MeanSquaredError(name="rate")]}, "a metric is called 'rate'"),
    ],
)
def test_what_compile_cannot_honour_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        make("vae", **given)

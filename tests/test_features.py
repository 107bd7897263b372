import dataclasses
import pathlib
import socket
import time

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from keras_vae import load_dataset
from keras_vae.data import Annotations, LoadOptions, in_memory
from keras_vae.errors import FeatureError
from keras_vae.evaluation import features as module
from keras_vae.evaluation.features import build_inception, choose_features
from keras_vae.evaluation.metrics.frechet import frechet_distance
from keras_vae.evaluation.metrics.kernel import kernel_distance
from keras_vae.evaluation.metrics.manifold import dead_zone, density_and_coverage
from keras_vae.evaluation.results.ladder import Rung
from keras_vae.runtime.lazy import keras

MNIST = pathlib.Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"
NUM_IMAGES = 1000


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def classifier(digits, cache):
    return choose_features(digits, cache=cache)


@pytest.fixture(scope="module")
def mnist():
    if not (MNIST / "t10k-images-idx3-ubyte.gz").is_file():
        pytest.skip("the four files of MNIST are not beside this checkout, in ../shared/data/mnist")
    return load_dataset("mnist", data_dir=str(MNIST))


def strokes(count, seed=0):
    """White strokes on black: lines where smooth noise is 0, a half of them masked by coarser noise."""
    generator = np.random.default_rng(seed)
    fine = gaussian_filter(generator.standard_normal((count, 28, 28)), (0, 1.5, 1.5))
    coarse = gaussian_filter(generator.standard_normal((count, 28, 28)), (0, 3, 3))
    return (np.clip(1.5 - 4 * np.abs(fine / fine.std()), 0, 1) * (coarse > 0))[..., None].astype("float32")


def relabelled(dataset, labels, **changes):
    """The dataset with `labels(old)` in every split."""
    splits = {
        name: dataclasses.replace(getattr(dataset, name), labels=labels(getattr(dataset, name).labels))
        for name in ("train", "validation", "test")
    }
    return dataclasses.replace(dataset, **splits, **changes)


def test_rows_have_length_one_and_the_width_that_is_said(digits, classifier):
    for features in (classifier, choose_features(digits, "random")):
        rows = features(digits.test)
        assert rows.shape == (len(digits.test), features.num_features)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
        assert 128 <= features.num_features <= 513


def test_a_classifier_is_chosen_where_labels_allow_it_and_says_how_good_it_is(digits, classifier):
    assert classifier.name == "classifier"
    assert classifier.metric_name == "Fréchet distance, classifier features"
    assert classifier.accuracy > 0.9
    assert f"{classifier.accuracy:.1%}" in classifier.reason
    probabilities = classifier.probabilities(digits.test)
    assert probabilities.shape == (len(digits.test), 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    # Its accuracy is that on validation images, and holds on test images, which it has never seen either.
    right = np.mean(probabilities.argmax(axis=1) == digits.test.labels)
    assert right == pytest.approx(classifier.accuracy, abs=0.06)


def test_a_row_depends_on_its_image_alone_and_a_split_gives_what_its_array_gives(digits, classifier):
    images = digits.test.images(0, 60)
    rows = classifier(images)
    np.testing.assert_allclose(classifier(images[7:8])[0], rows[7], atol=1e-5)
    np.testing.assert_allclose(classifier(digits.test.take(60)), rows, atol=1e-5)


def test_the_test_images_are_never_read(digits, monkeypatch, tmp_path):
    # A store that holds no more than what may be looked at: the test images are NaN.
    images = digits.train.store.read(np.arange(1797))
    images[digits.test.indices] = np.nan
    labels = np.zeros(1797, int)
    for split in (digits.train, digits.validation, digits.test):
        labels[split.indices] = split.labels
    monkeypatch.setitem(module.TRAINING, "steps", 3)
    store = in_memory("x", images, LoadOptions(), Annotations()).train.store
    splits = {
        name: dataclasses.replace(getattr(digits, name), store=store)
        for name in ("train", "validation", "test")
    }
    blind = dataclasses.replace(digits, **splits)
    for features in (module.classifier_features(blind, tmp_path), choose_features(blind, "random")):
        assert np.isfinite(features(digits.train.images(0, 5))).all()


def test_the_cache_gives_the_same_rows_without_training(digits, classifier, cache, monkeypatch):
    monkeypatch.setattr(module, "train_classifier", None)  # would fail if called
    again = choose_features(digits, cache=cache)
    assert again.accuracy == classifier.accuracy
    np.testing.assert_array_equal(again(digits.test), classifier(digits.test))
    assert [path.suffix for path in cache.iterdir()] == [".npz"]


def test_other_data_seeds_and_limits_have_other_caches(digits):
    limited = digits.limited(900)
    assert limited.fingerprint == digits.fingerprint
    keys = [
        module.cache_key(digits, 0),
        module.cache_key(digits, 1),
        module.cache_key(limited, 0),
        module.cache_key(dataclasses.replace(digits, fingerprint="0"), 0),
        module.cache_key(relabelled(digits, lambda labels: 9 - labels), 0),
    ]
    assert len(set(keys)) == 5


@pytest.mark.long
@pytest.mark.parametrize("damage", ["empty", "cut", "text", "nan", "other"])
def test_a_broken_cache_is_trained_anew(digits, monkeypatch, tmp_path, damage):
    monkeypatch.setitem(module.TRAINING, "steps", 2)
    module.classifier_features(digits, tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    with np.load(path) as kept:
        arrays = dict(kept)
    if damage == "nan":
        np.savez(path, **(arrays | {"weight_000": arrays["weight_000"] * np.nan}))
    elif damage == "other":
        np.savez(path, **(arrays | {"weight_000": arrays["weight_000"][:2]}))
    else:
        path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "text": b"not an archive"}[damage])
    assert module.load_classifier(module.build_classifier((8, 8, 1), 10, 0), path) is None
    module.classifier_features(digits, tmp_path)
    assert module.load_classifier(module.build_classifier((8, 8, 1), 10, 0), path) is not None


def test_a_cache_with_pickles_is_not_loaded(digits, tmp_path):
    path = tmp_path / "classifier.npz"
    np.savez(path, accuracy=1.0, weight_000=np.array([{"anything": 1}], dtype=object))
    assert module.load_classifier(module.build_classifier((8, 8, 1), 10, 0), path) is None


def test_a_folder_that_cannot_be_written_to_costs_the_cache_only(digits, monkeypatch, tmp_path):
    monkeypatch.setitem(module.TRAINING, "steps", 2)
    (tmp_path / "file").write_text("")
    features = module.classifier_features(digits, tmp_path / "file" / "folder")
    assert "could not be cached" in features.reason


def test_random_features_are_used_with_the_reason_where_labels_do_not_help(digits, monkeypatch):
    monkeypatch.setitem(module.TRAINING, "steps", 20)
    scrambled = np.random.default_rng(0).permutation
    for dataset, reason in (
        (relabelled(digits, lambda labels: None, label_names=None), "no labels"),
        (relabelled(digits, np.zeros_like, label_names=("only",)), "the same label"),
        (
            relabelled(digits, lambda labels: labels, label_names=tuple("abcdefghijkl")),
            "10 of the 12 classes",
        ),
        (digits.limited(100), "fewer than 20"),
        (relabelled(digits, scrambled), "always predicting the most frequent"),
    ):
        features = choose_features(dataset)
        assert features.name == "random"
        assert reason in features.reason
        assert features.accuracy is None
        assert features.probabilities(digits.test) is None
        with pytest.raises(FeatureError, match=reason):
            choose_features(dataset, "classifier")


def test_labels_may_be_any_integers_and_validation_images_may_be_missing(digits, monkeypatch):
    monkeypatch.setitem(module.TRAINING, "steps", 150)
    odd = relabelled(digits, lambda labels: np.array([-5, 1000, 7])[labels % 3], label_names=None)
    features = choose_features(dataclasses.replace(odd, validation=empty(odd)))
    assert features.name == "classifier"
    assert features.num_classes == 3
    assert features.accuracy > 0.7


def empty(dataset):
    split = dataset.validation
    return dataclasses.replace(split, indices=split.indices[:0], labels=split.labels[:0])


def test_random_features_follow_from_the_seed(digits):
    images = digits.test.images(0, 20)
    first, again, other = (choose_features(digits, "random", seed=seed)(images) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


@pytest.mark.long
@pytest.mark.parametrize("shape", [(5, 7, 3), (64, 48, 4), (150, 90, 1)])
def test_any_image_size_and_number_of_channels_will_do(shape, monkeypatch):
    monkeypatch.setitem(module.TRAINING, "steps", 2)
    images = np.random.default_rng(0).integers(0, 256, (80, *shape), dtype=np.uint8)
    labels = np.tile([0, 1], 40)
    dataset = in_memory("x", images, LoadOptions(), Annotations(labels=labels, label_names=("a", "b")))
    for features in (module.classifier_features(dataset), choose_features(dataset, "random")):
        assert np.isfinite(features(dataset.test)).all()


def test_the_global_precision_does_not_change_the_features(digits, monkeypatch):
    images = digits.test.images(0, 20)
    expected = choose_features(digits, "random")(images)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        np.testing.assert_array_equal(choose_features(digits, "random")(images), expected)
        model = module.build_classifier((8, 8, 1), 10, 0)
        assert {keras.backend.standardize_dtype(output.dtype) for output in model(images)} == {"float32"}
    finally:
        keras.config.set_dtype_policy(before)


def test_nothing_is_printed(digits, capfd):
    choose_features(digits, "random")(digits.test)
    assert capfd.readouterr().out == ""


def test_images_of_another_shape_are_refused(classifier):
    with pytest.raises(ValueError, match=r"\(28, 28, 1\)"):
        classifier(np.zeros((3, 28, 28, 1), np.float32))
    with pytest.raises(FeatureError, match="classifier, random, inception"):
        choose_features(None, "vgg")


def test_inception_without_weights_or_network_is_refused_quickly_with_the_way_out(
    digits, monkeypatch, tmp_path
):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(module, "SECONDS_TO_CONNECT", 0.5)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as silent:  # takes connections and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        for address in (f"127.0.0.1:{silent.getsockname()[1]}", "127.0.0.1:9"):
            monkeypatch.setattr(module, "INCEPTION_URL", f"http://{address}/weights.h5")
            start = time.monotonic()
            with pytest.raises(FeatureError, match="use the features classifier or random") as caught:
                choose_features(digits, "inception")
            assert time.monotonic() - start < 5
            assert str(tmp_path) in str(caught.value)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_inception_gets_three_channels_of_299_pixels_from_minus_one_to_one(channels):
    body = keras.Sequential([keras.Input((299, 299, 3)), keras.layers.GlobalAveragePooling2D()])
    images = np.zeros((2, 20, 30, channels), np.float32)
    images[1] = 1
    np.testing.assert_allclose(
        build_inception(body, (20, 30, channels))(images), [[-1] * 3, [1] * 3], atol=1e-5
    )


def test_only_inceptions_distances_are_called_fid_and_kid(digits, classifier):
    body = keras.Sequential([keras.Input((299, 299, 3)), keras.layers.GlobalAveragePooling2D()])
    inception = module.Features("inception", build_inception(body, (8, 8, 1)), (8, 8, 1), "")
    assert "FID" in inception.metric_name
    for features in (classifier, choose_features(digits, "random")):
        assert "FID" not in features.metric_name
    assert "KID" not in Rung.model_fields["kid"].title  # one name for all features


@pytest.fixture(scope="module")
def mnist_scores(mnist, tmp_path_factory):
    """{kind: (features, {set of images: its scores})}, and the Frechet floor at three sizes."""
    images = mnist.test.images(0, 2 * NUM_IMAGES)
    reference, real = images[:NUM_IMAGES], images[NUM_IMAGES:]
    sets = {
        "real": real,
        "blurred": gaussian_filter(real, (0, 2, 2, 0)),
        "noise": np.random.default_rng(0).random(real.shape, dtype=np.float32),
        "strokes": strokes(NUM_IMAGES),
    }
    reconstructions = gaussian_filter(reference, (0, 0.7, 0.7, 0))  # what a good model makes of them
    result = {}
    for kind in ("classifier", "random"):
        features = choose_features(mnist, kind, cache=tmp_path_factory.mktemp("mnist"))
        rows, reconstructed = features(reference), features(reconstructions)
        scores = {}
        for name, images in sets.items():
            samples = features(images)
            scores[name] = density_and_coverage(samples, rows) | {
                "frechet": frechet_distance(samples, rows),
                "kernel": kernel_distance(samples, rows),
                "dead_zone": dead_zone(samples, rows, reconstructed, own=np.arange(NUM_IMAGES))["dead_zone"],
            }
        floor = [frechet_distance(features(real[:n]), rows[:n]) for n in (250, 500, 1000)]
        result[kind] = features, scores, floor
    return result


def test_mnists_classifier_is_right_in_more_than_95_of_100(mnist_scores):
    assert mnist_scores["classifier"][0].accuracy > 0.95


@pytest.mark.parametrize("kind", ["classifier", "random"])
def test_real_digits_are_at_the_floor_which_falls_as_images_are_added(mnist_scores, kind):
    _, scores, floor = mnist_scores[kind]
    assert floor[0] > floor[1] > floor[2]
    assert floor[2] < 0.02
    distance, error = scores["real"]["kernel"]
    assert abs(distance) < 4 * error
    assert scores["real"]["density"] == pytest.approx(1, abs=0.1)
    assert scores["real"]["coverage"] > 0.93
    assert abs(scores["real"]["dead_zone"]) < 0.05


@pytest.mark.parametrize("kind", ["classifier", "random"])
@pytest.mark.parametrize(("garbage", "dead"), [("noise", 0.6), ("strokes", 0.9)])
def test_garbage_is_far_away_without_density_and_dead(mnist_scores, kind, garbage, dead):
    # In a classifier's features as they are, before the division by length, both have passed for digits.
    _, scores, floor = mnist_scores[kind]
    assert scores[garbage]["frechet"] > 20 * floor[2]
    assert scores[garbage]["kernel"][0] > 20 * scores[garbage]["kernel"][1]
    assert scores[garbage]["density"] < 0.1
    assert scores[garbage]["coverage"] < 0.1
    assert scores[garbage]["dead_zone"] > dead


@pytest.mark.parametrize("kind", ["classifier", "random"])
def test_blurred_digits_are_between_digits_and_garbage(mnist_scores, kind):
    _, scores, _ = mnist_scores[kind]
    for name in ("frechet", "dead_zone"):
        assert scores["real"][name] < scores["blurred"][name] < scores["noise"][name]
    assert scores["real"]["density"] > scores["blurred"]["density"] >= scores["noise"]["density"]

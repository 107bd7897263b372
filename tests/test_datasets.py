import inspect
import itertools
import subprocess
import sys

import numpy as np
import pytest

from keras_vae.data import (
    DATASETS,
    Arrays,
    Digits,
    ImageFolder,
    Sprites,
    TensorFlowDatasets,
    built_in,
    find_source,
    load_dataset,
    preparing,
)
from keras_vae.data.augment import AUGMENTATIONS, augment_batch, check_augmentations
from keras_vae.data.resize import fit, with_channels
from keras_vae.data.splits import split_indices
from keras_vae.errors import DatasetError
from keras_vae.runtime.lazy import tf


def first(batches, count):
    return [batch.numpy() for batch in itertools.islice(iter(batches), count)]


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


def test_importing_the_sources_imports_neither_tensorflow_nor_scikit_learn():
    code = "import sys, keras_vae_commands, keras_vae.data; print({'tensorflow', 'sklearn', 'PIL'} & set(sys.modules))"
    heavy = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert heavy.strip() == "set()"


def test_digits_are_1797_images_in_an_80_10_10_split(digits):
    assert [len(digits.train), len(digits.validation), len(digits.test)] == [1437, 180, 180]
    assert digits.image_shape == (8, 8, 1)
    assert digits.label_names == tuple("0123456789")
    images = digits.train.images()
    assert images.dtype == np.float32
    assert images.min() == 0
    assert images.max() == 1


def test_digits_and_their_labels_belong_together(digits):
    from sklearn.datasets import load_digits

    original = load_digits()
    place = int(digits.test.indices[7])
    np.testing.assert_allclose(
        digits.test.images(7, 8)[0, :, :, 0], original.images[place] / 16, atol=1 / 255
    )
    assert digits.test.labels[7] == original.target[place]


def test_splits_do_not_overlap_and_hold_everything(digits):
    parts = [digits.train.indices, digits.validation.indices, digits.test.indices]
    assert sorted(np.concatenate(parts)) == list(range(1797))


def test_splits_do_not_depend_on_the_order_of_the_images():
    digests = [bytes([n, 7 * n % 256]) for n in range(100)]
    order = np.random.default_rng(0).permutation(100)
    for ordered, shuffled in zip(split_indices(digests), split_indices([digests[i] for i in order])):
        assert [digests[i] for i in ordered] == [digests[order[i]] for i in shuffled]


def test_equal_images_stay_together():
    digests = [bytes([n % 37]) for n in range(200)]
    parts = [{digests[i] for i in part} for part in split_indices(digests)]
    assert all(parts)
    assert sum(len(part) for part in parts) == 37


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, [1, 0, 0]), (2, [1, 0, 1]), (3, [1, 1, 1]), (10, [8, 1, 1]), (150, [120, 15, 15])],
)
def test_small_sets_keep_a_training_image_and_hold_out_test_images_first(count, sizes):
    assert [len(part) for part in split_indices([bytes([n]) for n in range(count)])] == sizes


def test_a_given_test_split_is_kept_and_validation_taken_from_training():
    given = np.repeat([0, 2], [100, 20])
    train, validation, test = split_indices([bytes([n]) for n in range(120)], given)
    assert sorted(test) == list(range(100, 120))
    assert (len(train), len(validation)) == (90, 10)


def test_limit_takes_training_images_only(digits):
    limited = load_dataset("digits", limit=5)
    assert [len(limited.train), len(limited.validation), len(limited.test)] == [5, 180, 180]
    np.testing.assert_array_equal(limited.train.images(), digits.train.images(0, 5))
    with pytest.raises(DatasetError, match="limit is 0"):
        load_dataset("digits", limit=0)


def test_batches_are_all_images_in_order(digits):
    batches = first(digits.test.batches(64), 9)
    assert [len(batch) for batch in batches] == [64, 64, 52]
    np.testing.assert_array_equal(np.concatenate(batches), digits.test.images())
    images, labels = next(iter(digits.test.batches(50, labels=True)))
    np.testing.assert_array_equal(labels, digits.test.labels[:50])
    np.testing.assert_array_equal(images, digits.test.images(0, 50))


def test_an_epoch_is_every_image_once_in_index_shuffle_order(digits):
    split = digits.train.take(100)
    stream = split.training_batches(32, seed=5, first_epoch=3)
    assert stream.cardinality() == tf.data.INFINITE_CARDINALITY
    batches = first(stream, 4)
    assert [len(batch) for batch in batches] == [32, 32, 32, 4]
    order = tf.random.experimental.index_shuffle(tf.range(100, dtype=tf.int64), [5, 3], 99).numpy()
    assert sorted(order) == list(range(100))
    np.testing.assert_array_equal(np.concatenate(batches), split.images()[order])


@pytest.mark.parametrize("augment", [(), tuple(AUGMENTATIONS)])
def test_a_stream_from_epoch_2_continues_the_one_from_epoch_0_bit_for_bit(digits, augment):
    split = digits.train.take(70)
    whole = first(split.training_batches(32, seed=1, augment=augment), 9)
    late = first(split.training_batches(32, seed=1, first_epoch=2, augment=augment), 3)
    for expected, batch in zip(whole[6:], late):
        np.testing.assert_array_equal(batch, expected)
    assert not np.array_equal(whole[0], whole[3])


def test_training_labels_follow_their_images(digits):
    split = digits.train.take(60)
    images, labels = next(iter(split.training_batches(60, seed=0, labels=True)))
    by_image = {image.tobytes(): label for image, label in zip(split.images(), split.labels)}
    assert [by_image[image.tobytes()] for image in images.numpy()] == labels.numpy().tolist()


def test_a_single_image_can_be_trained_on(digits):
    batches = first(digits.train.take(1).training_batches(8, seed=0, augment="flip"), 3)
    assert [batch.shape for batch in batches] == [(1, 8, 8, 1)] * 3


def test_bad_requests_are_refused_with_the_number(digits):
    with pytest.raises(DatasetError, match="batch_size is 0"):
        digits.train.batches(0)
    with pytest.raises(DatasetError, match="0 images"):
        digits.train.take(0)
    with pytest.raises(DatasetError, match="channels is 2"):
        load_dataset("digits", channels=2)
    with pytest.raises(DatasetError, match=r"image_size is \(0, 8\)"):
        load_dataset("digits", image_size=(0, 8))


def test_size_and_channels_apply_to_arrays_in_memory(digits):
    large = load_dataset("digits", image_size=(16, 24), channels=3)
    assert large.image_shape == (16, 24, 3)
    images = large.test.images()
    np.testing.assert_array_equal(images[..., 0], images[..., 2])
    assert large.fingerprint != digits.fingerprint


def test_shrinking_averages_and_growing_crops_the_middle():
    chequered = np.indices((8, 8)).sum(0)[None, ..., None] % 2 * np.uint8(255)
    assert abs(int(fit(chequered.astype(np.uint8), (2, 2))[0, 0, 0, 0]) - 127) < 12
    wide = np.zeros((1, 4, 12, 1), np.uint8)
    wide[:, :, 4:8] = 200
    np.testing.assert_array_equal(fit(wide, (4, 4)), np.full((1, 4, 4, 1), 200))


def test_channels_convert_by_luma_and_alpha_is_laid_on_white():
    red = np.array([[[255, 0, 0]]], np.uint8)
    assert with_channels(red, 1).item() == 76  # 0.299 * 255
    clear = np.array([[[255, 0, 0, 0]]], np.uint8)
    np.testing.assert_array_equal(with_channels(clear, 3)[0, 0], [255, 255, 255])
    np.testing.assert_array_equal(with_channels(red, 4)[0, 0], [255, 0, 0, 255])


def test_text_finds_the_source_it_means(tmp_path, monkeypatch):
    assert find_source("digits") == Digits()
    assert find_source("sprites") == Sprites(size=10000, seed=0)
    assert find_source(str(tmp_path)) == ImageFolder(path=str(tmp_path))
    assert find_source("a/b.npz") == Arrays(path="a/b.npz")
    assert find_source("celeb_a") == TensorFlowDatasets(name="celeb_a")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").touch()
    assert find_source("mnist") == TensorFlowDatasets(name="mnist")
    (tmp_path / "mnist" / "a.png").touch()
    assert find_source("mnist") == ImageFolder(path="mnist")


def test_every_source_has_defaults():
    assert [type(source()) for source in DATASETS.values()] == list(DATASETS.values())


@pytest.mark.parametrize("name", built_in())
def test_a_source_that_needs_no_data_gives_images_in_splits_that_are_the_same_twice(name):
    parameters = inspect.signature(DATASETS[name]).parameters
    source = DATASETS[name](**({"size": 300} if "size" in parameters else {}))
    first, second = load_dataset(source), load_dataset(source)
    assert first.fingerprint == second.fingerprint
    seen = []
    for split, again in zip(*((each.train, each.validation, each.test) for each in (first, second))):
        images = split.images()
        assert images.shape == (len(split), *first.image_shape)
        assert images.dtype == np.float32
        assert len(split)
        assert 0 <= images.min() < images.max() <= 1
        np.testing.assert_array_equal(images, again.images())
        for rows, high in ((split.labels, first.num_classes), (split.factors, first.factor_sizes)):
            assert rows is None or (len(rows) == len(split) and rows.min() >= 0 and np.all(rows < high))
        seen.append({image.tobytes() for image in images})
    train, validation, test = seen
    assert not train & (validation | test)
    assert not validation & test
    assert load_dataset(source, image_size=16, channels=3).image_shape == (16, 16, 3)


def test_a_mistyped_name_is_compared_with_the_sources_that_are_built_in(monkeypatch):
    monkeypatch.setitem(DATASETS, "rings", Digits)
    assert built_in() == ["digits", "sprites", "rings"]
    monkeypatch.setattr(preparing, "_catalogue", lambda: ["bridge", "mnist"])
    assert "did you mean rings or bridge?" in str(preparing._unknown("ring"))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation_changes_images_differently_and_stays_in_range(name):
    image = np.random.default_rng(0).random((1, 12, 20, 3)).astype(np.float32)
    images = tf.constant(np.repeat(image, 16, axis=0))
    changed = augment_batch(images, (name,), tf.constant([3, 4], tf.int64)).numpy()
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert np.abs(changed - images).max() > 0.01
    assert len({c.tobytes() for c in changed}) > 1
    again = augment_batch(images, (name,), tf.constant([3, 4], tf.int64)).numpy()
    np.testing.assert_array_equal(changed, again)


def test_flip_is_the_image_or_its_mirror():
    image = np.random.default_rng(0).random((6, 9, 1)).astype(np.float32)
    flipped = augment_batch(
        tf.constant(np.stack([image] * 32)), ("flip",), tf.constant([0, 1], tf.int64)
    ).numpy()
    mirrored = [np.allclose(one, image[:, ::-1], atol=1e-5) for one in flipped]
    kept = [np.allclose(one, image, atol=1e-5) for one in flipped]
    assert all(a != b for a, b in zip(mirrored, kept))
    assert 4 < sum(mirrored) < 28


def test_rotation_keeps_right_angles_on_images_that_are_not_square():
    disk = (np.hypot(*np.ogrid[-15.5:16, -31.5:32]) < 10).astype(np.float32)[None, ..., None]
    turned = augment_batch(
        tf.constant(np.repeat(disk, 8, axis=0)), ("rotate",), tf.constant([0, 2], tf.int64)
    )
    assert np.abs(turned.numpy() - disk).mean() < 0.01  # a turned disk is a disk; a sheared one is not


def test_an_unknown_augmentation_is_refused_with_the_close_one():
    with pytest.raises(DatasetError, match=r"'flipp' is unknown \(did you mean flip\?\)"):
        check_augmentations("crop,flipp")


def test_sprites_are_deterministic_and_different_by_seed():
    one, same, other = (load_dataset(Sprites(size=300, seed=seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.train.images(), same.train.images())
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert one.image_shape == (64, 64, 1)
    assert one.factor_sizes == (3, 6, 40, 32, 32)
    assert one.factor_names == ("shape", "scale", "orientation", "x", "y")
    np.testing.assert_array_equal(one.train.labels, one.train.factors[:, 0])


def test_sprites_show_their_factors():
    from keras_vae.data.sources.sprites import render

    images = (
        render(np.array([[0, 5, 0, 0, 31], [0, 0, 0, 31, 0], [1, 5, 0, 16, 16], [2, 5, 0, 16, 16]]))[..., 0]
        / 255
    )
    rows, columns = np.mgrid[:64, :64] + 0.5
    centre = [(np.sum(i * columns) / i.sum(), np.sum(i * rows) / i.sum()) for i in images]
    np.testing.assert_allclose(centre[:3], [(16.5, 47.5), (47.5, 16.5), (32.5, 32.5)], atol=1e-3)
    # Square of circumradius r: 2 r^2; ellipse of semi-axes r and r / 2: pi r^2 / 2.
    np.testing.assert_allclose([i.sum() for i in images[:3]], [450, 112.5, np.pi * 112.5], rtol=0.02)
    assert images[3, 20, 32] < images[3, 22, 26]  # the dent between a heart's lobes
    assert images[3, 40:].sum(axis=1).argmax() == 0  # and its point at the bottom
    assert len(np.unique(images)) > 20  # anti-aliased


def test_sprites_repeat_a_combination_only_when_all_are_used():
    from keras_vae.data.sources.sprites import draw_factors

    factors = draw_factors(737280 + 10, seed=2)
    assert len(np.unique(np.ravel_multi_index(factors[:737280].T, (3, 6, 40, 32, 32)))) == 737280
    with pytest.raises(DatasetError, match="size is 0"):
        load_dataset(Sprites(size=0))

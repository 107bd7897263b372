"""The rules of `keras_vae.data`: splits by label, value ranges, sizes, split folders, numbers of classes, fingerprints."""

import dataclasses
import os
import struct

import numpy as np
import pytest
from PIL import Image

from keras_vae.cli.train import read_command_line
from keras_vae.config.codec import from_json, to_json
from keras_vae.data import Arrays, ImageFolder, load_dataset
from keras_vae.data.classes import number_classes
from keras_vae.data.image_size import describe_fit, own_size
from keras_vae.data.split_folders import find_splits
from keras_vae.data.splits import split_indices
from keras_vae.data.value_range import check_range, found_range, parse_range, show_range
from keras_vae.errors import DatasetError, UsageError
from keras_vae.export.saved_models import Description
from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.networks import Convolutional
from keras_vae.runtime.files import write_json
from keras_vae.training.config import FOUND, Config, read_settings
from keras_vae.training.setup import load, resolve

RANDOM = np.random.default_rng(0)
SPLITS = ("train", "validation", "test")


def digests_of(count):
    return [struct.pack(">I", (n * 2654435761) % 2**32) for n in range(count)]


# Splits.


def test_each_class_gives_its_share_by_the_largest_remainders():
    labels = np.repeat([0, 1, 2], [55, 30, 15])
    train, validation, test = split_indices(digests_of(100), labels=labels)
    # 10 of 100: 5.5, 3 and 1.5 are 5, 3 and 1, and one more to the first of the two remainders of a half.
    assert np.bincount(labels[test]).tolist() == [6, 3, 1]
    # 10 of the 90 left, 49, 27 and 14: 5.44, 3 and 1.56.
    assert np.bincount(labels[validation]).tolist() == [5, 3, 2]
    assert sorted(np.concatenate([train, validation, test])) == list(range(100))


def test_stratified_splits_do_not_depend_on_the_listing():
    digests, labels = digests_of(200), RANDOM.integers(0, 5, 200)
    order = RANDOM.permutation(200)
    shuffled = split_indices([digests[i] for i in order], labels=labels[order])
    for mine, other in zip(split_indices(digests, labels=labels), shuffled):
        assert [digests[i] for i in mine] == [digests[order[i]] for i in other]


def test_equal_images_stay_together_whatever_their_labels_say():
    digests = [digest for digest in digests_of(50) for _ in range(2)]
    parts = split_indices(digests, labels=np.arange(100) % 3)
    assert sum(len({digests[i] for i in part}) for part in parts) == 50
    assert all(len(part) for part in parts)


def test_a_class_of_one_image_is_trained_on():
    labels = np.repeat([0, 1, 2], [40, 1, 1])
    train, _, _ = split_indices(digests_of(42), labels=labels)
    assert set(labels[train]) == {0, 1, 2}


def test_digits_have_their_classes_in_all_splits_and_the_old_rule_its_own():
    counts = [np.bincount(getattr(load_dataset("digits"), split).labels) for split in SPLITS]
    assert counts[2].tolist() == [18] * 10  # 1,797 images of 10 classes of 174 to 183
    old = load_dataset("digits", data_rules=1)
    # As commit 2e599f6 had them.
    assert np.bincount(old.test.labels).tolist() == [19, 23, 27, 28, 14, 15, 15, 14, 10, 15]
    assert old.fingerprint == "86d8c5afd2fdda0acd4888b18c39a676"


# Labels.


@pytest.mark.parametrize(
    ("labels", "numbers", "names"),
    [
        ([3, 7, 3], [0, 1, 0], ("3", "7")),
        ([1, 10, 2], [0, 2, 1], ("1", "2", "10")),
        ([2.0, 1.0, 2.0], [1, 0, 1], ("1", "2")),
        ([True, False], [1, 0], ("False", "True")),
        ([-1, 1], [0, 1], ("-1", "1")),
        ([b"dog", b"cat"], [1, 0], ("cat", "dog")),
        ([[0, 1, 0], [0, 0, 1]], [0, 1], ("1", "2")),
        ([[5], [6]], [0, 1], ("5", "6")),
        ([0, 1, 4], [0, 1, 2], ("0", "1", "4")),
        ([0, 2, 1], [0, 2, 1], None),
    ],
)
def test_labels_of_any_kind_become_numbers_from_0(labels, numbers, names):
    found, called = number_classes(np.array(labels), "here")
    assert (found.tolist(), called) == (numbers, names)


@pytest.mark.parametrize("labels", [[0.5, 1], [np.nan, 1], [-1, 0, 1], [[1, 1], [0, 1]]])
def test_what_is_no_class_is_refused(labels):
    with pytest.raises(DatasetError, match=r"^here: "):
        number_classes(np.array(labels), "here")


def test_a_model_keeps_its_numbers_on_other_images(tmp_path):
    images = RANDOM.integers(0, 256, (40, 4, 4), dtype=np.uint8)
    np.savez(tmp_path / "sevens.npz", images=images, labels=np.full(40, 7))
    np.savez(tmp_path / "nines.npz", images=images, labels=np.full(40, 9))
    sevens = load_dataset(str(tmp_path / "sevens.npz"), classes=("3", "7"))
    assert set(sevens.test.labels) == {1}
    assert sevens.label_names == ("3", "7")
    assert (
        "does not know the class 9" in load_dataset(str(tmp_path / "nines.npz"), classes=("3", "7")).notes[-1]
    )


# Value ranges.


def test_ranges_are_typed_and_shown_to_the_last_bit():
    assert parse_range("-1024,3071") == (-1024.0, 3071.0)
    assert show_range((0.1, 4095.0)) == "0.1,4095"
    for wrong in ((1, 1), (2, 1), (0, np.inf), (np.nan, 1), (1,), 3):
        with pytest.raises(ValueError, match="range is"):
            check_range(wrong)


@pytest.mark.parametrize(
    ("low", "high", "whole", "expected"),
    [
        (12, 4095, True, (12, 4095)),
        (-1024, 3071, True, (-1024, 3071)),
        (3, 250, True, (0, 255)),  # bytes in another type
        (3, 250.5, False, (3, 250.5)),
        (0, 16, True, (0, 16)),
        (0.2, 0.9, False, (0, 1)),
        (-1, 1, False, (-1, 1)),
        (7, 7, True, ()),
    ],
)
def test_the_range_of_a_set(low, high, whole, expected):
    assert found_range([low, high], [high, high], whole) == expected


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "uint64", "float32", "float64"])
def test_arrays_of_any_type_are_scaled_by_the_extremes_of_the_set(tmp_path, dtype):
    low = 0 if dtype.startswith("u") else -1000
    raw = RANDOM.integers(low, 3001, (40, 5, 6)).astype(dtype)
    raw[0, 0, 0], raw[1, 0, 0] = low, 3000
    np.save(tmp_path / "scan.npy", raw)
    dataset = load_dataset(str(tmp_path / "scan.npy"))
    expected = (raw[dataset.train.indices].astype(float) - low) / (3000 - low)
    np.testing.assert_allclose(dataset.train.images()[..., 0], expected, atol=1e-7)
    assert dataset.value_range == (low, 3000)
    assert f"{low},3000 become 0 and 1" in dataset.notes[0]
    again = load_dataset(str(tmp_path / "scan.npy"), range=dataset.value_range)
    assert again.fingerprint == dataset.fingerprint
    np.testing.assert_array_equal(again.test.images(), dataset.test.images())


def test_floats_in_0_to_1_and_bytes_are_not_stretched(tmp_path):
    np.save(tmp_path / "grey.npy", np.linspace(0.4, 0.6, 160).reshape(10, 4, 4))
    dataset = load_dataset(str(tmp_path / "grey.npy"))
    assert (dataset.value_range, dataset.notes) == (None, ())
    assert dataset.train.images().max() <= 0.6
    np.save(tmp_path / "dark.npy", RANDOM.integers(0, 17, (10, 8, 8), dtype=np.uint8))
    dark = load_dataset(str(tmp_path / "dark.npy"))
    assert dark.train.images().max() == np.float32(16 / 255)
    assert "16 of 255 (--range 0,16" in dark.notes[0]
    assert load_dataset(str(tmp_path / "dark.npy"), range=(0, 16)).train.images().max() == 1
    np.save(tmp_path / "faint.npy", np.linspace(0, 0.0625, 160).reshape(10, 4, 4))
    faint = load_dataset(str(tmp_path / "faint.npy"))
    assert "0.0625 of 1 (--range 0,0.0625" in faint.notes[0]


def test_values_outside_of_a_range_are_clipped_and_counted(tmp_path):
    raw = np.full((10, 4, 4), 100, np.uint16)
    raw[:3, 0, 0] = 900
    np.save(tmp_path / "scan.npy", raw)
    dataset = load_dataset(str(tmp_path / "scan.npy"), range="0,200")
    images = np.concatenate([getattr(dataset, split).images() for split in SPLITS])
    assert (images == 1).sum() == 3
    assert np.isclose(images, 0.5).sum() == 157
    assert "3 of 10 images have values outside 0,200, which are clipped" in dataset.notes[1]
    with pytest.raises(DatasetError, match=r"all images lie outside it \(try --range 100,900\)"):
        load_dataset(str(tmp_path / "scan.npy"), range=(2000, 3000))
    with pytest.raises(DatasetError, match="--range none"):
        load_dataset("digits", range=(0, 16))


def test_a_client_scales_as_training_did():
    from keras_vae.serving.client import DecoderClient

    client = DecoderClient("http://127.0.0.1:1", value_range=(100, 300))
    raw = np.array([[100, 150], [300, 200]], np.uint16).reshape(2, 1, 2, 1)
    np.testing.assert_allclose(client.in_unit_range(raw).ravel(), [0, 0.25, 1, 0.5])
    with pytest.warns(UserWarning, match="1 of 2 images have values outside 100,300, which are clipped"):
        assert client.in_unit_range(raw + np.uint16(100)).max() == 1


def save_raw(folder, count, make, name):
    folder.mkdir(parents=True, exist_ok=True)
    raw = [make(number) for number in range(count)]
    for number, values in enumerate(raw):
        Image.fromarray(values).save(folder / f"{number:02d}.{name}")
    return np.stack(raw)


def raw_of(dataset):
    """The images of a folder in the order of their names."""
    parts = [getattr(dataset, split) for split in SPLITS]
    order = np.argsort(np.concatenate([part.indices for part in parts]))
    return np.concatenate([part.images() for part in parts])[order]


@pytest.mark.long
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda n: RANDOM.integers(100, 4001, (6, 8)).astype(np.uint16), "png"),
        (lambda n: RANDOM.integers(100, 4001, (6, 8)).astype(np.uint16), "tif"),
        (lambda n: RANDOM.integers(-900, 4001, (6, 8)).astype(np.int32), "tiff"),
        (lambda n: (5 * RANDOM.standard_normal((6, 8))).astype(np.float32), "tif"),
    ],
)
def test_deep_files_keep_their_bits_with_and_without_a_cache(tmp_path, make, name):
    raw = save_raw(tmp_path / "scans", 12, make, name)
    low, high = float(raw.min()), float(raw.max())
    plain = load_dataset(str(tmp_path / "scans"), channels=1)
    cached = load_dataset(ImageFolder(str(tmp_path / "scans"), str(tmp_path / "cache")), channels=1)
    assert plain.value_range == cached.value_range == (low, high)
    np.testing.assert_allclose(raw_of(plain)[..., 0], (raw - low) / (high - low), atol=1e-6)
    np.testing.assert_array_equal(raw_of(plain), raw_of(cached))
    assert plain.fingerprint == cached.fingerprint
    batch = next(iter(cached.train.batches(20))).numpy()
    np.testing.assert_allclose(batch, plain.train.images(), atol=1e-7)


def test_bytes_beside_deep_files_keep_their_own_range_and_old_runs_their_8_bits(tmp_path):
    save_raw(tmp_path, 3, lambda n: np.full((4, 4), 1000 * (n + 1), np.uint16), "png")
    save_raw(tmp_path, 1, lambda n: np.full((4, 4), 51, np.uint8), "bmp")
    dataset = load_dataset(str(tmp_path), channels=1)
    np.testing.assert_allclose(raw_of(dataset)[:, 0, 0, 0], [51 / 255, 0, 0.5, 1], atol=1e-6)
    assert "1 images have 8 bits" in dataset.notes[-1]
    old = load_dataset(str(tmp_path), channels=1, image_size=4, data_rules=1)
    np.testing.assert_allclose(raw_of(old)[:, 0, 0, 0] * 255, [51, 4, 8, 12], atol=1e-4)  # 1000 / 257


def test_a_tiff_of_several_pages_is_not_cut_to_its_first(tmp_path):
    pages = [Image.fromarray(np.full((4, 4), n, np.uint16)) for n in range(3)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(DatasetError, match="3 pages: save each page as its own file"):
        load_dataset(str(tmp_path))


# Sizes.


@pytest.mark.parametrize(
    ("shape", "kept"),
    [
        ((32, 32), (32, 32)),
        ((64, 256), (64, 256)),
        ((7, 13), (7, 13)),
        ((1000, 1000), (128, 128)),
        ((480, 640), (104, 144)),  # 110.9 x 147.8 pixels, 16,384 in all, rounded down to multiples of 8
    ],
)
def test_images_of_one_size_keep_it_up_to_a_limit(shape, kept):
    assert own_size(shape) == kept


def test_what_is_cut_is_said():
    assert describe_fit({(32, 32)}, (32, 32)) == ()
    (note,) = describe_fit({(64, 256)}, (64, 64))
    assert "64x256 pixels, are scaled to 64x64 and cropped at the centre, which cuts off up to 75%" in note
    (note,) = describe_fit({(64, 256)}, (16, 64))
    assert "cut" not in note


@pytest.mark.parametrize("cached", [False, True])
def test_a_bar_at_the_edge_of_wide_images_is_kept(tmp_path, cached):
    for number in range(6):
        wide = np.zeros((16, 64), np.uint8)
        wide[:, : number + 1] = 255
        (tmp_path / "wide").mkdir(exist_ok=True)
        Image.fromarray(wide).save(tmp_path / "wide" / f"{number}.png")
    source = ImageFolder(str(tmp_path / "wide"), str(tmp_path / "cache") if cached else "")
    for _ in range(2):
        dataset = load_dataset(source)
        assert dataset.image_shape == (16, 64, 1)
        assert dataset.notes == ("all images are grey: 1 channel (--channels 3 for three)",)
        np.testing.assert_array_equal(raw_of(dataset).sum(axis=(1, 2, 3)), 16.0 * np.arange(1, 7))
    assert load_dataset(source, data_rules=1).image_shape == (64, 64, 3)


def test_one_image_of_another_size_among_many_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_vae.data.sources.folder.LOOKED_AT", 2)
    for number in range(6):
        Image.new("L", (9 if number == 4 else 8, 8)).save(tmp_path / f"{number}.png")
    assert load_dataset(str(tmp_path)).image_shape == (64, 64, 1)


GREYS = {
    "8 bits": np.uint8(7) * np.eye(8, dtype=np.uint8),
    "16 bits": 257 * np.eye(8, dtype=np.uint16),
    "mask": np.eye(8, dtype=bool),
    "alpha": np.dstack([np.eye(8, dtype=np.uint8), np.full((8, 8), 255, np.uint8)]),
}


@pytest.mark.long
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("kind", GREYS)
def test_grey_images_have_one_channel(tmp_path, kind, cached):
    save_raw(tmp_path / "grey", 6, lambda n: np.roll(GREYS[kind], n, axis=1), "png")
    source = ImageFolder(str(tmp_path / "grey"), str(tmp_path / "cache") if cached else "")
    for asked, channels in ((None, 1), (3, 3)):
        dataset = load_dataset(source, channels=asked)
        assert dataset.image_shape == (8, 8, channels)
        assert any("all images are grey" in note for note in dataset.notes) == (asked is None)
    assert load_dataset(source, data_rules=1).image_shape == (64, 64, 3)


@pytest.mark.parametrize("cached", [False, True])
def test_one_colour_image_among_many_grey_ones_keeps_its_colours(tmp_path, cached, monkeypatch):
    monkeypatch.setattr("keras_vae.data.sources.folder.LOOKED_AT", 2)

    (tmp_path / "set").mkdir()
    for number in range(6):
        mode, value = ("RGB", (4, 9, 99)) if number == 4 else ("L", number)
        Image.new(mode, (8, 8), value).save(tmp_path / "set" / f"{number}.png")
    dataset = load_dataset(ImageFolder(str(tmp_path / "set"), str(tmp_path / "cache") if cached else ""))
    assert dataset.image_shape == (8, 8, 3)
    assert "5 of 6 images are grey: they get 3 channels" in dataset.notes[0]
    assert [4, 9, 99] in (255 * raw_of(dataset)).round().astype(int)[:, 0, 0].tolist()


# Folders that are splits.


def found(*names):
    return find_splits("here", sorted(name.replace("/", os.sep) for name in names))


@pytest.mark.parametrize(
    ("names", "splits", "below"),
    [
        (["Testing/cat/a", "Training/cat/b"], ["test", "train"], ["cat/a", "cat/b"]),
        (["TRAIN/a", "dev/b", "eval/c"], ["train", "validation", "test"], ["a", "b", "c"]),
        (["k/test_set/cat/a", "k/training_set/cat/b"], ["test", "train"], ["cat/a", "cat/b"]),
        (
            ["cat/test/a", "cat/train/b", "dog/train/c"],
            ["test", "train", "train"],
            ["cat/a", "cat/b", "dog/c"],
        ),
        (["train2017/a", "val2017/b"], ["train", "validation"], ["a", "b"]),
        (["asl_alphabet_train/A/a", "asl_alphabet_test/A/b"], ["test", "train"], ["A/b", "A/a"]),
        (["fold-valid/a", "train-fold/b"], ["validation", "train"], ["a", "b"]),
        (["bullet_train/a", "steam_train/b"], None, ["bullet_train/a", "steam_train/b"]),
        (["crash_test/a", "bullet_train/b", "cat/c"], None, ["bullet_train/b", "cat/c", "crash_test/a"]),
        (["cat/a", "dog/b", "test/c"], None, ["cat/a", "dog/b", "test/c"]),
        (["bus/a", "train/b"], None, ["bus/a", "train/b"]),
        (["cat/a", "dog/b"], None, ["cat/a", "dog/b"]),
        (["test 1/a", "test 2/b"], None, ["test 1/a", "test 2/b"]),
        (["train/cat/a", "train/dog/b"], None, ["cat/a", "dog/b"]),
        (["k/train/cat/a", "k/train/dog/b"], None, ["cat/a", "dog/b"]),
    ],
)
def test_folders_are_splits_where_all_have_the_names_of_some(names, splits, below):
    given, left, _ = found(*names)
    assert (given, left) == (splits, [name.replace("/", os.sep) for name in below])


@pytest.mark.parametrize(
    "names",
    [
        ["test/a", "test/b"],
        ["val/cat/a", "test/cat/b"],
        ["k/test/a"],
        ["a", "test/b"],
        ["a", "test/b", "train/c"],
        ["more/a", "test/b", "train/c"],
    ],
)
def test_held_out_images_that_would_be_trained_on_are_refused(names):
    with pytest.raises(DatasetError, match=r"^here: .*(outside the folders|no training images)"):
        found(*names)


def test_what_was_understood_is_said():
    assert found("Testing/a", "Training/b")[2] == (
        "splits found: Testing is test, Training is train; validation images are taken from the training images",
    )
    assert "divided" in found("train/a")[2][0]
    assert "test: not treated as a split" in found("cat/a", "test/b")[2][0]


def test_no_image_of_a_folder_called_testing_is_trained_on(tmp_path):
    for number, split in enumerate(("Training", "Testing")):
        for label in ("cat", "dog"):
            save_raw(
                tmp_path / "real" / split / label,
                6,
                lambda n, number=number, label=label: np.full(
                    (8, 8), 100 * number + 10 * (label == "dog") + n, np.uint8
                ),
                "png",
            )
    (tmp_path / "k").mkdir()
    for split in ("Training", "Testing"):
        (tmp_path / "k" / split).symlink_to(tmp_path / "real" / split)
    dataset = load_dataset(str(tmp_path / "k"))
    assert dataset.label_names == ("cat", "dog")
    assert [len(getattr(dataset, split)) for split in SPLITS] == [11, 1, 12]
    assert dataset.train.images().max() < 0.1  # of 255: 15 at most in Training, 100 and more in Testing
    assert dataset.test.images().min() > 0.3


# Fingerprints.


def test_a_folder_whose_pixels_are_overwritten_is_another_one(tmp_path):
    def save():
        save_raw(tmp_path, 30, lambda n: RANDOM.integers(0, 256, (8, 8, 3), dtype=np.uint8), "bmp")

    save()
    sizes = [os.path.getsize(tmp_path / name) for name in sorted(os.listdir(tmp_path))]
    before = load_dataset(str(tmp_path))
    assert load_dataset(str(tmp_path)).fingerprint == before.fingerprint
    times = {name: os.stat(tmp_path / name).st_mtime_ns for name in os.listdir(tmp_path)}
    save()
    for name, time in times.items():
        os.utime(tmp_path / name, ns=(time, time))
    assert [os.path.getsize(tmp_path / name) for name in sorted(os.listdir(tmp_path))] == sizes
    assert load_dataset(str(tmp_path)).fingerprint != before.fingerprint


def test_other_labels_of_the_same_images_are_another_set(tmp_path):
    images = RANDOM.integers(0, 256, (20, 4, 4), dtype=np.uint8)
    prints = set()
    for labels in (np.arange(20) % 2, np.arange(20) % 2, np.arange(20) // 10):
        np.savez(tmp_path / "a.npz", images=images, labels=labels)
        prints.add(load_dataset(str(tmp_path / "a.npz")).fingerprint)
    assert len(prints) == 2


# What a run keeps.


def test_a_file_from_before_the_rules_had_a_version_is_of_the_first(tmp_path):
    written = to_json(Config())
    assert written["data_rules"] == 2
    older = {key: value for key, value in written.items() if key not in FOUND}
    for content, version in ((written, 2), (older, 1), ({"epochs": 3}, 2)):
        write_json(tmp_path / "config.json", content)
        assert read_settings(tmp_path / "config.json").data_rules == version


def test_what_was_found_in_a_runs_images_does_not_go_with_others(tmp_path):
    write_json(tmp_path / "config.json", to_json(Config(range=(0, 4095), classes=("3", "7"), data_rules=1)))
    same, _ = read_command_line(["--config", str(tmp_path / "config.json"), "--epochs", "3"])
    assert (same.range, same.classes, same.data_rules) == ((0, 4095), ("3", "7"), 1)
    other, _ = read_command_line(["--config", str(tmp_path / "config.json"), "--dataset", "sprites"])
    assert (other.range, other.classes, other.data_rules) == (None, (), 2)
    asked, _ = read_command_line(
        ["--config", str(tmp_path / "config.json"), "--dataset", "sprites", "--range", "-1,1"]
    )
    assert asked.range == (-1, 1)


def test_a_run_keeps_the_range_and_the_classes_that_were_found(tmp_path):
    raw = RANDOM.integers(0, 1001, (60, 8, 8), dtype=np.uint16)
    np.savez(tmp_path / "scan.npz", images=raw, labels=np.array([3, 7])[np.arange(60) % 2])
    config = Config(dataset=str(tmp_path / "scan.npz"), objective="conditional_vae", epochs=1)
    settled = resolve(config, load(config))
    assert (settled.range, settled.classes) == ((float(raw.min()), float(raw.max())), ("3", "7"))
    assert from_json(Config, to_json(settled)) == settled
    assert load(settled).fingerprint == load(config).fingerprint
    np.savez(tmp_path / "other.npz", images=raw, labels=np.full(60, 9))
    other = dataclasses.replace(settled, dataset=Arrays(str(tmp_path / "other.npz")))
    with pytest.raises(UsageError, match=r"the model knows the classes 3, 7: other has 9"):
        load(other)


def test_classes_without_a_training_image_are_not_sampled():
    config = Config(objective="conditional_vae", limit=5)
    with pytest.raises(
        UsageError, match=r"no training images of the classes .* \(raise --limit, which is 5\)"
    ):
        resolve(config, load(config))


def test_model_and_export_know_range_and_names_of_classes():
    model = Autoencoder(
        (4, 4, 1),
        2,
        "conditional_vae",
        network=Convolutional(widths=(2,), dense=0),
        num_classes=2,
        value_range=(0.0, 4095.0),
        label_names=("3", "7"),
    )
    copy = Autoencoder.from_config(model.get_config())
    assert (copy.value_range, copy.label_names) == ((0, 4095), ("3", "7"))
    described = from_json(Description, to_json(Description.of(copy)))
    assert (described.value_range, described.label_names) == ((0, 4095), ("3", "7"))
    older = {
        key: value for key, value in to_json(described).items() if key not in ("value_range", "label_names")
    }
    assert from_json(Description, older).value_range == ()
    np.testing.assert_array_equal(model.sample(2, labels=["7", "3"]), model.sample(2, labels=[1, 0]))
    with pytest.raises(ValueError, match="'9' is unknown: the model knows 3, 7"):
        model.sample(1, labels=["9"])
    with pytest.raises(ValueError, match="label_names has 1 names"):
        Autoencoder.from_config({**model.get_config(), "label_names": ["3"]})

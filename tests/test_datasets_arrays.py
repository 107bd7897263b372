import numpy as np
import pytest

from keras_vae.data import load_dataset
from keras_vae.errors import DatasetError

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)


def refusal(path, **arrays):
    np.savez(path, **arrays)
    with pytest.raises(DatasetError) as error:
        load_dataset(str(path))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_bytes_come_back_as_they_are(tmp_path):
    np.save(tmp_path / "pictures.npy", IMAGES)
    dataset = load_dataset(str(tmp_path / "pictures.npy"))
    assert (dataset.name, dataset.image_shape) == ("pictures", (6, 5, 3))
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [32, 4, 4]
    np.testing.assert_array_equal(dataset.train.images(), IMAGES[dataset.train.indices] / np.float32(255))
    batch = next(iter(dataset.train.batches(32))).numpy()
    np.testing.assert_allclose(batch, dataset.train.images(), atol=1e-7)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_keep_their_precision(tmp_path, dtype):
    images = np.random.default_rng(1).random((12, 4, 4)).astype(dtype)
    np.savez(tmp_path / "f.npz", images=images)
    dataset = load_dataset(str(tmp_path / "f.npz"))
    assert dataset.image_shape == (4, 4, 1)
    np.testing.assert_array_equal(
        dataset.train.images()[..., 0], images[dataset.train.indices].astype(np.float32)
    )


def test_floats_that_are_bytes_take_the_memory_of_bytes(tmp_path):
    np.savez(tmp_path / "f.npz", images=(IMAGES / 255).astype(np.float32))
    assert load_dataset(str(tmp_path / "f.npz")).train.store.images.dtype == np.uint8


def test_bool_is_black_and_white(tmp_path):
    np.savez(tmp_path / "b.npz", x=IMAGES[..., 0] > 127)
    assert set(np.unique(load_dataset(str(tmp_path / "b.npz")).train.images())) == {0.0, 1.0}


def test_train_and_test_of_the_file_are_kept(tmp_path):
    y = np.arange(30)
    np.savez(tmp_path / "m.npz", x_train=IMAGES[:30], y_train=y, x_test=IMAGES[30:], y_test=np.arange(30, 40))
    dataset = load_dataset(str(tmp_path / "m.npz"))
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [27, 3, 10]
    assert sorted(dataset.test.labels) == list(range(30, 40))
    np.testing.assert_array_equal(dataset.train.images(), IMAGES[dataset.train.labels] / np.float32(255))


def test_the_only_array_of_images_is_found_and_names_become_labels(tmp_path):
    names = np.array(["cat", "dog"])[np.arange(40) % 2]
    np.savez(tmp_path / "m.npz", faces=IMAGES, labels=names)
    dataset = load_dataset(str(tmp_path / "m.npz"))
    assert dataset.label_names == ("cat", "dog")
    np.testing.assert_array_equal(dataset.train.labels, dataset.train.indices % 2)


def test_equal_images_are_in_one_split(tmp_path):
    np.save(tmp_path / "d.npy", np.concatenate([IMAGES, IMAGES]))
    dataset = load_dataset(str(tmp_path / "d.npy"))
    assert set(dataset.test.indices % 40).isdisjoint(dataset.train.indices % 40)
    assert len(dataset.test) == 8


def test_fingerprint_changes_with_a_single_value(tmp_path):
    prints = set()
    for step in (0, 0, 1):
        changed = IMAGES.copy()
        changed[3, 2, 1, 0] ^= step
        np.save(tmp_path / "d.npy", changed)
        prints.add(load_dataset(str(tmp_path / "d.npy")).fingerprint)
    assert len(prints) == 2


def test_masks_of_bytes_are_refused_with_the_way_out(tmp_path):
    assert "--range 0,1" in refusal(tmp_path / "bad.npz", images=IMAGES // 128)
    dataset = load_dataset(str(tmp_path / "bad.npz"), range=(0, 1))
    assert set(np.unique(dataset.train.images())) == {0.0, 1.0}


def test_nan_is_counted_and_placed(tmp_path):
    images = np.zeros((5000, 4, 4), np.float32)
    images[3000, 1, 2] = np.nan
    images[4000, 0, 0] = np.inf
    assert "2 values are NaN or infinite, the first at [3000, 1, 2" in refusal(
        tmp_path / "n.npz", images=images
    )


def test_wrong_shapes_are_refused_with_the_shape(tmp_path):
    path = tmp_path / "bad.npz"
    assert "(40, 90)" in refusal(path, images=IMAGES.reshape(40, 90))
    assert "moveaxis" in refusal(path, images=np.moveaxis(IMAGES, -1, 1))
    assert "0 images" in refusal(path, images=IMAGES[:0])
    assert "39 labels for 40 images" in refusal(path, images=IMAGES, labels=np.arange(39))
    assert "faces [40, 6, 5, 3], more" in refusal(path, faces=IMAGES, more=IMAGES)
    assert "different shapes" in refusal(path, x_train=IMAGES, x_test=IMAGES[:, :5])


def test_damaged_files_are_refused_in_one_line(tmp_path):
    whole = tmp_path / "whole.npz"
    np.savez_compressed(whole, images=IMAGES)
    np.save(tmp_path / "whole.npy", IMAGES)
    np.save(tmp_path / "pickled.npy", np.array([{}, 1], object), allow_pickle=True)
    damaged = {
        "cut.npz": whole.read_bytes()[:500],
        "flipped.npz": whole.read_bytes()[:400] + b"\0" * 50 + whole.read_bytes()[450:],
        "cut.npy": (tmp_path / "whole.npy").read_bytes()[:300],
        "text.npy": b"no array",
        "empty.npz": b"",
        "pickled.npy": (tmp_path / "pickled.npy").read_bytes(),
    }
    for name, contents in damaged.items():
        (tmp_path / name).write_bytes(contents)
        with pytest.raises(
            DatasetError, match="Python objects" if name == "pickled.npy" else "damaged"
        ) as error:
            load_dataset(str(tmp_path / name))
        assert name in str(error.value)
    with pytest.raises(DatasetError, match="no such file"):
        load_dataset(str(tmp_path / "absent.npz"))

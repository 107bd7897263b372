import errno
import os
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from keras_vae.data import load_dataset, preparing
from keras_vae.data.sources import tensorflow_datasets
from keras_vae.errors import DatasetError
from keras_vae.runtime.files import locked

MNIST = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"
needs_mnist = pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST's own files are not beside the checkout")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders of their own for what is prepared and cached, so that nothing depends on or changes the user's."""
    root = tmp_path_factory.mktemp("tfds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(root / "prepared"))
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        yield root


@pytest.fixture(scope="module")
def mnist(folders):
    return load_dataset("mnist", data_dir=MNIST, download=False)


@needs_mnist
def test_mnist_is_prepared_from_its_own_files(mnist):
    assert (mnist.name, mnist.image_shape) == ("mnist", (28, 28, 1))
    assert [len(mnist.train), len(mnist.validation), len(mnist.test)] == [55000, 5000, 10000]
    assert mnist.label_names == tuple("0123456789")
    assert np.bincount(mnist.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    total = sum(split.images().sum(dtype=np.float64) for split in (mnist.train, mnist.validation))
    assert abs(total / (60000 * 784) - 0.1306604) < 1e-6  # the mean of MNIST's training images


@needs_mnist
def test_mnist_is_there_at_once_the_second_time(mnist, folders, capfd):
    start = time.monotonic()
    again = load_dataset("mnist", download=False)
    assert time.monotonic() - start < 5
    assert again.fingerprint == mnist.fingerprint
    np.testing.assert_array_equal(again.test.images(0, 50), mnist.test.images(0, 50))
    assert capfd.readouterr() == ("", "")
    assert not list(MNIST.glob("downloads"))


@needs_mnist
def test_a_run_waits_for_another_that_prepares_the_same_set(mnist, folders, tmp_path, monkeypatch):
    prepared = tmp_path / "prepared"
    prepared.mkdir()
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    monkeypatch.setattr(preparing, "_prepare", lambda *arguments: pytest.fail("prepared it once more"))
    begun = threading.Event()

    def other():
        with locked(prepared):
            begun.set()
            time.sleep(0.5)
            shutil.copytree(folders / "prepared" / "mnist", prepared / "mnist")

    thread = threading.Thread(target=other)
    thread.start()
    begun.wait()
    assert load_dataset("mnist", data_dir=MNIST, download=False).fingerprint == mnist.fingerprint
    thread.join()


@needs_mnist
def test_large_sets_are_read_from_disk(mnist, folders, monkeypatch):
    monkeypatch.setattr(tensorflow_datasets, "LARGE", 1000)
    mapped = load_dataset("mnist", image_size=14, channels=3, download=False)
    assert isinstance(mapped.train.store.images, np.memmap)
    assert mapped.image_shape == (14, 14, 3)
    batch = next(iter(mapped.test.batches(100))).numpy()
    np.testing.assert_array_equal(batch, mapped.test.images(0, 100))
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(folders / "cache"))
    assert not list((folders / "cache" / "keras_vae").glob(".writing*"))
    # Halving 28x28 averages neighbours: the mean stays.
    assert abs(mapped.test.images().mean() - mnist.test.images().mean()) < 0.002


def flip(path, place):
    """Flips a bit of the byte at `place`."""
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 4]))


@needs_mnist
def test_a_damaged_record_of_a_prepared_set_is_named(mnist, folders, tmp_path, monkeypatch):
    shutil.copytree(folders / "prepared", tmp_path / "prepared")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (records,) = (tmp_path / "prepared").rglob("mnist-train.tfrecord-*")
    flip(records, 100_000)
    with pytest.raises(
        DatasetError, match=rf"is damaged: {records.name}: .*\(remove it to prepare it again\)"
    ):
        load_dataset("mnist", download=False)
    with open(records, "r+b") as file:
        file.truncate(0)  # as where a copy broke off between two records
    with pytest.raises(
        DatasetError, match="is damaged: Input dataset was expected to contain 60000 elements"
    ):
        load_dataset("mnist", download=False)
    assert not list((tmp_path / "cache").rglob("*.npy"))


@needs_mnist
def test_damaged_images_in_the_cache_are_decoded_anew(mnist, folders, tmp_path, monkeypatch, capsys):
    shutil.copytree(folders / "cache", tmp_path / "cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (images,) = (tmp_path / "cache").glob("keras_vae/mnist-*-28x28x1-*/images.npy")
    good = images.read_bytes()
    flip(images, len(good) - 1000)
    again = load_dataset("mnist", download=False)
    assert (
        f"warning: {images} is damaged: its checksum is wrong; the images will be decoded again"
        in capsys.readouterr().out
    )
    np.testing.assert_array_equal(again.test.images(), mnist.test.images())
    assert images.read_bytes() == good


@needs_mnist
def test_a_full_disk_for_the_cache_is_one_line(mnist, folders, tmp_path, monkeypatch):
    # A file that mapped memory cannot be written back to would kill the process by SIGBUS.
    monkeypatch.setattr(os, "posix_fallocate", no_room)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DatasetError, match=r"cannot be written to \S+: No space left"):
        load_dataset("mnist", download=False)
    assert list((tmp_path / "keras_vae").iterdir()) == []


def no_room(*arguments):
    raise OSError(errno.ENOSPC, "words")


@needs_mnist
def test_files_of_another_dataset_are_refused(folders):
    with pytest.raises(DatasetError, match="checksums differ"):
        load_dataset("fashion_mnist", data_dir=MNIST, download=False)


def test_without_preparation_both_ways_out_are_named(folders):
    with pytest.raises(
        DatasetError, match=r"cifar-10-binary\.tar\.gz .*--data_dir, or run once with a network connection"
    ):
        load_dataset("cifar10", download=False)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mnits", "did you mean mnist"),
        ("digit", "did you mean digits"),
        ("no/such/folder", "no such file or folder"),
        ("pictures.zip", "no such file or folder"),
        ("imdb_reviews", "no uint8 image feature"),
    ],
)
def test_names_that_mean_nothing_are_told_from_a_missing_network(folders, name, words):
    with pytest.raises(DatasetError, match=words) as error:
        load_dataset(name)
    assert "\n" not in str(error.value)


def test_a_host_that_does_not_answer_is_found_out_within_seconds(monkeypatch):
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    start = time.monotonic()
    assert preparing._unreachable_host("https://host.invalid/file") == "host.invalid"
    assert preparing._unreachable_host("http://127.0.0.1:9/file") == "127.0.0.1"
    assert time.monotonic() - start < 8


def test_a_data_dir_that_is_no_folder_is_refused(folders, tmp_path):
    with pytest.raises(DatasetError, match="is not a folder"):
        load_dataset("mnist", data_dir=tmp_path / "absent")


def test_folders_without_write_permission_are_left_alone(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o555)
    assert not preparing.is_writable(tmp_path / "closed")
    assert not preparing.is_writable(tmp_path / "closed" / "below")
    assert preparing.is_writable(tmp_path / "new" / "below")

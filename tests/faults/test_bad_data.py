"""Images and labels that are none, or others than was meant: named and skipped, or refused in one line."""

import io
import os
import resource
import shutil
import struct
import zipfile
import zlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from commands import TINY, rows_of, run_main, run_well
from PIL import Image
from test_conformance import DIGITS, LABELS

from keras_vae.cli import evaluate
from keras_vae.config.codec import read_config
from keras_vae.data import load_dataset
from keras_vae.data.image_files import UnreadableImageError, check_files, decode_with_pillow
from keras_vae.errors import DatasetError
from keras_vae.model.autoencoder import Autoencoder
from keras_vae.training.config import Config

SIDE = 50_000
MEGABYTE = 2**20


def picture(seed=0, size=(8, 8)):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def contents_of(image, kind, **settings):
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def count_of(dataset):
    return len(dataset.train) + len(dataset.validation) + len(dataset.test)


# Files that claim to be huge


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_images():
    """Files of some hundred bytes at most that claim 50,000 x 50,000 pixels, by name."""
    side = struct.pack("<H", SIDE)
    jpeg = bytearray(contents_of(picture(), "JPEG"))
    frame = jpeg.find(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", SIDE, SIDE)
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    canvas = struct.pack("<I", 0) + 2 * struct.pack("<I", SIDE - 1)[:3]
    webp = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + contents_of(picture(), "WEBP")[12:]
    drawing = b"\x00\x00\x00\x00" + 2 * side + b"\x00\x02\x02\x44\x01\x00\x3b"
    return {
        "bomb.jpg": bytes(jpeg),
        "bomb.png": b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(bytes(9))),
        "bomb.bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, SIDE, SIDE, 1, 24, *[0] * 6),
        "bomb.webp": b"RIFF" + struct.pack("<I", len(webp)) + webp,
        "screen.gif": b"GIF89a" + 2 * side + b"\x80\x00\x00" + bytes(6) + b"," + drawing,
        "frame.gif": b"GIF89a\x08\x00\x08\x00\x80\x00\x00" + bytes(6) + b"," + drawing,
    }


def test_images_of_billions_of_pixels_are_named_and_take_no_memory(tmp_path):
    picture().save(tmp_path / "good.png")
    load_dataset(str(tmp_path), image_size=8).train.images()  # TensorFlow has started: it takes memory itself
    bombs = huge_images()
    for name, contents in bombs.items():
        assert len(contents) < 2000
        (tmp_path / name).write_bytes(contents)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    dataset = load_dataset(str(tmp_path), image_size=8)
    dataset.train.images()
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 100 * MEGABYTE
    assert count_of(dataset) == 1
    skipped = dict(entry.split(": ", 1) for entry in dataset.skipped)
    assert set(skipped) == set(bombs)
    assert all(
        "pixels" in reason for name, reason in skipped.items() if name != "bomb.webp"
    )  # WebP has a limit


@pytest.mark.parametrize("shape", [(1, SIDE, SIDE), (10**5, SIDE, SIDE), (2**40, 2**20, 2**20)], ids=str)
@pytest.mark.parametrize("kind", ["npy", "npz"])
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_arrays_that_claim_to_be_huge_are_refused_and_take_no_memory(tmp_path, shape, kind):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    file = tmp_path / f"bomb.{kind}"
    if kind == "npy":
        file.write_bytes(header.getvalue())
    else:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("images.npy", header.getvalue())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DatasetError, match=r"damaged|not enough memory"):
        load_dataset(str(file))
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 100 * MEGABYTE


# Files that are cut, or others than they say


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_a_file_cut_anywhere_is_skipped_or_whole_and_never_half_an_image(tmp_path, kind):
    contents = contents_of(picture(), kind)
    whole = decode_with_pillow(contents, (8, 8), 3)
    reasons = []
    for length in np.unique(np.linspace(0, len(contents) - 1, 40).astype(int)):
        file = tmp_path / "cut"
        file.write_bytes(contents[:length])
        (found,) = check_files([str(file)], (8, 8), 3)
        if isinstance(found, UnreadableImageError):
            reasons.append(str(found))
        else:  # what is missing was behind the last pixel
            np.testing.assert_array_equal(decode_with_pillow(contents[:length], (8, 8), 3), whole)
    assert len(reasons) > 30
    assert all(reason and "\n" not in reason for reason in reasons)


def test_every_mode_and_size_is_shown_as_one_sees_it(tmp_path):
    red, green = (255, 0, 0), (0, 255, 0)
    grey = Image.new("L", (5, 9), 51)
    seen = {"white": (255, 255, 255), "red": red, "green": green, "grey": (51, 51, 51)}
    files = {
        "white-1-bit.png": (Image.new("1", (1, 1), 1), {}),
        "white-palette.gif": (Image.new("P", (3, 300)), {"transparency": 0}),
        "white-alpha.webp": (Image.new("RGBA", (40, 2), (*red, 0)), {"lossless": True}),
        "white-la.png": (Image.new("LA", (7, 7), (9, 0)), {}),
        "grey-16-bit.png": (Image.fromarray(np.full((20, 30), 51 * 257, np.uint16)), {}),
        "grey-la.png": (Image.new("LA", (7, 7), (51, 255)), {}),
        "grey.jpg": (grey, {"quality": 100}),
        "grey.bmp": (grey, {}),
        "red-cmyk.jpg": (Image.new("CMYK", (300, 20), (0, 255, 255, 0)), {"quality": 100}),
        "red-palette.bmp": (Image.new("RGB", (8, 8), red).quantize(), {}),
        "red-first-of-two.gif": (
            Image.new("RGB", (9, 9), red),
            {"append_images": [Image.new("RGB", (9, 9))]},
        ),
        "green-first-of-two.png": (
            Image.new("RGB", (9, 9), green),
            {"append_images": [Image.new("RGB", (9, 9))]},
        ),
        "green-first-of-two.webp": (
            Image.new("RGB", (9, 9), green),
            {"append_images": [Image.new("RGB", (9, 9))], "lossless": True},
        ),
    }
    for name, (image, settings) in files.items():
        if "append_images" in settings:
            settings["save_all"] = True
        image.save(tmp_path / name, **settings)
    for name in files:
        (image,) = load_dataset(str(tmp_path / name), image_size=4, channels=3).train.images()
        expected = np.broadcast_to(np.array(seen[name.split("-")[0].split(".")[0]]) / 255, image.shape)
        np.testing.assert_allclose(image, expected, atol=0.02, err_msg=name)
    dataset = load_dataset(str(tmp_path), image_size=4)
    assert (count_of(dataset), dataset.skipped) == (len(files), ())


def test_what_is_no_image_of_ours_is_named_and_what_is_counts_by_its_content(tmp_path):
    picture(0).save(tmp_path / "really_a_jpeg.png", "JPEG")
    picture(1).save(tmp_path / "really_a_tiff.png", "TIFF")
    (tmp_path / "page.gif").write_text("<html>404</html>")
    (tmp_path / "empty.webp").touch()
    (tmp_path / "folder.jpg").mkdir()
    dataset = load_dataset(str(tmp_path), image_size=8)
    assert count_of(dataset) == 2  # TIFF is read since 16-bit images are
    assert sorted(entry.split(":")[0] for entry in dataset.skipped) == ["empty.webp", "page.gif"]
    shutil.copy(tmp_path / "really_a_jpeg.png", tmp_path / "images.npy")
    with pytest.raises(DatasetError, match="damaged"):
        load_dataset(str(tmp_path / "images.npy"))


# Links, names and folders


def test_links_that_go_round_end_and_are_named(tmp_path):
    root = tmp_path / "images"
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        picture(ord(name)).save(root / name / "x.png")
    (root / "a" / "to_b").symlink_to(root / "b")
    (root / "b" / "to_a").symlink_to(root / "a")
    (root / "self.png").symlink_to("self.png")
    (root / "one.png").symlink_to("two.png")
    (root / "two.png").symlink_to("one.png")
    (root / "round").symlink_to("round")
    dataset = load_dataset(str(root), image_size=8)
    assert count_of(dataset) == 2
    assert [entry.split(":")[0] for entry in dataset.skipped] == ["one.png", "self.png", "two.png"]
    code, out, err = run_main("--dataset", root / "round", "--output", tmp_path / "runs")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no such file or folder" in err


def test_folders_that_cannot_be_looked_into_are_named(tmp_path):
    picture().save(tmp_path / "x.png")
    # Also the superuser has no way into a folder whose path is too long.
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(20):
            os.mkdir("d" * 255, dir_fd=here)
            below = os.open("d" * 255, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)
    dataset = load_dataset(str(tmp_path), image_size=8)
    assert count_of(dataset) == 1
    (entry,) = dataset.skipped
    assert entry.startswith("dddd")
    assert entry.endswith(": File name too long")


@pytest.mark.long
def test_names_that_are_no_utf_8_and_an_empty_class_train_resume_and_are_named(tmp_path):
    root = os.fsencode(tmp_path) + b"/pictures-\xe9"
    for place, name in enumerate((b"caf\xe9", b"plain", b"empty")):
        os.makedirs(root + b"/" + name)
        for number in range(0 if name == b"empty" else 12):
            contents = contents_of(picture(100 * place + number), "PNG")
            with open(root + b"/" + name + b"/\xff%d.png" % number, "wb") as file:
                file.write(contents)
    with open(root + b"/plain/broken\xfe.png", "wb") as file:
        file.write(b"no image")
    arguments = ["--objective", "conditional_vae", "--image_size", 8, "--epochs", 1, *TINY, "--name", "run"]
    out = run_well("--dataset", os.fsdecode(root), *arguments, "--output", tmp_path)
    assert "skipped plain/broken\ufffd.png: " in out
    run = tmp_path / "run"
    assert read_config(Config, run / "config.json").dataset.path == os.fsdecode(root)
    model = keras.saving.load_model(run / "model.keras")
    assert model.num_classes == 2  # no class without images
    run_well("--resume", run, "--epochs", 2)
    assert all(np.isfinite([float(value) for value in row.values()]).all() for row in rows_of(run))


def test_an_output_that_is_no_utf_8_is_refused(tmp_path):
    output = os.fsdecode(os.fsencode(tmp_path) + b"/runs-\xe9")
    code, out, err = run_main("--limit", 10, "--output", output)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "it is not valid UTF-8" in err
    assert list(tmp_path.iterdir()) == []


# Few images


@pytest.mark.long
def test_one_image_is_trained_on_and_not_measured(tmp_path, capsys):
    picture().save(tmp_path / "one.png")
    arguments = ["--image_size", 8, "--epochs", 1, *TINY, "--name", "run"]
    assert "too few images" in run_well("--dataset", tmp_path / "one.png", *arguments, "--output", tmp_path)
    with pytest.raises(SystemExit) as ended:
        evaluate.main([str(tmp_path / "run")])
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (2, 1)
    assert "1 training, 0 validation and 0 test images: at least 6" in said


# Labels


IMAGES = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
HALF = {"x_train": IMAGES[:10], "y_train": np.arange(10) % 2, "x_test": IMAGES[10:]}


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"images": IMAGES, "labels": np.r_[np.nan, np.ones(19)]}, "not whole numbers"),
        ({"images": IMAGES, "labels": np.r_[np.inf, np.ones(19)]}, "not whole numbers"),
        ({"images": IMAGES, "labels": np.r_[0.5, np.ones(19)]}, "not whole numbers"),
        ({"images": IMAGES, "labels": np.r_[-1, np.arange(19) % 2]}, "marks a missing label"),
        ({"images": IMAGES, "labels": np.ones(19, int)}, "19 labels for 20 images"),
        ({"images": IMAGES, "labels": np.array([])}, "0 labels for 20 images"),
        (HALF, "the test images have no labels, but the train images do"),
        ({"images": IMAGES}, "num_classes is 0: a conditional objective needs two classes or more"),
        ({"images": IMAGES, "labels": np.zeros(20, int)}, "num_classes is 1"),
        ({"images": np.where(IMAGES > 250, np.nan, IMAGES / 255)}, "NaN or infinite, the first at"),
        ({"images": np.where(IMAGES > 250, -np.inf, IMAGES / 255)}, "NaN or infinite, the first at"),
    ],
)
def test_arrays_that_are_not_what_they_should_be_end_in_one_line_and_no_run(tmp_path, arrays, said):
    np.savez(tmp_path / "data.npz", **arrays)
    arguments = ["--dataset", tmp_path / "data.npz", "--objective", "conditional_vae", *TINY]
    code, out, err = run_main(*arguments, "--output", tmp_path / "runs")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert not (tmp_path / "runs").exists()


# What a program gives to `fit`


@pytest.fixture(scope="module")
def models():
    """A plain model and a conditional one, which learn eagerly."""
    made = []
    for objective in ("vae", "conditional_vae"):
        network = {"kind": "convolutional", "widths": [4], "dense": 8}
        model = Autoencoder((8, 8, 1), 2, objective, network=network, num_classes=10)
        model.compile("adam", run_eagerly=True)
        made.append(model)
    return made


FEW = DIGITS[:8]
SPOILED = np.where(FEW < 1, FEW, np.nan)


def batches(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0]).batch(4)


def with_an_empty_batch():
    parts = (FEW[:4], FEW[:0], FEW[4:])
    return tf.data.Dataset.from_generator(
        lambda: iter(parts), output_signature=tf.TensorSpec((None, 8, 8, 1), tf.float32)
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda: (255 * FEW,), r"run from 0 to 255: .* \(try images / 255\)"),
        (lambda: ((255 * FEW).astype("int64"),), "run from 0 to 255"),
        (lambda: (tf.constant(255 * FEW),), "run from 0 to 255"),
        (lambda: (2 * FEW - 1,), r"run from -1 to 1: .*\(images \+ 1\) / 2"),
        (lambda: (SPOILED,), r"NaN or infinity, first at \[\d"),
        (lambda: (FEW, 255 * FEW), "run from 0 to 255"),
        (lambda: (SPOILED, FEW), "NaN or infinity"),
        (lambda: (FEW[:0],), r"no images in an array of shape \[0, 8, 8, 1\]"),
        (lambda: (batches(255 * FEW),), r"images of a batch run from 0 to 255: .*\(try images / 255\)"),
        (lambda: (batches((255 * FEW).astype("int32")),), "run from 0 to 255"),
        (lambda: (batches(SPOILED),), "images of a batch run from nan to nan: .*remove or replace"),
        (lambda: (batches(FEW, 255 * FEW),), "run from 0 to 255"),
        (lambda: (batches(FEW).take(0),), "no images in the dataset"),
        (lambda: (with_an_empty_batch(),), "a batch has no images"),
    ],
)
def test_images_that_are_none_are_not_learned_from(models, given, said):
    model = models[0]
    before = model.get_weights()
    with pytest.raises(ValueError, match=said):
        model.fit(*given(), verbose=0)
    if "has no images" not in said:  # which comes after a good one
        assert all(np.array_equal(*pair) for pair in zip(model.get_weights(), before, strict=True))


@pytest.mark.parametrize("held_out", [lambda: (255 * FEW,), lambda: batches(255 * FEW)])
def test_images_that_are_none_are_not_held_out_either(models, held_out):
    with pytest.raises(ValueError, match="run from 0 to 255"):
        models[0].fit(FEW, validation_data=held_out(), verbose=0)


def test_noise_may_lead_beyond_0_and_1_where_the_decoder_is_given_the_images(models):
    for data in ((FEW + 3, FEW), (batches(FEW + 3, FEW),)):
        history = models[0].fit(*data, verbose=0).history
        assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.full(8, np.nan), "not whole numbers"),
        (np.full(8, 0.5), "not whole numbers"),
        (np.full(8, -1), "the labels are -1 to -1: expected 0 to 9"),
        (np.full(8, 10), "the labels are 10 to 10"),
        (None, "give the labels too"),
    ],
)
def test_labels_that_are_none_are_not_learned_from(models, labels, said):
    with pytest.raises(ValueError, match=said):
        models[1].fit(FEW, labels, verbose=0)


def test_labels_go_with_batches_of_a_dataset(models):
    history = models[1].fit(batches(FEW, LABELS[:8]), verbose=0).history
    assert np.isfinite(history["loss"]).all()
    with pytest.raises(ValueError, match="run from 0 to 255"):
        models[1].fit(batches(255 * FEW, LABELS[:8]), verbose=0)

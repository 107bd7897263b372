import itertools
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from keras_vae.data import ImageFolder, load_dataset
from keras_vae.errors import DatasetError
from keras_vae.runtime.lazy import tf


def picture(seed, height=40, width=30):
    """Smooth colours, which JPEG keeps to within a few levels."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 3, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.BICUBIC)


def write(folder, count, extension="jpg", first=0):
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + count):
        picture(seed).save(folder / f"{seed:03d}.{extension}", quality=95)


def only_image(path, **options):
    return load_dataset(str(path), **options).train.images()[0]


@pytest.mark.parametrize("extension", ["jpg", "png", "gif", "bmp", "webp", "JPEG"])
def test_every_format_decodes_to_the_same_picture(tmp_path, extension):
    write(tmp_path, 1, extension)
    expected = np.asarray(picture(0), np.float32) / 255
    assert np.abs(only_image(tmp_path, image_size=(40, 30)) - expected).mean() < 0.03


def test_folders_of_several_sizes_default_to_64x64x3_and_are_named_after_themselves(tmp_path):
    write(tmp_path / "my photos", 9)
    picture(9, 30, 40).save(tmp_path / "my photos" / "009.jpg")
    dataset = load_dataset(str(tmp_path / "my photos"))
    assert (dataset.name, dataset.image_shape) == ("my-photos", (64, 64, 3))
    # 40x30 covers 64x64 at a scale of 64/30: 64 of 85 rows are kept, three quarters.
    assert "30x40 to 40x30 pixels, are scaled to 64x64" in dataset.notes[0]
    assert "cuts off up to 25% of an image" in dataset.notes[0]
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [8, 1, 1]
    batch = next(iter(dataset.train.training_batches(8, seed=0, augment=("flip", "noise"))))
    assert batch.shape == (8, 64, 64, 3)
    assert batch.dtype == tf.float32


def test_formats_sizes_and_channels_can_be_mixed(tmp_path):
    for extension in ("jpg", "png", "gif", "webp"):
        write(tmp_path / extension, 3, extension)
    picture(50, 300, 200).save(tmp_path / "jpg" / "large.jpg")
    picture(51).convert("L").save(tmp_path / "jpg" / "grey.jpg")
    for channels in (1, 3, 4):
        dataset = load_dataset(str(tmp_path), image_size=(20, 20), channels=channels)
        images = dataset.train.images()
        assert images.shape == (len(dataset.train), 20, 20, channels)
        assert dataset.skipped == ()
        np.testing.assert_array_equal(
            np.concatenate(list(dataset.train.batches(4).as_numpy_iterator())), images
        )


def test_aspect_ratio_is_kept_and_the_middle_shown(tmp_path):
    stripes = np.zeros((100, 300, 3), np.uint8)
    stripes[:, 100:200] = 255
    Image.fromarray(stripes).save(tmp_path / "wide.png")
    image = only_image(tmp_path, image_size=(10, 10))
    assert image[:, 1:-1].min() == 1  # the white middle third, but for the antialiased edges


def test_large_jpegs_shrink_to_what_pillow_makes_of_them(tmp_path):
    picture(1, 1600, 1200).save(tmp_path / "a.jpg", quality=95)
    expected = np.asarray(picture(1, 1600, 1200).resize((48, 64), Image.BOX), np.float32) / 255
    assert np.abs(only_image(tmp_path, image_size=(64, 48)) - expected).mean() < 0.01


def save_rgba(path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(path)  # red that cannot be seen


def save_palette(path):
    Image.new("RGB", (8, 8), (10, 200, 30)).quantize().save(path)


def save_16_bits(path):
    Image.fromarray(np.full((8, 8), 51400, np.uint16)).save(path)


def save_cmyk(path):
    Image.new("CMYK", (8, 8), (255, 0, 0, 0)).save(path, "JPEG", quality=100)


def save_turned(path):
    image = Image.new("RGB", (8, 8), (0, 0, 255))
    image.paste((255, 255, 255), (0, 0, 8, 4))  # white above; orientation 3 turns it down
    exif = Image.Exif()
    exif[0x0112] = 3
    image.save(path, "PNG", exif=exif)


@pytest.mark.parametrize(
    ("save", "name", "pixel"),
    [
        (save_rgba, "a.png", (255, 255, 255)),
        (save_palette, "a.png", (10, 200, 30)),
        (save_palette, "a.bmp", (10, 200, 30)),
        (save_16_bits, "a.png", (200, 200, 200)),
        (save_cmyk, "a.jpg", (0, 255, 255)),
        (save_turned, "a.png", (0, 0, 255)),
    ],
)
def test_uncommon_pixels_become_the_colours_one_sees(tmp_path, save, name, pixel):
    save(tmp_path / name)
    np.testing.assert_allclose(only_image(tmp_path, image_size=(8, 8), channels=3)[0, 0] * 255, pixel, atol=3)


def test_content_decides_and_not_the_extension(tmp_path):
    picture(3).save(tmp_path / "png.jpg", "PNG")
    dataset = load_dataset(str(tmp_path), image_size=(40, 30))
    assert dataset.skipped == ()
    np.testing.assert_allclose(dataset.train.images()[0] * 255, np.asarray(picture(3)), atol=1e-4)


def test_unreadable_files_are_named_and_skipped(tmp_path, capfd):
    write(tmp_path, 6)
    whole = (tmp_path / "000.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cut_short.jpg").write_bytes(whole[:-1])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.gif").write_text("not a picture")
    (tmp_path / "notes.txt").write_text("not meant to be one")
    (tmp_path / ".hidden.jpg").write_text("nor this")
    os.symlink(tmp_path / "nowhere", tmp_path / "broken.webp")
    os.mkfifo(tmp_path / "pipe.png")
    Image.new("1", (20000, 20000)).save(tmp_path / "bomb.png")
    dataset = load_dataset(str(tmp_path))
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 6
    reasons = dict(entry.split(": ", 1) for entry in dataset.skipped)
    assert sorted(reasons) == [
        "bomb.png", "broken.webp", "cut.jpg", "cut_short.jpg", "empty.png", "pipe.png", "text.gif",
    ]  # fmt: skip
    assert "truncated" in reasons["cut.jpg"].lower()
    assert "truncated" in reasons["cut_short.jpg"]
    assert "pixels" in reasons["bomb.png"]
    assert "empty" in reasons["empty.png"]
    assert capfd.readouterr().err == ""


def test_folders_without_a_readable_image_are_refused(tmp_path):
    with pytest.raises(
        DatasetError, match=r"no images .* \.jpg, \.jpeg, \.png, \.gif, \.bmp, \.webp, \.tif, \.tiff"
    ):
        load_dataset(str(tmp_path))
    (tmp_path / "a.jpg").write_text("no")
    with pytest.raises(DatasetError, match=r"none of the 1 images can be read; the first is a\.jpg: "):
        load_dataset(str(tmp_path))
    with pytest.raises(DatasetError, match="no such folder"):
        load_dataset(ImageFolder(path=str(tmp_path / "absent")))


def test_one_image_file_can_be_given(tmp_path):
    write(tmp_path, 3)
    dataset = load_dataset(str(tmp_path / "001.jpg"), image_size=(40, 30))
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [1, 0, 0]
    assert np.abs(dataset.train.images()[0] - np.asarray(picture(1)) / 255).mean() < 0.03


def test_links_back_to_a_folder_above_end(tmp_path):
    write(tmp_path / "a", 4)
    os.symlink(tmp_path, tmp_path / "a" / "up")
    dataset = load_dataset(str(tmp_path))
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 4


def test_folders_are_labels_where_all_images_lie_in_one(tmp_path):
    write(tmp_path / "dog" / "small", 10)
    write(tmp_path / "cat", 10, first=10)
    dataset = load_dataset(str(tmp_path))
    assert dataset.label_names == ("cat", "dog")
    assert sorted(np.concatenate([dataset.train.labels, dataset.validation.labels, dataset.test.labels])) == (
        [0] * 10 + [1] * 10
    )
    images, labels = next(iter(dataset.train.batches(16, labels=True)))
    assert images.shape[0] == labels.shape[0] == 16
    write(tmp_path, 1, first=90)
    assert load_dataset(str(tmp_path)).label_names is None


def test_folders_named_like_splits_are_splits(tmp_path):
    for split, count in (("train", 12), ("val", 3), ("test", 4)):
        for label in ("a", "b"):
            write(tmp_path / split / label, count, first=100 * (label == "b") + 20 * len(split))
    dataset = load_dataset(str(tmp_path))
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [24, 6, 8]
    assert dataset.label_names == ("a", "b")
    write(tmp_path, 1, first=300)
    with pytest.raises(DatasetError, match=r"300\.jpg lies outside the folders"):
        load_dataset(str(tmp_path))


def test_copies_of_a_file_are_in_one_split(tmp_path):
    write(tmp_path, 20)
    for seed in range(20):
        shutil.copy(tmp_path / f"{seed:03d}.jpg", tmp_path / f"copy{19 - seed:03d}.jpg")
    dataset = load_dataset(str(tmp_path), image_size=(8, 8))
    parts = [
        {image.tobytes() for image in split.images()}
        for split in (dataset.train, dataset.validation, dataset.test)
    ]
    assert [len(part) for part in parts] == [16, 2, 2]
    assert len(set.union(*parts)) == 20


def test_splits_do_not_depend_on_where_the_folder_is_or_how_it_was_filled(tmp_path):
    write(tmp_path / "one", 20)
    (tmp_path / "two").mkdir()
    for seed in reversed(range(20)):
        shutil.copy(tmp_path / "one" / f"{seed:03d}.jpg", tmp_path / "two")
    one, two = load_dataset(str(tmp_path / "one")), load_dataset(str(tmp_path / "two"))
    np.testing.assert_array_equal(one.test.images(), two.test.images())
    assert one.fingerprint == two.fingerprint
    write(tmp_path / "two", 1, first=50)
    assert load_dataset(str(tmp_path / "two")).fingerprint != one.fingerprint


def test_a_slice_reads_its_own_files_only(tmp_path):
    write(tmp_path, 10)
    dataset = load_dataset(str(tmp_path))
    expected = dataset.train.images()
    for place in range(3, 8):
        os.remove(dataset.train.store._files[dataset.train.indices[place]].path)
    np.testing.assert_array_equal(dataset.train.images(0, 3), expected[:3])


@pytest.mark.parametrize("change", ["cut", "gone"])
def test_a_file_that_changes_later_is_named(tmp_path, change):
    write(tmp_path, 1)
    split = load_dataset(str(tmp_path)).train
    if change == "cut":
        (tmp_path / "000.jpg").write_bytes((tmp_path / "000.jpg").read_bytes()[:-20])
    else:
        (tmp_path / "000.jpg").unlink()
    with pytest.raises(tf.errors.OpError, match=r"000\.jpg"):
        next(iter(split.batches(1)))
    with pytest.raises(DatasetError, match=r"000\.jpg"):
        split.images()


def test_folder_streams_resume_bit_for_bit(tmp_path):
    write(tmp_path, 12)
    split = load_dataset(str(tmp_path), image_size=(16, 16)).train  # 10 images: 3 batches of 4 an epoch
    whole = list(itertools.islice(split.training_batches(4, 0, augment=("crop",)).as_numpy_iterator(), 9))
    late = split.training_batches(4, 0, first_epoch=2, augment=("crop",)).as_numpy_iterator()
    for expected, batch in zip(whole[6:], late):
        np.testing.assert_array_equal(batch, expected)


@pytest.fixture
def pictures(tmp_path):
    """A folder of 30 images, a file that is none, one that is not UTF-8 and a link to nothing; and one for a cache."""
    folder = tmp_path / "pictures"
    write(folder / "a", 20)
    write(folder / "b", 10, "png", first=20)
    (folder / "a" / "none.jpg").write_text("no image")
    (folder / "b" / "lost.png").symlink_to("nowhere")
    shutil.copy(folder / "a" / "000.jpg", os.fsencode(folder / "a") + b"/\xff.jpg")
    return folder, tmp_path / "cache"


def cached(pictures, **options):
    folder, cache = pictures
    return load_dataset(ImageFolder(path=str(folder), cache=str(cache)), image_size=16, **options)


@pytest.mark.long
def test_cached_images_are_the_folders_own_and_no_file_is_read_again(pictures, monkeypatch):
    monkeypatch.setattr("keras_vae.data.packed.SHARD_BYTES", 12 * 16 * 16 * 3)  # three files
    plain = load_dataset(str(pictures[0]), image_size=16)
    first = cached(pictures)
    monkeypatch.setattr("keras_vae.data.sources.folder.check_files", None)
    again = cached(pictures)
    for dataset in (first, again):
        assert (dataset.fingerprint, dataset.skipped) == (plain.fingerprint, plain.skipped)
        assert len(dataset.skipped) == 2
        for name in ("train", "validation", "test"):
            mine, other = getattr(dataset, name), getattr(plain, name)
            np.testing.assert_array_equal(mine.images(), other.images())
            np.testing.assert_array_equal(mine.labels, other.labels)
        both = [next(iter(one.train.training_batches(8, seed=3))) for one in (dataset, plain)]
        np.testing.assert_array_equal(*both)
    assert len(list(pictures[1].glob("*.array_record"))) == 3


def test_a_cache_is_made_anew_where_the_folder_or_the_size_changes(pictures):
    before = cached(pictures)
    picture(99).save(pictures[0] / "a" / "003.jpg")
    changed = cached(pictures)
    assert changed.fingerprint != before.fingerprint
    np.testing.assert_array_equal(
        changed.train.images(), load_dataset(str(pictures[0]), image_size=16).train.images()
    )
    assert cached(pictures, channels=1).image_shape == (16, 16, 1)


def test_a_cache_that_was_not_finished_is_gone_on_with(pictures, monkeypatch):
    monkeypatch.setattr("keras_vae.data.packed.SHARD_BYTES", 12 * 16 * 16 * 3)
    from keras_vae.data.sources import folder

    check, read = folder.check_files, []

    def interrupted(paths, *settings):
        read.extend(paths)
        if any(os.path.basename(path) == "017.jpg" for path in paths):
            raise KeyboardInterrupt
        return check(paths, *settings)

    monkeypatch.setattr(folder, "check_files", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cached(pictures)
    read.clear()
    monkeypatch.setattr(folder, "check_files", lambda *given: (read.extend(given[0]), check(*given))[1])
    cached(pictures)
    names = [os.path.basename(path) for path in read]
    assert "000.jpg" not in names
    assert "017.jpg" in names
    assert not list(pictures[1].glob(".writing-*"))


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:4000] + bytes(1000) + data[5000:], lambda data: data[:4000]]
)
def test_a_damaged_cache_is_said_so(pictures, spoil):
    cached(pictures)
    (file,) = pictures[1].glob("*.array_record")
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(DatasetError, match="cache is damaged"):
        np.concatenate(
            [getattr(cached(pictures), split).images() for split in ("train", "validation", "test")]
        )


def test_a_cache_where_nothing_can_be_written_is_refused(pictures, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="cannot be cached there"):
        cached((pictures[0], tmp_path / "file" / "cache"))

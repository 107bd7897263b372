"""`keras-vae score`: images in, a ranked list out."""

import csv

import numpy as np
import pytest
from PIL import Image

import keras_vae
from keras_vae.cli import parts, score
from keras_vae.data.listed import Listed, Prepared, listed
from keras_vae.data.sources.folder import ImageFolder
from keras_vae.errors import DatasetError, UsageError
from keras_vae.evaluation.anomalies import Threshold, normal_scores, ranked, threshold_for
from keras_vae.training.config import Config

GREY = Prepared((8, 8, 1))


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path, pixels):
    """Three grey images, a copy of the first, one of another size and colour, and a file that is not an image."""
    path = tmp_path / "new"
    (path / "test").mkdir(parents=True)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(path / f"{number}.png")
    Image.fromarray(pixels[0]).save(path / "test" / "copy.png")
    Image.fromarray(np.full((16, 24, 3), (255, 0, 0), np.uint8)).save(path / "red.png")
    (path / "broken.png").write_text("not an image")
    return path


def test_no_file_is_left_out_as_a_copy_or_held_out(folder, pixels):
    found = listed([str(folder)], GREY)
    names = [str(folder / name) for name in ("0.png", "1.png", "2.png", "red.png", "test/copy.png")]
    assert found.names == names
    assert [part.split(": ")[0] for part in found.skipped] == [str(folder / "broken.png")]
    images = np.concatenate([images for _, images in found.chunks(2)])
    np.testing.assert_allclose(images[[0, 1, 2, 4], ..., 0] * 255, pixels[[0, 1, 2, 0]], atol=1e-4)
    np.testing.assert_allclose(images[3] * 255, round(0.299 * 255), atol=1)  # ITU-R 601
    assert any("cuts off up to 33%" in note for note in found.notes)  # 8 of 12 columns are left
    assert any("1 of 5 images have colours" in note for note in found.notes)


def test_arrays_and_single_files_are_listed_in_the_order_of_the_files(tmp_path, folder, pixels):
    np.savez(tmp_path / "two.npz", x_train=pixels[:1], x_test=pixels[1:], y_train=["b"], y_test=["a", "c"])
    np.save(tmp_path / "one.npy", pixels)
    paths = [str(tmp_path / "two.npz"), str(folder / "2.png"), str(tmp_path / "one.npy")]
    found = listed(paths, GREY)
    assert found.names[0] == paths[1]
    assert found.names[1:4] == [f"{paths[0]}, {place}" for place in ("x_train[0]", "x_test[0]", "x_test[1]")]
    assert found.names[4:] == [f"{paths[2]}[{number}]" for number in range(3)]
    images = [images for _, images in found.chunks(100)]
    np.testing.assert_allclose(np.concatenate(images)[..., 0] * 255, pixels[[2, 0, 1, 2, 0, 1, 2]], atol=1e-4)
    assert found.words[1:4] == [("b",), ("a",), ("c",)]


def test_deep_images_get_the_range_of_the_training(tmp_path):
    np.save(tmp_path / "deep.npy", np.full((1, 8, 8), 1000, np.uint16))
    found = listed([tmp_path / "deep.npy"], Prepared((8, 8, 1), found=(0.0, 4000.0)))
    np.testing.assert_allclose(next(found.chunks(1))[1], 0.25)


def test_what_holds_no_image_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="there is no such"):
        listed([tmp_path / "missing"], GREY)
    (tmp_path / "x.png").write_text("")
    with pytest.raises(DatasetError, match="none of the 1 files"):
        listed([tmp_path], GREY)


def test_a_class_is_the_innermost_folder_of_its_name():
    found = Listed(["a/cat/x.png", "cat/dog/old/y.png"], [("a", "cat"), ("cat", "dog", "old")])
    np.testing.assert_array_equal(found.classes(("cat", "dog")), [0, 1])
    with pytest.raises(DatasetError, match=r"a/cat/x\.png: its class is unknown.*dog, frog"):
        found.classes(("dog", "frog"))


def test_a_share_of_the_normal_images_is_above_the_threshold():
    chosen = threshold_for(np.arange(200.0), 0.05)
    assert np.sum(np.arange(200) > chosen.value) == 10
    assert chosen.rate_se == pytest.approx(0.015411, abs=1e-6)  # sqrt(0.05 * 0.95 / 200)
    with pytest.raises(UsageError, match=r"at least 20 are needed .*false_alarms 0\.053"):
        threshold_for(np.arange(19.0), 0.05)
    threshold_for(np.arange(19.0), 0.053)


def test_a_list_is_ordered_by_score_and_a_missing_number_comes_first():
    rows = ranked(["a", "b", "c", "d"], np.array([1.0, 3.0, np.nan, 3.0]), Threshold(2.0))
    assert [(name, alarm) for name, _, alarm in rows] == [("c", 1), ("b", 1), ("d", 1), ("a", 0)]


def test_the_command_ranks_a_folder_and_raises_alarms(folder, tmp_path, capsys):
    out = tmp_path / "list.csv"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "black.png")
    score.main(["digits-8", str(folder), "--false_alarms", "0.1", "--out", str(out)])
    said = capsys.readouterr().out
    with open(out, newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    found = {row["file"]: row for row in rows}
    assert found[str(folder / "0.png")]["score"] == found[str(folder / "test" / "copy.png")]["score"]

    # The score and the threshold by the model's own method.
    model, digits = keras_vae.VAE.from_preset("digits-8"), keras_vae.load_dataset("digits")
    limit = np.quantile(model.score(digits.validation.images()), 0.9)
    black = model.score(np.zeros((1, 8, 8, 1), "float32"))[0]
    assert float(found[str(folder / "black.png")]["score"]) == pytest.approx(float(black), abs=1e-3)
    assert [int(row["alarm"]) for row in rows] == [int(value > limit) for value in scores]
    assert f"threshold {limit:.2f} (10% +- 2.2% of normal images" in said  # sqrt(0.1 * 0.9 / 180)
    assert f"cannot be read: {folder / 'broken.png'}" in said
    assert said.index(rows[0]["file"]) < said.index(rows[1]["file"])


def test_without_the_images_of_the_training_there_is_only_the_ranking(folder, tmp_path, capsys, monkeypatch):
    moved = Config(dataset=ImageFolder(path=str(tmp_path / "moved")))
    monkeypatch.setattr(parts, "training_of", lambda text: (moved, None))
    score.main(["digits-8", str(folder), "--out", str(tmp_path / "list.csv")])
    said = capsys.readouterr().out
    assert "no alarms, only the ranking" in said
    assert "moved" in said
    assert "threshold " not in said.replace("--threshold ", "")
    assert (tmp_path / "list.csv").read_text().splitlines()[1].endswith(",")


def test_a_threshold_is_on_images_that_have_changed_only_with_a_word(monkeypatch):
    model = keras_vae.VAE.from_preset("digits-8")
    scores, notes = normal_scores(model, Config(), "another", 1, 0)
    assert len(scores) == 180
    assert "have changed since" in notes[0]


def test_what_cannot_be_meant_is_refused_in_one_sentence(folder, capsys):
    for words, said in (
        (["digits-8"], "IMAGES"),
        (["digts-8", str(folder)], "did you mean digits-8?"),
        (["digits-8", str(folder), "--false_alarms", "5"], "between 0 and 1"),
        (["digits-8", str(folder), "--false_alarms", "0.1", "--threshold", "3"], "give one of them"),
        (["digits-8", str(folder / "missing")], "there is no such"),
    ):
        with pytest.raises(SystemExit) as exit:
            score.main(words)
        assert exit.value.code == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1

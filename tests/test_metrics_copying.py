"""Copies of training images among samples, counted one by one."""

import numpy as np
import pytest
from scipy.stats import binomtest

from keras_vae.evaluation.metrics.copying import Originals, PixelCopies, decide, judge_copies, share_limits


def textures(count, seed, side=16, channels=1):
    """Smooth random images, no two alike: noise averaged over 3 by 3 pixels."""
    noise = np.random.default_rng(seed).random((count, side + 2, side + 2, channels), "float32")
    parts = [noise[:, i : i + side, j : j + side] for i in range(3) for j in range(3)]
    return np.mean(parts, axis=0)


TRAINING, HELD_OUT = textures(400, 0), textures(200, 1)
ORIGINALS = Originals(TRAINING, HELD_OUT)


def test_unseen_images_are_no_copies_and_it_is_said_what_that_excludes():
    found = ORIGINALS.find(textures(300, 2))
    assert (found.copies, found.count, found.chance) == (False, 0, 0)
    assert found.high == pytest.approx(1 - 0.05 ** (1 / 300))  # one-sided: the rule of three
    assert "fewer than 1.0% of the samples are copies, with 95% confidence" in found.sentence
    assert "a shift of up to 2 pixels" in found.sentence


@pytest.mark.parametrize("copied", [20, 60, 300])
def test_letter_for_letter_copies_among_honest_samples_are_counted(copied):
    samples = np.concatenate([TRAINING[:copied], textures(300 - copied, 3)])
    found = ORIGINALS.find(samples)
    assert found.copies is True
    assert found.count == copied
    assert found.low < copied / 300 <= found.high
    assert f"{copied} of 300 samples are copies" in found.sentence


@pytest.mark.parametrize("move", [(0, 1), (-1, 0), (1, 1), (2, -2)])
def test_copies_that_are_shifted_are_found(move):
    # Rolled: what comes in at the edge is another part of the image, and is left out of the comparison.
    found = ORIGINALS.find(np.roll(TRAINING[:150], move, axis=(1, 2)))
    assert found.copies is True
    assert found.share > 0.9


def test_copies_that_went_through_8_bits_and_a_little_noise_are_found():
    noisy = TRAINING[:150] + 0.01 * np.random.default_rng(4).standard_normal((150, 16, 16, 1))
    assert ORIGINALS.find(np.round(255 * noisy) / 255).copies is True


def test_blurred_images_are_no_copies():
    blurred = sum(np.roll(textures(200, 5), (i, j), axis=(1, 2)) for i in (-1, 0, 1) for j in (-1, 0, 1)) / 9
    assert ORIGINALS.find(blurred).copies is False
    assert ORIGINALS.find(np.repeat(TRAINING.mean(axis=0, keepdims=True), 200, axis=0)).copies is False


def test_grey_images_are_nobodys_copies():
    grey = np.ones((200, 16, 16, 1), "float32") * np.linspace(0, 1, 200).reshape(-1, 1, 1, 1)
    originals = Originals(np.concatenate([TRAINING, grey]), HELD_OUT)
    assert originals.find(grey).count == 0


def test_an_image_that_the_training_set_holds_many_times_is_nobodys_copy():
    originals = Originals(np.concatenate([TRAINING, TRAINING[:20]]), HELD_OUT)
    assert originals.find(np.repeat(TRAINING[:20], 10, axis=0)).count == 0
    assert originals.find(np.repeat(TRAINING[20:40], 10, axis=0)).count == 200


def test_of_few_different_images_copies_cannot_be_told():
    # Bars at one of few places: held-out images are letter for letter in the training set, once each.
    bars = np.zeros((64, 16, 16, 1), "float32")
    for index in range(64):
        bars[index, 2 * (index // 8) : 2 * (index // 8) + 2, 2 * (index % 8)] = 1
    originals = Originals(np.concatenate([TRAINING[:100], bars[:1]]), np.repeat(bars[:1], 30, axis=0))
    found = originals.find(np.repeat(bars[:1], 200, axis=0))
    assert found.chance == 1
    assert found.copies is None
    assert "copies cannot be recognised" in found.sentence


def test_large_images_in_colour_are_compared_in_small():
    training = textures(40, 6, side=36, channels=3)
    originals = Originals(training, textures(40, 7, side=36, channels=3))
    assert originals.images.shape == (40, 18, 18, 3)
    assert originals.find(np.repeat(training[:40], 3, axis=0)).copies is True
    assert originals.find(textures(120, 8, side=36, channels=3)).copies is False


def test_few_images_clear_nobody_but_may_accuse():
    few = ORIGINALS.find(textures(40, 9))
    assert few.copies is None
    assert "40 samples are too few" in few.sentence
    assert ORIGINALS.find(TRAINING[:40]).copies is True


@pytest.mark.parametrize(("count", "number"), [(1, 40), (17, 90), (89, 90)])
def test_limits_of_a_share_are_scipys(count, number):
    exact = binomtest(count, number).proportion_ci(0.95, "exact")
    assert share_limits(count, number) == pytest.approx((exact.low, exact.high))


def test_chance_accuses_in_less_than_one_of_forty():
    generator = np.random.default_rng(0)
    accused = [
        decide(generator.binomial(500, 0.05), 500, generator.binomial(300, 0.05), 300) for _ in range(800)
    ]
    assert np.mean([flag is True for flag in accused]) < 0.025


def pixels(flag, sentence="pixels"):
    return PixelCopies(0, 200, 0.0, 0.0, 0.01, 0.0, 0.01, 0.02, 1, flag, sentence)


@pytest.mark.parametrize(
    ("pixel", "feature", "expected"),
    [
        (True, False, True),
        (False, True, True),
        (None, True, True),
        (False, False, False),
        (False, None, False),
        (None, False, False),
        (None, None, None),
    ],
)
def test_either_may_accuse(pixel, feature, expected):
    flag, sentence = judge_copies(pixels(pixel), feature, "features")
    assert flag is expected
    assert "pixels" in sentence or feature is True


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="1 training and 200 held-out"):
        Originals(TRAINING[:1], HELD_OUT)

"""What the end of a training says of its budget."""

import types

import pytest

from keras_vae.training.advice import advice, still_falling
from keras_vae.training.config import Config


def rows(*losses, rate=5.0):
    return [
        {"epoch": number, "val_loss": loss, "val_distortion": loss - rate, "val_rate": rate}
        for number, loss in enumerate(losses, start=1)
    ]


def lines(history, steps=100, **settings):
    """The advice after `history`, whose last epoch was the best."""
    state = types.SimpleNamespace(rows=history, epoch=len(history), best_epoch=len(history))
    config = Config(epochs=len(history), **settings)
    return advice(types.SimpleNamespace(path="saved_models/run"), config, state, steps)


FLAT = (100.0, 40.0, 30.0, 29.0, 28.9, 28.8, 28.8, 28.7)


def test_a_training_that_has_settled_says_nothing():
    assert lines(rows(*FLAT)) == []


def test_a_rate_of_zero_is_said_with_the_command_that_trains_on():
    said, command = lines(rows(*FLAT, rate=0.02))
    assert said == "The rate is 0.02 nats per image after 800 steps: the decoder hardly uses the code yet."
    assert command.startswith("train on: ")
    assert command.endswith(" --resume saved_models/run --epochs 16")


def test_few_steps_are_said():
    said, _ = lines(rows(*FLAT), steps=10)
    assert said.startswith("80 optimizer steps are few")


def test_a_loss_that_still_falls_is_said():
    said, _ = lines(rows(100, 90, 80, 70, 60, 50, 40, 30))
    # The last two of eight epochs fell from 50 to 30.
    assert said.startswith("val_loss still fell by 20.0 nats in the last quarter of the epochs")


def test_only_one_thing_is_said():
    assert len(lines(rows(100, 90, 80, 70, rate=0.0), steps=1)) == 2


def test_a_run_that_stopped_early_needs_more_patience():
    history = rows(*FLAT, rate=0.0)
    state = types.SimpleNamespace(rows=history, epoch=8, best_epoch=5)
    config = Config(epochs=50, patience=3)
    _, command = advice(types.SimpleNamespace(path="saved_models/run"), config, state, 100)
    assert command.endswith("--resume saved_models/run --patience 6")


@pytest.mark.parametrize(
    ("values", "fall"),
    [([3.0, 2.0, 1.0], None), ([100, 50, 40, 41], None), ([100.0] * 8, None), ([80, 60, 40, 20], 20)],
)
def test_falling_is_a_tenth_of_all_that_was_gained(values, fall):
    assert still_falling(values) == fall

"""Copies of a model that compute in another precision."""

import random
import warnings


def twin_in(precision, model):
    """Returns a model of the same weights that computes by the dtype policy `precision`.

    Building it draws initial weights, so the generator that Keras takes their seeds from is put back: whoever
    needs a twin in the middle of a program changes nothing that the program draws later.
    """
    state = random.getstate()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the model's own advice has been given already
        twin = type(model).from_config({**model.get_config(), "dtype": precision})
    random.setstate(state)
    twin.set_weights(model.get_weights())
    twin.learned_from_noise = model.learned_from_noise
    return twin

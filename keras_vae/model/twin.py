"""Copies of a model that compute in another precision."""

import random
import warnings


def twin_in(precision, model):
    """Returns a model with the same weights that computes in the dtype policy `precision`.

    Building it draws initial weights, so the generator of Keras' seeds is restored afterwards: later draws stay the
    same.
    """
    state = random.getstate()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # already given for the model itself
        twin = type(model).from_config({**model.get_config(), "dtype": precision})
    random.setstate(state)
    twin.set_weights(model.get_weights())
    twin.learned_from_noise = model.learned_from_noise
    return twin

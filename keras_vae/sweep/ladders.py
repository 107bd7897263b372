"""The images of a run's ladder, as its report keeps them."""

from keras_vae.errors import UsageError
from keras_vae.report.pictures import LADDER
from keras_vae.runtime.json_file import read_json


def read_ladder(run):
    """Returns strips of images by rung: real, reconstruction, prior, and best, the best sampler's.

    Returns:
        A dict of dicts with the attributes of an `img`; empty for a report of an earlier version.
    """
    try:
        return read_json(run.report / LADDER)
    except UsageError:
        return {}

"""What it costs to fit a density to codes."""

import time
import warnings

from keras_vae.evaluation.sections.codes import encode_split, number_of_codes
from keras_vae.evaluation.sections.samplers import SAMPLERS


def measure_fitting(subject, dataset, names, size, seed):
    """Returns the seconds of a core that each of the samplers takes to be fitted, their codes being there already."""
    codes = encode_split(
        subject, dataset.train, min(number_of_codes(size), len(dataset.train)), seed
    ).shaped()
    return {name: {"core": core_seconds(SAMPLERS[name](codes.mean.shape[1:]), codes)} for name in names}


def core_seconds(sampler, codes):
    """Returns the seconds of a core that `fit` takes, or None where it cannot."""
    begun = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # fewer components for few codes
            sampler.fit(codes)
    except ValueError:
        return None
    return time.process_time() - begun

"""One signature of an exported decoder, loaded by TensorFlow alone: the median time of a call."""

import argparse

import numpy as np
import tensorflow as tf
from measure import spread
from peers.task import report, timed


def inputs_of(signature, rows):
    """Returns inputs of a signature, `rows` of them: seeds from 0, or codes that are all zero."""
    specs = signature.structured_input_signature[1]
    return {
        name: tf.range(rows, dtype=spec.dtype)
        if spec.dtype == tf.int64
        else tf.zeros((rows, *spec.shape[1:]), spec.dtype)
        for name, spec in specs.items()
    }


def main():
    """Measures and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="of a version, serving/decoder/1")
    parser.add_argument("--signature", default="decode")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=2.0)
    arguments = parser.parse_args()
    loaded = tf.saved_model.load(arguments.folder)
    signature = loaded.signatures[arguments.signature]
    inputs = inputs_of(signature, arguments.rows)
    call = lambda: np.asarray(signature(**inputs)["image"])  # noqa: E731
    call()
    times = []
    while sum(times) < arguments.seconds:
        times.append(timed(call))
    seconds = spread(times).median
    report(images_per_second=arguments.rows / seconds, seconds=seconds, calls=len(times))


if __name__ == "__main__":
    main()

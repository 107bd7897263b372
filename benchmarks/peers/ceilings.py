"""The machine's ceilings: products of large matrices in float32 and in bfloat16, and copying memory on all cores."""

import argparse
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf
from measure import machine
from peers.task import fastest, report

from keras_vae.runtime import devices


def gigaflops(dtype, size, seconds):
    """Returns the rate of products of square matrices of `size`, the best of those that `seconds` have room for."""
    left, right = (tf.cast(tf.random.stateless_normal((size, size), (0, seed)), dtype) for seed in (1, 2))
    multiply = tf.function(tf.matmul)
    return 2 * size**3 / fastest(lambda: multiply(left, right)[0, 0].numpy(), seconds) / 1e9


def copied_gigabytes(size, seconds):
    """Returns the rate, read and written together, at which all cores copy arrays of `size` bytes in all."""
    workers = machine()["cores"]
    pairs = [(np.ones(size // workers, "uint8"), np.zeros(size // workers, "uint8")) for _ in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        best = fastest(lambda: list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), pairs)), seconds)
    return 2 * size / best / 1e9


def main():
    """Measures and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=4096, help="rows and columns of the matrices")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each of the three")
    arguments = parser.parse_args()
    devices.start()
    report(
        float32=gigaflops("float32", arguments.size, arguments.seconds),
        bfloat16=gigaflops("bfloat16", arguments.size, arguments.seconds),
        copy=copied_gigabytes(2**29, arguments.seconds),
    )


if __name__ == "__main__":
    main()

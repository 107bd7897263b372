"""The machine's ceilings: products of matrices in float32 and in bfloat16, and copying memory on all cores."""

import argparse
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf
from measure import machine
from peers.task import fastest, report

from keras_vae.runtime import devices


def gigaflops(dtype, sizes, seconds):
    """Returns the rate of products of square matrices, the best that `seconds` for each of `sizes` have room for.

    No one size is the fastest everywhere: with AVX2 alone, 4096 reached half of what 1024 did.
    """
    multiply = tf.function(tf.matmul)

    def rate(size):
        left, right = (tf.cast(tf.random.stateless_normal((size, size), (0, seed)), dtype) for seed in (1, 2))
        return 2 * size**3 / fastest(lambda: multiply(left, right)[0, 0].numpy(), seconds) / 1e9

    return max(map(rate, sizes))


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
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[1024, 2048, 4096], help="rows and columns of the matrices"
    )
    parser.add_argument("--seconds", type=float, default=1.5, help="for each size and dtype, and for copying")
    arguments = parser.parse_args()
    devices.start()
    report(
        float32=gigaflops("float32", arguments.sizes, arguments.seconds),
        bfloat16=gigaflops("bfloat16", arguments.sizes, arguments.seconds),
        copy=copied_gigabytes(2**29, arguments.seconds),
    )


if __name__ == "__main__":
    main()

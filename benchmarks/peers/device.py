"""The device's ceilings, through Keras' backend: products of large matrices in each precision, and copying its memory."""

import argparse

import keras
from keras import ops
from peers.task import fastest, report


def teraflops(dtype, sizes, seconds):
    """Returns the rate of products of square matrices, the best of `sizes`, `seconds` for each: no one size is the fastest everywhere."""

    def rate(size):
        left, right = (ops.cast(keras.random.normal((size, size), seed=seed), dtype) for seed in (1, 2))
        return 2 * size**3 / fastest(lambda: wait(ops.matmul(left, right)), seconds) / 1e12

    return max(map(rate, sizes))


def gigabytes(size, seconds):
    """Returns the rate, read and written together, at which an array of `size` bytes is negated."""
    values = ops.ones((size // 4096, 1024), "float32")
    return 2 * size / fastest(lambda: wait(ops.negative(values)), seconds) / 1e9


def wait(values):
    """Returns when `values` are there: one of them is read."""
    return float(ops.convert_to_numpy(ops.cast(values[0, 0], "float32")))


def accelerators():
    """Returns the names of the devices that are not CPUs."""
    if keras.backend.backend() == "torch":  # of which Keras does not list the devices
        import torch

        return [f"gpu:{number}" for number in range(torch.cuda.device_count())]
    return [device for device in keras.distribution.list_devices() if not device.lower().startswith("cpu")]


def main():
    """Measures and reports; float16 on a GPU alone, where there is one at hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[1024, 4096, 8192], help="rows and columns of the matrices"
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="for each")
    arguments = parser.parse_args()
    gpus = accelerators()
    dtypes = ("float32", "bfloat16", "float16") if gpus else ("float32", "bfloat16")
    report(
        device=gpus[0] if gpus else "CPU",
        backend=keras.backend.backend(),
        products={dtype: teraflops(dtype, arguments.sizes, arguments.seconds) for dtype in dtypes},
        copy=gigabytes(2**29, arguments.seconds),
    )


if __name__ == "__main__":
    main()

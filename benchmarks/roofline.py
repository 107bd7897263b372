"""How near is a training step to what its device can do? `python benchmarks/roofline.py` prints a table.

A step of `fit`, ten a call, in float32, bfloat16 and, on a GPU, float16: of the two networks of `training.py`, and of a wide
residual one (128, 256, 512 channels, two blocks each) at 64x64 and 128x128. The limit is the longer of its FLOPs at the rate of
large products in that precision, and of the bytes that it has to move (`peers/step.py`) at the rate of copying.

Keras' backend finds the device: TensorFlow, or with `KERAS_BACKEND=jax` JAX, where TensorFlow need not be installed.
"""

from measure import arguments, interleaved, machine, mebibytes, over, peer_command, publish, table

# As in `peers/step.py`, which needs Keras.
NETWORKS = ("keras_io", "pythae", "residual, 64x64", "residual, 128x128")
PRECISIONS = {"float32": "float32", "mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}
HEADER = (
    "network",
    "precision",
    "images/s",
    "ms a step",
    "TFLOP/s",
    "limit, ms",
    "set by",
    "of the limit",
    "peak memory",
)


def row_of(network, precision, repeats, ceilings):
    """Returns the table's row on a network in a precision."""
    flops, moved = (repeats[0][name] for name in ("flops", "bytes"))
    product = max(one["products"][PRECISIONS[precision]] for one in ceilings) * 1e12
    copy = max(one["copy"] for one in ceilings) * 1e9
    limit, cause = max((flops / product, "products"), (moved / copy, "memory"))
    step = over(repeats, "seconds_a_step").median
    return (
        network,
        PRECISIONS[precision],
        over(repeats, "images_per_second").show(),
        f"{1000 * step:,.2f}",
        f"{flops / step / 1e12:,.2f}",
        f"{1000 * limit:,.2f}",
        cause,
        f"{limit / step:.0%}",
        mebibytes(over(repeats, "peak_memory_bytes").median),
    )


def main():
    """Measures, prints tables and writes all repeats."""
    parser = arguments(__doc__, rounds=3, output="build/benchmarks/roofline.json")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--epochs", type=int, default=4, help="measured ones a process")
    parser.add_argument("--calls", type=int, default=5, help="of ten steps, an epoch")
    parser.add_argument("--together", type=int, default=10, help="steps a call")
    asked = parser.parse_args()
    facts = {"machine": machine()}
    facts["ceilings"] = ceilings = interleaved({"ceilings": peer_command("device")}, asked.rounds)["ceilings"]
    flags = ["--epochs", asked.epochs, "--calls", asked.calls, "--together", asked.together]
    points = {
        (network, precision): peer_command("step", "--network", network, "--precision", precision, *flags)
        for network in asked.networks
        for precision, dtype in PRECISIONS.items()
        if dtype in ceilings[0]["products"]
    }
    results = interleaved(points, asked.rounds)
    facts["steps"] = {", ".join(point): repeats for point, repeats in results.items()}
    limits = [
        *((f"{dtype} products", f"{rate:,.2f} TFLOP/s") for dtype, rate in ceilings[0]["products"].items()),
        ("copying, read and written", f"{ceilings[0]['copy']:,.0f} GB/s"),
    ]
    device = f"{ceilings[0]['device']}, {ceilings[0]['backend']}"
    rows = [row_of(*point, repeats, ceilings) for point, repeats in results.items()]
    publish(asked.output, facts, table(HEADER, rows), table((f"ceiling of {device}", "measured"), limits))


if __name__ == "__main__":
    main()

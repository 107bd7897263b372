"""What oneDNN gains on this CPU: `python benchmarks/onednn.py` prints a table.

The default network trains with TensorFlow's own operations and with oneDNN's, in turn, each time in a process of its own.
TensorFlow chooses oneDNN by itself only on CPUs with AVX-512 or newer; train.py chooses it on all of x86
(`keras_vae.runtime.devices.choose_onednn`).
"""

from measure import arguments, interleaved, machine, over, peer_command, publish, ratios, table, with_onednn

POINTS = {
    "28x28x1, latent 16": ["--size", 28],
    "28x28x1, latent 8x8x1024": ["--size", 28, "--latent", "8x8x1024"],
    "64x64x1, latent 16": ["--size", 64],
}
WITHOUT, WITH = "0", "1"


def main():
    """Measures and prints."""
    asked = arguments(__doc__, 3, "build/benchmarks/onednn.json").parse_args()
    facts = {"machine": machine()}
    results = interleaved(
        {
            f"{name}, oneDNN {value}": with_onednn(peer_command("size", *flags), value)
            for name, flags in POINTS.items()
            for value in (WITHOUT, WITH)
        },
        asked.rounds,
    )
    rows = []
    for name in POINTS:
        without, found = (results[f"{name}, oneDNN {value}"] for value in (WITHOUT, WITH))
        rows.append(
            (
                name,
                over(without, "images_per_second").show(),
                over(found, "images_per_second").show(),
                ratios(found, without, "images_per_second").show(".2f"),
            )
        )
    publish(
        asked.output, facts | results, table(("network", "TensorFlow's, images/s", "oneDNN's", "ratio"), rows)
    )


if __name__ == "__main__":
    main()

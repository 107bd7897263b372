"""Ranks images by how unusual they are: `keras-vae score saved_models/NAME new_images`."""

from dataclasses import dataclass, replace

import numpy as np

from keras_vae.cli.parts import FilesOptions, add_arguments, begin, computed, say_each
from keras_vae.cli.sample import presets_line
from keras_vae.config.codec import option
from keras_vae.config.flags import command, parse
from keras_vae.errors import DatasetError, UsageError
from keras_vae.parallel.sharding import write_arrays
from keras_vae.runtime import devices

SHOWN = 10  # images of the highest score that are printed
DESCRIPTION = (
    "Ranks images by how unusual they are for a preset or a run that was trained on normal images, and writes the list"
    " as a CSV file."
)
EXAMPLES = """\
examples:
  keras-vae score saved_models/NAME new_images                          a folder; alarms at 5% false alarms
  keras-vae score saved_models/NAME new_images --false_alarms 0.01      fewer alarms
  keras-vae score saved_models/NAME a.png b.png new.npz --out new.csv
  keras-vae score saved_models/NAME images --scheduler tcp://HOST:8786  in parts, by a Dask cluster
"""
CAUTION = (
    "An unusual image may have a low score, above all among photographs: try it on examples of your own"
    " (docs/guides/anomaly_detection.md)."
)


@dataclass(frozen=True)
class Ranking(FilesOptions):
    """The list to write."""

    false_alarms: float = option(
        0.05,
        "share of normal images that may raise an alarm: sets the threshold by the run's validation images",
    )
    threshold: float | None = option(None, "score above which an image raises an alarm, chosen by yourself")
    num_samples: int = option(
        16, "codes per image: with more, scores are less noisy and take longer", metavar="N"
    )
    seed: int = option(0, "random seed of the codes")
    data_dir: str | None = option(None, "folder of the run's prepared data, if it has moved")
    out: str = option("scores.csv", "path of the CSV file")

    def __post_init__(self):
        super().__post_init__()
        if not 0 < self.false_alarms < 1:
            raise ValueError(f"false_alarms is {self.false_alarms}: it must be between 0 and 1, such as 0.05")
        if self.num_samples < 1:
            raise ValueError(f"num_samples is {self.num_samples}: it must be 1 or more")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}: it must be 0 or more")


@command("keras-vae score", bad_input=(DatasetError,))
def main(argv=None):
    """Runs the command; exits with 2 if the input is bad."""
    parsed = parse(
        Ranking,
        argv,
        prog="keras-vae score",
        description=DESCRIPTION,
        epilog=f"{EXAMPLES}\n{presets_line()}",
        extra=add_arguments,
        short=("false_alarms", "threshold", "data_dir", "out"),
    )
    asked = parsed.config
    if {"threshold", "false_alarms"} <= parsed.given:
        raise UsageError(
            "--threshold is the score itself, which --false_alarms would choose: give one of them"
        )
    model, config, fingerprint, images = begin(parsed)
    from keras_vae.evaluation import anomalies

    labels = images.labels_for(model)

    def scores(pixels, rows):
        own = None if labels is None else labels[rows]
        return {"score": anomalies.scored(model, pixels, own, asked.num_samples, asked.seed)}

    parts = computed("score", parsed, images, scores, "Scoring")
    if asked.part:
        write_arrays(asked.out, images.names[asked.rows(images.names)], parts)
        return
    scores = np.concatenate([part["score"] for part in parts])
    threshold = chosen_threshold(asked, model, config, fingerprint)
    rows = anomalies.ranked(images.names, scores, threshold)
    anomalies.write_scores(asked.out, rows)
    devices.say(*summary(asked.out, rows, threshold))


def chosen_threshold(asked, model, config, fingerprint):
    """Returns the `Threshold`, or None, with a printed line, without validation images to choose it on."""
    from keras_vae.evaluation import anomalies

    if asked.threshold is not None:
        return anomalies.Threshold(asked.threshold)
    try:
        if config is None:
            raise UsageError("the preset does not say which images it was trained on")
        config = config if asked.data_dir is None else replace(config, data_dir=asked.data_dir)
        normal, notes = anomalies.normal_scores(model, config, fingerprint, asked.num_samples, asked.seed)
        say_each("note", notes)
        return anomalies.threshold_for(normal, asked.false_alarms)
    except (DatasetError, UsageError) as error:
        devices.say(f"no alarms, only the ranking: {error}; --threshold SCORE sets the score of an alarm")
        return None


def summary(out, rows, threshold):
    """Returns the printed lines: the highest scores, and what the threshold means."""
    marks = {1: "ALARM", 0: "", "": ""}
    lines = ["highest scores (nats):"]
    lines += [f"{score:>12.2f}  {marks[alarm]:<5}  {name}".rstrip() for name, score, alarm in rows[:SHOWN]]
    if threshold is not None:
        alarms = sum(alarm for *_, alarm in rows)
        lines.append(
            f"threshold {threshold.value:.2f}{meaning(threshold)}: {alarms:,} of {len(rows):,} images are above"
        )
    return [*lines, f"{out}: {len(rows):,} images, the most unusual first", CAUTION]


def meaning(threshold):
    """Returns in brackets what share of normal images exceeds the threshold, or "" if the user chose it."""
    if threshold.rate is None:
        return ""
    return (
        f" ({100 * threshold.rate:.3g}% +- {100 * threshold.rate_se:.2g}% of normal images are above it, by"
        f" {threshold.count:,} validation images)"
    )

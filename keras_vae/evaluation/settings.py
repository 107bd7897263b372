"""The settings of an evaluation, which are also the flags of `evaluate.py`."""

import os
from dataclasses import dataclass
from typing import Literal

from keras_vae.config.codec import did_you_mean, option
from keras_vae.errors import UsageError
from keras_vae.evaluation.features import Kind
from keras_vae.evaluation.ranges import DECODER_RANGES, ENCODER_RANGES, check_range
from keras_vae.model.likelihoods import LIKELIHOODS, Automatic
from keras_vae.samplers import FITTED
from keras_vae.training.config import DataSettings


@dataclass(frozen=True)
class Evaluation(DataSettings):
    """The settings of an evaluation and, for a model in files, the description of the model and its dataset."""

    seed: int = option(
        0,
        "random seed; the same seed gives the same report, except for flow_matching, whose training is limited by time",
    )
    features: Kind = option("auto", "features for comparing images; auto: a classifier if there are labels")
    extended: bool = option(False, "also take the measurements that need several minutes")
    nll_samples: int = option(
        0, "importance samples per image for the likelihood; 0: not measured", metavar="N"
    )
    samplers: tuple[str, ...] = option(
        (),
        f"densities to fit to the codes ({', '.join(FITTED)}); gaussian,mixture,flow_matching by default, pixel_cnn for a"
        " codebook",
    )
    repair: bool = option(True, "export a decoder that samples from the best fitted sampler")
    repair_minutes: float = option(
        1.0,
        "time limit for training flow_matching; training ends earlier if held-out codes stop improving, and continues"
        " if the run is evaluated again; 0: the quick samplers only",
        metavar="MINUTES",
    )
    output: str = option("saved_models", "folder of the runs, and of the reports on models in files")

    encoder: str | None = option(
        None, "encoder: a SavedModel's folder or a .keras file, images to mean and log-variance"
    )
    decoder: str | None = option(None, "decoder: a SavedModel's folder or a .keras file, codes to images")
    encoder_outputs: tuple[str, ...] = option(
        (), "names of the encoder's outputs for mean and spread, if they cannot be recognised"
    )
    spread: Literal["auto", "log_var", "log_std", "std", "variance"] = option(
        "auto", "meaning of the encoder's second output; auto: from its name, else log_var"
    )
    encoder_range: str = option(
        "auto",
        f"value range of images that the encoder expects: {', '.join(ENCODER_RANGES)} or LOW,HIGH; auto: detected",
        metavar="RANGE",
    )
    decoder_range: str = option(
        "auto",
        f"value range of the decoder's output: {', '.join(DECODER_RANGES)} or LOW,HIGH; auto: detected",
        metavar="RANGE",
    )
    likelihood: object = option(
        Automatic(), "meaning of the decoder's output", choices={"auto": Automatic, **LIKELIHOODS}
    )

    def __post_init__(self):
        super().__post_init__()
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed is {self.seed}: it must be from 0 to {2**32 - 1}")
        if not 0 <= self.repair_minutes < float("inf"):
            raise ValueError(
                f"repair_minutes is {self.repair_minutes}: it must be 0 or more (0: the quick samplers only)"
            )
        if "flow_matching" in self.samplers and not self.repair_minutes:
            raise ValueError(
                "samplers has flow_matching, but repair_minutes is 0: give it time to train, such as 1"
            )
        if self.nll_samples < 0:
            raise ValueError(f"nll_samples is {self.nll_samples}: it must be 0 or more")
        for name in self.samplers:
            if name not in FITTED:
                raise ValueError(
                    f"samplers has {name!r}: expected some of {', '.join(FITTED)}{did_you_mean(name, FITTED)}"
                )
        if len(self.encoder_outputs) not in (0, 2):
            raise ValueError("encoder_outputs must name two outputs: --encoder_outputs MEAN,SPREAD")
        for field, known in (("encoder_range", ENCODER_RANGES), ("decoder_range", DECODER_RANGES)):
            object.__setattr__(self, field, check_range(getattr(self, field), known, field))
        if bool(self.encoder) != bool(self.decoder):
            raise ValueError("a model in files needs both --encoder PATH and --decoder PATH")


def check_model_file(path):
    """Raises a UsageError if there is nothing at the `path` of an encoder or decoder."""
    if not os.path.exists(path):
        raise UsageError(f"{path} does not exist: expected a SavedModel's folder or a .keras file")

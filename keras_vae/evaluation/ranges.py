"""The value ranges of the input and output images of a model of another library: set by a flag, or detected.

Images of keras_vae are in [0, 1]. Another model's encoder may expect [-1, 1] or bytes, and its decoder may return
logits. A wrong range makes a good model look bad, so every range is tried on some training images. A good model's
reconstructions are closer to the images than the mean image is, and clearly the closest in the right range.
"""

import dataclasses
import itertools
import math
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from keras_vae.config.codec import did_you_mean
from keras_vae.errors import UsageError
from keras_vae.runtime.devices import say

AUTO, USUAL = "auto", "probabilities"
# (scale, offset, description): images in [0, 1] are multiplied by the scale and shifted by the offset.
AFFINE = {
    USUAL: (1.0, 0.0, "images from 0 to 1"),
    "symmetric": (2.0, -1.0, "images from -1 to 1"),
    "centered": (1.0, -0.5, "images from -0.5 to 0.5"),
    "bytes": (255.0, 0.0, "images from 0 to 255"),
}
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MEASURED = {  # ranges with a mean and a standard deviation for each channel
    "standardized": "images standardized by the training images' mean and deviation in each channel",
    "imagenet": "images standardized by ImageNet's mean and deviation in each channel",
}
ENCODER_RANGES = (*AFFINE, *MEASURED)
DECODER_RANGES = (*AFFINE, "logits", *MEASURED)

OUTSIDE = 0.5  # tolerated distance from [0, 1] of a decoder without a final activation; logits exceed it
# Ranges are tried on TRIED training images; on fewer, but at least FEWEST, if these exceed TRIED_PIXELS.
TRIED, TRIED_PIXELS, FEWEST = 200, 2**24, 16
STATISTICS = 1000  # training images at most for the mean and deviation of the range "standardized"
AT_ONCE = 50  # batch size
CLEARLY = 0.8  # another range replaces the usual one only below this multiple of its error or mismatch
ALMOST = 1.25  # ranges reconstruct equally well up to this multiple of the lowest error
LEAST_ERROR = 1e-4  # share of the variance that is due to the rounding of float32 and 8 bits
AS_THE_MEAN = 1.05  # share of the variance; a decoder that ignores its code has an error of 1
ALIKE = 0.01  # share of the images' variance: reconstructions that vary less do not depend on the image
POINT = -80.0  # a log-variance below which a code has no noise


@dataclasses.dataclass(frozen=True)
class Range:
    """A value range.

    Attributes:
        name: A key of the ranges, or "LOW,HIGH".
        words: A description of the range.
        scale, offset: The map from [0, 1] to the range, one number or one for each channel; None for logits.
    """

    name: str
    words: str
    scale: object = None
    offset: object = None

    def expected(self, images):
        """Converts `images` from [0, 1] to this range."""
        if self.name == USUAL:
            return images
        return (images * np.asarray(self.scale, "float32") + np.asarray(self.offset, "float32")).astype(
            "float32"
        )

    def images(self, decoded):
        """Converts a decoder's output from this range to images in [0, 1], without clipping."""
        if self.name == USUAL:
            return decoded
        if self.scale is None:
            return 0.5 + 0.5 * np.tanh(0.5 * decoded)
        return (decoded - np.asarray(self.offset, "float32")) / np.asarray(self.scale, "float32")


def check_range(name, known, field):
    """Returns `name` in stored form: one of `known`, "auto", or "LOW,HIGH" from a string or two numbers.

    Raises:
        ValueError: The name is not a range.
    """
    if isinstance(name, (tuple, list)):
        name = ",".join(f"{float(value):g}" for value in name)
    if name == AUTO or name in known:
        return name
    low, high = numbers_of(name)
    if low is None or not low < high:
        raise ValueError(
            f"{field} is {name!r}: expected auto, {', '.join(known)}, or two numbers LOW,HIGH with LOW below HIGH"
            f"{did_you_mean(str(name), known)}"
        )
    return f"{low:g},{high:g}"


def numbers_of(name):
    """Returns the two finite numbers of "LOW,HIGH", or (None, None)."""
    try:
        low, high = map(float, str(name).split(","))
    except ValueError:
        return None, None
    return (low, high) if math.isfinite(low) and math.isfinite(high) else (None, None)


def range_named(name, images=None):
    """Returns the `Range` called `name`; `images`, in [0, 1], define "standardized"."""
    if name in AFFINE:
        scale, offset, words = AFFINE[name]
        return Range(name, words, scale, offset)
    if name == "logits":
        return Range(name, "logits")
    if name not in MEASURED:
        low, high = numbers_of(name)
        return Range(name, f"images from {low:g} to {high:g}", high - low, low)
    if images is None:
        raise UsageError(f"the range {name} depends on a dataset: evaluate the model on one")
    if name == "imagenet":
        if images.shape[-1] != 3:
            raise UsageError(
                f"the range imagenet needs images with 3 channels, and these have {images.shape[-1]} (try standardized)"
            )
        mean, deviation = np.array(IMAGENET_MEAN), np.array(IMAGENET_STD)
    else:
        mean, deviation = images.mean((0, 1, 2), "float64"), images.std((0, 1, 2), "float64")
        deviation = np.where(deviation > 1e-6, deviation, 1)
    return Range(name, MEASURED[name], 1 / deviation, -mean / deviation)


class Tried(NamedTuple):
    """The result of trying a pair of ranges on some training images.

    Attributes:
        unexplained: The squared error of the reconstructions, as a share of that of the mean image.
        mismatch: The KL divergence from N(0, 1) of a Gaussian with the codes' mean and variance, summed over
            dimensions, in nats; None for codes without noise.
        varied: The variance of the reconstructions across images, as a share of that of the images.
    """

    unexplained: float
    mismatch: float | None
    varied: float


@dataclasses.dataclass(frozen=True)
class Ranges:
    """The functions of a model of another library and their value ranges.

    Attributes:
        encode: Images in the encoder's range -> (mean, log_var).
        decode: Codes -> images in the decoder's range, possibly flat.
        density: (images, decoded images) -> log p(x|z), `[n]`, or None.
        encoder, decoder: Names of ranges, "auto", or "LOW,HIGH".
        clip: Whether decoded images are clipped to [0, 1].
        strict: Whether a decoder's output far outside [0, 1] raises an error if the range is the usual one.
        image_shape: The shape to which flat decoded images are reshaped; None: unchanged.
    """

    encode: Callable
    decode: Callable
    density: Callable | None
    encoder: str = AUTO
    decoder: str = AUTO
    clip: bool = False
    strict: bool = False
    image_shape: tuple | None = None

    def functions(self, encoder=None, decoder=None, strict=None):
        """Returns the functions of a `Subject` for the `Range`s `encoder` and `decoder`, a dict.

        None: the requested range, or the usual one for "auto".
        """
        strict = self.strict if strict is None else strict

        def encode(images, *labels):
            taken = encoder or range_named(USUAL if self.encoder == AUTO else self.encoder)
            return self.encode(taken.expected(images), *labels)

        def decode(codes, *labels):
            given = decoder or range_named(USUAL if self.decoder == AUTO else self.decoder)
            decoded = shaped(self.decode(codes, *labels), self.image_shape)
            if strict and given.name == USUAL:
                check_inside(decoded)
            images = given.images(decoded)
            return np.clip(images, 0, 1) if self.clip else images

        def log_prob(images, codes, *labels):
            return self.density(images, decode(codes, *labels))

        return {"encode": encode, "decode": decode, "log_prob": self.density and log_prob}

    def found(self, dataset, observe, conditional=False):
        """Returns the fields of a `Subject` for the ranges that fit the training images, a dict.

        Args:
            dataset: A `Dataset`.
            observe: (images, seed) -> the images as in training.
            conditional: Whether the functions also take labels.

        Raises:
            UsageError: A requested range does not fit the images.
        """
        count = int(np.clip(TRIED_PIXELS // math.prod(dataset.image_shape), FEWEST, TRIED))
        known = dataset.train.images(0, max(count, min(STATISTICS, 4 * count)))
        images = known[:count]
        labels = (np.asarray(dataset.train.labels[: len(images)]),) if conditional else ()
        given = dataclasses.replace(self, image_shape=self.image_shape or tuple(dataset.image_shape))
        asked = [
            [range_named(name, known) for name in self.candidates(side, known)]
            for side in ("encoder", "decoder")
        ]
        every = [
            [range_named(name, known) for name in self.candidates(side, known, True)]
            for side in ("encoder", "decoder")
        ]
        tried = given.attempts(*asked, images, observe(images, 0), labels)
        pair, usual = best_pair(tried), next(iter(tried))
        if not math.isfinite(tried[pair].unexplained):  # the later checks say what is wrong
            return {**given.functions(*by_name(asked, usual)), "notes": (), "ranges": None}
        others = {}
        if (self.encoder, self.decoder) != (AUTO, AUTO):
            others = given.attempts(*every, images, observe(images, 0), labels)
        notes = notes_on(pair, usual, tried, others, len(images), dict(words_of(every)))
        for note in notes:
            say(note)
        outcome = tried[pair]
        return {
            **given.functions(*by_name(asked, pair), strict=self.strict and self.decoder != AUTO),
            "notes": tuple(notes),
            "ranges": {
                "encoder": pair[0],
                "decoder": pair[1],
                "unexplained": outcome.unexplained,
                "fits": fits(outcome),
            },
        }

    def candidates(self, side, images, every=False):
        """Returns the names of the ranges to try for the "encoder" or the "decoder", the usual one first."""
        asked = getattr(self, side)
        if asked != AUTO and not every:
            return [asked]
        names = ENCODER_RANGES if side == "encoder" else DECODER_RANGES
        own = [] if asked == AUTO else [asked]
        return list(dict.fromkeys(own + [n for n in names if n != "imagenet" or images.shape[-1] == 3]))

    def attempts(self, encoders, decoders, images, observed, labels):
        """Returns `Tried` of every pair of the `Range`s, a dict by their names."""
        tried = {}
        for encoder in encoders:
            try:
                with np.errstate(all="ignore"):
                    mean, log_var, decoded = self.passed(encoder.expected(observed), labels)
            except UsageError:
                raise
            except Exception:  # any exception means that the model does not accept this range
                mean = log_var = decoded = None
            for decoder in decoders:
                tried[encoder.name, decoder.name] = compare(images, mean, log_var, decoded, decoder)
        return tried

    def passed(self, images, labels):
        """Returns mean, log-variance and decoded means of `images`, computed in batches."""
        parts = []
        for start in range(0, len(images), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            given_labels = [values[rows] for values in labels]
            mean, log_var = self.encode(images[rows], *given_labels)
            parts.append((mean, log_var, shaped(self.decode(mean, *given_labels), self.image_shape)))
        return [np.concatenate(arrays) for arrays in zip(*parts)]


def shaped(decoded, image_shape):
    """Returns flat decoded images in `image_shape`, if the sizes are equal."""
    if image_shape is None or decoded[0].size != math.prod(image_shape):
        return decoded
    return decoded.reshape(len(decoded), *image_shape)


def check_inside(decoded):
    """Raises a UsageError if a decoder's output cannot be images in [0, 1]."""
    if not -OUTSIDE <= decoded.min() <= decoded.max() <= 1 + OUTSIDE:
        raise UsageError(
            f"the decoder returns values from {decoded.min():.3g} to {decoded.max():.3g}: expected images in 0 to 1"
            " (try --decoder_range logits or symmetric)"
        )


def compare(images, mean, log_var, decoded, decoder):
    """Returns `Tried` of reconstructions in the `Range` decoder."""
    if decoded is None or decoded.shape != images.shape or np.shape(mean) != np.shape(log_var):
        return Tried(math.inf, None, 0.0)
    with np.errstate(all="ignore"):
        shown = np.clip(decoder.images(decoded.astype("float64")), 0, 1)
        variance = max(float(np.square(images - images.mean(0)).mean()), 1e-12)
        unexplained = float(np.square(images - shown).mean()) / variance
        varied = float(np.square(shown - shown.mean(0)).mean()) / variance
        mismatch = mismatch_of(mean, log_var)
    return Tried(unexplained if math.isfinite(unexplained) else math.inf, mismatch, varied)


def mismatch_of(mean, log_var):
    """Returns the sum over dimensions of KL(N(m, v) || N(0, 1)), m and v a dimension's mean and variance, in nats.

    None for codes without noise, which need not follow N(0, I).
    """
    if not (log_var > POINT).any():
        return None
    variance = mean.var(0, dtype="float64") + np.exp(log_var.astype("float64")).mean(0)
    variance = np.maximum(variance, 1e-12)
    return float(0.5 * (variance + np.square(mean.mean(0, "float64")) - 1 - np.log(variance)).sum())


def best_pair(tried):
    """Returns the pair of names to use: the usual one, which is the first, unless another is clearly better.

    A pair is better if its reconstructions are closer to the images. Among pairs that reconstruct equally well, the one
    whose codes are closest to the prior is better, because a wrong range moves codes away from it.
    """
    usual = next(iter(tried))
    best = min(tried, key=lambda pair: tried[pair].unexplained)
    least = max(tried[best].unexplained, LEAST_ERROR)
    if least < CLEARLY * tried[usual].unexplained:
        usual = best
    close = [pair for pair, outcome in tried.items() if outcome.unexplained <= ALMOST * least]
    missed = {pair: tried[pair].mismatch for pair in close if tried[pair].mismatch is not None}
    if least < CLEARLY and usual in missed:
        nearest = min(missed, key=missed.get)
        # The difference must exceed 1 nat, because uninformative codes tell nothing.
        if missed[nearest] < CLEARLY * missed[usual] - 1:
            return nearest
    return usual


def fits(outcome):
    """Returns whether reconstructions vary and are no worse than the mean image."""
    return outcome.unexplained <= AS_THE_MEAN or outcome.varied < ALIKE


def by_name(ranges, pair):
    """Returns the two `Range`s with the names `pair`."""
    return [next(r for r in some if r.name == name) for some, name in zip(ranges, pair)]


def words_of(ranges):
    """Yields the name and the words of each of the `ranges`."""
    for known in itertools.chain(*ranges):
        yield known.name, known.words


def notes_on(pair, usual, tried, others, count, words):
    """Returns sentences for the report about the choice, a list.

    Args:
        pair, usual: The chosen pair of names, and the usual one.
        tried: `Tried` by pair.
        others: `Tried` of all pairs; empty if only `tried` was measured.
        count: Number of training images.
        words: The words of each range by its name.
    """
    left = tried[pair].unexplained
    better = min(others, key=lambda one: others[one].unexplained, default=pair)
    if others and others[better].unexplained < min(CLEARLY * left, 1):
        return [
            f"{flags(pair)} leaves {share(left)} of the variance of {count} training images unexplained, and"
            f" {flags(better)} leaves {share(others[better].unexplained)}: use the latter unless you know better."
        ]
    if pair != usual and fits(tried[pair]):
        return [
            f"The encoder gets {words[pair[0]]} and the decoder's output is read as {words[pair[1]]} ({flags(pair)}):"
            f" this leaves {share(left)} of the variance of {count} training images unexplained, and"
            f" {flags(usual)} leaves {share(tried[usual].unexplained)}{misses(tried, pair, usual)}."
        ]
    if fits(tried[pair]):
        return []
    return [
        f"Reconstructions of {count} training images are worse than the mean image in every value range that was tried"
        f" ({flags(pair)} leaves {share(left)} of the variance unexplained): the model expects another range"
        " (--encoder_range LOW,HIGH --decoder_range LOW,HIGH), was trained on other images, or is untrained."
    ]


def flags(pair):
    """Returns the flags that select the pair of ranges."""
    return f"--encoder_range {pair[0]} --decoder_range {pair[1]}"


def share(value):
    """Returns a share as a rounded percentage."""
    return "more than 1,000%" if value > 10 else re.sub(r"^0%$", "less than 1%", f"{100 * value:.0f}%")


def misses(tried, pair, usual):
    """Returns a clause with the codes' distances from the prior if these decided the choice, else ""."""
    found, other = tried[pair], tried[usual]
    if found.mismatch is None or max(found.unexplained, LEAST_ERROR) < CLEARLY * max(
        other.unexplained, LEAST_ERROR
    ):
        return ""
    return f"; its codes deviate from N(0, I) by {found.mismatch:.3g} nats instead of {other.mismatch:.3g}"

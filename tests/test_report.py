"""The report, from results with realistic numbers (a spread code, and a plain autoencoder) and images of digits."""

import base64
import copy
import csv
import html.parser
import io
import itertools
import json
import pathlib
import re

import jsonschema
import numpy as np
import pytest

from keras_vae import report
from keras_vae.evaluation.results.schema import results_schema
from keras_vae.report.figures import CLASSES, against_size, apart, class_colour, code_map, draw, kl_spectrum
from keras_vae.report.page import asset, clean, measured, number
from keras_vae.report.public import without_paths
from keras_vae.report.verdict import numbers_on_top, sure_strips, tiles
from keras_vae.report.winner import winner
from keras_vae.samplers.principal import oriented

SCHEMA = results_schema()
RUNGS = ("real", "reconstruction", "posterior", "shuffled", "gaussian", "mixture", "prior")
HOSTILE = (
    "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"'&$\\frac{\x00\x1b\u202e" + "n" * 10_000
)


def rung(frechet, kid, density, coverage, confidence):
    return {
        "n": 500,
        "frechet": frechet,
        "kid": kid,
        "kid_se": 0.04,
        "density": density,
        "coverage": coverage,
        "confidence": confidence,
    }


def spread_code():
    """A latent of 8x8x1024 whose prior samples are strokes (numbers of a real run, row C64k of the notes)."""
    edges = np.linspace(253.4, 258.6, 41)
    centres = (edges[1:] + edges[:-1]) / 2
    bump = [np.exp(-(((centres - middle) / 0.71) ** 2) / 2) for middle in (256.0, 255.93)]
    ranks = [0, 1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512]
    reasons = {
        "likelihood": "only made when asked for: --nll_samples 256",
        "disentanglement": "the factors of these images are not known",
        "rate_distortion.implied_sigma": "the likelihood is not a squared error",
        "rate_distortion.calibration": "the likelihood is not a squared error",
        "interpolation.posterior_to_prior.frechet": "only with --extended",
        "extended.mutual_information": "65,536 dimensions are too many",
    }
    return {
        "schema_version": 1,
        "run": "mnist-vae-8x8x1024",
        "dataset": "mnist",
        "seed": 0,
        "created": "2026-03-02T10:41:05+00:00",
        "image_shape": [32, 32, 1],
        "latent_shape": [8, 8, 1024],
        "objective": "vae",
        "decoder_likelihood": "Bernoulli",
        "num_train": 15_000,
        "num_test": 10_000,
        "num_held_out": 10_000,
        "keras_vae": "0.1.0",
        "reconstruction": {
            "train": split(1000, 66.9, 0.9, 0.00471, 0.00009),
            "test": split(1000, 67.1, 0.9, 0.00472, 0.00009),
            "seconds": 4.1,
        },
        "rate_distortion": {
            "n": 1000,
            "rate": 466.2,
            "rate_se": 2.4,
            "rate_per_dim": 0.00711,
            "distortion": 67.1,
            "distortion_se": 0.9,
            "elbo": -533.3,
            "elbo_se": 2.9,
            "bits_per_dim": 0.751,
            "rate_bits": 672.6,
            "effective_beta": 0.015625,
            "implied_sigma": None,
            "calibration": None,
            "train_rate": 465.1,
            "train_elbo": -532.0,
            "seconds": 1.2,
        },
        "latent": {
            "n": 976,
            "size": 65_536,
            "num_units": 65_536,
            "active_units": 22_878,
            "collapsed_units": 50_899,
            "kl_spectrum": list(0.17 * np.arange(1, 201) ** -0.21),
            "kl_dims90": 28_795,
            "second_moment": {"mean": 0.9995, "p5": 0.984, "p95": 1.014},
            "participation_ratio": 35.5,
            "pc90": 63,
            "pc95": 98,
            "recommended_size": 128,
            "eigenvalues": list(56 * np.exp(-np.arange(200) / 33) + 0.12),
            "seconds": 0.6,
        },
        "prior_mismatch": {
            "n_fit": 976,
            "n": 976,
            "nats": 348.7,
            "nats_se": 2.2,
            "marginal_nats": 21.4,
            "rank": 128,
            "curve": {
                "rank": ranks,
                "nats": [21.4 + 327 * (1 - np.exp(-r / 22)) - max(r - 128, 0) * 0.02 for r in ranks],
            },
            "in_sample_nats": 369.0,
            "fraction_of_rate": 0.748,
            "auc": 1.0,
            "mutual_information": {"lower": 6.88, "upper": 117.5, "log_n": 6.883},
            "marginal_kl_lower": 348.7,
            "marginal_kl_upper": 459.3,
            "norms": {
                "prior_mean": 256.0,
                "prior_sd": 0.71,
                "posterior_mean": 255.93,
                "posterior_sd": 0.73,
                "auc": 0.53,
                "histogram": {
                    "edges": list(edges),
                    "prior": list(bump[0] / bump[0].sum()),
                    "posterior": list(bump[1] / bump[1].sum()),
                },
            },
            "signal_radius": {"dims": 63, "prior": 7.88, "posterior": 26.5, "ratio": 0.297},
            "seconds": 2.3,
        },
        "generation_gap": {
            "features": {
                "name": "classifier",
                "metric_name": "Fréchet distance, classifier features",
                "accuracy": 0.962,
                "dim": 128,
            },
            "n": 500,
            "real": rung(6.2, 0.01, 1.02, 0.88, 0.958),
            "reconstruction": rung(8.6, 0.09, 1.10, 0.88, 0.951),
            "posterior": rung(8.9, 0.11, 1.07, 0.87, 0.948),
            "shuffled": rung(169.0, 3.9, 0.09, 0.06, 0.48),
            "gaussian": rung(36.2, 0.61, 0.62, 0.59, 0.81),
            "mixture": rung(13.2, 0.19, 0.84, 0.76, 0.88),
            "prior": rung(435.0, 12.4, 0.04, 0.03, 0.241),
            "repaired_fraction": 0.989,
            "best_sampler": "mixture",
            "gap": 426.4,
            "gap_ratio": 49.6,
            "seconds": 15.3,
        },
        "completeness": {
            "n": 500,
            "dead_zone": 0.98,
            "dead_zone_se": 0.007,
            "dead_zone_confidence": 0.995,
            "by_rung": {
                name: {"dead_zone": value, "dead_zone_confidence": value}
                for name, value in zip(RUNGS, (0.0, 0.0, 0.02, 0.71, 0.33, 0.12, 0.98))
            },
            "threshold": 0.412,
            "seconds": 0.8,
        },
        "continuity": {
            "n": 64,
            "jacobian": {
                name: {"median": median, "p95_over_median": ratio}
                for name, median, ratio in (
                    ("posterior", 1.7, 1.3),
                    ("prior", 1.8, 1.2),
                    ("midpoint", 3.0, 1.5),
                )
            },
            "jump": 1.55,
            "jump_pixels": 1.36,
            "detour": 1.31,
            "seconds": 3.4,
        },
        "interpolation": {
            "n": 200,
            **{
                name: {"confidence": confidence, "frechet": frechet, "dead_zone": dead}
                for name, confidence, frechet, dead in (
                    ("linear", 0.88, 22.1, 0.11),
                    ("slerp", 0.87, 22.6, 0.12),
                    ("variance_preserving", 0.85, 25.0, 0.15),
                    ("pixel_blend", 0.82, 47.3, 0.31),
                )
            },
            "posterior_to_prior": {
                "angles": [0, 22, 45, 67, 90],
                "class_agreement": [0.99, 0.98, 0.96, 0.79, 0.10],
                "confidence": [0.95, 0.95, 0.92, 0.70, 0.24],
                "frechet": None,
            },
            "noise_around_mean": {"same_class": 0.95, "feature_distance_ratio": 0.21},
            "seconds": 6.0,
        },
        "memorisation": {
            "n": 500,
            "mse_ratio": 1.002,
            "elbo_gap": 1.3,
            "elbo_gap_fraction": 0.0024,
            "rungs": {
                "reconstruction": {"z": 1.8, "authenticity": 0.63},
                "mixture": {"z": -1.1, "authenticity": 0.66},
            },
            "real_authenticity": 0.64,
            "reconstruction_z": 1.8,
            "copies": False,
            "seconds": 1.9,
        },
        "likelihood": None,
        "disentanglement": None,
        "extended": measured_longer(),
        "verdict": {
            "name": "prior_hole",
            "continuity": "continuity: ok (steepest over median 1.3, largest step of a path over the mean 1.55); near codes decode to near images",
            "completeness": "completeness: bad (98% of N(0, I) decodes to what no image looks like)",
            "findings": [
                {
                    "name": "prior_hole",
                    "symptom": "It reconstructs, and it cannot generate: N(0, I) decodes to what no image looks like.",
                    "evidence": "Samples from N(0, I) lie 435 from real images, reconstructions 8.6, real ones 6.2; 98% of them fall where there is no image. The aggregated posterior is at least 349 nats from N(0, I), 75% of the rate.",
                    "cause": "Too many latent dimensions. The rate looks low because people look at its mean, 0.0071 nats a dimension; times 65,536 dimensions it is 466 nats an image. The codes use some 98 directions, at a radius of 26.5 where samples of N(0, I) reach 7.88.",
                    "remedy": "Now, without retraining: sample from the fitted mixture (435 becomes 13.2, 99% of the gap). Then train a latent of 128 numbers with the loss summed.",
                    "command": "python train.py --config saved_models/mnist-vae-8x8x1024/config.json --objective vae --latent 128",
                    "sub_verdict": "spread_code",
                }
            ],
            "remedy": "Now, without retraining: sample from the fitted mixture (435 becomes 13.2, 99% of the gap); the newest decoder does. Then train a latent of 128 numbers with the loss summed.",
            "command": "python train.py --config saved_models/mnist-vae-8x8x1024/config.json --objective vae --latent 128",
            "confidence": "high",
        },
        "samplers": {
            "gaussian": {
                "file": "samplers/gaussian.npz",
                "settings": {"rank": 64},
                "frechet": 36.2,
            },
            "mixture": {
                "file": "samplers/mixture.npz",
                "settings": {"components": 10, "rank": 32},
                "frechet": 13.2,
            },
        },
        "exported": "saved_models/mnist-vae-8x8x1024/serving/decoder/2",
        "cost": {
            "steps": [
                {"name": name, "seconds": seconds}
                for name, seconds in (
                    ("encode", 6.8),
                    ("reconstruction", 4.1),
                    ("prior mismatch", 2.3),
                    ("ladder", 15.3),
                    ("continuity", 3.4),
                    ("interpolation", 6.0),
                )
            ],
            "seconds": 41.7,
            "peak_memory_bytes": 2_913_000_000,
        },
        "reasons": reasons,
    }


def measured_longer():
    """What `--extended` adds to the spread code."""
    sizes, rungs = (
        [125, 154, 200, 286, 500],
        {"real": 6.2, "reconstruction": 8.6, "further": 20.0, "prior": 435.0},
    )
    angles = [0, 30, 60, 90]

    def alive(*share):
        return {"n": 60, "share": list(share), "share_se": [0.05] * 4, "median_angle": 40.0}

    return {
        "n": 500,
        "frechet_by_n": {
            "n": sizes,
            "rungs": {name: [value - 3 + 1500 / size for size in sizes] for name, value in rungs.items()},
            "limit": {name: value - 3 for name, value in rungs.items()} | {"real": -0.2},
            "limit_se": dict.fromkeys(rungs, 1.1),
            "seconds": 9.0,
        },
        "kid_by_n": {
            "n": sizes,
            "rungs": {name: [value / 40] * 5 for name, value in rungs.items()} | {"real": [-0.01] * 5},
            "rungs_se": {name: [0.05] * 5 for name in rungs},
            "seconds": 5.0,
        },
        "cell_z": {
            "n": 500,
            "rungs": {"reconstruction": 1.8, "further": -9.1, "prior": None},
            "cells": {"reconstruction": [1.0, None, 2.6], "further": [-9.0, -9.2, None], "prior": [None] * 3},
            "seconds": 2.0,
        },
        "class_survival": {
            "n": 120,
            "angles": angles,
            "classes": {"all": alive(1, 0.7, 0.3, 0.1), "0": alive(1, 0.8, 0.3, 0.0)}
            | {"7": alive(1, 0.9, 0.8, 0.6) | {"median_angle": None}},
            "seconds": 7.0,
        },
        "prior_classifier": {"n": 500, "accuracy": 0.997, "accuracy_se": 0.002, "seconds": 3.0},
        "mutual_information": None,
        "spectral_norm": {"n": 64, "median": 3.1, "p95": 4.4, "seconds": 5.0},
        "path_length": {"n": 250, "mean": 1.9, "mean_se": 0.1, "relative": 2.2, "seconds": 1.0},
        "swapped_quadrants": {"n": 500, "ratio": 4.3, "ratio_se": 0.1, "seconds": 2.0},
        "importance": {
            "n": 30,
            "samples": [1, 4, 16],
            "nats": [533.0, 510.0, 497.0],
            "nats_se": [3.0, 3.0, 3.0],
            "effective_sample_size": [1.0, 1.1, 1.2],
            "accepted": [False, False, False],
            "seconds": 40.0,
        },
        "amortisation_gap": {
            "n": 32,
            "nats": 21.4,
            "nats_se": 0.9,
            "elbo": -533.0,
            "optimised_elbo": -511.6,
            "steps": 100,
            "seconds": 60.0,
        },
        "annealed": {
            "n": 4,
            "nats": 441.0,
            "nats_se": 12.0,
            "inference_gap": 92.0,
            "inference_gap_se": 5.0,
            "effective_sample_size": 1.3,
            "acceptance": 0.66,
            "chains": 4,
            "temperatures": 100,
            "seconds": 130.0,
        },
        "seconds": 300.0,
    }


def split(count, distortion, distortion_se, mse, mse_se):
    return {
        "n": count,
        "distortion": distortion,
        "distortion_se": distortion_se,
        "bits_per_dim": distortion / 1024 / np.log(2),
        "mse": mse,
        "mse_se": mse_se,
        "unexplained": mse / 0.067,
        "psnr": -10 * np.log10(mse),
        "ssim": 0.957,
    }


def nulls(section):
    """A section with every number null."""
    return {key: nulls(value) if isinstance(value, dict) else None for key, value in section.items()}


def plain_autoencoder():
    """A plain autoencoder without labels: no rate, no confidence, and few images."""
    results = spread_code()
    del results["extended"]
    results.update(
        run="folder-ae-16",
        dataset="pictures",
        latent_shape=[16],
        objective="ae",
        decoder_likelihood=None,
        rate_distortion={**nulls(results["rate_distortion"]), "n": 300},
        exported=None,
    )
    results["latent"].update(
        size=16,
        num_units=16,
        active_units=None,
        collapsed_units=None,
        kl_spectrum=None,
        kl_dims90=None,
        second_moment=None,
        eigenvalues=[float(value) for value in 30 * 0.8 ** np.arange(16)],
        participation_ratio=8.1,
        pc90=10,
        pc95=12,
        recommended_size=16,
    )
    results["prior_mismatch"] = {**nulls(results["prior_mismatch"]), "n": 300, "n_fit": 300}
    for name in RUNGS:
        results["generation_gap"][name]["confidence"] = None
    results["generation_gap"]["posterior"] = None
    results["generation_gap"]["features"].update(
        name="random", metric_name="Fréchet distance, random features", accuracy=None, dim=512
    )
    results["completeness"]["dead_zone_confidence"] = None
    results["completeness"]["by_rung"] = None
    for kind in ("linear", "slerp", "variance_preserving", "pixel_blend"):
        results["interpolation"][kind]["confidence"] = None
    results["interpolation"]["posterior_to_prior"] = None
    results["interpolation"]["noise_around_mean"] = {"same_class": None, "feature_distance_ratio": None}
    results["memorisation"].update(elbo_gap=None, elbo_gap_fraction=None, rungs={}, copies=None)
    for part in ("train", "test"):
        results["reconstruction"][part].update(distortion=None, distortion_se=None, bits_per_dim=None)
    results["reasons"] = {
        "rate_distortion": "a plain autoencoder has no rate",
        "prior_mismatch": "a plain autoencoder has no posterior",
        "latent.second_moment": "a plain autoencoder has no posterior",
        "distortion": "the decoder's likelihood is not known: say --likelihood",
        "confidence": "there are no labels",
        "interpolation": "there are no labels",
        "likelihood": "a plain autoencoder has no likelihood",
        "disentanglement": "the factors of these images are not known",
        "generation_gap.posterior": "a plain autoencoder has no posterior",
    }
    finding = results["verdict"]["findings"][0]
    finding.update(
        cause="A plain autoencoder is not trained towards any prior: its codes lie where they like.",
        sub_verdict="no_prior",
        command=None,
    )
    results["verdict"].update(confidence="medium", command=None, continuity="continuity: not measured")
    return results


@pytest.fixture(scope="module")
def digits():
    from sklearn.datasets import load_digits

    data = load_digits()
    return (data.images[..., None] / 16).astype("float32"), data.target


def pictures_of(images, labels, seed=0):
    """Pictures as a spread code gives them: digits down to the mixture, strokes from the prior."""
    random = np.random.default_rng(seed)
    shape = images.shape[1:]

    def take(*count):
        return images[random.integers(0, len(images), count)]

    def strokes(*count):
        noise = random.random((*count, *shape)).astype("float32")
        return np.where(noise > 0.72, noise, 0.0)

    real = take(16)
    soft = np.clip(real * 0.85 + 0.03, 0, 1)
    start, end = take(4), take(4)
    weights = np.linspace(0, 1, 9)[None, :, None, None, None]
    blend = start[:, None] * (1 - weights) + end[:, None] * weights
    samples = take(8)
    codes = random.normal(size=(900, 2)) + 9 * np.stack(
        [np.cos(labels[:900] * 0.63), np.sin(labels[:900] * 0.63)], axis=-1
    )
    return {
        "ladder": {
            "real": real,
            "reconstruction": soft,
            "posterior": np.clip(soft + 0.02 * random.normal(size=soft.shape), 0, 1),
            "shuffled": np.clip(0.5 * take(16) + 0.6 * strokes(16), 0, 1),
            "gaussian": np.clip(0.7 * take(16) + 0.3 * take(16), 0, 1),
            "mixture": take(16),
            "prior": strokes(16),
        },
        "noise_around_mean": {"real": real[:8], "decoded": soft[:8]},
        "told_apart": {
            rung: {"most": drawn(8), "maps": random.random((8, *shape[:2])), "least": drawn(8)}
            for rung, drawn in (("prior", strokes), ("mixture", take))
        },
        "interpolation": dict.fromkeys(("linear", "slerp", "variance_preserving", "pixel_blend"), blend),
        "posterior_to_prior": start[:, None] * (1 - weights) + strokes(4)[:, None] * weights,
        "neighbours": {"samples": samples, "nearest": take(8, 3), "sampler": "mixture"},
        "map": {
            "codes": codes,
            "labels": labels[:900],
            "prior": random.normal(size=(400, 2)),
            "explained": 0.31,
        },
        "plane": None,
    }


def few_pictures(images):
    """What there is without labels and with little else."""
    return {
        "ladder": {"real": images[:16], "reconstruction": images[:16], "prior": images[16:21]},
        "map": None,
    }


class Page(html.parser.HTMLParser):
    """What a page holds; complains about tags that do not match."""

    VOID = frozenset(["meta", "img", "br", "link", "input", "hr"])

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text, self.ids = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements.append((tag, attributes))
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text.append(data)

    def named(self, tag):
        return [attributes for kind, attributes in self.elements if kind == tag]

    @property
    def words(self):
        return re.sub(r"\s+", " ", "".join(self.text))


@pytest.fixture
def undrawn(monkeypatch):
    """Reports without plots, which take most of the time."""
    monkeypatch.setattr(report, "draw_all", lambda folder, wanted: {})


@pytest.fixture(scope="module")
def reports(tmp_path_factory, digits):
    """By name: the folder of a report and its page."""
    wanted = {
        "complete": (spread_code(), pictures_of(*digits)),
        "sparse": (plain_autoencoder(), few_pictures(digits[0])),
        "hostile": (hostile(), pictures_of(*digits)),
    }
    made = {}
    for key, (results, pictures) in wanted.items():
        folder = tmp_path_factory.mktemp(key) / "report"
        if key == "hostile":
            pictures["map"]["labels"] = np.array([HOSTILE[:200], "b"])[pictures["map"]["labels"] % 2]
            pictures["ladder"][HOSTILE] = pictures["ladder"]["prior"]
        path = report.write_report(folder, results, pictures)
        made[key] = folder, path, Page(path.read_text("utf-8"))
    return made


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory, digits):
    """Pages that compare two and four runs."""
    bare = {
        "schema_version": 1,
        "run": "bare",
        "dataset": "mnist",
        "latent_shape": [64],
        "verdict": {"name": "insufficient_data"},
    }
    middle = spread_code()
    middle.update(run=HOSTILE, latent_shape=[512])
    middle["latent"]["size"] = 512
    runs = [spread_code(), plain_autoencoder(), bare, middle]
    pictures = [pictures_of(*digits), few_pictures(digits[0]), None, {}]
    made = {}
    for count in (2, 4):
        folder = tmp_path_factory.mktemp("several") / "report"
        path = report.write_comparison(folder, runs[:count], pictures[:count])
        made[count] = folder, path, Page(path.read_text("utf-8"))
    return made


def hostile():
    """Results whose every text is an attack."""
    results = spread_code()

    def poison(value, key=None):
        if isinstance(value, dict):
            return {inner: poison(entry, inner) for inner, entry in value.items()}
        if isinstance(value, list):
            return [poison(entry) for entry in value]
        return HOSTILE if isinstance(value, str) and key not in ("name", "confidence") else value

    results = poison(results)
    results["verdict"]["findings"][0]["name"] = HOSTILE
    results["generation_gap"][HOSTILE] = results["generation_gap"]["prior"]
    results["generation_gap"]["best_sampler"] = HOSTILE
    results["samplers"][HOSTILE] = results["samplers"]["mixture"]
    results["run"] += "\ud800"  # half a character, as a file name may hold
    return results


@pytest.mark.parametrize("results", [spread_code(), plain_autoencoder()], ids=["complete", "sparse"])
def test_the_schema_takes_the_examples(results):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(json.dumps(results)), SCHEMA)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda results: results.pop("reasons"),
        lambda results: results["verdict"].update(name="fine"),
        lambda results: results["rate_distortion"].update(rate="466"),
        lambda results: results["rate_distortion"].pop("rate"),
        lambda results: results["rate_distortion"].update(rates=466.0),
        lambda results: results["generation_gap"]["mixture"].pop("coverage"),
        lambda results: results["generation_gap"].update(flow={"frechet": 3.0}),
        lambda results: results["completeness"].update(dead_zone=98.0),
        lambda results: results["verdict"]["findings"].append("prior_hole"),
    ],
)
def test_the_schema_refuses_what_is_not_so(spoil):
    results = spread_code()
    spoil(results)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(json.dumps(results)), SCHEMA)


def test_the_schema_takes_a_further_sampler():
    results = spread_code()
    results["generation_gap"]["flow"] = results["generation_gap"]["mixture"]
    results["samplers"]["flow"] = results["samplers"]["mixture"]
    jsonschema.validate(json.loads(json.dumps(results)), SCHEMA)


def properties(node, prefix=""):
    """Every property of a schema by dotted path."""
    for key, inner in node.get("properties", {}).items():
        yield f"{prefix}{key}", inner
        yield from properties(inner, f"{prefix}{key}.")


ALL_PROPERTIES = [
    *properties(SCHEMA),
    *(entry for key, node in SCHEMA["$defs"].items() for entry in properties(node, f"{key}.")),
]


def test_every_property_is_described():
    assert len(ALL_PROPERTIES) > 150
    assert [
        path
        for path, node in ALL_PROPERTIES
        if not node.get("title") or len(node.get("description", "")) < 10
    ] == []


def test_each_term_has_its_note_and_each_note_a_term(reports, comparisons):
    """And nothing is explained that was not measured."""
    described = {f"g-{path}": node for path, node in ALL_PROPERTIES}
    described |= {f"g-{key}": node for key, node in SCHEMA["$defs"].items()}
    for _, _, page in [*reports.values(), *comparisons.values()]:
        terms = {button["popovertarget"] for button in page.named("button")}
        notes = {note["id"] for note in page.named("div") if "popover" in note}
        assert terms == notes
        for note in notes:
            assert re.sub(r"\s+", " ", described[note]["description"]) in page.words, note
    complete, sparse = (
        {note["id"] for note in reports[key][2].named("div") if "popover" in note}
        for key in ("complete", "sparse")
    )
    assert {"g-rate_distortion.rate", "g-extended.amortisation_gap.nats"} <= complete
    assert not {"g-rate_distortion.rate", "g-extended.amortisation_gap.nats", "g-likelihood.nats"} & sparse


def test_every_link_within_the_page_has_its_target(reports, comparisons):
    for _, _, page in [*reports.values(), *comparisons.values()]:
        targets = {link["href"][1:] for link in page.named("a") if link["href"].startswith("#")}
        assert targets - set(page.ids) == set()
        assert len(page.ids) == len(set(page.ids))


def test_what_took_longer_stands_with_n_error_time_and_reason(reports):
    page, words = reports["complete"][1].read_text("utf-8"), reports["complete"][2].words
    assert "Amortisation gapn = 32, 60.0 s" in words
    assert "21.4 ± 0.9 nats" in words
    assert re.search(r"Information with more codes[^:]*: not computed: 65,536 dimensions are too many", words)
    assert "\u22120.2 ± 1.1" in words  # the limit of real images
    assert "\u22129.10" in words  # C_T of the copying sampler
    assert 'id="extended"' in page
    assert "extended" not in reports["sparse"][2].ids


def test_the_verdict_comes_first_in_plain_words(reports):
    words = reports["complete"][2].words
    title = words.index("It reconstructs, but it cannot generate")
    cause = words.index("0.0071 nats a dimension")
    continuity, completeness = words.index("Continuity", title), words.index("Completeness", title)
    numbers = words.index("Error of reconstructions", completeness)
    line = words.index("python train.py --config", numbers)
    assert title < cause < continuity < completeness < numbers < line < words.index("Findings", line)


def test_everything_but_the_first_screen_is_folded(reports):
    _, path, page = reports["complete"]
    parts = page.named("details")
    # All sections but those of which nothing was measured.
    listed = "findings ladder rate latent prior between memory extended cost making missing"
    assert [part["id"] for part in parts] == listed.split()
    assert not any("open" in part for part in parts)
    before = path.read_text("utf-8").partition("<details")[0]
    assert before.count("<table") == 0
    assert before.count('class="value"') == 3


def test_distances_in_blind_features_are_shown_as_such(tmp_path, digits):
    results = spread_code()
    name = results["generation_gap"]["features"]["name"]
    results["spaces"] = {name: {"blind": True, "reason": "fog is as near as images"}}
    page = Page(report.write_report(tmp_path / "report", results, pictures_of(*digits)).read_text("utf-8"))
    assert "these features are blind on these images" in page.words
    assert "The gap, in blind features" in page.words
    assert "Look for the rung where the distance grows" not in page.words


def test_three_numbers_are_on_top_with_their_errors():
    results = spread_code()
    assert [path for path, _, _ in numbers_on_top(results)][:3] == [
        "generation_gap.prior.frechet",
        ("generation_gap", "mixture", "frechet"),
        "reconstruction.test.mse",
    ]
    results["told_apart"] = {
        "prior": {"auc": 0.99, "auc_se": 0.004},
        "mixture": {"auc": 0.71, "auc_se": 0.03},
    }
    page = Page(tiles(results))
    assert "AUC, samples of the prior0.990 ± 0.004" in page.words
    assert "AUC, ex-post mixture0.71 ± 0.03" in page.words
    # Of images that did not choose the sampler.
    results["told_apart"] |= {"best_auc": 0.74, "best_auc_se": 0.03}
    assert "AUC, ex-post mixture0.74 ± 0.03" in Page(tiles(results)).words
    assert "0.00472 ± 0.00009" in page.words
    assert tiles({"run": "nothing"}) == ""


def test_the_first_screen_shows_the_samples_that_the_classifier_is_most_and_least_sure_of(reports):
    *_, page = reports["complete"]
    shown = [image["alt"] for image in page.named("img")][:8]
    assert shown[:2] == ["Real images", "Reconstructions"]
    kinds = ("drawn at random", "easiest to tell, and where", "hardest")
    assert shown[2:] == [f"{rung} {kind}" for rung in ("Prior", "Ex-post mixture") for kind in kinds]


def test_a_sample_stands_beside_where_it_was_recognised():
    white, row = np.ones((8, 4, 4, 1)), np.zeros((16, 4, 4, 1))
    maps = np.zeros((8, 4, 4))
    maps[:, 1, 2] = 5
    strips = sure_strips(row, {"most": white, "maps": maps, "least": row[:8]})
    first, second = strips["easiest to tell, and where"][:2]
    assert (first == 1).all()
    assert second[1, 2] == pytest.approx([1, 0.3, 0.3])  # red where the map is highest
    assert second[0, 0] == pytest.approx([1, 1, 1])
    assert [len(part) for part in strips.values()] == [5, 4, 2]
    two = np.ones((8, 4, 4, 2))  # channels, of which pages show the first
    strips = sure_strips(two, {"most": two, "maps": maps, "least": two})
    assert strips["easiest to tell, and where"].shape == (4, 4, 4, 3)


def test_a_missing_first_number_makes_room_for_the_next():
    page = Page(tiles(plain_autoencoder()))
    results = spread_code()
    results["generation_gap"]["best_sampler"] = "prior"
    assert page.words.count("Fréchet distance") == 2
    assert "ELBO" in Page(tiles(results)).words


def test_results_can_be_downloaded_from_the_page_itself(reports):
    for folder, _, page in reports.values():
        link = next(link for link in page.named("a") if link.get("download") == "results.json")
        embedded = json.loads(base64.b64decode(link["href"].partition("base64,")[2]))
        written = json.loads((folder / "results.json").read_text("utf-8"))
        assert embedded["latent"] == written["latent"]
        assert set(embedded) == set(written)


SECRET = "/srv/home of ada/models"


def test_a_page_shows_no_path_of_the_machine(tmp_path, undrawn):
    folder = tmp_path / "ada" / "a-run" / "report"
    folder.mkdir(parents=True)
    (folder.parent / "config.json").write_text("{}")
    results = spread_code()
    results.update(run="a-run", dataset="/data/private/cats", objective="VariationalBound")
    results["verdict"]["steps"] = [
        {
            "sentence": f"See {folder}/notes.txt, or 3/4 of it and/or 1 nat/s.",
            "command": f"python train.py --config '{SECRET}/a-run/config.json' --data_dir /data/private/mnist --latent 8",
        }
    ]
    results["generation_gap"]["features"]["metric_name"] = "Frechet distance, classifier features"
    path = report.write_report(folder, results, {})
    source = path.read_text("utf-8")
    page = Page(source)
    link = next(link for link in page.named("a") if link.get("download") == "results.json")
    for shown in (source, base64.b64decode(link["href"].partition("base64,")[2]).decode()):
        for secret in (str(tmp_path), SECRET, "/data", "private"):
            assert secret not in shown
    assert "--config 'path/to/a-run/config.json' --data_dir path/to/mnist --latent 8" in page.words
    assert "See path/to/a-run/report/notes.txt, or 3/4 of it and/or 1 nat/s." in page.words
    assert " serve run path/to/a-run" in page.words
    assert "VariationalBound" not in page.words
    assert [words for words in page.text if words == "vae"]
    assert "Frechet" not in page.words
    written = json.loads((folder / "results.json").read_text("utf-8"))
    assert written["dataset"] == "/data/private/cats"  # the file stays where it is


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("/a/b/run/config.json", "path/to/run/config.json"),
        ("--config /a/b/c.json.", "--config path/to/c.json."),
        ("'/a b/c d/e f'", "'path/to/e f'"),
        ("saved_models/run/config.json", "saved_models/run/config.json"),
        ("../x/y and ~/x/y", "../x/y and ~/x/y"),
        ("nats/image, 1/2, N/A, and/or", "nats/image, 1/2, N/A, and/or"),
        ("--data_dir=/a/b", "--data_dir=path/to/b"),
        ("(/a/b)", "(path/to/b)"),
    ],
)
def test_absolute_paths_are_shortened(words, shown):
    assert without_paths(words, "run") == shown


def test_columns_and_rows_without_numbers_are_left_out(reports):
    source = reports["sparse"][1].read_text("utf-8")
    for table in re.findall(r"<table.*?</table>", source, flags=re.S):
        rows = [
            re.findall(r"<t[hd].*?</t[hd]>", row, flags=re.S)
            for row in re.findall(r"<tr.*?</tr>", table, flags=re.S)
        ]
        if "Healthy" in table:
            assert re.search(r'class="healthy">[^<]', table)
        body = [row[1:] for row in rows[1:] if len(row) == len(rows[0])]
        for column in zip(*body):
            assert any(
                re.search('<img|class="bar"', cell) or re.sub("<.*?>", "", cell) not in ("", "\u2013")
                for cell in column
            ), table[:300]


def test_numbers_stand_with_error_and_unit(reports):
    words = reports["complete"][2].words
    for expected in ("466 ± 2 nats", "349 ± 2 nats", "98.0% ± 0.7%", "435", "2.71 GiB", "65,536 dims"):
        assert expected in words, expected


def test_a_missing_number_says_why(reports):
    words = reports["sparse"][2].words
    assert "not computed: a plain autoencoder has no rate" in words
    assert "not computed: there are no labels" in words
    assert "not computed: a plain autoencoder has no posterior" in words
    assert "None" not in words
    assert "nan" not in words


@pytest.mark.parametrize("which", ["complete", "sparse", "hostile", 2, 4])
def test_the_page_is_whole_accessible_and_needs_no_network(which, reports, comparisons):
    _, path, page = {**reports, **comparisons}[which]
    source = path.read_text("utf-8")
    assert source.startswith("<!doctype html>")
    assert page.named("html")[0]["lang"] == "en"
    assert "http:" not in source
    assert "https:" not in source
    assert "url(http" not in source
    assert "default-src 'none'" in page.named("meta")[1]["content"]
    for tag, attributes in page.elements:
        for key in ("src", "href", "xlink:href"):
            if key in attributes:
                assert attributes[key].startswith(("data:", "#")), (tag, attributes[key][:80])
        assert not any(key.startswith("on") for key in attributes), attributes
    assert all(image["alt"].strip() for image in page.named("img"))
    assert all(svg["role"] == "img" and svg["aria-label"].strip() for svg in page.named("svg"))
    assert all("scope" in head for head in page.named("th"))
    assert len(page.named("script")) == 1
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_names_from_outside_stay_names(reports, comparisons):
    for _, path, page in (reports["hostile"], comparisons[4]):
        source = path.read_text("utf-8")
        assert "<script>alert" not in source
        assert "&lt;script&gt;alert(1)" in source
        assert "onerror" not in {key for _, attributes in page.elements for key in attributes}
        assert "\x00" not in source
        assert "\x1b" not in source
    visible = re.sub(r"<pre.*?</pre>", "", reports["hostile"][1].read_text("utf-8"), flags=re.S)
    assert "n" * 2000 not in visible  # in full only where it is to be copied
    assert len(reports["hostile"][2].named("title")) == 1


def test_the_command_can_be_copied_in_full(reports):
    source = reports["hostile"][1].read_text("utf-8")
    shown = re.findall(r"<code>(.*?)</code>", source, flags=re.S)
    assert any("n" * 10_000 in line for line in shown)


def test_results_are_written_as_strict_json(tmp_path, undrawn):
    results = spread_code()
    results["rate_distortion"]["rate"] = np.float32(466.25)
    results["rate_distortion"]["elbo"] = float("nan")
    results["latent"]["eigenvalues"] = np.array([3.0, np.inf])
    before = copy.deepcopy(results["latent"]["size"])
    report.write_report(tmp_path, results, {})
    written = json.loads((tmp_path / "results.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert written["rate_distortion"]["rate"] == 466.25
    assert written["rate_distortion"]["elbo"] is None
    assert written["latent"]["eigenvalues"] == [3.0, None]
    assert results["latent"]["size"] == before
    jsonschema.validate(written, SCHEMA)


EXPECTED = {
    "complete": "frechet_by_n kid_by_n survival cells importance distances shares eigenvalues kl_spectrum mismatch norms signal_radius map path ladder"
    " interpolation posterior_to_prior noise_around_mean neighbours",
    "sparse": "distances shares eigenvalues ladder",
}


@pytest.mark.parametrize("which", EXPECTED)
def test_figures_are_pngs_that_show_something(which, reports):
    from PIL import Image

    files = sorted((reports[which][0] / "figures").iterdir())
    assert [file.stem for file in files] == sorted(EXPECTED[which].split())
    for file in files:
        with Image.open(file) as image:
            assert image.format == "PNG"
            assert min(image.size) > 100
            assert max(image.size) < 4000
            assert round(image.info["dpi"][0]) == 150
            assert np.asarray(image.convert("L")).std() > 5, file


def test_inlined_strips_hold_the_images(reports, digits):
    """The first strip's pixels are the first real images, apart from rounding."""
    from PIL import Image

    page = reports["complete"][2]
    source = next(image["src"] for image in page.named("img") if image["alt"].startswith("Real images"))
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("LA"))
    real = pictures_of(*digits)["ladder"]["real"]
    np.testing.assert_allclose(image[:8, :8, 0] / 255, real[0, ..., 0], atol=1 / 255)
    np.testing.assert_allclose(image[:8, 9:17, 0] / 255, real[1, ..., 0], atol=1 / 255)
    assert (image[:8, 8, 1] == 0).all()  # the gap is transparent
    assert (image[:8, :8, 1] == 255).all()


def test_plots_take_the_colours_of_the_page(reports):
    source = reports["complete"][1].read_text("utf-8")
    drawings = re.findall(r"<svg.*?</svg>", source, flags=re.S)
    assert len(drawings) == 14
    for drawing in drawings:
        assert "var(--" in drawing
        assert "font-family" not in drawing
        assert "#1f5fa8" not in drawing.lower()


def contrast(one, other):
    """The contrast of two colours, #rrggbb, as WCAG 2 defines it."""
    luminance = []
    for colour in (one, other):
        parts = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
        parts = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        luminance.append(float(parts @ [0.2126, 0.7152, 0.0722]))
    return (max(luminance) + 0.05) / (min(luminance) + 0.05)


def test_text_stands_out_by_the_accessibility_guideline():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    light, dark = (
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", theme))
        for theme in re.findall(r":root \{(.*?)\}", asset("report.css"), flags=re.S)[:2]
    )
    assert set(light) == set(dark)
    for theme in (light, dark):
        for words in ("ink", "muted", "blue", "orange", "green", "purple", "good", "fair", "bad"):
            for ground in ("paper", "card", "sunk"):
                assert contrast(theme[words], theme[ground]) >= 4.5, (words, ground)
    assert min(contrast("#000000", colour) for colour in CLASSES) >= 4.5


def test_figures_that_there_is_nothing_for_any_more_go(tmp_path, digits):
    report.write_report(tmp_path, spread_code(), {})
    assert (tmp_path / "figures" / "mismatch.png").exists()
    report.write_report(tmp_path, plain_autoencoder(), {})
    assert not (tmp_path / "figures" / "mismatch.png").exists()


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8, 4), (5, 200, 1), (130, 130, 3), (1, 1, 1), (8, 8, 2)])
def test_images_of_any_shape_are_shown(shape, tmp_path, undrawn):
    images = np.random.default_rng(0).random((16, *shape), "float32")
    images[0, 0, 0, 0] = np.nan
    path = report.write_report(tmp_path, {"run": "shapes"}, {"ladder": {"real": images, "prior": images}})
    page = Page(path.read_text("utf-8"))
    assert len(page.named("img")) == 4


def test_an_empty_report_is_still_a_report(tmp_path, undrawn):
    path = report.write_report(tmp_path, {"run": "nothing", "verdict": {"name": "insufficient_data"}}, {})
    page = Page(path.read_text("utf-8"))
    assert "Too few held-out images to tell" in page.words
    assert [part["id"] for part in page.named("details")] == ["making"]


@pytest.mark.parametrize("count", [2, 4])
def test_the_comparison_has_a_column_a_run(count, comparisons):
    folder, _, page = comparisons[count]
    assert f"{count} runs side by side" in page.words
    assert "466 ± 2 nats" in page.words
    link = next(link for link in page.named("a") if "download" in link)
    table = base64.b64decode(link["href"].partition("base64,")[2]).decode()
    assert table == (folder / "comparison.csv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert len(rows) == count
    assert float(rows[0]["generation_gap.prior.frechet"]) == 435
    assert rows[1]["rate_distortion.rate"] == ""
    drawn = {file.stem for file in (folder / "figures").iterdir()}
    # Of the first two runs, only one has a rate: a plot of one size would show nothing.
    nats = {"nats"} if count == 4 else set()
    assert {"distances", "dead_zone", "directions", "error"} | nats == drawn


def test_the_comparison_says_where_distances_do_not_compare(comparisons):
    words = comparisons[2][2].words
    assert "The runs cannot be compared" in words
    assert "measured with different datasets and features" in words


def measured_run(distance, error, verdict="healthy", **rest):
    gap = {"best_sampler": "mixture", "best_frechet": distance, "best_frechet_se": error, "n": 500}
    return {"dataset": "mnist", "generation_gap": gap, "verdict": {"name": verdict}, **rest}


@pytest.mark.parametrize(
    ("runs", "title", "tone"),
    [
        # The difference is 3, its error sqrt(1 + 1) = 1.41: 3 is more than 1.96 times that.
        ([(10, 1), (7, 1)], "B generates best", "good"),
        # 2.7 is less.
        ([(10, 1), (7.3, 1)], "No difference beyond the errors", "none"),
        (
            [(10, 1), (7.3, 1), (99, 1)],
            "B and A generate best, without a difference beyond their errors",
            "none",
        ),
        ([(10, None), (7, 1)], "B has the lowest distance, its error is unknown", "none"),
        ([(10, 1), (None, None)], "The runs cannot be compared", "none"),
    ],
)
def test_the_winner_is_one_beyond_the_errors(runs, title, tone):
    found = winner([measured_run(*run) for run in runs])
    assert (found[0], found[2]) == (title, tone)


def test_a_winner_with_a_bad_verdict_is_not_praised():
    title, words, tone = winner([measured_run(10, 1), measured_run(1, 1, "prior_hole")])
    assert (title, tone) == ("B generates best", "bad")
    assert words.endswith("Its own verdict, however, is: it reconstructs, but it cannot generate.")
    assert (
        winner([measured_run(10, 1), {**measured_run(1, 1), "dataset": "digits"}])[0]
        == "The runs cannot be compared"
    )


def test_runs_of_one_size_get_no_plots_against_size():
    assert against_size("t", "u", {"rate": [(8, 1.0, "A"), (8, 2.0, "B")]}) is None
    assert against_size("t", "u", {"rate": [(8, 1.0, "A"), (None, 2.0, "B"), (16, None, "C")]}) is None
    assert against_size("t", "u", {"rate": [(8, 1.0, "A"), (16, 2.0, "B")]}) is not None


@pytest.mark.parametrize(("low", "high"), [(17.2, 34), (10, 90), (0.0045, 0.0524), (5, 90_000)])
def test_a_logarithmic_axis_has_some_ticks(low, high, tmp_path):
    drawn = draw(
        tmp_path / "plot.png", against_size, "t", "u", {"a": [(8, low, "A"), (1024, high, "B")]}, True
    )
    ticks = [float(text.replace(",", "")) for text in re.findall(r">([\d.,]+)</text>", drawn.svg)]
    assert sum(low * 0.7 <= tick <= high * 1.5 for tick in ticks) >= 2


# The map of the codes.


def test_classes_have_the_colours_of_the_explorer():
    script = (pathlib.Path(report.__file__).parents[1] / "explorer" / "static" / "dom.js").read_text("utf-8")
    assert re.findall("#[0-9a-f]{6}", re.search(r"HUES = \[(.*?)\]", script)[1]) == CLASSES
    assert class_colour(3, [0, 3, 9]) == CLASSES[3]  # the number of the class, although two are missing
    assert class_colour("b", ["a", "b"]) == CLASSES[1]
    # hsl(5 * 137.508 % 360 = 327.54, 55%, 55%): C = 0.495, X = 0.495 (1 - |5.459 % 2 - 1|) = 0.2678, m = 0.3025
    assert class_colour(5, range(12)) == "#cb4d91"


def test_no_name_of_a_class_hides_another():
    centres = np.array([[0, 0], [2, 1], [1, 3], [200, 0], [0.0, 0]])
    sizes = np.full((5, 2), (30.0, 14.0))
    moved = apart(centres, sizes)
    for one, other in itertools.combinations(range(5), 2):
        assert (np.abs(moved[one] - moved[other]) >= (29, 13)).any()
    np.testing.assert_allclose(moved[3], centres[3], atol=0.01)  # it was free


def test_all_classes_of_a_crowded_map_are_named(tmp_path):
    random = np.random.default_rng(0)
    shown = {"codes": random.normal(size=(300, 2)), "labels": np.arange(300) % 10, "shares": [0.25, 0.125]}
    drawn = draw(tmp_path / "map.png", code_map, shown)
    names = re.findall(r"<text[^>]*>(\d)</text>", drawn.svg)
    assert set(names) >= set("0123456789")
    assert "principal direction 1: 25% of the variance" in drawn.svg
    assert "latent dim 2" in draw(tmp_path / "map.png", code_map, {**shown, "axes": "latent"}).svg


def test_directions_have_one_sign():
    directions = np.array([[0.6, 0.1], [-0.8, 0.995]], "float32")
    expected = np.array([[-0.6, 0.1], [0.8, 0.995]], "float32")
    np.testing.assert_array_equal(oriented(directions), expected)
    np.testing.assert_array_equal(oriented(-directions), expected)


def test_a_spreadsheet_runs_nothing_from_the_table():
    table = report.csv_of([{"run": "=HYPERLINK(1)", "rate": -3.0}])
    assert list(csv.reader(io.StringIO(table)))[1] == ["'=HYPERLINK(1)", "-3.0"]


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (None, None, "\u2013"),
        (0.0, None, "0"),
        (-0.0001234, None, "\u22120.000123"),
        (9.999, None, "10.0"),
        (435.21, None, "435"),
        (65536, None, "65,536"),
        (12345.6, None, "12,346"),
        (0.98, "share", "98.0%"),
        (0.00243, "share", "0.2%"),
        (1e-6, None, "1.00 \u00d7 10\u207b\u2076"),
        (3.5e9, "bytes", "3.26 GiB"),
        (True, None, "yes"),
    ],
)
def test_numbers_read_as_people_write_them(value, unit, expected):
    assert number(value, unit) == expected


@pytest.mark.parametrize(
    ("value", "error", "unit", "expected"),
    [
        (348.7, 2.2, None, "349 \u00b1 2"),
        (0.00472, 0.00009, None, "0.00472 \u00b1 0.00009"),
        (0.98, 0.007, "share", "98.0% \u00b1 0.7%"),
        (466.25, 0.0, None, "466"),
        (0.5312, 0.0123, None, "0.531 \u00b1 0.012"),
        (12.0, 340.0, None, "12 \u00b1 340"),
    ],
)
def test_the_error_sets_the_decimals(value, error, unit, expected):
    assert measured(value, error, unit) == expected


def test_long_text_is_cut_and_control_characters_go():
    assert clean("a\x00b\x1bc\ud800") == "abc?"
    assert len(clean("n" * 100, 20)) == 20


@pytest.mark.filterwarnings("error")
def test_the_line_of_an_active_dimension_is_in_the_plot_of_rates_that_are_far_below_it(tmp_path):
    from PIL import Image

    draw(tmp_path / "kl.png", kl_spectrum, {"kl_spectrum": [1.6e-5, 9e-6, 3e-6], "size": 3})
    with Image.open(tmp_path / "kl.png") as image:
        assert image.height < image.width  # text outside the axes would make it high

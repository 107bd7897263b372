"""Takes every measurement of a model: `diagnose(subject, dataset, ...)` returns results and pictures.

Data flows one way. Codes of training and of held-out images are computed once, in batches; each section of the
results is a function of those, of the subject and of what sections before it found. No section knows how results
are shown. Nothing needs more than a few thousand codes at a time: at 65,536 dimensions a thousand codes are
0.26 GB.
"""

import contextlib
import dataclasses
import importlib.metadata
import math
import resource
import sys
import time
import warnings
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from keras_vae.command_line import UsageError
from keras_vae.datasets.preparing import cache_folder
from keras_vae.features import choose_features
from keras_vae.metrics import (
    disentanglement,
    frechet,
    importance,
    kernel,
    manifold,
    memorisation,
    mismatch,
    paths,
    rate,
    reconstruction,
    spectrum,
)
from keras_vae.principal import principal_components, project
from keras_vae.samplers import Codes, Gaussian, Mixture, Prior
from keras_vae.subjects import check_subject
from keras_vae.verdict import judge

CODE_BUDGET = 6.4e7  # numbers in one array of codes, a quarter of a GB in float32
FEWEST_CODES, MOST_CODES = 500, 10_000
MOST_SAMPLES = 2000  # images a rung
LARGE_LATENT = 4096  # numbers; beyond it a rung has half as many
FEWEST_IMAGES = 6  # of training, measured and reference images: a neighbourhood reaches the fifth nearest
MOST_TRAINING = 60_000  # training images that samples are looked for among
MOST_COMPARED = 1000  # images a rung that are looked for there
BATCH = 250
MIXTURE_CODES = 5000  # that a mixture is fitted to, where no more are held anyway
SHOWN = 16
KEPT = 500  # draws of the posterior and of the prior that are kept, for paths and pictures


class Clock:
    """Times the steps, shows which one runs, and remembers the cost of each."""

    def __init__(self, names, quiet=False):
        self.bar = tqdm(
            total=len(names), unit="step", leave=False, dynamic_ncols=True, disable=quiet or None, delay=1
        )
        self.steps = []

    @contextlib.contextmanager
    def step(self, name):
        """Times what is done in the block as `name`."""
        self.bar.set_description(name)
        begun = time.perf_counter()
        yield
        self.steps.append({"name": name, "seconds": time.perf_counter() - begun})
        self.bar.update()

    def cost(self):
        """Returns the cost: seconds a step and in all, and the highest memory of the process so far."""
        self.bar.close()
        unit = 1 if sys.platform == "darwin" else 1024
        return {
            "steps": self.steps,
            "seconds": sum(step["seconds"] for step in self.steps),
            "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        }


@dataclasses.dataclass
class Encoded:
    """Images and their codes.

    Attributes:
        images: As they are, `[n, height, width, channels]`.
        observed: As the model sees them (binarised, where it is trained on that).
        mean, log_var: `[n, d]`, float32.
        labels: `[n]` or None.
    """

    images: np.ndarray
    observed: np.ndarray
    mean: np.ndarray
    log_var: np.ndarray
    labels: np.ndarray | None
    latent_shape: tuple

    def __len__(self):
        return len(self.images)

    def draw(self, generator, count=None):
        """Returns codes drawn from the posteriors of the first `count` images, `[n, d]`."""
        codes = generator.standard_normal(self.mean[:count].shape, "float32")
        deviations = 0.5 * self.log_var[:count]
        codes *= np.exp(deviations, out=deviations)  # in place: these are the largest arrays that there are
        codes += self.mean[:count]
        return codes

    def shaped(self):
        """Returns the codes as samplers take them."""
        shape = (len(self), *self.latent_shape)
        return Codes(self.mean.reshape(shape), self.log_var.reshape(shape))


def in_batches(function, *arrays, size=BATCH):
    """Returns what `function` makes of `arrays`, taken `size` rows at a time; a tuple is joined entry by entry."""
    count, joined = len(arrays[0]), None
    for start in range(0, count, size):
        found = function(*(array[start : start + size] for array in arrays))
        parts = found if isinstance(found, tuple) else (found,)
        if joined is None:
            joined = tuple(np.empty((count, *part.shape[1:]), part.dtype) for part in parts)
        for whole, part in zip(joined, parts):
            whole[start : start + size] = part
    return joined if isinstance(found, tuple) else joined[0]


def encode_split(subject, split, count, seed):
    """Returns the first `count` images of a split as `Encoded`."""
    images = split.images(0, count)
    observed = subject.observe(images, seed)
    mean, log_var = in_batches(subject.encode, observed)
    latent_shape = mean.shape[1:]
    labels = None if split.labels is None else np.asarray(split.labels[: len(images)])
    flat = (len(images), -1)
    return Encoded(images, observed, mean.reshape(flat), log_var.reshape(flat), labels, latent_shape)


def number_of_codes(size):
    """Returns how many codes of `size` numbers are held at a time."""
    return int(min(max(CODE_BUDGET / size, FEWEST_CODES), MOST_CODES))


def mean_and_error(values):
    """Returns the mean of `values`, `[n]`, and its standard error."""
    values = np.asarray(values, "float64")
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else None
    return float(values.mean()), None if error is None else float(error)


@dataclasses.dataclass
class Study:
    """What the sections share.

    Attributes:
        subject: The model.
        dataset: The images.
        train, test: `Encoded` training and held-out images.
        reference: Held-out images that are in no other set, `[n, height, width, channels]`.
        features: What sets of images are compared in.
        seed: Of every draw.
        results: The sections so far, for those after them.
        pictures: What the report shows, beside numbers.
        samplers: The fitted samplers by name.
        rungs: Images of each rung of the ladder, by name.
        codes: The first of the posterior's and of the prior's draws, by rung.
        nats: -log p(x|z) of training and of test images, by split.
        reasons: Why something is null, by its dotted path.
    """

    subject: object
    dataset: object
    train: Encoded
    test: Encoded
    reference: np.ndarray
    features: object
    seed: int
    results: dict
    pictures: dict
    samplers: dict
    rungs: dict = dataclasses.field(default_factory=dict)
    codes: dict = dataclasses.field(default_factory=dict)
    nats: dict = dataclasses.field(default_factory=dict)
    reasons: dict = dataclasses.field(default_factory=dict)

    def generator(self, use):
        """Returns the random numbers for one `use`, a text: sections do not shift each other's draws."""
        return np.random.default_rng([self.seed, *use.encode()])

    def explain(self, section, names, reason):
        """Notes why the fields `names` of a section are null."""
        self.reasons.update({f"{section}.{name}": reason for name in names})

    def decode(self, codes):
        """Returns the images of flat `codes`, `[n, d]`."""
        return in_batches(
            self.subject.decode, codes.reshape(len(codes), *self.test.latent_shape).astype("float32")
        )

    def slopes(self, codes, directions):
        """Returns the decoder's derivatives at flat `codes` along flat `directions`, `[n, d]` each: `[n, pixels]`."""
        shape = (len(codes), *self.test.latent_shape)
        tangent = self.subject.tangent or differences(self.subject.decode)
        codes, directions = (rows.reshape(shape).astype("float32") for rows in (codes, directions))
        return in_batches(tangent, codes, directions, size=64).reshape(len(codes), -1)

    def see(self, images):
        """Returns `images`, or a `Split`, as `Seen`."""
        looks, probabilities = self.features.describe(images)
        if probabilities is None:
            return Seen(looks, None, None)
        return Seen(looks, probabilities.max(axis=-1), probabilities.argmax(axis=-1))


class Seen(NamedTuple):
    """Images as the features show them.

    Attributes:
        looks: The features, `[n, F]`.
        confidence: The classifier's largest class probability, `[n]`, None without one.
        classes: The class of that, `[n]`, None without one.
    """

    looks: np.ndarray
    confidence: np.ndarray | None
    classes: np.ndarray | None

    @property
    def mean_confidence(self):
        """The mean confidence, None without a classifier."""
        return None if self.confidence is None else float(self.confidence.mean())

    def same_classes(self, others):
        """Returns the share of rows whose class is that of the same row of `others`, None without a classifier."""
        return (
            None
            if self.classes is None
            else float(np.mean(self.classes == others.classes[: len(self.classes)]))
        )


def measure_reconstruction(study):
    """Distortion and errors of reconstructions from the means, on training and on held-out images."""
    sections = {}
    for name in ("train", "test"):
        split = getattr(study, name)
        count = min(len(split), MOST_SAMPLES)
        images = split.images[:count]
        decoded = study.decode(split.mean[:count])
        errors = reconstruction.mse(images, decoded)
        section = dict(zip(("mse", "mse_se"), mean_and_error(errors)), n=count)
        section["psnr"] = float(np.mean(reconstruction.psnr(images, decoded)))
        section["ssim"] = float(np.mean(reconstruction.ssim(images, decoded)))
        section["unexplained"] = float(errors.mean() / max(np.square(images - images.mean(0)).mean(), 1e-12))
        section.update(distortion_of(study, split, count, name))
        sections[name] = section
        if name == "test":
            study.rungs["reconstruction"] = decoded
    return sections


def distortion_of(study, split, count, use):
    """Returns -log p(x|z) at one posterior draw an image, in nats and bits a dimension, where there is a density."""
    if study.subject.log_prob is None:
        missing = ("distortion", "distortion_se", "bits_per_dim")
        study.explain(f"reconstruction.{use}", missing, NO_LIKELIHOOD)
        return dict.fromkeys(missing)
    codes = split.draw(study.generator(f"distortion {use}"), count)
    codes = codes.reshape(count, *split.latent_shape)
    nats = -in_batches(study.subject.log_prob, split.observed[:count], codes)
    study.nats[use] = nats
    mean, error = mean_and_error(nats)
    bits = reconstruction.bits_per_dim(mean, math.prod(split.images.shape[1:]), bin_width(study.subject))
    return {"distortion": mean, "distortion_se": error, "bits_per_dim": bits}


def bin_width(subject):
    """Returns the width that makes of the likelihood's density a mass: 1 where it is one, else an 8-bit level."""
    return 1.0 if subject.likelihood == "Bernoulli" else 1 / 255


NO_LIKELIHOOD = "the decoder's likelihood is not known: give one (--likelihood)"
NO_RATE = "a plain autoencoder has no prior and no noise, so it has no rate"


def measure_rate_distortion(study):
    """Rate and distortion of held-out images, and what the loss weighs them by."""
    subject, test = study.subject, study.test
    known = study.results["reconstruction"]["test"]
    count = known["n"]
    section = {
        "n": count,
        "distortion": known["distortion"],
        "distortion_se": known["distortion_se"],
        "effective_beta": subject.effective_beta,
        "implied_sigma": subject.sigma,
        "calibration": known["mse"] / subject.sigma**2 if subject.sigma else None,
        **dict.fromkeys(("rate", "rate_se", "rate_per_dim", "rate_bits", "train_rate")),
        **dict.fromkeys(("elbo", "elbo_se", "bits_per_dim", "train_elbo")),
    }
    if subject.is_variational:
        rates = rate.measure_rate(test.mean[:count], test.log_var[:count]).per_image
        learned = rate.measure_rate(study.train.mean[:count], study.train.log_var[:count]).per_image
        section["rate"], section["rate_se"] = mean_and_error(rates)
        section["rate_per_dim"] = section["rate"] / test.mean.shape[1]
        section["rate_bits"] = section["rate"] / math.log(2)
        section["train_rate"] = float(learned.mean())
        if study.nats:
            section["elbo"], section["elbo_se"] = mean_and_error(-study.nats["test"] - rates)
            section["train_elbo"] = -float(study.nats["train"].mean()) - section["train_rate"]
            pixels = math.prod(test.images.shape[1:])
            section["bits_per_dim"] = float(
                reconstruction.bits_per_dim(-section["elbo"], pixels, bin_width(subject))
            )
    for name in [name for name, value in section.items() if value is None]:
        reason = {
            "effective_beta": "how the loss weighs the rate is not known of a model that was not trained here",
            "implied_sigma": NO_SIGMA,
            "calibration": NO_SIGMA,
        }.get(name, NO_LIKELIHOOD if subject.is_variational or "distortion" in name else NO_RATE)
        study.explain("rate_distortion", [name], reason)
    return section


NO_SIGMA = "the decoder's likelihood has no standard deviation of a pixel, or none that is known"


def measure_latent(study):
    """What the units and the principal directions of the codes carry."""
    train = study.train
    study.components = principal_components(train.mean)
    eigenvalues = study.components.eigenvalues
    section = {
        "n": len(train),
        "size": train.mean.shape[1],
        "active_units": int(np.sum(rate.active_units(train.mean))),
        "participation_ratio": spectrum.participation_ratio(eigenvalues),
        "pc90": int(spectrum.pc90(eigenvalues)),
        "pc95": int(spectrum.pc95(eigenvalues)),
        "recommended_size": int(spectrum.recommended_size(eigenvalues)),
        "eigenvalues": [float(value) for value in eigenvalues[:200]],
    }
    if not study.subject.is_variational:
        missing = ("collapsed_units", "kl_spectrum", "kl_dims90", "second_moment")
        study.explain("latent", missing, NO_RATE)
        return {**section, **dict.fromkeys(missing)}
    rates = rate.measure_rate(study.test.mean, study.test.log_var)
    section["collapsed_units"] = int(rates.collapsed.sum())
    section["kl_spectrum"] = [float(value) for value in rate.spectrum(rates.per_dim)[:200]]
    section["kl_dims90"] = int(rate.dims90(rates.per_dim))
    section["second_moment"] = rate.second_moments(study.test.mean, study.test.log_var)._asdict()
    return section


def measure_prior_mismatch(study):
    """How far the aggregated posterior is from N(0, I), in nats, and where lengths cannot see it."""
    if not study.subject.is_variational:
        study.reasons["prior_mismatch"] = NO_RATE
        return {"nats": None, "fraction_of_rate": None, "auc": None}
    train, test = study.train, study.test
    aggregate = mismatch.fit_aggregate(train.mean, train.log_var)
    found = mismatch.measure_mismatch(aggregate, test.mean, test.log_var)
    total = study.results["rate_distortion"]["rate"]
    contrasted = mismatch.contrast(test.mean, test.log_var, study.seed)
    bounded = mismatch.bounds(total, found.nats, contrasted)
    norms = spectrum.measure_norms(test.mean, test.log_var, study.seed)
    shown = np.unique(np.geomspace(1, len(found.curve), 60).astype(int) - 1)
    return {
        "n_fit": len(train),
        "n": len(test),
        "nats": found.nats,
        "nats_se": found.nats_se,
        "marginal_nats": found.marginal_nats,
        "rank": found.rank,
        "in_sample_nats": found.in_sample_nats,
        "curve": {"rank": shown.tolist(), "nats": found.curve[shown].tolist()},
        "fraction_of_rate": found.nats / total if total > 0 else None,
        "auc": mismatch.mismatch_auc(aggregate, found.rank, test.mean, test.log_var, study.seed),
        "mutual_information": {
            "lower": bounded.information_lower,
            "upper": bounded.information_upper,
            "log_n": contrasted.log_n,
        },
        "marginal_kl_lower": bounded.divergence_lower,
        "marginal_kl_upper": bounded.divergence_upper,
        "norms": describe_norms(norms),
        "signal_radius": spectrum.signal_radius(study.components, test.mean, test.log_var)._asdict(),
    }


def describe_norms(norms):
    """Returns means, deviations and a histogram of the lengths of codes, of the prior's and of the posteriors'."""
    edges = np.histogram_bin_edges(np.concatenate([norms.prior, norms.posterior]), 40)
    return {
        "prior_mean": float(norms.prior.mean()),
        "prior_sd": float(norms.prior.std()),
        "posterior_mean": float(norms.posterior.mean()),
        "posterior_sd": float(norms.posterior.std()),
        "auc": float(norms.auc),
        "histogram": {
            "edges": edges.tolist(),
            "prior": (np.histogram(norms.prior, edges)[0] / len(norms.prior)).tolist(),
            "posterior": (np.histogram(norms.posterior, edges)[0] / len(norms.posterior)).tolist(),
        },
    }


def fit_samplers(study):
    """Fits the ex-post samplers to the training codes; returns what each was fitted with."""
    codes = study.train.shaped()
    shape = study.train.latent_shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # fewer components for few codes: the settings say so
        mixture = Mixture(shape, components=40, rank=64, seed=study.seed).fit(codes, further_means(study))
        study.samplers.update(gaussian=Gaussian(shape).fit(codes), mixture=mixture)


def further_means(study):
    """Yields the means of more training images than there is room for at once, a batch at a time."""
    split = study.dataset.train
    for start in range(len(study.train), min(len(split), MIXTURE_CODES), BATCH):
        images = split.images(start, min(start + BATCH, MIXTURE_CODES))
        yield study.subject.encode(study.subject.observe(images, study.seed + start))[0]


def measure_generation_gap(study):
    """The ladder: sets of as many images each, from real ones down to N(0, I), against the same reference."""
    n = len(study.reference)
    study.rungs["real"] = study.test.images[:n]
    study.rungs["reconstruction"] = study.rungs["reconstruction"][:n]
    for name, codes in rung_codes(study, n):
        if name in ("posterior", "prior"):
            study.codes[name] = codes[:KEPT].copy()
        if name == "posterior" and not study.subject.is_variational:
            study.reasons["generation_gap.posterior"] = (
                "the code of a plain autoencoder is a point: its draws are the reconstructions"
            )
            continue
        study.rungs[name] = study.decode(codes)
    study.rungs = {name: study.rungs[name] for name in RUNGS if name in study.rungs}
    study.seen = {name: study.see(images) for name, images in study.rungs.items()}
    study.seen_reference = study.see(study.reference)
    section = {"n": n, "features": describe_features(study.features)}
    for name, seen in study.seen.items():
        section[name] = compare(seen, study.seen_reference)
    section.setdefault("posterior", None)
    if study.features.accuracy is None:
        study.reasons["generation_gap.features.accuracy"] = study.features.reason
        study.reasons["confidence"] = study.features.reason
    return {**section, **repaired(study, section)}


def rung_codes(study, n):
    """Yields the name and the codes `[n, d]` of each rung that is decoded; one at a time, for they are large."""
    draw = study.generator("rungs")
    posterior = study.test.draw(draw, n)
    yield "posterior", posterior
    yield "shuffled", draw.permuted(posterior, axis=0)
    del posterior
    seeds = np.arange(n, dtype="int64") + study.generator("seeds").integers(2**62)
    for name, sampler in {**study.samplers, "prior": Prior(study.test.latent_shape)}.items():
        yield name, in_batches(lambda part, s=sampler: s.sample(part).numpy(), seeds).reshape(n, -1)


def compare(seen, reference):
    """Returns the distances of a set of images from the reference, both `Seen`."""
    kid, kid_se = kernel.kernel_distance(seen.looks, reference.looks)
    return {
        "frechet": frechet.frechet_distance(seen.looks, reference.looks),
        "kid": kid,
        "kid_se": kid_se,
        **manifold.density_and_coverage(seen.looks, reference.looks),
        "confidence": seen.mean_confidence,
        "n": len(seen.looks),
    }


def repaired(study, section, copying=()):
    """Returns how large the gap is, and how much of it the best sampler that is not among `copying` closes."""
    prior = section["prior"]["frechet"]
    # A decoder that was trained under the noise of many dimensions may do worse at the means, without any.
    floor = min(section[rung]["frechet"] for rung in ("reconstruction", "posterior") if section.get(rung))
    honest = [name for name in study.samplers if name not in copying]
    best = min(honest, key=lambda name: section[name]["frechet"], default="prior")
    gap, closed = prior - floor, None
    if not honest:
        study.reasons["generation_gap.repaired_fraction"] = (
            "every fitted sampler draws copies of training images"
        )
    elif gap <= LEAST_GAP * floor:
        study.reasons["generation_gap.repaired_fraction"] = (
            "there is no gap to speak of: N(0, I) lies no farther from real images than reconstructions do"
        )
    else:
        closed = (prior - section[best]["frechet"]) / gap
    if floor <= 0:
        study.reasons["generation_gap.gap_ratio"] = "reconstructions lie at no distance from real images"
    return {
        "gap": gap,
        "gap_ratio": gap / floor if floor > 0 else None,
        "best_sampler": best if section[best]["frechet"] < WORTH_REPAIRING * prior else "prior",
        "repaired_fraction": closed,
    }


LEAST_GAP = 0.1  # of the reconstructions' distance, below which a share of the gap is a ratio of noise


def describe_features(features):
    """Returns what images are compared in."""
    return {
        "name": features.name,
        "metric_name": features.metric_name,
        "accuracy": features.accuracy,
        "dim": features.num_features,
    }


def measure_completeness(study):
    """The share of each rung that falls where no image is."""
    rungs = {}
    blurred = study.seen["reconstruction"]
    for name, seen in study.seen.items():
        if name in ("real", "reconstruction"):
            continue
        dead = manifold.dead_zone(seen.looks, study.seen_reference.looks, blurred.looks)
        threshold = dead.pop("threshold")
        unsure = None
        if seen.confidence is not None:
            unsure = manifold.confidence_dead_zone(seen.confidence, blurred.confidence)["dead_zone"]
        rungs[name] = {**dead, "dead_zone_confidence": unsure}
    if blurred.confidence is None:
        study.reasons["dead_zone_confidence"] = study.features.reason
    return {"n": len(study.reference), "threshold": threshold, **rungs["prior"], "by_rung": rungs}


WORTH_REPAIRING = 0.9  # of the prior's distance; above that a fitted sampler is not worth its export
PROBES, POINTS_PROBED = 4, 64
PATHS, PATH_POINTS = 64, 11
ANGLES = (0, 22.5, 45, 67.5, 90)


def measure_continuity(study):
    """How steep the decoder is, and how evenly images change along paths between codes of images."""
    count = min(POINTS_PROBED, len(study.test) // 2)
    half = len(study.test) // 2
    points = {
        "posterior": study.codes["posterior"][:count],
        "prior": study.codes["prior"][:count],
        "midpoint": 0.5 * (study.test.mean[:count] + study.test.mean[half : half + count]),
    }
    jacobian = {}
    for name, codes in points.items():
        norms = jacobian_norms(study, codes, name)
        median = float(np.median(norms))
        ratio = float(np.percentile(norms, 95)) / median if median > 0 else None
        if ratio is None:
            study.reasons["p95_over_median"] = "the image does not change with the code"
        jacobian[name] = {"median": median, "p95_over_median": ratio}
    count = min(PATHS, half)
    fractions = np.linspace(0, 1, PATH_POINTS)
    walks = paths.linear(study.test.mean[:count], study.test.mean[half : half + count], fractions)
    images = study.decode(walks.reshape(count * PATH_POINTS, -1))
    looks = study.see(images).looks.reshape(count, PATH_POINTS, -1)
    return {
        "n": count,
        "jacobian": jacobian,
        "jump": float(np.median(paths.jump(looks))),
        "jump_pixels": float(np.median(paths.jump(images.reshape(count, PATH_POINTS, -1)))),
        "detour": float(np.median(paths.detour(looks))),
    }


def jacobian_norms(study, codes, use):
    """Returns the Frobenius norm of the decoder's Jacobian at flat `codes`, `[n]`, by Hutchinson's estimate.

    E|J v|^2 = |J|_F^2 for v ~ N(0, I). J v comes from forward differentiation where the decoder is ours or a
    Keras model, else from central differences.
    """
    generator = study.generator(f"probes {use}")
    squares = np.zeros(len(codes))
    for _ in range(PROBES):
        directions = generator.standard_normal(codes.shape, "float32")
        squares += np.square(study.slopes(codes, directions), dtype="float64").sum(axis=1)
    return np.sqrt(squares / PROBES)


def differences(decode, step=1e-2):
    """Returns (codes, directions) -> the derivative of `decode` along them, by central differences."""
    return lambda codes, directions: (
        (decode(codes + step * directions) - decode(codes - step * directions)) / (2 * step)
    )


def measure_interpolation(study):
    """What stands half way between two test images, by each path, and half way from the codes to the prior."""
    count, half = len(study.reference) // 2, len(study.test) // 2
    count = min(count, half, MOST_PATHS)
    start, end = slice(0, count), slice(half, half + count)
    drawn = study.test.draw(study.generator("interpolation"), half + count)
    middles = {
        "linear": study.decode(paths.linear(study.test.mean[start], study.test.mean[end], [0.5])[:, 0]),
        "slerp": study.decode(paths.slerp(drawn[start], drawn[end], [0.5])[:, 0]),
        "variance_preserving": study.decode(paths.variance_preserving(drawn[start], drawn[end], [0.5])[:, 0]),
        "pixel_blend": 0.5 * (study.test.images[start] + study.test.images[end]),
    }
    section = {"n": count}
    for name, images in middles.items():
        seen, real = study.see(images), study.seen_reference.looks
        section[name] = {
            "confidence": seen.mean_confidence,
            "frechet": frechet.frechet_distance(seen.looks, real),
            "dead_zone": manifold.dead_zone(seen.looks, real, study.seen["reconstruction"].looks)[
                "dead_zone"
            ],
        }
    section["posterior_to_prior"] = walk_to_prior(study, min(count, 200))
    section["noise_around_mean"] = noise_around_mean(study, min(count, 500))
    return section


MOST_PATHS = 500


def walk_to_prior(study, count):
    """Returns how images change from a posterior's draw to a prior's, angle by angle."""
    walks = paths.posterior_to_prior(study.codes["posterior"][:count], study.codes["prior"][:count], ANGLES)
    steps = [study.see(study.decode(walks[:, index])) for index in range(len(ANGLES))]
    section = {
        "angles": list(ANGLES),
        "frechet": [frechet.frechet_distance(step.looks, study.seen_reference.looks) for step in steps],
        "class_agreement": None,
        "confidence": None,
    }
    if steps[0].classes is None:
        for name in ("posterior_to_prior.class_agreement", "noise_around_mean.same_class"):
            study.reasons[f"interpolation.{name}"] = study.features.reason
    else:
        section["class_agreement"] = [step.same_classes(study.seen["reconstruction"]) for step in steps]
        section["confidence"] = [step.mean_confidence for step in steps]
    return section


def noise_around_mean(study, count):
    """Returns what a whole unit of noise around the mean does: N(mu(x), I) decoded, beside x reconstructed.

    That it decodes to the same digit while N(0, I) does not is the mark of a code spread over many dimensions.
    """
    noise = study.generator("noise around mean").standard_normal((count, study.test.mean.shape[1]), "float32")
    images = study.decode(study.test.mean[:count] + noise)
    seen, plain = study.see(images), study.seen["reconstruction"].looks[:count]
    moved = np.linalg.norm(seen.looks - plain, axis=1).mean()
    apart = np.linalg.norm(plain - np.roll(plain, 1, axis=0), axis=1).mean()
    study.pictures["noise_around_mean"] = {"real": study.test.images[:8], "decoded": images[:8]}
    return {
        "n": count,
        "same_class": seen.same_classes(study.seen["reconstruction"]),
        "feature_distance_ratio": float(moved / max(apart, 1e-12)),
    }


def measure_memorisation(study):
    """Whether held-out images fare worse than training images, and whether samples are training images.

    A sampler that copies training images is no repair: the best of the others takes its place in the ladder.
    """
    known, rates = study.results["reconstruction"], study.results["rate_distortion"]
    section = {"mse_ratio": None, "elbo_gap": None, "elbo_gap_fraction": None}
    if known["train"]["mse"] > 0:
        section["mse_ratio"] = known["test"]["mse"] / known["train"]["mse"]
    if rates["elbo"] is None:
        reason = study.reasons["rate_distortion.elbo"]
        study.explain("memorisation", ("elbo_gap", "elbo_gap_fraction"), reason)
    else:
        section["elbo_gap"] = rates["train_elbo"] - rates["elbo"]
        section["elbo_gap_fraction"] = section["elbo_gap"] / max(abs(rates["train_elbo"]), 1e-9)
    training = study.see(study.dataset.train.take(MOST_TRAINING)).looks
    looks = {name: seen.looks[:MOST_COMPARED] for name, seen in study.seen.items()}
    test_distances = memorisation.nearest_training_images(looks["real"], training)[1][:, 0]
    scores = {
        name: memorisation.copying_scores(look, test_distances, training) for name, look in looks.items()
    }
    section["n"] = len(looks["real"])
    section["rungs"] = {
        name: {"z": score.z, "authenticity": score.authenticity} for name, score in scores.items()
    }
    section["real_authenticity"] = scores["real"].authenticity
    section["reconstruction_z"] = scores["reconstruction"].z
    best, section["copies"] = choose_sampler(study, scores)
    indices, _ = memorisation.nearest_training_images(looks[best][:8], training, min(3, len(training)))
    nearest = [np.concatenate([study.dataset.train.images(i, i + 1) for i in row]) for row in indices]
    study.pictures["neighbours"] = {
        "samples": study.rungs[best][:8],
        "nearest": np.stack(nearest),
        "sampler": best,
    }
    return section


def choose_sampler(study, scores):
    """Puts the best sampler that does not copy into the ladder; returns its name, and whether it copies, or None."""
    gap, copying = study.results["generation_gap"], []
    while True:
        gap.update(repaired(study, gap, copying))
        best = gap["best_sampler"]
        flag, sentence = memorisation.copies(
            scores[best], scores["reconstruction"], scores["real"], gap[best]["density"]
        )
        if flag is None:
            study.reasons["memorisation.copies"] = sentence
        if not flag or best == "prior":
            return best, flag
        study.reasons[f"samplers.{best}"] = f"not used: {sentence}"
        copying.append(best)


def measure_likelihood(study, samples):
    """The importance-weighted bound on the log-likelihood, where it was asked for."""
    empty = dict.fromkeys(("nats", "nats_se", "samples", "effective_sample_size", "accepted"))
    reason = None
    if samples == 0:
        reason = "not asked for: say --nll_samples 1000"
    elif study.subject.log_prob is None:
        reason = NO_LIKELIHOOD
    elif not study.subject.is_variational:
        reason = NO_RATE
    if reason:
        study.reasons["likelihood"] = reason
        return empty
    test = study.test
    count = min(len(test), NLL_IMAGES)
    weights = np.empty((count, samples))
    generator = study.generator("importance")
    for draw in range(samples):
        noise = generator.standard_normal(test.mean[:count].shape, "float32")
        codes = test.mean[:count] + np.exp(0.5 * test.log_var[:count]) * noise
        log_prob = in_batches(
            study.subject.log_prob, test.observed[:count], codes.reshape(count, *test.latent_shape)
        )
        weights[:, draw] = log_prob + importance.prior_over_posterior(codes, noise, test.log_var[:count])
    found = importance.importance_weighted(weights)
    if not found.accepted:
        study.reasons["likelihood.accepted"] = (
            f"of {samples} samples an image {found.effective_sample_size:.1f} count: the number is a bound, no likelihood"
        )
    return {**{key: getattr(found, key) for key in empty}, "n": count}


NLL_IMAGES = 500


def measure_disentanglement(study):
    """How single units go with the factors that images were made from, where those are known."""
    factors = study.dataset.test.factors
    if factors is None:
        study.reasons["disentanglement"] = "the dataset has no known factors"
        return None
    count = len(study.test)
    codes = study.test.mean
    if codes.shape[1] > MOST_UNITS:
        rates = codes.var(axis=0)
        codes = codes[:, np.sort(np.argsort(rates)[-MOST_UNITS:])]
        study.reasons["disentanglement.units"] = f"of the {MOST_UNITS} units of the largest variance"
    return {
        "n": count,
        **disentanglement.disentanglement_scores(codes, np.asarray(factors)[:count], study.seed),
    }


MOST_UNITS = 50


def measure_extended(study):
    """What takes longer, and is asked for by `--extended`."""
    return {
        "n": len(study.reference),
        "frechet_by_n": frechet_by_n(study),
        "cell_z": {name: cell_z(study, seen) for name, seen in study.seen.items() if name != "real"},
        "spectral_norm": spectral_norm(study),
        "path_length": path_length(study),
        "swapped_mse_ratio": swapped_mse_ratio(study),
        "prior_classifier": prior_classifier(study),
    }


def frechet_by_n(study):
    """Returns the Frechet distance at several n, and at infinite n by a line in 1 / n (Chong and Forsyth 2020)."""
    sizes = [int(share * len(study.reference)) for share in (0.25, 0.4, 0.6, 0.8, 1)]
    section = {"n": sizes, "rungs": {}, "limit": {}}
    for name, seen in study.seen.items():
        distances = [
            frechet.frechet_distance(seen.looks[:size], study.seen_reference.looks[:size]) for size in sizes
        ]
        section["rungs"][name] = distances
        section["limit"][name] = float(np.polyfit(1 / np.array(sizes), distances, 1)[1])
    return section


CELLS = 10


def cell_z(study, seen):
    """Returns C_T, the mean over k-means cells of how much closer than test images to training images a rung is.

    Meehan, Chaudhuri and Dasgupta 2020, section 3.2; cells with fewer than 20 of either are left out. None where
    all are.
    """
    from sklearn.cluster import KMeans

    training = study.see(study.train.images[:MOST_SAMPLES]).looks
    real = study.seen["real"].looks
    cells = KMeans(CELLS, n_init=1, random_state=study.seed).fit(training)
    where, where_real = cells.predict(seen.looks), cells.predict(real)
    distances, real_distances = (
        memorisation.nearest_training_images(looks, training)[1][:, 0] for looks in (seen.looks, real)
    )
    scores, weights = [], []
    for cell in range(CELLS):
        inside, inside_real = distances[where == cell], real_distances[where_real == cell]
        if min(len(inside), len(inside_real)) >= 20:
            scores.append(memorisation.closeness_z(inside, inside_real))
            weights.append(len(inside_real))
    if not scores:
        study.reasons["extended.cell_z"] = "no cell holds 20 images of a rung and 20 test images"
        return None
    return float(np.average(scores, weights=weights))


def spectral_norm(study, points=16, most=32):
    """Returns the median over posterior draws of the decoder's largest stretch within the codes' principal directions.

    The Jacobian's products with at most 32 directions, and their largest singular value: the true spectral norm
    where the latent has no more, else a lower bound of it.
    """
    directions = study.components.directions[:, :most].T
    if not len(directions):
        study.reasons["extended.spectral_norm"] = "the codes do not vary"
        return None
    norms = []
    for code in study.codes["posterior"][:points]:
        codes = np.repeat(code[None], len(directions), axis=0)
        norms.append(np.linalg.norm(study.slopes(codes, directions), ord=2))
    return float(np.median(norms))


def path_length(study, count=256, step=1e-2):
    """Returns E d(G(slerp(t)), G(slerp(t + step))) / step^2 between prior draws, d the squared feature distance.

    The perceptual path length of Karras et al. 2019 in these features: it compares with itself only.
    """
    generator = study.generator("path length")
    codes = study.codes["prior"][: 2 * count]
    half = len(codes) // 2
    looks = []
    starts = generator.random(half)
    for fractions in (starts, starts + step):
        pairs = zip(codes[:half], codes[half : 2 * half], fractions)
        points = [paths.slerp(start[None], end[None], [fraction])[0, 0] for start, end, fraction in pairs]
        looks.append(study.see(study.decode(np.stack(points))).looks.astype("float64"))
    return float(np.square(looks[1] - looks[0]).sum(axis=1).mean() / step**2)


def swapped_mse_ratio(study):
    """Returns the squared error of reconstructing images whose quadrants are exchanged, over that of images as they are.

    Above 1: the model knows its images; one that copies pixels, whatever they show, would have 1.
    """
    images = study.test.images[: study.results["reconstruction"]["test"]["n"]]
    count = len(images)
    swapped = np.roll(images, (images.shape[1] // 2, images.shape[2] // 2), axis=(1, 2))
    mean, _ = in_batches(study.subject.encode, study.subject.observe(swapped, study.seed))
    error = reconstruction.mse(swapped, study.decode(mean.reshape(count, -1))).mean()
    return float(error / max(study.results["reconstruction"]["test"]["mse"], 1e-12))


def prior_classifier(study):
    """Returns how well a small network tells posterior draws from prior draws, in principal coordinates, and its error.

    The accuracy on the half that it has not learnt from: 0.5 where the aggregated posterior is the prior.
    """
    from sklearn.neural_network import MLPClassifier

    axes = study.components.directions[:, :32]
    if not axes.shape[1]:
        study.reasons["extended.prior_classifier"] = "the codes do not vary"
        return None
    rows = [project(study.codes[name], study.components.center, axes) for name in ("posterior", "prior")]
    count = len(rows[0]) // 2
    known, new = (
        np.concatenate([part[cut] for part in rows]) for cut in (slice(count), slice(count, 2 * count))
    )
    answers = np.repeat([0, 1], count)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # stopped before it has converged: a lower bound all the same
        network = MLPClassifier((64,), max_iter=200, random_state=study.seed).fit(known, answers)
    accuracy = float(network.score(new, answers))
    return {"accuracy": accuracy, "accuracy_se": math.sqrt(accuracy * (1 - accuracy) / len(answers))}


RUNGS = ("real", "reconstruction", "posterior", "shuffled", "gaussian", "mixture", "prior")


def take_pictures(study):
    """What the report shows beside numbers: strips of images along paths, and the map of the codes."""
    generator = study.generator("pictures")
    half = len(study.test) // 2
    rows, points = 4, 9
    start, end = study.test.mean[:rows], study.test.mean[half : half + rows]
    rows = min(len(start), len(end))
    fractions = np.linspace(0, 1, points)

    def strip(walks):
        return study.decode(walks.reshape(-1, walks.shape[-1])).reshape(
            rows, -1, *study.test.images.shape[1:]
        )

    pixel = fractions[None, :, None, None, None]
    first, last = study.test.images[:rows, None], study.test.images[half : half + rows, None]
    study.pictures["interpolation"] = {
        "linear": strip(paths.linear(start[:rows], end[:rows], fractions)),
        "slerp": strip(paths.slerp(start[:rows], end[:rows], fractions)),
        "variance_preserving": strip(paths.variance_preserving(start[:rows], end[:rows], fractions)),
        "pixel_blend": (1 - pixel) * first + pixel * last,
    }
    angles = np.linspace(0, 90, points)
    study.pictures["posterior_to_prior"] = strip(
        paths.posterior_to_prior(study.codes["posterior"][:rows], study.codes["prior"][:rows], angles)
    )
    study.pictures["ladder"] = {name: images[:SHOWN] for name, images in study.rungs.items()}
    study.pictures["map"] = code_map(study, generator)
    study.pictures["plane"] = plane(study) if study.test.latent_shape == (2,) else None


def code_map(study, generator):
    """Returns codes and prior draws in two dimensions: a 2-d latent's own, else the first principal components."""
    size = study.test.mean.shape[1]
    prior = study.codes["prior"]
    if size == 2:
        codes, shown, explained = study.test.mean, prior, 1.0
    else:
        components = study.components
        directions = components.directions[:, :2]
        codes, shown = (project(values, components.center, directions) for values in (study.test.mean, prior))
        total = float(components.eigenvalues.sum())
        explained = float(components.eigenvalues[:2].sum()) / total if total > 0 else 0.0
    if codes.shape[1] < 2:
        codes, shown = (np.pad(values, ((0, 0), (0, 2 - values.shape[1]))) for values in (codes, shown))
    return {"codes": codes, "labels": study.test.labels, "prior": shown, "explained": explained}


def plane(study, side=21, reach=3.0):
    """Returns what a latent of size 2 decodes to over [-3, 3]^2, `[side, side, height, width, channels]`."""
    ticks = np.linspace(-reach, reach, side)
    codes = np.stack(np.meshgrid(ticks, ticks[::-1]), axis=-1).reshape(-1, 2)
    return study.decode(codes).reshape(side, side, *study.test.images.shape[1:])


def diagnose(subject, dataset, settings, command="python evaluate.py RUN", retrain="python train.py"):
    """Takes all measurements.

    Args:
        subject: A `Subject`.
        dataset: A `Dataset`.
        settings: An `Evaluation`: `seed`, `features`, `nll_samples`, `extended`.
        command, retrain: The commands that evaluate and train the model again, for the verdict.

    Returns:
        results (`results.schema.json`), pictures (a dict of arrays, as `report` takes them), and the fitted
        samplers by name.
    """
    sections = {
        "reconstruction": measure_reconstruction,
        "rate_distortion": measure_rate_distortion,
        "latent": measure_latent,
        "prior_mismatch": measure_prior_mismatch,
        "samplers": fit_samplers,
        "generation_gap": measure_generation_gap,
        "completeness": measure_completeness,
        "continuity": measure_continuity,
        "interpolation": measure_interpolation,
        "memorisation": measure_memorisation,
        "likelihood": lambda study: measure_likelihood(study, settings.nll_samples),
        "disentanglement": measure_disentanglement,
    }
    if settings.extended:
        sections["extended"] = measure_extended
    clock = Clock(["features", "codes", *sections, "pictures"])
    subject, size = check_subject(subject, dataset)
    with clock.step("features"):
        features = choose_features(dataset, settings.features, cache_folder(), settings.seed)
    with clock.step("codes"):
        study = begin(subject, size, dataset, features, settings.seed)
    for name, measure in sections.items():
        with clock.step(name):
            study.results[name] = measure(study)
        if isinstance(study.results[name], dict) and name != "samplers":
            study.results[name]["seconds"] = clock.steps[-1]["seconds"]
    with clock.step("pictures"):
        take_pictures(study)
    results = {**identity(study), **study.results, "exported": None}
    study.reasons["exported"] = study.reasons["file"] = (
        "only of a run of ours, and only the command saves and exports"
    )
    results["samplers"] = {
        name: {
            "file": None,
            "settings": sampler.settings,
            "frechet": results["generation_gap"][name]["frechet"],
        }
        for name, sampler in study.samplers.items()
    }
    results["verdict"] = judge(results, command, retrain)
    results["cost"], results["reasons"] = clock.cost(), study.reasons
    return results, study.pictures, study.samplers


def begin(subject, size, dataset, features, seed):
    """Returns the `Study`: the codes of training and of test images, `size` numbers each, and the reference."""
    count = number_of_codes(size)
    measured, reference = held_out(
        dataset, count, MOST_SAMPLES if size <= LARGE_LATENT else MOST_SAMPLES // 2
    )
    train = encode_split(subject, dataset.train, min(count, len(dataset.train)), seed)
    test = encode_split(subject, dataset.test, measured, seed + 1)
    return Study(subject, dataset, train, test, reference, features, seed, {}, {}, {})


def held_out(dataset, count, most):
    """Returns how many test images are measured, `count` at most, and the images that sets are compared with.

    These are validation images, `most` at most. Where there are fewer, the last test images are added, and are
    not measured: half of all that is held out at most. Nothing is learnt from either, by no classifier.
    """
    reference = dataset.validation.images(0, most)
    lacking = min(most, (len(dataset.test) + len(dataset.validation)) // 2) - len(reference)
    if lacking > 0:
        last = dataset.test.images(len(dataset.test) - lacking, len(dataset.test))
        reference = np.concatenate([reference, last])
    measured = min(count, len(dataset.test) - max(lacking, 0))
    if min(measured, len(reference), len(dataset.train)) < FEWEST_IMAGES:
        raise UsageError(
            f"{dataset.name} has {len(dataset.train)} training, {len(dataset.validation)} validation and"
            f" {len(dataset.test)} test images: at least {FEWEST_IMAGES} to train on, and as many twice among"
            " those that are held out, are needed (add images)"
        )
    return measured, reference[: min(most, measured)]


def identity(study):
    """Returns what was measured, of what, when."""
    dataset, subject = study.dataset, study.subject
    if subject.objective is None:
        study.reasons["objective"] = "the model was not trained here"
    if subject.likelihood is None:
        study.reasons["decoder_likelihood"] = NO_LIKELIHOOD
    return {
        "schema_version": 1,
        "run": subject.name,
        "dataset": dataset.name,
        "seed": study.seed,
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "image_shape": list(dataset.image_shape),
        "latent_shape": list(study.test.latent_shape),
        "objective": subject.objective,
        "decoder_likelihood": subject.likelihood,
        "num_train": len(dataset.train),
        "num_test": len(dataset.test),
        "num_held_out": len(dataset.test) + len(dataset.validation),
        "keras_vae": version(),
    }


def version():
    """Returns the package's version, None where it is not installed."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version("keras-vae")

"""The data of a run that the page shows before any interaction."""

import functools
import io
import math
import pathlib
import tempfile
import warnings

import numpy as np

from keras_vae.errors import UsageError
from keras_vae.evaluation.results.file import read_results
from keras_vae.evaluation.sections.codes import in_batches
from keras_vae.evaluation.subject import from_model, load_model, prior_name
from keras_vae.evaluation.verdict.facts import Facts
from keras_vae.explorer.dead_zones import shade
from keras_vae.explorer.kept import Kept
from keras_vae.explorer.network import layer_facts
from keras_vae.export.saved_models import float32_twin
from keras_vae.model.likelihoods import Gaussian, OptimalGaussian
from keras_vae.model.posteriors import Codebook, DiagonalGaussian, show_shape
from keras_vae.report.page import NAME, clean
from keras_vae.report.verdict import VERDICTS, plain_words
from keras_vae.runtime.lazy import tf
from keras_vae.runtime.programs import command_line, typed_path
from keras_vae.samplers import Codes, Mixture, name_of
from keras_vae.samplers import load as load_sampler
from keras_vae.samplers import save as save_sampler
from keras_vae.samplers.principal import oriented, principal_components, project
from keras_vae.training.replay import shown
from keras_vae.training.setup import load as load_dataset

MOST_IMAGES, FEWEST_IMAGES, IMAGE_BUDGET = 1500, 60, 3 << 20  # images on the map; bytes of images in a page
MOST_AXES = 12  # principal directions, with one slider each
CODE_BUDGET = 2**25  # numbers in the codes of the images on the map
FITTED_BUDGET = 2**24  # numbers in the codes of training images
MOST_FITTED = 2000  # training images whose codes determine the mixture and the principal axes
OVERLAID = 400  # samples drawn over the map
SEEDS, SEED_BUDGET = 256, 1 << 20  # codes per sampler in a page without a server; numbers in these codes
EMBED_BUDGET = 1 << 20  # numbers in all codes; with more there is no embedding
MARGIN = 0.12  # of the map around the codes


LAYERS = ("overlays", "dead_zones", "embedding")  # of the map, each slower to compute than the last
EXACT = ("gaussian", "mixture", "vamp", "flow", "prior")  # samplers with a log density in closed form


class World:
    """A run as the explorer shows it; everything is computed once, on first use.

    `facts` are enough to open the page. The `layer`s of the map take longer and follow. Both are kept with the run.

    The test images are shown, or the validation or training images if there are none.

    Attributes:
        run: The `Run`.
    """

    def __init__(self, run):
        self.run = run

    @property
    def name(self):
        """The run's name."""
        return self.run.path.resolve().name

    @functools.cached_property
    def kept(self):
        """(name, compute) -> a value that is kept with the run, see `keras_vae.explorer.kept`."""
        return Kept(self.run)

    @functools.cached_property
    def model(self):
        """The model in float32, as it is exported; raises a `UsageError` if its file is missing or damaged."""
        model = load_model(self.run)
        return model if model.dtype_policy.name == "float32" else float32_twin(model)

    @functools.cached_property
    def subject(self):
        """The model as a `Subject` with encode and decode functions."""
        return from_model(self.model, self.name)

    @functools.cached_property
    def dataset(self):
        """The dataset that the run was trained on."""
        return load_dataset(self.run.read_config())

    @functools.cached_property
    def shown(self):
        """The split that is shown."""
        return shown(self.dataset)

    @functools.cached_property
    def images(self):
        """The images on the map, uint8 `[n, height, width, channels]`."""
        pixels = math.prod(self.dataset.image_shape)
        most = min(IMAGE_BUDGET // pixels, CODE_BUDGET // self.dims)
        count = int(np.clip(most, FEWEST_IMAGES, MOST_IMAGES))
        return as_bytes(self.shown.images(0, count))

    @functools.cached_property
    def labels(self):
        """The labels of the images, `[n]`, or None."""
        labels = self.shown.labels
        return None if labels is None else np.asarray(labels[: len(self.images)], "int32")

    @functools.cached_property
    def label_names(self):
        """The names of the labels, a list of short texts; a conditional model can decode a code with any label."""
        names = self.dataset.label_names or range(self.dataset.num_classes)
        return [clean(name, NAME) for name in names]

    def label_inputs(self, labels, count):
        """Returns the additional arguments of the model's functions for `count` images or codes, a tuple.

        It contains the labels, given for each or one for all, if the model is conditional, and is empty otherwise.
        """
        if not self.model.conditional:
            return ()
        return (np.broadcast_to(np.asarray(labels, "int64"), count),)

    @functools.cached_property
    def codes(self):
        """Mean and log-variance of the images' codes, `[n, d]` each; a conditional model gets the images' labels."""
        own = self.label_inputs(self.labels, len(self.images))
        mean, log_var = in_batches(self.subject.encode, as_floats(self.images), *own)
        return Codes(mean.reshape(len(mean), -1), log_var.reshape(len(mean), -1))

    @functools.cached_property
    def reconstructions(self):
        """The reconstructions of the images, in the format of `images`."""
        return self.decode(self.codes.mean, self.labels)

    @functools.cached_property
    def training_codes(self):
        """The codes of some training images, `[n, *latent]`; fewer if codes are large."""
        count = int(np.clip(FITTED_BUDGET // self.dims, 200, MOST_FITTED))
        images, labels = self.dataset.train.images(0, count), self.dataset.train.labels
        own = () if labels is None else self.label_inputs(labels[: len(images)], len(images))
        return Codes(*in_batches(self.subject.encode, images, *own))

    @property
    def dims(self):
        """The number of values in a code."""
        return self.model.dims.latents

    @property
    def axes(self):
        """(center `[d]`, directions `[k, d]`): the latent axes if there are at most two, else principal axes."""
        return self.principal["center"], self.principal["directions"]

    @functools.cached_property
    def principal(self):
        """{"center", "directions": the axes, "shares": each one's share of the variance of the training codes}."""
        return self.kept("axes", lambda: principal_axes(self.training_codes.mean.reshape(-1, self.dims)))

    @functools.cached_property
    def coordinates(self):
        """The coordinates of the images' codes along the axes, `[n, k]`."""
        return self.along_axes(self.codes.mean)

    def along_axes(self, codes):
        """Returns the coordinates of `codes`, `[n, d]`, along the axes: `[n, k]`."""
        center, directions = self.axes
        return project(np.asarray(codes), center, directions.T).astype("float32")

    @functools.cached_property
    def scales(self):
        """Standard deviation of the codes along each axis, `[k]`; 1 if it is nearly 0."""
        scales = self.coordinates.std(axis=0)
        return np.where(scales > 1e-6, scales, 1).astype("float32")

    @functools.cached_property
    def bounds(self):
        """The map's `(left, right, bottom, top)`: a square with all codes, N(0, I) to 3 sigma, and a margin.

        The map of a plain autoencoder includes N(0, I) too, because its samples are drawn from it and maps of the same
        extent can be compared.
        """
        points = plane(self.coordinates)
        low, high = points.min(axis=0), points.max(axis=0)
        if not isinstance(self.model.latent, Codebook):
            origin = plane(self.along_axes(np.zeros((1, self.dims), "float32")))[0]
            low, high = np.minimum(low, origin - 3), np.maximum(high, origin + 3)
        reach = (0.5 + MARGIN) * max(float((high - low).max()), 1e-3)
        return [float(middle + side * reach) for middle in (low + high) / 2 for side in (-1, 1)]

    @functools.cached_property
    def fitted(self):
        """The samplers of codes that the evaluation has fitted, by name."""
        loaded = {name: load_sampler(path) for name, path in self.run.sampler_files().items()}
        shape = tuple(self.map["latent_shape"])
        return {name: one for name, one in loaded.items() if tuple(one.latent_shape) == shape}

    @functools.cached_property
    def sampler_names(self):
        """The names of `samplers`: the prior, and the fitted ones, or a mixture if the evaluation has fitted none."""
        return ["prior", *self.kept("samplers", self.fitted_names, of_samplers=True)]

    def fitted_names(self):
        """Returns the names of the samplers other than the prior."""
        mixture = [] if self.map["is_codebook"] else ["mixture"]
        return list(self.fitted or mixture)

    @functools.cached_property
    def samplers(self):
        """Samplers of codes by name."""
        fitted = dict(self.fitted)
        if "mixture" in self.sampler_names and not fitted:
            fitted["mixture"] = from_bytes(self.kept("mixture", self.mixture))
        return {"prior": self.model.prior.sampler(), **fitted}

    def mixture(self):
        """Returns a mixture fitted to the training codes, as the bytes of its file."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about few codes; the map shows them anyway
            return to_bytes(Mixture(self.model.latent_shape).fit(self.training_codes))

    @property
    def recommended(self):
        """The fitted sampler that the report recommends, or else the most flexible one; None without a fitted one."""
        names = self.sampler_names[1:]
        best = self.report.get("best_sampler")
        return best if best in names else min(names, key=flexibility, default=None)

    def density(self, source, codes):
        """Returns the log density of `codes`, `[n, d]`, under the sampler `source`, in nats; None if it is costly."""
        sampler = self.samplers[source]
        name = "prior" if source == "prior" else name_of(sampler)
        if name not in EXACT or isinstance(self.model.latent, Codebook):
            return None
        shaped = np.asarray(codes, "float32").reshape(-1, *self.model.latent_shape)
        return np.asarray(sampler.log_prob(shaped), "float32")

    def sample(self, source, seeds):
        """Returns codes drawn by the sampler `source`, `[n, d]`; row i depends only on seeds[i]."""
        codes = self.samplers[source].sample(tf.constant(seeds, "int64"))
        return np.asarray(codes, "float32").reshape(len(seeds), -1)

    @functools.cached_property
    def overlays(self):
        """What the map shows of each sampler, see `overlay`, by name."""
        return self.kept(
            "overlays", lambda: {name: self.overlay(name) for name in self.sampler_names}, of_samplers=True
        )

    def overlay(self, source):
        """Returns places of samples on the map, `[n, 2]`, the sampler's mean, and mean and deviation of log densities."""
        codes = self.sample(source, range(OVERLAID))
        density = self.density(source, codes)
        typical = None if density is None else [float(density.mean()), float(density.std())]
        return {"places": plane(self.along_axes(codes)), "mean": self.mean_of(source), "density": typical}

    def mean_of(self, source):
        """Returns the mean of the sampler `source`, `[d]`; for a learned prior, the mean of the samples on the map."""
        if source != "prior":
            return self.training_codes.mean.reshape(-1, self.dims).mean(axis=0)
        if self.model.prior.is_standard:
            return np.zeros(self.dims, "float32")
        return self.sample(source, range(OVERLAID)).mean(axis=0)

    @functools.cached_property
    def seeds(self):
        """The number of seeds per sampler in a page without a server."""
        return int(np.clip(SEED_BUDGET // self.dims, 16, SEEDS))

    def decode(self, codes, labels=None):
        """Returns the decoded images of `codes`, `[n, d]`, as uint8 `[n, height, width, channels]`.

        Conditional models need `labels`, `[n]`, or one for all.
        """
        shaped = np.asarray(codes, "float32").reshape(-1, *self.model.latent_shape)
        return as_bytes(in_batches(self.subject.decode, shaped, *self.label_inputs(labels, len(shaped))))

    @functools.cached_property
    def likelihood(self):
        """(images, codes) -> log p(images | codes), `[n]`; for a conditional model (images, codes, labels).

        A variance that is optimal for the scored batch is meaningless for a single image. It is replaced by the optimal
        variance of the images on the map, their mean squared error (Rybkin et al. 2021, equation 6).
        """
        if not isinstance(self.model.likelihood, OptimalGaussian):
            return self.subject.log_prob
        model, gaussian = self.model, Gaussian(self.sigma)

        def log_prob(images, codes, labels=None):
            return np.asarray(
                gaussian.log_prob(images, model.decoder(model.labelled(codes, labels), training=False))
            )

        return log_prob

    @functools.cached_property
    def sigma(self):
        """The likelihood's own sigma if it has one, else the root mean square error of the shown reconstructions."""
        if self.subject.sigma is not None:
            return self.subject.sigma
        return self.kept("sigma", self.root_mean_square_error)

    def root_mean_square_error(self):
        """Returns the root mean square error of the shown reconstructions, at least 0.001."""
        errors = self.reconstructions.astype("float32") - self.images.astype("float32")
        return max(float(np.sqrt(np.square(errors / 255).mean())), 1e-3)

    def encode(self, image, label=None):
        """Returns code, reconstruction, distortion and rate of one image, `[height, width, channels]` in [0, 1].

        The distortion is that of the reconstruction from the posterior's mean, not the mean over samples. Under dynamic
        binarisation it is the mean over binarised images. Conditional models need a `label`.

        Returns:
            {"mean", "log_var": `[d]`, "image": the reconstruction, uint8, "distortion", "rate": nats or None}.
        """
        images, given_labels = np.asarray(image, "float32")[None], self.label_inputs(label, 1)
        mean, log_var = self.subject.encode(images, *given_labels)
        distortion = (
            None if self.likelihood is None else -float(self.likelihood(images, mean, *given_labels)[0])
        )
        return {
            "mean": mean.reshape(-1),
            "log_var": log_var.reshape(-1),
            "image": self.decode(mean, label)[0],
            "distortion": distortion,
            "rate": self.rate(images, *given_labels),
        }

    def rate(self, images, labels=None):
        """Returns KL(q(z|x) || N(0, I)) of the first image in nats, or None without a closed form."""
        model = self.model
        if not self.subject.is_variational or not model.prior.is_standard:
            return None
        rate = model.latent.rate(model.encoder(model.labelled(images, labels), training=False))
        return None if rate is None else float(rate[0])

    @functools.cached_property
    def dead_zones(self):
        """The map's dead zones, see `keras_vae.explorer.dead_zones.shade`."""
        return self.kept("dead_zones", lambda: shade(self))

    @property
    def has_embedding(self):
        """Whether t-SNE is offered: not for 2 dimensions, few codes, or too many numbers in all codes."""
        return self.dims > 2 and len(self.images) * self.dims <= EMBED_BUDGET and len(self.images) >= 30

    @functools.cached_property
    def embedding(self):
        """t-SNE of the images' codes, `[n, 2]`, and the codes; None if it is not offered."""
        if not self.map["has_embedding"]:
            return None
        return self.kept("embedding", lambda: embedded(self.codes.mean))

    def layer(self, name):
        """Returns one of the map's `LAYERS`."""
        if name not in LAYERS:
            raise KeyError(name)
        return getattr(self, name)

    @functools.cached_property
    def report(self):
        """What the page takes from the report, a dict; empty without a report, or with one that cannot be read."""
        try:
            results = read_results(self.run.report / "results.json")
            verdict, facts = results["verdict"], Facts(results)
            return {
                "best_sampler": facts.sampler,
                "dead_share": facts.dead_zone,
                "features": facts.get("generation_gap", "features", "name"),
                "verdict": {
                    "name": verdict["name"],
                    "title": plain_words(results),
                    "tone": VERDICTS.get(verdict["name"], ("", "", "none"))[2],
                    "cause": verdict["findings"][0].get("cause"),
                    "remedy": verdict.get("remedy"),
                    "confidence": verdict.get("confidence"),
                    "blind": facts.is_blind,
                },
            }
        except (UsageError, KeyError, IndexError, TypeError):  # from another version, or damaged
            return {}

    @property
    def verdict(self):
        """The report's verdict in the few words at the top of the page; None without a report."""
        return self.report.get("verdict")

    @functools.cached_property
    def facts(self):
        """The data with which the page opens, a dict of plain values and arrays (`keras_vae.explorer.packing`)."""
        return {
            "name": self.name,
            **self.map,
            **self.principal,
            "samplers": self.sampler_names,
            "verdict": self.verdict,
            "dead_share": self.report.get("dead_share"),
            "recommended": self.recommended,
            "evaluate": command_line("evaluate", typed_path(self.run.path)),
        }

    @functools.cached_property
    def map(self):
        """The part of `facts` that is kept with the run."""
        return self.kept("map", self.map_facts)

    def map_facts(self):
        """Returns the part of `facts` that depends only on model, settings and data."""
        return {
            "dataset": self.dataset.name,
            "image_shape": list(self.model.image_shape),
            "latent_shape": list(self.model.latent_shape),
            "latent": show_shape(self.model.latent_shape),
            "objective": self.subject.objective,
            "likelihood": self.subject.likelihood,
            "prior": prior_name(self.subject),
            "variational": bool(self.subject.is_variational),
            "gaussian": type(self.model.latent) is DiagonalGaussian,
            "standard": self.model.prior.is_standard,
            "conditional": self.model.conditional,
            "label_names": self.label_names,
            "labels": self.labels,
            "images": self.images,
            "coordinates": self.coordinates,
            "scales": self.scales,
            "bounds": self.bounds,
            "is_codebook": isinstance(self.model.latent, Codebook),
            "has_embedding": self.has_embedding,
            "layers": layer_facts(self.model),
        }


def keep(run, model, dataset):
    """Computes and keeps what the page opens with, so that it opens quickly the first time too.

    Args:
        run: The `Run` of a training or evaluation that has ended.
        model: The model in its `model.keras`.
        dataset: The `Dataset` that it was trained on.
    """
    world = World(run)
    world.dataset = dataset
    world.model = model if model.dtype_policy.name == "float32" else float32_twin(model)
    world.facts  # noqa: B018


def principal_axes(codes):
    """Returns the page's axes for codes, `[n, d]`: see `World.principal`."""
    if codes.shape[1] <= 2:
        center, directions = np.zeros(codes.shape[1], "float32"), np.eye(codes.shape[1], dtype="float32")
    else:
        found = principal_components(codes, MOST_AXES)
        center, directions = (
            found.center.astype("float32"),
            np.ascontiguousarray(oriented(found.directions).T),
        )
    along = project(codes, center, directions.T).var(axis=0)
    total = max(float(codes.var(axis=0, dtype="float64").sum()), 1e-12)
    return {"center": center, "directions": directions, "shares": (along / total).astype("float32")}


def embedded(codes):
    """Returns t-SNE of `codes`, `[n, d]`, as points `[n, 2]`, and the codes."""
    from sklearn.manifold import TSNE

    # The usual perplexity is reduced for few points; the initial PCA makes the result reproducible.
    perplexity = min(30, len(codes) // 3)
    points = TSNE(init="pca", perplexity=perplexity, random_state=0, max_iter=500).fit_transform(codes)
    return {"points": points.astype("float32"), "codes": codes}


def to_bytes(sampler):
    """Returns a sampler's file as uint8 `[n]`."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "sampler.npz"
        save_sampler(sampler, path)
        return np.fromfile(path, "uint8")


def from_bytes(content):
    """Returns the sampler of a file that is given as uint8 `[n]`."""
    return load_sampler(io.BytesIO(content.tobytes()))


def flexibility(name):
    """Returns the position of a sampler in the order of preference; the Gaussian comes last."""
    order = ("flow_matching", "mixture", "pixel_cnn", "vamp", "flow", "two_stage")
    return order.index(name) if name in order else len(order)


def plane(coordinates):
    """Returns the first two coordinates, `[n, 2]`; a missing second coordinate is 0."""
    first = coordinates[:, :2]
    return np.ascontiguousarray(np.pad(first, ((0, 0), (0, 2 - first.shape[1]))))


def as_bytes(images):
    """Returns images in [0, 1] as uint8."""
    return np.round(255 * np.clip(images, 0, 1)).astype("uint8")


def as_floats(images):
    """Returns uint8 images as float32 in [0, 1]."""
    return images.astype("float32") / 255

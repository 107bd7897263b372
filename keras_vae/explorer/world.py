"""What the page knows of a run before anybody touches it."""

import functools
import math
import warnings

import numpy as np

from keras_vae.errors import UsageError
from keras_vae.evaluation.results.file import read_results
from keras_vae.evaluation.sections.codes import in_batches
from keras_vae.evaluation.subject import from_model, load_model, prior_name
from keras_vae.evaluation.verdict.facts import Facts
from keras_vae.explorer.dead_zones import shade
from keras_vae.explorer.network import layer_facts
from keras_vae.export.saved_models import float32_twin
from keras_vae.model.likelihoods import GaussianLikelihood, OptimalGaussian
from keras_vae.model.posteriors import Codebook, show_shape
from keras_vae.report.page import NAME, clean
from keras_vae.report.verdict import VERDICTS, plain_words
from keras_vae.runtime.lazy import tf
from keras_vae.runtime.programs import command_line, typed_path
from keras_vae.samplers import Codes, Mixture
from keras_vae.samplers import load as load_sampler
from keras_vae.samplers.principal import principal_components, project
from keras_vae.training.setup import load as load_dataset

MOST_IMAGES, FEWEST_IMAGES, IMAGE_BUDGET = (
    1500,
    60,
    3 << 20,
)  # on the map; bytes of pictures that a page may hold
MOST_AXES = 12  # principal directions, a slider each
MOST_FITTED = 2000  # training images whose codes a mixture is fitted to, and principal axes are taken from
OVERLAID = 400  # samples drawn over the map
SEEDS, SEED_BUDGET = 256, 1 << 20  # codes of each sampler that a page without a server holds; numbers
EMBED_BUDGET = 1 << 20  # numbers in all codes, beyond which they are not sent, and there is no embedding
MARGIN = 0.12  # of the map around the codes


class World:
    """A run as the explorer sees it; everything is computed once, when it is first asked for.

    Attributes:
        run: The `Run`.
        model, subject, dataset: As they are called everywhere; the test images are shown, or the validation or
            training images where there are none.
    """

    def __init__(self, run):
        self.run = run

    @property
    def name(self):
        """The run's name."""
        return self.run.path.resolve().name

    @functools.cached_property
    def model(self):
        """The model, in float32, which is what is exported of it.

        Raises:
            UsageError: The run has none yet, or its file is damaged.
        """
        model = load_model(self.run)
        return model if model.dtype_policy.name == "float32" else float32_twin(model)

    @functools.cached_property
    def subject(self):
        """The model as two functions."""
        return from_model(self.model, self.name)

    @functools.cached_property
    def dataset(self):
        """The dataset that the run was trained on."""
        return load_dataset(self.run.read_config())

    @functools.cached_property
    def shown(self):
        """The split that is shown."""
        splits = (self.dataset.test, self.dataset.validation, self.dataset.train)
        return next(split for split in splits if len(split))

    @functools.cached_property
    def images(self):
        """The images on the map, `[n, height, width, channels]`, as they go over the wire: 8 bits a channel."""
        pixels = math.prod(self.dataset.image_shape)
        count = int(np.clip(IMAGE_BUDGET // pixels, FEWEST_IMAGES, MOST_IMAGES))
        return as_bytes(self.shown.images(0, count))

    @functools.cached_property
    def labels(self):
        """Their labels, `[n]`, or None."""
        labels = self.shown.labels
        return None if labels is None else np.asarray(labels[: len(self.images)], "int32")

    @functools.cached_property
    def label_names(self):
        """What the labels are called, a list of short texts; a conditional model decodes a code as any of them."""
        names = self.dataset.label_names or range(self.dataset.num_classes)
        return [clean(name, NAME) for name in names]

    def told(self, labels, count):
        """Returns what the model's functions take besides `count` images or codes: a tuple.

        It holds the labels of a conditional model, one for each or one for all, and is else empty.
        """
        if not self.model.conditional:
            return ()
        return (np.broadcast_to(np.asarray(labels, "int64"), count),)

    @functools.cached_property
    def codes(self):
        """Mean and log-variance of their codes, `[n, d]` each, those of a conditional model under their own labels."""
        own = self.told(self.labels, len(self.images))
        mean, log_var = in_batches(self.subject.encode, as_floats(self.images), *own)
        return Codes(mean.reshape(len(mean), -1), log_var.reshape(len(mean), -1))

    @functools.cached_property
    def reconstructions(self):
        """What their codes decode to, as `images`."""
        return self.decode(self.codes.mean, self.labels)

    @functools.cached_property
    def training_codes(self):
        """Those of some training images, `[n, *latent]`; fewer where they are large."""
        count = int(np.clip(2**25 // self.dims, 200, MOST_FITTED))
        images, labels = self.dataset.train.images(0, count), self.dataset.train.labels
        own = () if labels is None else self.told(labels[: len(images)], len(images))
        return Codes(*in_batches(self.subject.encode, images, *own))

    @property
    def dims(self):
        """How many numbers a code has."""
        return self.model.dims.latents

    @functools.cached_property
    def axes(self):
        """(center `[d]`, directions `[k, d]`): the two latent numbers where there are two, else principal axes."""
        if self.dims <= 2:
            return np.zeros(self.dims, "float32"), np.eye(self.dims, dtype="float32")
        mean = self.training_codes.mean
        found = principal_components(mean.reshape(len(mean), -1), MOST_AXES)
        return found.center.astype("float32"), np.ascontiguousarray(found.directions.T)

    @functools.cached_property
    def coordinates(self):
        """Where the images' codes lie along the axes, `[n, k]`."""
        return self.along_axes(self.codes.mean)

    def along_axes(self, codes):
        """Returns the coordinates of `codes`, `[n, d]`, along the axes: `[n, k]`."""
        center, directions = self.axes
        return project(np.asarray(codes), center, directions.T).astype("float32")

    @functools.cached_property
    def scales(self):
        """Standard deviation of the codes along each axis, `[k]`; 1 where there is none."""
        scales = self.coordinates.std(axis=0)
        return np.where(scales > 1e-6, scales, 1).astype("float32")

    @functools.cached_property
    def bounds(self):
        """The map's `(left, right, bottom, top)`, a square: all codes, three standard deviations of N(0, I), a margin.

        N(0, I) is on the map of a plain autoencoder too, whose samples are drawn from it: maps that reach as far compare.
        """
        points = plane(self.coordinates)
        low, high = points.min(axis=0), points.max(axis=0)
        if not isinstance(self.model.latent, Codebook):
            origin = plane(self.along_axes(np.zeros((1, self.dims), "float32")))[0]
            low, high = np.minimum(low, origin - 3), np.maximum(high, origin + 3)
        reach = (0.5 + MARGIN) * max(float((high - low).max()), 1e-3)
        return [float(middle + side * reach) for middle in (low + high) / 2 for side in (-1, 1)]

    @functools.cached_property
    def samplers(self):
        """What codes are drawn from, by name: the prior, and the fitted ones of the report or else a mixture."""
        fitted = {}
        for path in sorted((self.run.path / "samplers").glob("*.npz")):
            sampler = load_sampler(path)
            if tuple(sampler.latent_shape) == self.model.latent_shape:
                fitted[path.stem] = sampler
        if not fitted and not isinstance(self.model.latent, Codebook):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of few codes; the map shows how they lie
                fitted["mixture"] = Mixture(self.model.latent_shape).fit(self.training_codes)
        return {"prior": self.model.prior.sampler(), **fitted}

    def sample(self, source, seeds):
        """Returns codes that the sampler `source` draws by `seeds`, `[n, d]`; row i depends on seeds[i] alone."""
        codes = self.samplers[source].sample(tf.constant(seeds, "int64"))
        return np.asarray(codes, "float32").reshape(len(seeds), -1)

    def mean_of(self, source):
        """Returns the mean of what the sampler `source` draws, `[d]`: of a learned prior that of the draws on the map."""
        if source != "prior":
            return self.training_codes.mean.reshape(-1, self.dims).mean(axis=0)
        if self.model.prior.is_standard:
            return np.zeros(self.dims, "float32")
        return self.sample(source, range(OVERLAID)).mean(axis=0)

    @functools.cached_property
    def seeds(self):
        """How many seeds of each sampler a page without a server can have."""
        return int(np.clip(SEED_BUDGET // self.dims, 16, SEEDS))

    def decode(self, codes, labels=None):
        """Returns the images of `codes`, `[n, d]`: `[n, height, width, channels]`, 8 bits a channel.

        A conditional model is told their `labels`, `[n]`, or one for all.
        """
        shaped = np.asarray(codes, "float32").reshape(-1, *self.model.latent_shape)
        return as_bytes(in_batches(self.subject.decode, shaped, *self.told(labels, len(shaped))))

    @functools.cached_property
    def likelihood(self):
        """(images, codes) -> log p(images | codes), `[n]`; of a conditional model (images, codes, labels).

        A variance that is the best of whatever batch is scored has nothing to say of one image; that of the
        images on the map, of which it is the mean squared error, stands in (Rybkin et al. 2021, equation 6).
        """
        if not isinstance(self.model.likelihood, OptimalGaussian):
            return self.subject.log_prob
        model, gaussian = self.model, GaussianLikelihood(self.sigma)

        def log_prob(images, codes, labels=None):
            return np.asarray(
                gaussian.log_prob(images, model.decoder(model.labelled(codes, labels), training=False))
            )

        return log_prob

    @functools.cached_property
    def sigma(self):
        """Root mean square error of the reconstructions on the map; or the likelihood's own where it has one."""
        if self.subject.sigma is not None:
            return self.subject.sigma
        errors = self.reconstructions.astype("float32") - self.images.astype("float32")
        return max(float(np.sqrt(np.square(errors / 255).mean())), 1e-3)

    def encode(self, image, label=None):
        """Returns what the model makes of one image, `[height, width, channels]` in [0, 1].

        A conditional model is told its `label`.

        Distortion is that of the image as it is at the mean of its posterior, and not the mean over draws: what
        is seen beside it. Under dynamic binarisation it is the mean over the binarised images.

        Returns:
            {"mean", "log_var": `[d]`, "image": the reconstruction, uint8, "distortion", "rate": nats or None}.
        """
        images, told = np.asarray(image, "float32")[None], self.told(label, 1)
        mean, log_var = self.subject.encode(images, *told)
        distortion = None if self.likelihood is None else -float(self.likelihood(images, mean, *told)[0])
        return {
            "mean": mean.reshape(-1),
            "log_var": log_var.reshape(-1),
            "image": self.decode(mean, label)[0],
            "distortion": distortion,
            "rate": self.rate(images, *told),
        }

    def rate(self, images, labels=None):
        """Returns KL(q(z|x) || N(0, I)) of the first image in nats, None where there is no closed form."""
        model = self.model
        if not self.subject.is_variational or not model.prior.is_standard:
            return None
        rate = model.latent.rate(model.encoder(model.labelled(images, labels), training=False))
        return None if rate is None else float(rate[0])

    @functools.cached_property
    def dead_zones(self):
        """The map's dead zones, as `keras_vae.explorer.dead_zones.shade` has them."""
        return shade(self)

    @functools.cached_property
    def embedding(self):
        """t-SNE of the images' codes, `[n, 2]`, and the codes; None where it would say nothing or cost too much."""
        codes = self.codes.mean
        if self.dims <= 2 or codes.size > EMBED_BUDGET or len(codes) < 30:
            return None
        from sklearn.manifold import TSNE

        # A third of the usual number for few points; from the principal axes, so that it is the same each time.
        perplexity = min(30, len(codes) // 3)
        points = TSNE(init="pca", perplexity=perplexity, random_state=0, max_iter=500).fit_transform(codes)
        return {"points": points.astype("float32"), "codes": codes}

    @functools.cached_property
    def verdict(self):
        """What the run's report says, in the few words that stand on top of the page; None without a report."""
        try:
            results = read_results(self.run.report / "results.json")
            verdict = results["verdict"]
            return {
                "title": plain_words(results),
                "tone": VERDICTS.get(verdict["name"], ("", "", "none"))[2],
                "cause": verdict["findings"][0].get("cause"),
                "remedy": verdict.get("remedy"),
                "confidence": verdict.get("confidence"),
                "blind": Facts(results).is_blind,
            }
        except (UsageError, KeyError, IndexError, TypeError):  # of another version, or damaged
            return None

    @functools.cached_property
    def facts(self):
        """All of it, a dict of plain values and arrays (`keras_vae.explorer.packing`)."""
        center, directions = self.axes
        return {
            "name": self.name,
            "dataset": self.dataset.name,
            "image_shape": list(self.model.image_shape),
            "latent_shape": list(self.model.latent_shape),
            "latent": show_shape(self.model.latent_shape),
            "objective": self.subject.objective,
            "likelihood": self.subject.likelihood,
            "prior": prior_name(self.subject),
            "variational": bool(self.subject.is_variational),
            "standard": self.model.prior.is_standard,
            "conditional": self.model.conditional,
            "verdict": self.verdict,
            "evaluate": command_line("evaluate", typed_path(self.run.path)),
            "label_names": self.label_names,
            "labels": self.labels,
            "images": self.images,
            "coordinates": self.coordinates,
            "center": center,
            "directions": directions,
            "scales": self.scales,
            "bounds": self.bounds,
            "embedding": self.embedding,
            "overlays": {
                name: plane(self.along_axes(self.sample(name, range(OVERLAID)))) for name in self.samplers
            },
            "sampler_means": {name: self.mean_of(name) for name in self.samplers},
            "dead_zones": self.dead_zones,
            "layers": layer_facts(self.model),
        }


def plane(coordinates):
    """Returns the first two of the coordinates, `[n, 2]`; the second is 0 where there is one."""
    first = coordinates[:, :2]
    return np.ascontiguousarray(np.pad(first, ((0, 0), (0, 2 - first.shape[1]))))


def as_bytes(images):
    """Returns images in [0, 1] as uint8."""
    return np.round(255 * np.clip(images, 0, 1)).astype("uint8")


def as_floats(images):
    """Returns uint8 images as float32 in [0, 1]."""
    return images.astype("float32") / 255

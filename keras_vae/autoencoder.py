"""The model: encoder, latent, decoder, likelihood and objective in one `keras.Model`, with one `train_step`."""

import dataclasses
import functools
import math
import warnings

from keras_vae.command_line import did_you_mean, from_json, to_json
from keras_vae.latents import latent_shape, show_shape, whole
from keras_vae.layers import PACKAGE, GivenSeed
from keras_vae.lazy import keras, ops, tf
from keras_vae.likelihoods import LIKELIHOODS
from keras_vae.networks import NETWORKS
from keras_vae.objectives import OBJECTIVES

# Each use of noise within a step draws from a stream of its own.
TRAINING, EVALUATION = 0, 1
OBSERVATION, CODES = 0, 1
STREAMS = 16

# Beyond these the weight of the rate is worth a word: means in the place of sums are off by factors of 10 to 100.
LOW_BETA, HIGH_BETA = 0.5, 2.0
LOW_SIGMA, HIGH_SIGMA = 0.01, 0.5


@dataclasses.dataclass(frozen=True)
class Dims:
    """How many numbers an image has and how many its code has."""

    pixels: int
    latents: int


class Step:
    """One pass of a batch through the model, computed as far as an objective asks for it.

    Attributes:
        images: What the encoder sees, `[batch, height, width, channels]`.
        targets: What the decoder is to give; the images, unless the data came in pairs (denoising).
        iteration: Number of optimizer steps so far, a float32 scalar; schedules are functions of it.
        training: Whether the networks are in training mode.
    """

    def __init__(self, model, images, targets, training):
        self.model, self.training = model, training
        self.iteration = ops.cast(model.iteration(), "float32")
        observe = model.likelihood.observe
        self.images = observe(as_images(images), self.seed(OBSERVATION))
        paired = targets is not None
        self.targets = observe(as_images(targets), self.seed(OBSERVATION)) if paired else self.images

    def seed(self, use):
        """Returns the seed of this step for `use`: a function of the model's seed and its counters alone."""
        mode = TRAINING if self.training else EVALUATION
        stream = (self.model.seed * 2 + mode) * STREAMS + use
        return GivenSeed(stream % 2**31, self.model.noise_counter(self.training))

    @functools.cached_property
    def posterior(self):
        """The encoder's output, a dict of `[batch, *latent]`."""
        return self.model.encoder(self.images, training=self.training)

    @functools.cached_property
    def codes(self):
        """One code an image, drawn from the posterior, `[batch, *latent]`."""
        return self.model.latent.sample(self.model.sampling, self.posterior, self.seed(CODES))

    @functools.cached_property
    def decoded(self):
        """The parameters of the likelihood at the codes."""
        return self.model.decoder(self.codes, training=self.training)

    @functools.cached_property
    def distortion(self):
        """-log p(targets | codes), `[batch]`, in nats."""
        return -self.model.likelihood.log_prob(self.targets, self.decoded)

    @functools.cached_property
    def rate(self):
        """KL(posterior || prior), `[batch]`, in nats."""
        return self.model.latent.rate(self.posterior)


@keras.saving.register_keras_serializable(PACKAGE)
class Autoencoder(keras.Model):
    """An autoencoder, plain or variational as its objective says.

    It is an ordinary Keras model: `compile`, `fit(images)`, `evaluate`, `predict` (reconstructions), callbacks,
    `save` and `keras.saving.load_model` work, and so does any dtype policy.

    ```python
    model = keras_vae.VAE((28, 28, 1), latent=32)
    model.compile("adam")
    model.fit(images, epochs=10)            # [n, 28, 28, 1], in [0, 1]
    model.sample(16)                        # [16, 28, 28, 1], decoded from the prior
    ```

    `fit` also takes pairs, `fit(noisy, clean)`, and with them sample weights: Keras drops weights where there
    are no targets, so write `fit(images, images, sample_weight=weights)`. Its logs, in nats per image: `loss`, and
    the terms that the objective names, `distortion` and `rate`.

    Args:
        image_shape: `(height, width, channels)`.
        latent: The latent's shape: `32`, `(8, 8, 1024)` or `"8x8x1024"`.
        objective: A name in `keras_vae.OBJECTIVES` or an objective.
        likelihood: A name in `keras_vae.LIKELIHOODS` or a likelihood; by default `bernoulli` for grey images
            and `gaussian_optimal` for colour.
        network: A name in `keras_vae.NETWORKS` or a network.
        seed: Seed of all noise; weights are initialised by Keras' own (`keras.utils.set_random_seed`).
        **kwargs: As `keras.Model` takes them: `name`, `dtype` (the policy of the hidden layers).

    Raises:
        ValueError: A shape that is none, an unknown name, a latent larger than the image.

    Warns:
        UserWarning: The loss weighs the rate far from 1 (`advice`).
    """

    def __init__(
        self,
        image_shape,
        latent=16,
        objective="vae",
        likelihood=None,
        network="convolutional",
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.image_shape = check_image_shape(image_shape)
        self.latent_shape = latent_shape(latent, self.image_shape)
        self.objective = component(objective, OBJECTIVES, "objective")
        self.network = component(network, NETWORKS, "network")
        likelihood = likelihood or ("bernoulli" if self.image_shape[-1] == 1 else "gaussian_optimal")
        self.likelihood = component(likelihood, LIKELIHOODS, "likelihood")
        self.seed = seed
        self.latent = self.objective.latent
        self.dims = Dims(math.prod(self.image_shape), math.prod(self.latent_shape))
        shapes = self.image_shape, self.latent_shape
        self.encoder = self.network.encoder(*shapes, self.latent, self.dtype_policy)
        self.sampling = self.latent.sampling()
        self.decoder = self.network.decoder(*shapes, self.likelihood, self.dtype_policy)
        self.trackers = {
            name: keras.metrics.Mean(name=name, dtype="float32") for name in ("loss", *self.objective.terms)
        }
        # Tells the layer its shapes, for summary(), with a batch of any size.
        self.latent.sample(self.sampling, self.encoder.output, seed=None)
        # train_step never calls the model, so nothing else would tell Keras that its weights exist.
        self.built = True
        if advice := self.advice():
            warnings.warn(advice, stacklevel=2)

    def call(self, images, training=False):
        """Returns the reconstructions, decoded from the means: `[batch, height, width, channels]` in [0, 1]."""
        posterior = self.encoder(as_images(images), training=training)
        return self.decode(posterior["mean"], training=training)

    def encode(self, images):
        """Returns the mean and the log-variance of the codes of `images`, each `[batch, *latent]`."""
        posterior = self.encoder(as_images(images), training=False)
        return posterior["mean"], self.latent.log_var(posterior)

    def decode(self, codes, training=False):
        """Returns the images that `codes` stand for, `[batch, height, width, channels]` in [0, 1]."""
        return self.likelihood.mean(self.decoder(codes, training=training))

    def sample(self, count, seed=0):
        """Returns `count` images decoded from N(0, I), by `seed` alone."""
        return self.decode(keras.random.normal((count, *self.latent_shape), dtype="float32", seed=seed))

    def advice(self):
        """Returns one sentence on a rate weighed far from 1 by the loss, or None.

        Squared error has its weight in the decoder's standard deviation: sigma times the root of beta is what the
        loss implies, and pixels between 0 and 1 have deviations between a few grey levels and a half.
        """
        beta = self.objective.effective_beta(self.dims)
        if beta is None:
            return None
        sigma = getattr(self.likelihood, "sigma", None)
        if sigma is not None and not LOW_SIGMA <= sigma * math.sqrt(beta) <= HIGH_SIGMA:
            return (
                f"the loss has an effective beta of {beta:.3g} and implies a pixel noise of"
                f" {sigma * math.sqrt(beta):.3g} on images from 0 to 1, where {LOW_SIGMA} to {HIGH_SIGMA} is plausible"
                " (try --likelihood gaussian_optimal)"
            )
        if LOW_BETA <= beta <= HIGH_BETA:
            return None
        effect = (
            "codes will spread beyond the prior and N(0, I) will decode to garbage"
            if beta < 1
            else "the rate will be squeezed, which blurs images and may collapse the code"
        )
        return f"the loss weighs the rate by an effective beta of {beta:.3g} where the bound has 1: {effect}"

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Returns the mean loss of a batch and updates the metrics; all means over the batch are taken here.

        An image of weight 2 counts as two images. `loss` includes the layers' own losses (regularizers). The
        mean over replicas of what they return is the mean over the global batch, however it was divided.
        """
        del y_pred
        if getattr(self, "_compile_loss", None) is not None:
            raise ValueError("compile was given a loss: the model's objective is its loss (leave `loss` out)")
        step = Step(self, x, y, training)
        terms = self.objective(self, step)
        penalties = sum(ops.cast(value, "float32") for value in self.losses)
        terms = {**terms, "loss": terms["loss"] + penalties}
        if sample_weight is None:
            weights = ops.ones_like(terms["loss"])
        else:
            weights = ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        for name, tracker in self.trackers.items():
            tracker.update_state(terms[name], sample_weight=weights)
        return ops.divide_no_nan(ops.sum(weights * terms["loss"]), fair_share(ops.sum(weights)))

    def train_step(self, data):
        """Takes one optimizer step on the mean over the (global) batch of the objective's loss."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, sample_weight=sample_weight, training=True)
            # Gradients are summed over replicas. Scaling keeps small float16 gradients from vanishing.
            scaled = self.optimizer.scale_loss(loss / tf.distribute.get_strategy().num_replicas_in_sync)
        weights = self.trainable_weights
        self.optimizer.apply(tape.gradient(scaled, weights), weights)
        return self.get_metrics_result()

    def test_step(self, data):
        """Measures one batch, with noise that depends on how many images were measured before it."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        self.compute_loss(x, y, sample_weight=sample_weight, training=False)
        return self.get_metrics_result()

    @property
    def metrics(self):
        """The loss and the objective's terms, means over all images of the epoch, in nats per image."""
        return list(self.trackers.values())

    def iteration(self):
        """Returns the number of optimizer steps taken, int32."""
        optimizer = getattr(self, "optimizer", None)
        return ops.cast(optimizer.iterations if optimizer else 0, "int32")

    def noise_counter(self, training):
        """Returns what numbers the noise: by steps or, in evaluation, by images seen; and by replicas."""
        counter = self.iteration() if training else ops.cast(self.trackers["loss"].count, "int32")
        if keras.backend.backend() != "tensorflow":
            return counter
        replica = tf.distribute.get_replica_context()
        number = replica.replica_id_in_sync_group if replica else 0
        return counter * tf.distribute.get_strategy().num_replicas_in_sync + number

    def summary(self, *args, expand_nested=True, **kwargs):
        """As `keras.Model.summary`, with the layers of encoder and decoder, and what the model is in a line."""
        print_line = kwargs.get("print_fn") or print
        print_line(
            f"images {show_shape(self.image_shape)}, latent {show_shape(self.latent_shape)} ({self.dims.latents / self.dims.pixels:.3g}"
            f" numbers a pixel value), {self.objective}, {self.likelihood}"
        )
        super().summary(*args, expand_nested=expand_nested, **kwargs)

    def get_config(self):
        return {
            "image_shape": list(self.image_shape),
            "latent": list(self.latent_shape),
            "objective": component_to_json(self.objective, OBJECTIVES),
            "likelihood": component_to_json(self.likelihood, LIKELIHOODS),
            "network": component_to_json(self.network, NETWORKS),
            "seed": self.seed,
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
        }


@keras.saving.register_keras_serializable(PACKAGE)
class VAE(Autoencoder):
    """A variational autoencoder: `Autoencoder` with the evidence lower bound as its objective."""


def component(given, choices, name):
    """Returns `given` as a component: by its name among `choices`, from its JSON, or as it is.

    The fields of a component are checked where its class is among `choices`; one of another class is trusted.
    """
    if type(given) in choices.values():
        given = component_to_json(given, choices)
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        return given
    fields = dict(given) if isinstance(given, dict) else {"kind": given}
    kind = fields.pop("kind", None)
    if kind not in choices:
        hint = did_you_mean(str(kind), choices)
        raise ValueError(f"{name} is {kind!r}: expected one of {', '.join(choices)}{hint}")
    try:
        return from_json(choices[kind], fields)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def component_to_json(given, choices):
    """Returns the JSON of a component whose class is among `choices`."""
    kind = next((name for name, choice in choices.items() if choice is type(given)), None)
    if kind is None:
        raise ValueError(
            f"{type(given).__name__} has no name to be saved under, as {', '.join(choices)} have: enter it in the"
            " dict of its kind (keras_vae.OBJECTIVES, LIKELIHOODS, NETWORKS), when saving and when loading"
        )
    return {"kind": kind, **to_json(given)}


def fair_share(total):
    """Returns the sum of `total` over all replicas, divided by their number."""
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return total if replicas == 1 else tf.distribute.get_replica_context().all_reduce("sum", total) / replicas


def as_images(values):
    """Returns `values` as float32; raises a ValueError where they look like bytes from 0 to 255."""
    if keras.backend.standardize_dtype(values.dtype) == "uint8":
        raise ValueError("the images are uint8: expected floats in [0, 1] (divide by 255)")
    return ops.cast(values, "float32")


def check_image_shape(shape):
    """Returns `shape` as a tuple of three positive whole numbers."""
    shape = whole(shape, "image_shape")
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"image_shape is {shape}: expected (height, width, channels), such as (28, 28, 1)")
    return shape

"""The model: encoder, latent, decoder, likelihood and objective in one `keras.Model`.

Its one `train_step` stands in `keras_vae.backends`, for each backend of Keras.
"""

import dataclasses
import inspect
import math
import warnings

# Whole: Keras, which imports this file, may be imported by the first use of them.
from keras_vae import backends, layers
from keras_vae.command_line import did_you_mean, from_json, to_json
from keras_vae.corruptions import CORRUPTIONS
from keras_vae.gradients import batch_counter
from keras_vae.inputs import as_images, as_labels, is_stream, looked_at, refusing
from keras_vae.latents import latent_shape, show_shape, whole
from keras_vae.lazy import keras, ops
from keras_vae.likelihoods import LIKELIHOODS
from keras_vae.model.rows import apply, check_count
from keras_vae.model.saving import Saving
from keras_vae.networks import NETWORKS
from keras_vae.objectives import OBJECTIVES
from keras_vae.priors import PRIORS
from keras_vae.soundness import Soundness
from keras_vae.stopping import TrainingStopped

# Each use of noise within a step draws from a stream of its own; objectives have those from FREE on.
TRAINING, EVALUATION = 0, 1
OBSERVATION, CODES, CORRUPTION, PRIOR, FREE = range(5)
STREAMS = 16

SETTLED = 1e9  # an optimizer step by which every schedule has ended

USUAL_CHANNELS = (1, 2, 3, 4)  # grey or colour, with or without alpha

# Beyond these the weight of the rate is worth a word: means in the place of sums are off by factors of 10 to 100.
LOW_BETA, HIGH_BETA = 0.5, 2.0
LOW_SIGMA, HIGH_SIGMA = 0.01, 0.5


@dataclasses.dataclass(frozen=True)
class Dims:
    """How many numbers an image has and how many its code has."""

    pixels: int
    latents: int


def once(function):
    """Returns a property that is computed when it is first read.

    `functools.cached_property` holds a lock meanwhile (before Python 3.12), at which replicas wait for each other for
    ever where one of them synchronises: moving averages do.
    """

    def read(step):
        if function not in step.known:
            step.known[function] = function(step)
        return step.known[function]

    return property(read, doc=function.__doc__)


class Step:
    """One pass of a batch through the model, computed as far as an objective asks for it.

    Attributes:
        images: What the encoder sees, `[batch, height, width, channels]`.
        targets: What the decoder is to give: the images before they were corrupted, or the pairs' second ones.
        labels: What a conditional model is told of each image, `[batch]`, else None.
        iteration: Number of optimizer steps so far, a float32 scalar; schedules are functions of it. In evaluation
            it is past the end of all of them: what is measured is what is trained in the end.
        training: Whether the networks are in training mode.
    """

    def __init__(self, model, images, targets, training):
        self.model, self.training, self.known = model, training, {}
        self.iteration = ops.cast(model.iteration(), "float32") if training else SETTLED
        self.labels = None
        if model.conditional:
            self.labels, targets = targets, None

        def observed(values):
            return model.likelihood.observe(as_images(values, model.image_shape), self.seed(OBSERVATION))

        self.images = observed(images)
        self.targets = self.images if targets is None else observed(targets)
        if training:
            self.images = model.corruption(self.images, self.seed(CORRUPTION))

    def seed(self, use):
        """Returns the seed of this step for `use`: a function of the model's seed and its counters alone."""
        mode = TRAINING if self.training else EVALUATION
        stream = (self.model.seed * 2 + mode) * STREAMS + use
        return layers.GivenSeed(stream % 2**31, self.model.noise_counter(self.training))

    def own_seed(self, number=0):
        """Returns the seed of this step for an objective's own use, of which it may have several, from 0."""
        return self.seed(FREE + number)

    @once
    def posterior(self):
        """The encoder's output, a dict of `[batch, *latent]`."""
        return apply(self.model.encoder, self.model.labelled(self.images, self.labels), self.training)

    @once
    def draw(self):
        """One code an image, drawn from the posterior, and its log density there (`keras_vae.latents.Draw`)."""
        return self.model.draw(self.posterior, self.seed(CODES), self.training)

    @property
    def codes(self):
        """One code an image, drawn from the posterior, `[batch, *latent]`."""
        return self.draw.codes

    @once
    def prior_codes(self):
        """As many codes of the prior as there are images, `[batch, *latent]`."""
        return self.model.prior.draw(self.model, ops.shape(self.images)[0], self.seed(PRIOR))

    @once
    def decoded(self):
        """The parameters of the likelihood at the codes."""
        return self.decode(self.codes)

    def decode(self, codes):
        """Returns the parameters of the likelihood at any codes, `[batch, *latent]`, of these images."""
        return apply(self.model.decoder, self.model.labelled(codes, self.labels), self.training)

    @once
    def distortion(self):
        """-log p(targets | codes), `[batch]`, in nats."""
        return -self.model.likelihood.log_prob(self.targets, self.decoded)

    @once
    def rate(self):
        """KL(posterior || prior), `[batch]`, in nats: in closed form where there is one, else at the codes."""
        return self.model.rate(self.posterior, self.draw)

    def draws(self, count):
        """Returns `count` codes an image and what they weigh, `Draws`; the decoder sees `count` times the batch."""
        seed = self.seed(CODES)
        return Draws(self.model, self.posterior, self.targets, self.labels, count, seed, self.training)


class Draws:
    """Several codes an image, `count`, drawn from its posterior by `seed`.

    Attributes:
        codes: `[batch * count, *latent]`, the codes of an image beside each other.
        log_ratio: log p(z) - log q(z|x), `[batch, count]`, in nats.
    """

    def __init__(self, model, posterior, targets, labels, count, seed, training):
        self.model, self.count, self.training, self.known = model, count, training, {}
        self.targets = ops.repeat(targets, count, axis=0)
        self.labels = None if labels is None else ops.repeat(labels, count, axis=0)
        repeated = {name: ops.repeat(value, count, axis=0) for name, value in posterior.items()}
        draw = model.draw(repeated, seed, training)
        if draw.log_density is None:
            raise ValueError(
                f"the codes of a {type(model.latent).__name__} latent have no density to weigh them by"
            )
        self.codes = draw.codes
        self.log_ratio = self.per_image(model.prior.log_prob(model, draw.codes) - draw.log_density)

    def log_prob(self, codes, decoder):
        """Returns log p(targets | codes), `[batch, count]`, by `decoder`, a function of labelled codes."""
        decoded = decoder(self.model.labelled(codes, self.labels))
        return self.per_image(self.model.likelihood.log_prob(self.targets, decoded))

    @once
    def log_likelihood(self):
        """log p(targets | codes), `[batch, count]`, in nats."""
        return self.log_prob(self.codes, lambda codes: self.model.decoder(codes, training=self.training))

    @property
    def log_weights(self):
        """log p(x|z) + log p(z) - log q(z|x), `[batch, count]` (Burda et al. 2016, equation 8)."""
        return self.log_likelihood + self.log_ratio

    def per_image(self, values):
        """Returns `values`, `[batch * count]`, as `[batch, count]`."""
        return ops.reshape(values, (-1, self.count))


@keras.saving.register_keras_serializable(layers.PACKAGE)
class Autoencoder(backends.Steps, Saving, keras.Model):
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
        prior: A name in `keras_vae.PRIORS` or a prior, trained with the model where it can be.
        corruption: A name in `keras_vae.CORRUPTIONS` or a corruption: what is done in training to the images that
            the encoder sees, and not to those that the decoder is to give; by default the objective's own.
        num_classes: How many labels there are; for a conditional objective, which is then trained by
            `fit(images, labels)`, labels whole numbers from 0.
        seed: Seed of all noise; weights are initialised by Keras' own (`keras.utils.set_random_seed`).
        **kwargs: As `keras.Model` takes them: `name`, `dtype` (the policy of the hidden layers).

    Raises:
        ValueError: A shape that is none, an unknown name, a latent larger than the image.

    Warns:
        UserWarning: The loss weighs the rate far from 1 (`advice`), or the shape's channels seem to come first.
    """

    def __init__(
        self,
        image_shape,
        latent=16,
        objective="vae",
        likelihood=None,
        network="convolutional",
        seed=0,
        prior="standard",
        corruption="none",
        num_classes=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.image_shape = check_image_shape(image_shape)
        self.latent_shape = latent_shape(latent, self.image_shape)
        self.objective = component(objective, OBJECTIVES, "objective")
        self.network = component(network, NETWORKS, "network")
        likelihood = likelihood or ("bernoulli" if self.image_shape[-1] == 1 else "gaussian_optimal")
        self.likelihood = component(likelihood, LIKELIHOODS, "likelihood")
        self.chosen_prior = component(prior, PRIORS, "prior")
        self.corruption = component(corruption, CORRUPTIONS, "corruption")
        if self.corruption == CORRUPTIONS["none"]():
            self.corruption = component(self.objective.corruption, CORRUPTIONS, "corruption")
        self.seed = seed
        self.latent = self.objective.latent
        self.prior = self.latent.prior(self.chosen_prior)
        self.conditional = self.objective.conditional
        self.num_classes = check_classes(num_classes, self.conditional)
        self.dims = Dims(math.prod(self.image_shape), math.prod(self.latent_shape))
        self.objective.check(self)
        seen, decoded = (widened(shape, self.num_classes) for shape in (self.image_shape, self.latent_shape))
        self.encoder = self.network.encoder(seen, self.latent_shape, self.latent, self.dtype_policy)
        self.sampling = self.latent.sampling(self.latent_shape)
        self.decoder = self.objective.constrain(
            self.network.decoder(self.image_shape, decoded, self.likelihood, self.dtype_policy)
        )
        self.prior_layer = self.prior.layer(self.image_shape, self.latent_shape)
        self.critic = self.objective.critic(self.image_shape, self.latent_shape)
        if self.critic is not None:
            # Built here, so that its state is in every file that the model is saved to.
            self.critic_optimizer = self.objective.critic_optimizer()
            if (
                self.dtype_policy.name == "mixed_float16"
            ):  # as compile does: a step that overflows is passed over
                self.critic_optimizer = keras.optimizers.LossScaleOptimizer(self.critic_optimizer)
            self.critic_optimizer.build(self.critic.trainable_variables)
        self.trackers = {
            name: keras.metrics.Mean(name=name, dtype="float32") for name in ("loss", *self.objective.terms)
        }
        # Tells the layer its shapes, for summary(), with a batch of any size.
        self.draw(self.encoder.output, seed=None)
        # train_step never calls the model, so nothing else would tell Keras that its weights exist.
        self.built = True
        if advice := self.advice():
            warnings.warn(advice, stacklevel=2)

    def adapt(self, images):
        """Starts from training images what learns better so, before `fit`: VampPrior's pseudo-inputs.

        Args:
            images: Some thousand of them at most, `[n, height, width, channels]` in [0, 1].
        """
        self.prior.adapt(self, images)

    def call(self, inputs, training=False):
        """Returns the reconstructions, decoded from the means: `[batch, height, width, channels]` in [0, 1].

        `inputs` are images; of a conditional model `(images, labels)`.
        """
        paired = self.conditional and isinstance(inputs, tuple | list)
        images, labels = inputs if paired else (inputs, None)
        return self.decode(self.encode(images, labels, training)[0], labels, training)

    def encode(self, images, labels=None, training=False):
        """Returns the mean and the log-variance of the codes of `images`, each `[batch, *latent]`."""
        images = as_images(images, self.image_shape)
        posterior = apply(self.encoder, self.labelled(images, labels), training)
        return self.latent.moments(self.sampling, posterior)

    def log_weights(self, observed, count, seed, labels=None):
        """Returns log p(x|z) + log p(z) - log q(z|x) at `count` codes of each posterior, `[batch, count]`, in nats.

        The log of their mean over codes is a lower bound on log p(x), and that in the end (Burda et al. 2016,
        equation 8); `keras_vae.evaluation.metrics.importance` says whether it may be called so.

        Args:
            observed: Images as the likelihood has them, `[batch, height, width, channels]` (`likelihood.observe`).
            count: Codes an image; the decoder sees `batch * count` codes at a time.
            seed: As in `keras.random`.
            labels: Of a conditional model.

        Raises:
            ValueError: The posterior has no density.
        """
        observed = as_images(observed, self.image_shape)
        posterior = self.encoder(self.labelled(observed, labels), training=False)
        return Draws(self, posterior, observed, labels, count, seed, False).log_weights

    def decode(self, codes, labels=None, training=False):
        """Returns the images that `codes` stand for, `[batch, height, width, channels]` in [0, 1]."""
        return self.likelihood.mean(apply(self.decoder, self.labelled(codes, labels), training))

    def sample(self, count, seed=0, labels=None):
        """Returns `count` images decoded from codes of the prior, by `seed` alone.

        A conditional model shows `labels`, `[count]` or one for all, by default each in turn.

        Raises:
            ValueError: `count` is negative or not a whole number, or the labels do not go with it.
        """
        if labels is not None and not self.conditional:
            raise ValueError("the model is not conditional: it has learned no labels (leave them out)")
        count = check_count(count)
        if self.conditional and labels is None:
            labels = ops.arange(count) % self.num_classes
        return self.decode(self.prior.draw(self, count, seed), labels)

    def draw(self, posterior, seed, training=False):
        """Returns a `keras_vae.latents.Draw` of one code for each posterior."""
        return self.latent.draw(self.sampling, posterior, seed, training)

    def rate(self, posterior, draw):
        """Returns KL(posterior || prior), `[batch]`, in nats.

        In closed form where there is one, else log q(z|x) - log p(z) at the codes drawn, which has it as its mean.
        """
        rate = self.latent.rate(posterior) if self.prior.is_standard else None
        return draw.log_density - self.prior.log_prob(self, draw.codes) if rate is None else rate

    def labelled(self, values, labels):
        """Returns images or codes, `[batch, ..., channels]`, with the labels as further channels, one a class.

        Values of an unconditional model are returned as they are.
        """
        if not self.conditional:
            return values
        if labels is None:
            raise ValueError("the model is conditional: give the labels too, whole numbers [batch]")
        labels = as_labels(labels, self.num_classes, values.shape[0])
        labels = ops.one_hot(labels, self.num_classes, dtype="float32")
        spatial = tuple(values.shape[1:-1])
        labels = ops.reshape(labels, (-1, *(1 for _ in spatial), self.num_classes))
        planes = ops.broadcast_to(labels, (ops.shape(values)[0], *spatial, self.num_classes))
        return ops.concatenate([values, planes], axis=-1)

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

    def terms(self, images, targets=None):
        """Returns the loss of each image and its terms as evaluation has them, a dict of `[batch]`, in nats.

        `targets` are what the decoder is to give, or the labels of a conditional model.
        """
        return self.objective(self, Step(self, images, targets, training=False))

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
        total = terms["loss"] + terms.get("critic_loss", 0.0)
        share = backends.mean_over_replicas(ops.sum(weights))
        return ops.divide_no_nan(ops.sum(weights * total), share)

    def updates(self, gradients):
        """Returns what each optimizer is to do: `(optimizer, gradients, weights)`.

        Args:
            gradients: Of the loss as the model's optimizer scales it, by each of `trainable_weights`.
        """
        known = {id(weight): gradient for weight, gradient in zip(self.trainable_weights, gradients)}
        updates = []
        if self.critic is not None:
            # The critic's optimizer has a scale of its own.
            scale = self.critic_optimizer.scale_loss(1.0) / self.optimizer.scale_loss(1.0)
            weights = self.critic.trainable_weights
            updates.append(
                (self.critic_optimizer, [known[id(weight)] * scale for weight in weights], weights)
            )
        weights = self.own_weights
        return [*updates, (self.optimizer, [known[id(weight)] for weight in weights], weights)]

    @property
    def own_weights(self):
        """The weights that the model's optimizer trains: all but the critic's."""
        others = {id(weight) for weight in self.critic.weights} if self.critic is not None else ()
        return [weight for weight in self.trainable_weights if id(weight) not in others]

    def compile(self, *args, **kwargs):
        """As `keras.Model.compile`, without `loss`: the objective is it."""
        super().compile(*args, **kwargs)
        self.optimizer.build(self.own_weights)

    def fit(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.fit`, but that nothing is learned from what is no image, and only as long as numbers are some.

        Raises:
            ValueError: The images are not within 0 and 1, or there are none (`keras_vae.inputs`).
            TrainingStopped: A term of the loss or a weight became NaN or infinite. Model and optimizer have the state
                of the last good epoch again.
        """
        given = inspect.signature(super().fit).bind(x, y, *args, **kwargs).arguments
        given["x"], given["y"] = looked_at(x, y, num_classes=self.num_classes)
        held_out = given.get("validation_data")
        if isinstance(held_out, tuple | list):
            looked_at(*held_out[:2], num_classes=self.num_classes)
        elif held_out is not None:
            given["validation_data"], _ = looked_at(held_out, num_classes=self.num_classes)
        if is_stream(x):
            given.setdefault(
                "shuffle", False
            )  # by default Keras asks for it, and warns that it cannot be had
        soundness = Soundness()
        given["callbacks"] = [soundness, *keras.tree.flatten(given.get("callbacks") or [])]
        try:
            with refusing():
                return super().fit(**given)
        except TrainingStopped:
            soundness.restore()
            raise

    def compile_from_config(self, config):
        """Compiles a model that is being loaded."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    @property
    def metrics(self):
        """The loss and the objective's terms, means over all images of the epoch, in nats per image."""
        return list(self.trackers.values())

    def iteration(self):
        """Returns the number of batches trained on, int32."""
        optimizer = getattr(self, "optimizer", None)
        return ops.cast(batch_counter(optimizer) if optimizer else 0, "int32")

    def noise_counter(self, training):
        """Returns what numbers the noise: by steps or, in evaluation, by images seen; and by replicas."""
        counter = self.iteration() if training else ops.cast(self.trackers["loss"].count, "int32")
        return counter * backends.num_replicas() + backends.replica_number()

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
            "prior": component_to_json(self.chosen_prior, PRIORS),
            "corruption": component_to_json(self.corruption, CORRUPTIONS),
            "num_classes": self.num_classes or None,
            "seed": self.seed,
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            **super().get_config(),
        }


@keras.saving.register_keras_serializable(layers.PACKAGE)
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


def check_classes(num_classes, conditional):
    """Returns the number of labels that the networks are told of, 0 where the model is not conditional."""
    if not conditional:
        return 0
    if num_classes is None or num_classes < 2:
        raise ValueError(
            f"num_classes is {num_classes}: a conditional objective takes images of two classes or more (a dataset"
            " with labels)"
        )
    return num_classes


def widened(shape, channels):
    """Returns `shape` with so many more channels."""
    return (*shape[:-1], shape[-1] + channels)


def check_image_shape(shape):
    """Returns `shape` as a tuple of three positive whole numbers.

    Warns:
        UserWarning: The channels seem to come first.
    """
    wanted = "expected (height, width, channels), such as (28, 28, 1)"
    try:
        sizes = whole(tuple(shape), "image_shape")
    except (TypeError, ValueError):  # TypeError: one number
        raise ValueError(f"image_shape is {shape!r}: {wanted}") from None
    if len(sizes) != 3 or min(sizes) < 1:
        raise ValueError(f"image_shape is {sizes}: {wanted}")
    if sizes[0] in USUAL_CHANNELS and min(sizes[1:]) > max(USUAL_CHANNELS):
        height, width, channels = sizes
        warnings.warn(
            f"image_shape is {sizes}, {channels} channels of {height}x{width} pixels: if the channels come first, put them"
            f" last, image_shape {(width, channels, height)} and np.moveaxis(images, 1, -1)",
            stacklevel=3,
        )
    return sizes

"""The model: encoder, latent, decoder, likelihood and objective in one `keras.Model`.

`keras_vae.layers.backends` has a `train_step` for each backend of Keras.
"""

from __future__ import annotations

import dataclasses
import html
import inspect
import math
import warnings
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np

from keras_vae.config.codec import registered_name
from keras_vae.errors import TrainingStopped
from keras_vae.layers import backends
from keras_vae.layers import basic as layers
from keras_vae.model import compiled
from keras_vae.model.batches import filled, in_batches, rows_at_once
from keras_vae.model.checks import check_classes, check_image_shape, check_label_names, widened
from keras_vae.model.components import component, component_to_json
from keras_vae.model.corruptions import CORRUPTIONS
from keras_vae.model.inputs import (
    CLEAN,
    Batch,
    InputSpec,
    as_arrays,
    as_images,
    as_labels,
    as_numbers,
    check_class_weight,
    check_some_count,
    check_values,
    to_numpy,
    unpack,
)
from keras_vae.model.likelihoods import LIKELIHOODS
from keras_vae.model.nan_guard import Soundness
from keras_vae.model.networks import NETWORKS
from keras_vae.model.objectives import OBJECTIVES
from keras_vae.model.posteriors import latent_shape, show_shape
from keras_vae.model.priors import PRIORS
from keras_vae.model.regularizers import REGULARIZERS
from keras_vae.model.rows import check_count
from keras_vae.model.saving import Saving
from keras_vae.model.scoring import NUM_SAMPLES, score
from keras_vae.model.step import Draws, Step
from keras_vae.model.streams import checked_stream, is_arrays, refusing
from keras_vae.runtime import upstream
from keras_vae.runtime.devices import need_tensorflow
from keras_vae.runtime.lazy import keras, ops

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike

    from keras_vae.model.likelihoods.likelihood import Likelihood
    from keras_vae.model.objectives.objective import Objective
    from keras_vae.model.posteriors import Draw
    from keras_vae.model.priors.prior import Prior
    from keras_vae.model.regularizers.regularizer import Regularizer
    from keras_vae.runtime.tensor import Tensor

    Seed: TypeAlias = int | keras.random.SeedGenerator | Tensor

# Outside these bounds the model warns. Using means instead of sums changes the weight of the rate by 10 to 100 times.
CODES_AT_ONCE = 2048  # rows that a fitted sampler draws at a time: its networks keep all layers' results
LOW_BETA, HIGH_BETA = 0.5, 2.0
LOW_SIGMA, HIGH_SIGMA = 0.01, 0.5


@dataclasses.dataclass(frozen=True)
class Dims:
    """The number of values in an image and in its code."""

    pixels: int
    latents: int


@keras.saving.register_keras_serializable(layers.PACKAGE)
class Autoencoder(backends.Steps, Saving, keras.Model):
    """A plain or variational autoencoder, depending on its objective.

    It is an ordinary Keras model: `compile`, `fit(images)`, `evaluate`, `predict` (reconstructions), callbacks, `save`
    and `keras.saving.load_model` work as usual, with any dtype policy.

    ```python
    model = keras_vae.VAE((28, 28, 1), latent=32)
    model.compile("adam")
    model.fit(images, epochs=10)            # [n, 28, 28, 1], in [0, 1]
    model.sample(16)                        # [16, 28, 28, 1], decoded from the prior
    ```

    `fit` also takes pairs, `fit(noisy, clean)`, one sample weight per image, and batches that are dicts, as in TFDS
    (`keras_vae.model.inputs`). It logs `loss` and the objective's terms (usually `distortion` and `rate`) in nats per
    image, and the metrics passed to `compile`.

    Args:
        image_shape: `(height, width, channels)`.
        latent: The latent's shape: `32`, `(8, 8, 1024)` or `"8x8x1024"`.
        objective: A name in `keras_vae.OBJECTIVES` or an objective.
        likelihood: A name in `keras_vae.LIKELIHOODS` or a likelihood; by default `bernoulli` for grey images and
            `gaussian_optimal` for colour images.
        network: A name in `keras_vae.NETWORKS` or a network.
        prior: A name in `keras_vae.PRIORS` or a prior. Learned priors are trained with the model.
        corruption: A name in `keras_vae.CORRUPTIONS` or a corruption, applied in training to the encoder's input but
            not to the decoder's targets; by default the objective's own.
        regularizer: A name in `keras_vae.REGULARIZERS` or a regularizer, which makes codes easier to sample.
        num_classes: The number of labels, for a conditional objective. Such a model is trained by
            `fit(images, labels)` with integer labels from 0.
        value_range: `(low, high)`, the original values that were scaled to 0 and 1, unless the images were bytes or
            already in [0, 1]. It is only stored with the model; the model's images are always in [0, 1].
        label_names: Names of the labels 0, 1, ... of a conditional model; `sample` accepts them too.
        seed: Seed of all noise. Weights are initialised from Keras' own seed (`keras.utils.set_random_seed`).
        **kwargs: Arguments of `keras.Model`: `name`, `dtype` (the policy of the hidden layers).

    Raises:
        ValueError: A shape is invalid, a name is unknown, or the latent is larger than the image.

    Warns:
        UserWarning: The weight of the rate is far from 1 (`advice`), or the channels seem to come first.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent: int | str | Sequence[int] = 16,
        objective: str | Objective = "vae",
        likelihood: str | Likelihood | None = None,
        network: object = "convolutional",
        seed: int = 0,
        prior: str | Prior = "standard",
        corruption: object = "none",
        num_classes: int | None = None,
        value_range: tuple[float, float] | None = None,
        label_names: Sequence[str] | None = None,
        regularizer: str | Regularizer = "none",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_shape: tuple[int, int, int] = check_image_shape(image_shape)
        self.latent_shape: tuple[int, ...] = latent_shape(latent, self.image_shape)
        self.objective = component(objective, OBJECTIVES, "objective")
        self.network = component(network, NETWORKS, "network")
        likelihood = likelihood or ("bernoulli" if self.image_shape[-1] == 1 else "gaussian_optimal")
        self.likelihood = component(likelihood, LIKELIHOODS, "likelihood").of_model()
        prior = component(prior, PRIORS, "prior")
        self.corruption = component(corruption, CORRUPTIONS, "corruption")
        if self.corruption == CORRUPTIONS["none"]():
            self.corruption = component(self.objective.corruption, CORRUPTIONS, "corruption")
        self.regularizer = component(regularizer, REGULARIZERS, "regularizer")
        self.seed = seed
        self.latent = self.regularizer.latent(self.objective.latent)
        self.prior = self.latent.prior(prior)
        self.conditional = self.objective.conditional
        self.num_classes: int = check_classes(num_classes, self.conditional)
        self.value_range = tuple(value_range) if value_range else None
        self.label_names = check_label_names(label_names, self.num_classes)
        self.dims = Dims(math.prod(self.image_shape), math.prod(self.latent_shape))
        self.objective.check(self)
        seen, decoded = (widened(shape, self.num_classes) for shape in (self.image_shape, self.latent_shape))
        self.encoder: keras.Model = self.network.encoder(
            seen, self.latent_shape, self.latent, self.dtype_policy
        )
        self.latent = self.latent.of(self.latent_shape)
        # The names of these attributes are the names of the layers in files.
        self.sampling = self.latent.layer
        first = self.latent.decoder_input()
        self.decoder: keras.Model = self.objective.constrain(
            self.network.decoder(
                self.image_shape,
                decoded,
                self.likelihood,
                self.dtype_policy,
                **({"first": first} if first else {}),
            )
        )
        self.regularizer.check(self)
        self.prior = self.prior.of(self)
        self.prior_layer = self.prior.layer
        self.likelihood_memory = self.likelihood.layer
        self.critic = self.objective.critic(self.image_shape, self.latent_shape)
        if self.critic is not None:
            # It is built here because its state belongs in every saved file.
            self.critic_optimizer = self.objective.critic_optimizer()
            # As in `compile`: steps that overflow are skipped.
            if self.dtype_policy.name == "mixed_float16":
                self.critic_optimizer = keras.optimizers.LossScaleOptimizer(self.critic_optimizer)
            self.critic_optimizer.build(self.critic.trainable_variables)
        self.trackers = {
            name: keras.metrics.Mean(name=name, dtype="float32")
            for name in ("loss", *self.objective.terms, *self.regularizer.terms)
        }
        # Gives the layer its shapes for `summary`, with any batch size.
        self.draw(self.encoder.output, seed=None)
        # `train_step` never calls the model, so Keras does not notice that it is built.
        self.built = True
        self.sampler = None  # of `sample`; None draws from the prior
        self.learned_from_noise = False  # whether `fit` was given pairs of noisy and clean images
        if advice := self.advice():
            warnings.warn(advice, stacklevel=2)

    def adapt(self, images: ArrayLike) -> None:
        """Initialises the prior's weights from training images, before `fit`: the pseudo-inputs of VampPrior.

        Args:
            images: At most a few thousand images, `[n, height, width, channels]` in [0, 1].
        """
        self.prior.adapt(self.readable(images))

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Tensor:
        """Checks the inputs and calls the model. Checked here, errors are not wrapped in a message of Keras."""
        return super().__call__(self.readable_inputs(inputs), *args, **kwargs)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        """Returns the reconstructions, decoded from the means: `[batch, height, width, channels]` in [0, 1].

        `inputs` are images, or `(images, labels)` for a conditional model.
        """
        batch = unpack(inputs, self.conditional)
        images, labels = batch.images, batch.labels
        return self.decode(self.encode(images, labels, training)[0], labels, training)

    def encode(
        self, images: ArrayLike, labels: ArrayLike | None = None, training: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Returns the mean and the log-variance of the codes of `images`, each `[n, *latent]`.

        Images are encoded in batches. In training mode they are encoded all at once, as batch normalization requires.
        """
        images = self.readable(images)

        def moments(images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
            posterior = self.encoder(self.labelled(images, labels), training=training)
            return self.latent.moments(posterior)

        return self.in_batches(moments, images, labels, training)

    def in_batches(
        self, function: Callable, values: Tensor, labels: ArrayLike | None = None, training: bool = False
    ) -> Any:
        """Returns `function(values, labels)`, computed in batches; in training mode all rows at once."""
        count = values.shape[0]
        if training or count is None:
            return function(values, labels)
        if labels is not None and self.conditional:
            labels = self.class_numbers(labels, count)
        return in_batches(function, rows_at_once(self), values, labels)

    def log_weights(
        self, observed: ArrayLike, count: int, seed: Seed, labels: ArrayLike | None = None
    ) -> Tensor:
        """Returns log p(x|z) + log p(z) - log q(z|x) at `count` codes of each posterior, `[batch, count]`, in nats.

        The log of the mean weight over codes is a lower bound on log p(x) that converges to it (Burda et al. 2016,
        equation 8). `keras_vae.evaluation.metrics.importance` tells whether `count` is large enough.

        Args:
            observed: Output of `likelihood.observe`, `[batch, height, width, channels]`.
            count: Codes per image; the decoder sees `batch * count` codes at a time.
            seed: As in `keras.random`.
            labels: Labels, for a conditional model.

        Raises:
            ValueError: The posterior has no density.
        """
        observed = self.readable(observed)
        posterior = self.encoder(self.labelled(observed, labels), training=False)
        return Draws(self, posterior, observed, labels, count, seed, False).log_weights

    def decode(self, codes: Tensor, labels: ArrayLike | None = None, training: bool = False) -> Tensor:
        """Returns the images decoded from `codes`, `[n, height, width, channels]` in [0, 1].

        Codes are decoded in batches; in training mode all at once.
        """

        def decoded(codes: Tensor, labels: Tensor | None) -> Tensor:
            return self.likelihood.mean(self.decoder(self.labelled(codes, labels), training=training))

        return self.in_batches(decoded, codes, labels, training)

    def sample(self, count: int, seed: int = 0, labels: ArrayLike | None = None) -> Tensor:
        """Returns `count` images decoded from codes of the prior. They depend only on `seed`.

        If the attribute `sampler` is a fitted sampler (`keras_vae.SAMPLERS`), codes are drawn from it instead. A model
        from a preset may have one.

        A conditional model uses `labels`, `[count]` or one for all images; by default each class in turn.

        Many images are decoded in batches, into memory that is as large as the result. Then no gradient leads from them
        to the weights: `decode` has it.

        Raises:
            ValueError: `count` is negative or not an integer, or does not match the labels.
        """
        if labels is not None and not self.conditional:
            raise ValueError("the model is not conditional and takes no labels: leave them out")
        count = check_count(count)
        if self.conditional and labels is None:
            labels = ops.arange(count) % self.num_classes
        codes = self.prior.draw(count, seed) if self.sampler is None else draw_from(self.sampler, count, seed)
        at_once = rows_at_once(self)
        if count <= at_once or not is_readable(codes):
            return self.decode(codes, labels)
        if self.conditional:
            labels = self.class_numbers(labels, count)
        return filled(self.decode, at_once, codes, labels)

    def score(
        self,
        images: ArrayLike,
        labels: ArrayLike | None = None,
        num_samples: int = NUM_SAMPLES,
        seed: int | ArrayLike = 0,
    ) -> Tensor:
        """Returns an anomaly score of each image, `[n]`, in nats; a higher score means a more unusual image.

        For a variational model the score is the importance-weighted upper bound on -log p(image) of Burda et al. 2016.
        For codes without noise it is the distortion (`keras_vae.model.scoring.scores`). It depends only on the image,
        the seed and `num_samples`, not on other images or earlier calls. It is always computed in float32 and equals
        the output of the exported encoder's signature `score`. All images share the noise of a seed.

        Args:
            images: `[n, height, width, channels]` in [0, 1].
            labels: Labels, for a conditional model.
            num_samples: Codes drawn per image. More codes tighten the bound, at one decoder pass each.
            seed: Seed of the codes: an integer, or one per image, `[n]`.

        Raises:
            ValueError: An argument is invalid, or the likelihood is `gaussian_optimal`, whose variance comes from
                training, and the model is untrained.
        """
        return score(self, images, labels, num_samples, seed)

    def draw(
        self, posterior: Any, seed: Seed | None, training: bool = False, weights: Tensor | None = None
    ) -> Draw:
        """Draws one code from each posterior; returns a `keras_vae.model.posteriors.Draw`.

        `weights` are those of the images, `[batch]`, or None.
        """
        return self.latent.draw(posterior, seed, training, weights)

    def log_prob(
        self, images: Tensor, decoded: Any, weights: Tensor | None = None, training: bool = False
    ) -> Tensor:
        """Returns log p(images | decoded), `[batch]`, in nats; in training, updates the likelihood's layer too."""
        if training:
            self.likelihood.follow(images, decoded, weights)
        return self.likelihood.log_prob_in_batch(images, decoded, weights)

    def rate(self, posterior: Any, draw: Draw) -> Tensor:
        """Returns KL(posterior || prior), `[batch]`, in nats.

        Without a closed form it is estimated without bias as log q(z|x) - log p(z) at the drawn codes.
        """
        rate = self.latent.rate(posterior) if self.prior.is_standard else None
        return draw.log_density - self.prior.log_prob(draw.codes) if rate is None else rate

    def labelled(self, values: Tensor, labels: ArrayLike | None) -> Tensor:
        """Returns images or codes, `[batch, ..., channels]`, with the labels as one additional channel per class.

        Values of an unconditional model are returned unchanged.
        """
        if not self.conditional:
            return values
        labels = self.class_numbers(labels, values.shape[0])
        labels = ops.one_hot(labels, self.num_classes, dtype="float32")
        spatial = tuple(values.shape[1:-1])
        labels = ops.reshape(labels, (-1, *(1 for _ in spatial), self.num_classes))
        planes = ops.broadcast_to(labels, (ops.shape(values)[0], *spatial, self.num_classes))
        return ops.concatenate([values, planes], axis=-1)

    def class_numbers(self, labels: ArrayLike | None, count: int | None) -> Tensor:
        """Returns labels or class names as int32, `[count]`, or `[1]` for one label for all; see `as_labels`."""
        if labels is None:
            raise ValueError("the model is conditional: give the labels too, whole numbers [batch]")
        labels = to_numpy(labels) if is_readable(labels) else labels
        return as_labels(as_numbers(labels, self.label_names), self.num_classes, count)

    def advice(self) -> str | None:
        """Returns a warning if the loss weighs the rate far from 1, else None.

        The weight of a squared error depends on the decoder's standard deviation: the loss implies a pixel noise of
        sigma * sqrt(beta). For pixels in [0, 1] the plausible range is from a few grey levels to one half.
        """
        beta = self.objective.effective_beta(self.dims)
        if beta is None:
            return None
        sigma = getattr(self.likelihood, "sigma", None)
        if sigma is not None and not LOW_SIGMA <= sigma * math.sqrt(beta) <= HIGH_SIGMA:
            return (
                f"the loss has an effective beta of {beta:.3g} and implies a pixel noise of"
                f" {sigma * math.sqrt(beta):.3g} on images from 0 to 1, but {LOW_SIGMA} to {HIGH_SIGMA} is plausible"
                " (try --likelihood gaussian_optimal)"
            )
        if LOW_BETA <= beta <= HIGH_BETA:
            return None
        effect = (
            "codes will spread beyond the prior, and samples from N(0, I) will not decode to realistic images"
            if beta < 1
            else "the rate will be too low, which blurs images and may collapse the code"
        )
        return (
            f"the loss weighs the rate by an effective beta of {beta:.3g} instead of the bound's 1: {effect}"
        )

    def terms(self, images: ArrayLike, targets: ArrayLike | None = None) -> dict[str, Tensor]:
        """Returns each image's loss and its terms in evaluation mode, a dict of `[batch]`, in nats.

        `targets` are the decoder's targets, or the labels of a conditional model. The noise is always that of the first
        batch of an evaluation. It depends on an image's position in the batch, and some terms depend on the other
        images. Use `score` to compare images with each other.
        """
        spec = self.input_spec_of()
        batch = unpack((images, targets), self.conditional)
        for values, bounds in ((batch.images, spec.bounds(batch)), (batch.targets, CLEAN)):
            if is_readable(values) and np.size(values):
                check_values(values, bounds)
        return self.terms_of(Step(self, images, targets, training=False, counter=0))

    def terms_of(self, step: Step) -> dict[str, Tensor]:
        """Returns the loss of each image of a `Step` and its terms, a dict of `[batch]`, in nats."""
        terms, added = self.objective(self, step), self.regularizer(self, step)
        return {**added, **terms, "loss": terms["loss"] + added["loss"]}

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """Returns the mean loss of a batch and updates the metrics.

        An image of weight 2 counts as two images and one of weight 0 is ignored, also in the statistics of the whole
        batch (`Step.mean`). `loss` includes the layers' own losses (regularizers). The mean of the replicas' values is
        the mean over the global batch, however the batch was divided.
        """
        del y_pred
        if getattr(self, "_compile_loss", None) is not None:
            raise ValueError("compile was given a loss: the model's objective is its loss (leave `loss` out)")
        if sample_weight is not None:
            sample_weight = ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        step = Step(self, x, y, training, sample_weight)
        terms = self.terms_of(step)
        penalties = sum(ops.cast(value, "float32") for value in self.losses)
        terms = {**terms, "loss": terms["loss"] + penalties}
        weights = ops.ones_like(terms["loss"]) if sample_weight is None else sample_weight
        for name, tracker in self.trackers.items():
            tracker.update_state(terms[name], sample_weight=weights)
        total = terms["loss"] + terms.get("critic_loss", 0.0)
        share = backends.mean_over_replicas(ops.sum(weights))
        return ops.divide_no_nan(ops.sum(weights * total), share)

    def unpack(self, data: Any) -> Batch:
        """Returns the data that Keras passes to a step as a `Batch`."""
        return unpack(data, self.conditional)

    def compute_batch_loss(self, batch: Batch, training: bool) -> Tensor:
        """Returns `compute_loss` of a `Batch`."""
        y = batch.labels if self.conditional else batch.targets
        return self.compute_loss(batch.images, y, sample_weight=batch.weights, training=training)

    def update_metrics(self, batch: Batch) -> None:
        """Updates the metrics passed to `compile` with a `Batch`."""
        compiled.update(self, batch)

    def updates(
        self, gradients: Sequence[Tensor | None]
    ) -> list[tuple[keras.Optimizer, list[Tensor | None], list[keras.Variable]]]:
        """Returns the updates of each optimizer, a list of `(optimizer, gradients, weights)`.

        Args:
            gradients: Gradients of the loss, scaled by the model's optimizer, one for each of `trainable_weights`.
        """
        known = {id(weight): gradient for weight, gradient in zip(self.trainable_weights, gradients)}
        updates = []
        if self.critic is not None:
            # The critic's optimizer has its own scale.
            scale = self.critic_optimizer.scale_loss(1.0) / self.optimizer.scale_loss(1.0)
            weights = self.critic.trainable_weights
            updates.append(
                (self.critic_optimizer, [known[id(weight)] * scale for weight in weights], weights)
            )
        weights = self.own_weights
        return [*updates, (self.optimizer, [known[id(weight)] for weight in weights], weights)]

    @property
    def own_weights(self) -> list[keras.Variable]:
        """The weights that the model's optimizer trains: all except the critic's."""
        others = {id(weight) for weight in self.critic.weights} if self.critic is not None else ()
        return [weight for weight in self.trainable_weights if id(weight) not in others]

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Configures the model as `keras.Model.compile` does, but without `loss`: the objective is the loss.

        `metrics` and `weighted_metrics` compare images with their reconstructions from `predict`, in training and in
        evaluation. This takes one more pass through the networks. Only `weighted_metrics` use the sample weights.
        Metrics are logged under their names: `mae`, `val_mae`.

        Raises:
            ValueError: `loss` or `loss_weights` is given, or a metric cannot compare images or has a term's name.
        """
        given = inspect.signature(super().compile).bind(*args, **kwargs).arguments
        compiled.check_loss(given)
        super().compile(**given)
        compiled.build(self)
        self.optimizer.build(self.own_weights)

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Trains the model, as `keras.Model.fit` does.

        Raises:
            ValueError: Images are outside [0, 1], labels are not classes, weights are not one number per image, or
                there is nothing to learn from (`keras_vae.model.inputs`).
            TrainingStopped: A term of the loss or a weight became NaN or infinite. The model and the optimizer are
                restored to the state of the last good epoch.
        """
        given = inspect.signature(super().fit).bind(x, y, *args, **kwargs).arguments
        check_some_count(given.get("sample_weight"))
        self.examine(given, class_weight=given.pop("class_weight", None), learns=True)
        held_out = given.get("validation_data")
        if held_out is not None:
            names = ("x", "y", "sample_weight")
            held_out = dict(zip(names, keras.utils.unpack_x_y_sample_weight(held_out)))
            self.examine(held_out)
            given["validation_data"] = tuple(held_out[name] for name in names)
        if not is_arrays(x) and not isinstance(x, keras.utils.PyDataset):
            # Keras' default is True, and it warns that it cannot shuffle such data.
            given.setdefault("shuffle", False)
        soundness = Soundness()
        given["callbacks"] = [soundness, *keras.tree.flatten(given.get("callbacks") or [])]
        try:
            with refusing(given["x"], held_out and held_out["x"]):
                return super().fit(**given)
        except TrainingStopped:
            soundness.restore()
            raise

    def evaluate(
        self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any
    ) -> float | list[float] | dict[str, float]:
        """Measures the loss, its terms and the metrics, as `keras.Model.evaluate` does. `x` is as in `fit`."""
        given = inspect.signature(super().evaluate).bind(x, y, *args, **kwargs).arguments
        given.update(given.pop("kwargs", {}))
        if not given.get("_use_cached_eval_dataset"):  # already examined by `fit`
            self.examine(given)
        with refusing(given["x"]):
            return super().evaluate(**given)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> np.ndarray:
        """Returns the reconstructions, `[n, height, width, channels]`, as `keras.Model.predict` does.

        `x` is the same as in `fit`. Targets and weights in it are ignored; a conditional model uses the labels.
        """
        given = inspect.signature(super().predict).bind(x, *args, **kwargs).arguments
        given["x"] = self.examine_for_call(x, steps_per_epoch=given.get("steps"))
        with refusing(given["x"]):
            return super().predict(**given)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> float | list[float] | dict[str, float]:
        """Takes one step, as `keras.Model.train_on_batch` does."""
        given = {"x": x, "y": y, "sample_weight": sample_weight}
        self.examine(given, class_weight=class_weight, learns=True)
        return super().train_on_batch(**given, return_dict=return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: ArrayLike | None = None, return_dict: bool = False
    ) -> float | list[float] | dict[str, float]:
        """Measures one batch, as `keras.Model.test_on_batch` does."""
        given = {"x": x, "y": y, "sample_weight": sample_weight}
        self.examine(given)
        return super().test_on_batch(**given, return_dict=return_dict)

    def predict_on_batch(self, x: Any) -> np.ndarray:
        """Returns the reconstructions of one batch, as `keras.Model.predict_on_batch` does."""
        return super().predict_on_batch(self.examine_for_call(x))

    def input_spec_of(
        self, for_call: bool = False, class_weight: dict[int, float] | None = None
    ) -> InputSpec:
        """Returns the `InputSpec` of the model.

        Args:
            for_call: Whether the model is only called. A model that removes noise then accepts noisy images.
            class_weight: As in `fit`.
        """
        if class_weight is not None:
            check_class_weight(class_weight, self.num_classes)
        noisy = for_call and self.removes_noise
        return InputSpec(self.image_shape, self.num_classes, noisy, class_weight, inputs_alone=for_call)

    @property
    def removes_noise(self) -> bool:
        """Whether the model is trained on noisy images, and therefore accepts them as input."""
        return self.learned_from_noise or self.corruption != CORRUPTIONS["none"]()

    def examine(
        self, given: dict[str, Any], class_weight: dict[int, float] | None = None, learns: bool = False
    ) -> None:
        """Checks the arguments `x`, `y` and `sample_weight` and replaces them by the form that the steps expect.

        Args:
            given: Arguments by name, changed in place.
            class_weight: As in `fit`.
            learns: Whether the model is trained on them.
        """
        spec = self.input_spec_of(class_weight=class_weight)
        x = as_arrays(given.get("x"))
        parts = x, given.get("y"), given.get("sample_weight")
        if is_arrays(parts):
            batch = spec.examine(parts)
            if learns and batch.is_noisy():
                self.learns_from_noise()
            packed = batch.pack()
            parts = (
                (packed, None, None)
                if isinstance(packed, dict)
                else keras.utils.unpack_x_y_sample_weight(packed)
            )
        else:
            how = {"shuffle": given.get("shuffle", False), "steps_per_epoch": given.get("steps_per_epoch")}
            noticed = self.learns_from_noise if learns and not self.removes_noise else None
            parts = checked_stream(*parts, spec, noticed=noticed, **how), None, None
        given.update(zip(("x", "y", "sample_weight"), parts))

    def examine_for_call(self, x: Any, steps_per_epoch: int | None = None) -> Any:
        """Returns the checked inputs of the model from images, a batch in any layout, or a stream."""
        spec = self.input_spec_of(for_call=True)
        x = as_arrays(x)
        if not is_arrays(x):
            return checked_stream(x, None, None, spec, for_call=True, steps_per_epoch=steps_per_epoch)
        return spec.examine(x).inputs()

    def readable(self, images: ArrayLike) -> Tensor:
        """Returns images to encode as float32; raises a ValueError if their values are known and out of range."""
        images = images if hasattr(images, "shape") else as_arrays(images)
        converted = as_images(images, self.image_shape)
        if is_readable(images) and np.size(images):
            check_values(images, self.input_spec_of(for_call=True).bounds(Batch(images)))
        return converted

    def readable_inputs(self, inputs: Any) -> Any:
        """Returns the inputs of a call as arrays; raises a ValueError if their values are known and invalid."""
        inputs = as_arrays(inputs)
        batch = unpack(inputs, self.conditional)
        if self.conditional:
            self.class_numbers(batch.labels, batch.images.shape[0])
        self.readable(batch.images)
        return inputs

    def learns_from_noise(self) -> None:
        """Records that the model is trained on noisy images, and therefore accepts them as input."""
        self.learned_from_noise = True

    def compile_from_config(self, config: Mapping[str, Any]) -> None:
        """Compiles a loaded model, without the unused loss that earlier versions of this package accepted."""
        given = dict(config)
        self.learned_from_noise |= given.pop("learned_from_noise", False)
        given = keras.saving.deserialize_keras_object(given)
        self.compile(**{name: value for name, value in given.items() if name not in ("loss", "loss_weights")})

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        config = dict(config)
        learned_from_noise = config.pop("learned_from_noise", False)
        model = super().from_config(config, custom_objects)
        model.learned_from_noise = learned_from_noise
        return model

    @property
    def metrics(self) -> list[keras.Metric]:
        """The metrics of `compile`, and the loss and its terms in nats per image, averaged over the epoch."""
        given = upstream.compile_metrics(self)
        return [*self.trackers.values(), *([] if given is None else [given])]

    def iteration(self) -> Tensor:
        """Returns the number of batches trained on, int32."""
        optimizer = getattr(self, "optimizer", None)
        return ops.cast(upstream.batch_counter(optimizer) if optimizer else 0, "int32")

    def noise_counter(self, training: bool) -> Tensor:
        """Returns the counter of the noise: the number of steps, or of images in evaluation, and the replica."""
        counter = self.iteration() if training else ops.cast(self.trackers["loss"].count, "int32")
        return counter * backends.num_replicas() + backends.replica_number()

    def __repr__(self) -> str:
        if not hasattr(self, "trackers"):  # within __init__
            return super().__repr__()
        return (
            f"<{type(self).__name__} {self.name}: images {show_shape(self.image_shape)}, latent"
            f" {show_shape(self.latent_shape)}, objective {registered_name(self.objective, OBJECTIVES)}, likelihood"
            f" {registered_name(self.likelihood, LIKELIHOODS)}, {self.count_params():,} weights>"
        )

    def _repr_html_(self) -> str:
        kinds = {"objective": OBJECTIVES, "likelihood": LIKELIHOODS, "network": NETWORKS}
        kinds |= {"corruption": CORRUPTIONS, "regularizer": REGULARIZERS}
        names = {name: registered_name(getattr(self, name), choices) for name, choices in kinds.items()}
        rows = "".join(
            f"<tr><th>{name}</th><td>{html.escape(kind)}</td></tr>" for name, kind in names.items()
        )
        return f"{html.escape(repr(self))}<table>{rows}</table>"

    def summary(self, *args: Any, expand_nested: bool = True, **kwargs: Any) -> None:
        """Prints a line about the model and then `keras.Model.summary`, with the layers of encoder and decoder."""
        print_line = kwargs.get("print_fn") or print
        chosen = [self.objective, self.likelihood]
        if self.regularizer != REGULARIZERS["none"]():
            chosen.append(self.regularizer)
        print_line(
            f"images {show_shape(self.image_shape)}, latent {show_shape(self.latent_shape)} ({self.dims.latents / self.dims.pixels:.3g}"
            f" numbers per pixel value), {', '.join(map(str, chosen))}"
        )
        super().summary(*args, expand_nested=expand_nested, **kwargs)

    def get_config(self) -> dict[str, Any]:
        facts = {"value_range": self.value_range, "label_names": self.label_names}
        regularizer = component_to_json(self.regularizer, REGULARIZERS)
        return {
            # Left out if unset, so that older versions of this package can read the file.
            **{name: list(values) for name, values in facts.items() if values},
            **({} if regularizer["kind"] == "none" else {"regularizer": regularizer}),
            "image_shape": list(self.image_shape),
            "latent": list(self.latent_shape),
            "objective": component_to_json(self.objective, OBJECTIVES),
            "likelihood": component_to_json(self.likelihood, LIKELIHOODS),
            "network": component_to_json(self.network, NETWORKS),
            "prior": component_to_json(self.latent.prior_setting(self.prior), PRIORS),
            "corruption": component_to_json(self.corruption, CORRUPTIONS),
            "num_classes": self.num_classes or None,
            "seed": self.seed,
            **({"learned_from_noise": True} if self.learned_from_noise else {}),
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            **super().get_config(),
        }


@keras.saving.register_keras_serializable(layers.PACKAGE)
class VAE(Autoencoder):
    """A variational autoencoder: `Autoencoder` with the evidence lower bound as its objective."""


def draw_from(sampler: Any, count: int, seed: int) -> np.ndarray:
    """Returns `count` codes of a fitted sampler. Seed 0 gives the codes of its seeds 0, 1, ..., as in an export."""
    need_tensorflow("a fitted sampler")
    seeds = np.arange(count) + (int(seed) % 2**31 << 32)
    parts = [seeds[start : start + CODES_AT_ONCE] for start in range(0, max(count, 1), CODES_AT_ONCE)]
    return np.concatenate([np.asarray(sampler.sample(part), "float32") for part in parts])


def is_readable(values: object) -> bool:
    """Returns whether `values` is an array, or a tensor outside any graph."""
    return isinstance(values, np.ndarray) or backends.is_readable(values)

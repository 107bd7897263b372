"""One pass of a batch through a model, computed lazily as an objective needs it."""

# `basic` is imported as a module: importing it may load Keras, which imports this file before `basic` is complete.
from keras_vae.layers import basic as layers
from keras_vae.layers.densities import batch_mean
from keras_vae.model.inputs import as_images
from keras_vae.model.rows import apply
from keras_vae.runtime.lazy import ops

# Each use of noise within a step has its own stream. Objectives use those from FREE on, regularizers the last ones.
TRAINING, EVALUATION = 0, 1
OBSERVATION, CODES, CORRUPTION, PRIOR, FREE = range(5)
STREAMS = 16
SETTLED = 1e9  # an optimizer step by which every schedule has ended


def once(function):
    """Returns a property that is computed when it is first read.

    Before Python 3.12 `functools.cached_property` holds a lock while it computes. Replicas deadlock on it if one of
    them synchronises, as moving averages do.
    """

    def read(step):
        if function not in step.known:
            step.known[function] = function(step)
        return step.known[function]

    return property(read, doc=function.__doc__)


class Step:
    """One pass of a batch through the model, computed lazily as an objective needs it.

    Attributes:
        images: The encoder's input, `[batch, height, width, channels]`.
        targets: The decoder's targets: the images before corruption, or the second images of pairs.
        labels: Labels of a conditional model, `[batch]`, else None.
        iteration: Number of optimizer steps so far, a float32 scalar, which schedules depend on. In evaluation it is
            past the end of all schedules, so the final objective is measured.
        training: Whether the networks are in training mode.
        weights: Weight of each image in the statistics of the whole batch, `[batch]`; None for equal weights (`mean`).
        counter: Counter of the noise; by default the model's.
    """

    def __init__(self, model, images, targets, training, weights=None, counter=None):
        self.model, self.training, self.known, self.weights = model, training, {}, weights
        self.counter = model.noise_counter(training) if counter is None else counter
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
        """Returns the seed of this step for `use`. It depends only on the model's seed and its counters."""
        mode = TRAINING if self.training else EVALUATION
        stream = (self.model.seed * 2 + mode) * STREAMS + use
        return layers.GivenSeed(stream % 2**31, self.counter)

    def mean(self, values):
        """Returns the weighted mean of `[batch, ...]` over the images, `[...]` (on each device)."""
        return batch_mean(values, self.weights)

    def own_seed(self, number=0):
        """Returns the seed of this step for an objective's own use number `number`, from 0."""
        return self.seed(FREE + number)

    def regularizer_seed(self, number=0):
        """Returns the seed of this step for the regularizer's draw number `number`, from 0."""
        return self.seed(STREAMS - 1 - number)

    def perturbed(self, codes, weights):
        """Returns the decoder's input, `[batch, *latent]`: in training, the codes as changed by the regularizer."""
        if not self.training:
            return codes
        return self.model.regularizer.perturb(codes, self.regularizer_seed, weights)

    @once
    def posterior(self):
        """The encoder's output, a dict of `[batch, *latent]`."""
        return apply(self.model.encoder, self.model.labelled(self.images, self.labels), self.training)

    @once
    def draw(self):
        """One code per image, drawn from the posterior, with its log density (`keras_vae.model.posteriors.Draw`)."""
        return self.model.draw(self.posterior, self.seed(CODES), self.training, self.weights)

    @property
    def codes(self):
        """One code per image, drawn from the posterior, `[batch, *latent]`."""
        return self.draw.codes

    @once
    def prior_codes(self):
        """One code per image, drawn from the prior, `[batch, *latent]`."""
        return self.model.prior.draw(ops.shape(self.images)[0], self.seed(PRIOR))

    @once
    def decoded(self):
        """The parameters of the likelihood at the codes."""
        return self.decode(self.perturbed(self.codes, self.weights))

    def decode(self, codes):
        """Returns the parameters of the likelihood at any codes for these images, `[batch, *latent]`."""
        return apply(self.model.decoder, self.model.labelled(codes, self.labels), self.training)

    @once
    def distortion(self):
        """-log p(targets | codes), `[batch]`, in nats."""
        return -self.model.log_prob(self.targets, self.decoded, self.weights, self.training)

    @once
    def rate(self):
        """KL(posterior || prior), `[batch]`, in nats; estimated at the codes if there is no closed form."""
        return self.model.rate(self.posterior, self.draw)

    def draws(self, count):
        """Returns `Draws` of `count` codes per image; the decoder sees `count` times the batch."""
        seed = self.seed(CODES)
        given = self.labels, count, seed, self.training, self.weights, self.perturbed
        return Draws(self.model, self.posterior, self.targets, *given)


class Draws:
    """`count` codes per image, drawn from its posterior with `seed`.

    Attributes:
        codes: `[batch * count, *latent]`; the codes of an image are adjacent.
        log_ratio: log p(z) - log q(z|x), `[batch, count]`, in nats.
    """

    def __init__(
        self, model, posterior, targets, labels, count, seed, training, weights=None, perturbed=None
    ):
        self.model, self.count, self.training, self.known = model, count, training, {}
        self.perturbed = perturbed or (lambda codes, weights: codes)
        self.targets = ops.repeat(targets, count, axis=0)
        self.weights = None if weights is None else ops.repeat(weights, count, axis=0)
        self.labels = None if labels is None else ops.repeat(labels, count, axis=0)
        repeated = {name: ops.repeat(value, count, axis=0) for name, value in posterior.items()}
        draw = model.draw(repeated, seed, training)
        if draw.log_density is None:
            raise ValueError(
                f"the codes of a {type(model.latent).__name__} latent have no density, which their weights require"
            )
        self.codes = draw.codes
        self.log_ratio = self.per_image(model.prior.log_prob(draw.codes) - draw.log_density)

    def log_prob(self, codes, decoder):
        """Returns log p(targets | codes), `[batch, count]`; `decoder` is a function of labelled codes."""
        decoded = decoder(self.model.labelled(self.perturbed(codes, self.weights), self.labels))
        return self.per_image(self.model.log_prob(self.targets, decoded, self.weights, self.training))

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

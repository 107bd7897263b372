"""Mixtures of diagonal Gaussians over the codes: of some posteriors, made broader, or of a trained prior's components."""

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from keras_vae.layers.densities import LOG_2_PI
from keras_vae.runtime.lazy import tf
from keras_vae.runtime.threads import one_thread
from keras_vae.samplers.codes import Fitted, difference, posterior_draws
from keras_vae.samplers.low_rank import LEAST_NOISE, few_components, quantiles
from keras_vae.samplers.noise import standard_normal
from keras_vae.samplers.principal import column_blocks, project

RANK = 32  # principal directions in which the components are chosen
CODES_PER_COMPONENT = 2
MOST_NUMBERS = 2**25  # of the components, k d: 0.3 GB with their variances, in memory and in an export
MOST_WEIGHED = 10_000  # codes that the weights are fitted to; their error is at most 0.005
ROUNDS = 50  # of expectation and maximisation
SHARES = (
    0.25,
    0.5,
    0.75,
    0.9,
    1.0,
)  # of fitted weights in those that are used, which are mixed with equal ones
SURE = 2.0  # standard errors by which they must be better than equal ones
SMOOTHINGS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.7)  # among which is chosen, from the middle on
HELD_OUT = 5  # one code in so many chooses among them, and does not become a component
LEAST = 1e-300  # a density that is not 0
LEAST_WEIGHT = 1e-6  # of the largest; components below it go


class Components(NamedTuple):
    """The mixture, k components in d dimensions.

    Attributes:
        weights: `[k]`, float64, all above 0.
        means: `[k, d]`, float32.
        log_vars: `[k, d]`, float32.
    """

    weights: np.ndarray
    means: np.ndarray
    log_vars: np.ndarray


@dataclass(frozen=True, eq=False)
class Vamp(Fitted):
    """A mixture of the posteriors of a few training images (Tomczak and Welling 2018, equation 9, after training).

        p(z) = sum_k weight_k N(z; mean_k, var_k)

    It is the aggregated posterior with the images that say the same left out: medoids of clusters of the codes
    (k-means in the principal subspace), with weights by expectation maximisation on draws from the others, as far as
    held-out draws gain by them (`held_out_weights`).

    Narrow posteriors explain nothing but themselves: with 16 numbers of MNIST the mixture of 500 gives draws of new
    images -59 nats, N(0, I) -23. So, other than in the paper, the posteriors are the points of a kernel density
    estimate (`smoothed`), whose bandwidth is chosen by the density of held-out draws: -21.5 nats. Where
    `smoothing` is 0 they are as they were.

    The density is exact, and of no Gaussian shape. What it draws are variations of k training images, copies where
    the posteriors are narrow and there is no smoothing.

    Attributes:
        components: The most; the paper has 500. Few or large codes allow fewer.
        seed: Of the clusters' start and of the draws.
        smoothing: The share of the means' variance that is in the kernel, from 0 to 1; `fit` chooses it.
    """

    components: int = 500
    seed: int = 0
    smoothing: float = 0.0
    density: Components | None = field(default=None, kw_only=True, repr=False)

    @classmethod
    def from_arrays(cls, weights, means, log_vars):
        """Returns the mixture of `weights`, `[k]`, `means` and `log_vars`, `[k, *latent]`, such as a trained prior's."""
        weights, means, log_vars = np.asarray(weights, "float64"), np.asarray(means), np.asarray(log_vars)
        if weights.ndim != 1 or means.shape != log_vars.shape or len(means) != len(weights):
            raise ValueError(
                f"weights are {list(weights.shape)}, means {list(means.shape)} and log_vars"
                f" {list(log_vars.shape)}: expected [k], [k, *latent] and [k, *latent]"
            )
        flat = (np.reshape(part, (len(weights), -1)).astype("float32") for part in (means, log_vars))
        density = heavy(Components(weights / weights.sum(), *flat))
        return cls(means.shape[1:], len(density.weights), density=density)

    @property
    def settings(self):
        """What it was made with, a dict of numbers."""
        return {
            "components": len(self.fitted().weights),
            "seed": self.seed,
            "smoothing": self.smoothing,
        }

    def fit(self, codes, components=None):
        """Returns the sampler fitted to `codes`, a `Codes`; seconds.

        Args:
            codes: What it is fitted to.
            components: The `PrincipalComponents` of the means, 32 directions at least, where they are known.

        Raises:
            ValueError: The codes are points, or too large.
        """
        mean, log_var = self.flat(codes)
        size = mean.shape[1]
        if size > MOST_NUMBERS:
            raise ValueError(f"the latent has {size:,} dimensions: Vamp takes up to {MOST_NUMBERS:,}")
        variance = np.exp(log_var).mean()
        if variance <= LEAST_NOISE * mean.var(axis=0).mean():
            raise ValueError(
                "the codes are points, as a plain autoencoder's are: a mixture of some would draw training images"
                " and nothing else (try the mixture of Gaussians)"
            )
        held_out = np.arange(len(mean)) % HELD_OUT == HELD_OUT - 1
        known = np.flatnonzero(~held_out)
        number = min(self.components, max(len(known) // CODES_PER_COMPONENT, 1), MOST_NUMBERS // size)
        chosen = known[medoids(mean[known], number, self.seed, components)]
        density = Components(np.full(len(chosen), 1 / len(chosen)), mean[chosen], log_var[chosen])
        center, spread = mean.mean(axis=0, dtype="float64"), mean.var(axis=0, dtype="float64")
        smoothing = 0.0
        if held_out.sum() > 1:
            new = posterior_draws(mean[held_out], log_var[held_out], self.seed)[:, 0]
            smoothing = held_out_smoothing(density, center, spread, new)
            density = smoothed(density, center, spread, smoothing)
        others = np.setdiff1d(known, chosen)[:: max(len(mean) // MOST_WEIGHED, 1)]
        if len(others):
            drawn = posterior_draws(mean[others], log_var[others], self.seed)[:, 0]
            density = density._replace(weights=held_out_weights(log_densities(density, drawn)))
        return dataclasses.replace(self, density=heavy(density), smoothing=smoothing)

    def sample(self, seeds):
        """Returns codes, float32 `[n, *latent]`, row i from `seeds[i]` alone; the noise is `Prior`'s for the same seed."""
        weights, means, log_vars = self.fitted()
        chooser = standard_normal(seeds, (1,), stream=1)
        component = tf.reduce_sum(tf.cast(chooser > quantiles(weights), "int32"), axis=1)
        noise = tf.reshape(standard_normal(seeds, self.latent_shape), (-1, means.shape[1]))
        flat = tf.gather(means, component) + tf.exp(0.5 * tf.gather(log_vars, component)) * noise
        return tf.reshape(flat, (-1, *self.latent_shape))

    def log_prob(self, codes):
        """Returns the log density of `codes`, `[n, *latent]`, `[n]`, in nats, float64, exactly."""
        density = self.fitted()
        codes = np.asarray(codes).reshape(-1, density.means.shape[1])
        return np.logaddexp.reduce(log_densities(density, codes) + np.log(density.weights), axis=1)


def heavy(density):
    """Returns the `Components` without those that weigh nothing."""
    kept = density.weights > LEAST_WEIGHT * density.weights.max()
    weights = density.weights[kept]
    return Components(weights / weights.sum(), density.means[kept], density.log_vars[kept])


def smoothed(density, center, spread, smoothing):
    """Returns the `Components` of a kernel density estimate over posteriors.

        mean' = center + sqrt(1 - b) (mean - center),  var' = var + b spread

    with the bandwidth b. Each posterior is convolved with a Gaussian of a share of the means' own variance, which is 0 in
    dimensions that are not used, and moves to the center so that mean and variance of all remain (West 1993,
    "Approximating posterior distributions by mixture"). b = 1 would be one diagonal Gaussian.

    Args:
        density: The `Components` of posteriors.
        center, spread: Mean and variance of the codes' means, `[d]`.
        smoothing: b, from 0 to 1.
    """
    if not smoothing:
        return density
    center, spread = center.astype("float32"), (smoothing * spread).astype("float32")
    means = center + np.float32(np.sqrt(1 - smoothing)) * (density.means - center)
    return density._replace(means=means, log_vars=np.log(np.exp(density.log_vars) + spread))


def held_out_smoothing(density, center, spread, codes):
    """Returns which of `SMOOTHINGS` makes `codes`, `[n, d]`, most likely, or 0 if that gains no more than its error.

    It goes uphill from the middle, for a look takes seconds at 65,536 numbers; the density falls on both sides of its top.
    """

    @functools.cache
    def likelihood(place):
        broader = smoothed(density, center, spread, SMOOTHINGS[place])
        return log_mixture(log_densities(broader, codes), density.weights)

    best, last = None, len(SMOOTHINGS) // 2
    while best != last:
        best = last
        around = range(max(best - 1, 0), min(best + 2, len(SMOOTHINGS)))
        last = max(around, key=lambda place: likelihood(place).mean())
    gain, error = difference(likelihood(best), likelihood(0))
    return SMOOTHINGS[best] if gain > error else 0.0


def medoids(mean, number, seed, components=None):
    """Returns the indices of at most `number` rows of `mean`, `[n, d]`, each the nearest to the centre of a cluster."""
    from sklearn.cluster import KMeans

    found = few_components(mean, RANK, components)
    coordinates = project(mean, found.center, found.directions)
    if not coordinates.any():
        return np.arange(1)
    with one_thread():
        distances = KMeans(number, n_init=1, random_state=seed).fit_transform(coordinates)
    return np.unique(distances.argmin(axis=0))


def log_densities(density, codes):
    """Returns log N(code i; component k), `[n, k]`, float64, of `[n, d]` codes.

        (z - m)' P (z - m) = z^2 . P - 2 z . (P m) + m^2 . P,  P = exp(-log_var)

    so that no array of n x k x d is made; blocks of dimensions are added up, in float64 and from the means' mean,
    for the terms nearly cancel.
    """
    _, means, log_vars = density
    result = np.zeros((len(codes), len(means)))
    for block in column_blocks(len(codes) + len(means), codes.shape[1]):
        center = means[:, block].mean(axis=0, dtype="float64")
        away, mean = codes[:, block] - center, means[:, block] - center
        precision = np.exp(-log_vars[:, block], dtype="float64")
        result += np.square(away) @ precision.T - 2 * away @ (precision * mean).T
        result += (np.square(mean) * precision + log_vars[:, block]).sum(axis=1)
    return -0.5 * (result + codes.shape[1] * LOG_2_PI)


def held_out_weights(log_densities):
    """Returns weights, `[k]`, that are not worse than equal ones for codes of `log_densities`, `[n, k]`.

    There are few codes for each component and narrow posteriors explain little but themselves, so that maximum
    likelihood gives most components no weight by chance: held-out codes are then less likely than by equal weights (-117
    nats against -113 in 32 dimensions of the digits). So they are fitted to one half of the codes, and mixed with equal
    ones by the share that makes the other half most likely, if that is a gain by more than two standard errors.
    """
    equal = np.full(log_densities.shape[1], 1 / log_densities.shape[1])
    known, new = log_densities[::2], log_densities[1::2]
    if len(new) < 2:
        return equal
    fitted = fit_weights(known)
    gains = {}
    for share in SHARES:
        mixed = share * fitted + (1 - share) * equal
        gains[share] = log_mixture(new, mixed) - log_mixture(new, equal)
    best = max(gains, key=lambda share: gains[share].mean())
    if gains[best].mean() <= SURE * gains[best].std(ddof=1) / np.sqrt(len(new)):
        return equal
    return best * fit_weights(log_densities) + (1 - best) * equal


def log_mixture(log_densities, weights):
    """Returns the log density of codes by the mixture of components of `log_densities`, `[n, k]`: `[n]`."""
    largest = log_densities.max(axis=1, keepdims=True)
    return largest[:, 0] + np.log(np.maximum(np.exp(log_densities - largest) @ weights, LEAST))


def fit_weights(log_densities):
    """Returns the weights, `[k]`, under which codes of `log_densities`, `[n, k]`, are most likely, components fixed.

    Expectation maximisation: a component's new weight is its mean responsibility for the codes.
    """
    relative = np.exp(log_densities - log_densities.max(axis=1, keepdims=True))
    weights = np.full(relative.shape[1], 1 / relative.shape[1])
    for _ in range(ROUNDS):
        weights = weights * np.mean(relative / (relative @ weights)[:, None], axis=0)
    return weights

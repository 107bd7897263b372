"""Mixtures of diagonal Gaussians over the codes: smoothed posteriors or the components of a trained prior."""

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

RANK = 32  # principal directions for the clustering
CODES_PER_COMPONENT = 2
MOST_NUMBERS = (
    2**25
)  # most numbers k d of the components: 0.3 GB with their variances, in memory and in an export
MOST_WEIGHED = 10_000  # most codes that the weights are fitted to, for an error of at most 0.005
ROUNDS = 50  # iterations of expectation maximisation
SHARES = (0.25, 0.5, 0.75, 0.9, 1.0)  # shares of the fitted weights in a mixture with equal weights
SURE = 2.0  # standard errors by which fitted weights must be better than equal ones
SMOOTHINGS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.7)  # candidates; the search starts in the middle
HELD_OUT = 5  # one code in five is held out to choose the smoothing and is not a component
LEAST = 1e-300  # least density, to avoid log(0)
LEAST_WEIGHT = 1e-6  # components with less than this share of the largest weight are removed


class Components(NamedTuple):
    """The mixture of k components in d dimensions.

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

    It approximates the aggregated posterior by the medoids of clusters of the codes (k-means in the principal
    subspace). The weights are fitted by expectation maximisation to draws from the other posteriors, if they improve
    the density of held-out draws (`held_out_weights`).

    Narrow posteriors explain only themselves: with 16 dimensions on MNIST, a mixture of 500 gives draws of new images
        -59
    nats, and N(0, I) gives -23. Unlike in the paper, the posteriors are therefore the points of a kernel density
    estimate (`smoothed`), which gives -21.5 nats. Its bandwidth maximises the density of held-out draws, and a
    `smoothing` of 0 leaves the posteriors unchanged.

    The density is exact and can have any shape. Samples are variations of k training images, or copies if the
    posteriors are narrow and there is no smoothing.

    Attributes:
        components: The most components, 500 in the paper. Few or large codes allow fewer.
        seed: The seed of the clustering and of the draws.
        smoothing: The share of the means' variance in the kernel, from 0 to 1, which `fit` chooses.
    """

    components: int = 500
    seed: int = 0
    smoothing: float = 0.0
    density: Components | None = field(default=None, kw_only=True, repr=False)

    @classmethod
    def from_arrays(cls, weights, means, log_vars):
        """Returns the mixture, such as a trained prior, of `weights`, `[k]`, `means` and `log_vars`, `[k, *latent]`."""
        weights, means, log_vars = np.asarray(weights, "float64"), np.asarray(means), np.asarray(log_vars)
        if weights.ndim != 1 or means.shape != log_vars.shape or len(means) != len(weights):
            raise ValueError(
                f"weights, means and log_vars have the shapes {list(weights.shape)}, {list(means.shape)} and"
                f" {list(log_vars.shape)}: expected [k], [k, *latent] and [k, *latent]"
            )
        flat = (np.reshape(part, (len(weights), -1)).astype("float32") for part in (means, log_vars))
        density = heavy(Components(weights / weights.sum(), *flat))
        return cls(means.shape[1:], len(density.weights), density=density)

    @property
    def settings(self):
        """The settings of the fit, a dict of numbers."""
        return {
            "components": len(self.fitted().weights),
            "seed": self.seed,
            "smoothing": self.smoothing,
        }

    def fit(self, codes, components=None):
        """Returns the sampler fitted to `codes`. Takes seconds.

        Args:
            codes: The `Codes`.
            components: The `PrincipalComponents` of the means with at least 32 directions, or None to compute them.

        Raises:
            ValueError: The codes are points, or too large.
        """
        mean, log_var = self.flat(codes)
        size = mean.shape[1]
        if size > MOST_NUMBERS:
            raise ValueError(f"the latent has {size:,} dimensions: Vamp allows at most {MOST_NUMBERS:,}")
        variance = np.exp(log_var).mean()
        if variance <= LEAST_NOISE * mean.var(axis=0).mean():
            raise ValueError(
                "the codes are points, as in a plain autoencoder: a mixture of them would draw only training images"
                " (try the Gaussian mixture)"
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
        """Returns codes, float32 `[n, *latent]`. Row i depends only on `seeds[i]`.

        The noise is the one that `PriorSampler` draws for the same seed.
        """
        weights, means, log_vars = self.fitted()
        chooser = standard_normal(seeds, (1,), stream=1)
        component = tf.reduce_sum(tf.cast(chooser > quantiles(weights), "int32"), axis=1)
        noise = tf.reshape(standard_normal(seeds, self.latent_shape), (-1, means.shape[1]))
        flat = tf.gather(means, component) + tf.exp(0.5 * tf.gather(log_vars, component)) * noise
        return tf.reshape(flat, (-1, *self.latent_shape))

    def log_prob(self, codes):
        """Returns the exact log density of `codes`, `[n, *latent]`, in nats, float64 `[n]`."""
        density = self.fitted()
        codes = np.asarray(codes).reshape(-1, density.means.shape[1])
        return np.logaddexp.reduce(log_densities(density, codes) + np.log(density.weights), axis=1)


def heavy(density):
    """Returns the `Components` without those of negligible weight."""
    kept = density.weights > LEAST_WEIGHT * density.weights.max()
    weights = density.weights[kept]
    return Components(weights / weights.sum(), density.means[kept], density.log_vars[kept])


def smoothed(density, center, spread, smoothing):
    """Returns the `Components` of a kernel density estimate over posteriors.

        mean' = center + sqrt(1 - b) (mean - center),  var' = var + b spread

    The bandwidth is b. Each posterior is convolved with a Gaussian whose variance is a share of the means' variance,
    which is 0 in unused dimensions. The posteriors move towards the center, so the overall mean and variance stay the
    same (West 1993, "Approximating posterior distributions by mixture"). b = 1 would be a single diagonal Gaussian.

    Args:
        density: The `Components`, which are posteriors.
        center, spread: Mean and variance of the codes' means, `[d]`.
        smoothing: b, from 0 to 1.
    """
    if not smoothing:
        return density
    center, spread = center.astype("float32"), (smoothing * spread).astype("float32")
    means = center + np.float32(np.sqrt(1 - smoothing)) * (density.means - center)
    return density._replace(means=means, log_vars=np.log(np.exp(density.log_vars) + spread))


def held_out_smoothing(density, center, spread, codes):
    """Returns the one of `SMOOTHINGS` with the highest density of `codes`, `[n, d]`, or 0 if its gain is insignificant.

    It is a hill climb from the middle, because an evaluation takes seconds for 65,536 dimensions and the density has
    one maximum.
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
    """Returns the indices of at most `number` rows of `mean`, `[n, d]`, each the nearest to the center of a cluster."""
    from sklearn.cluster import KMeans

    found = few_components(mean, RANK, components)
    coordinates = project(mean, found.center, found.directions)
    if not coordinates.any():
        return np.arange(1)
    with one_thread():
        distances = KMeans(number, n_init=1, random_state=seed).fit_transform(coordinates)
    return np.unique(distances.argmin(axis=0))


def log_densities(density, codes):
    """Returns log N(code i; component k), float64 `[n, k]`, of codes, `[n, d]`.

        (z - m)' P (z - m) = z^2 . P - 2 z . (P m) + m^2 . P,  P = exp(-log_var)

    This avoids an array of n x k x d. The terms nearly cancel, so blocks of dimensions are centered and summed in
    float64.
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
    """Returns weights, `[k]`, that are not worse than equal ones for codes with the given log densities, `[n, k]`.

    With few codes per component and narrow posteriors, maximum likelihood gives most components a weight of 0 by
    chance, and held-out codes get a lower density than with equal weights (-117 against -113 nats in 32 dimensions of
    the digits). Weights are therefore fitted to one half of the codes and mixed with equal weights. The share of the
    mixture maximises the density of the other half, and its gain must exceed two standard errors.
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
    """Returns the log density of codes under a mixture, `[n]`, from their log densities by component, `[n, k]`."""
    largest = log_densities.max(axis=1, keepdims=True)
    return largest[:, 0] + np.log(np.maximum(np.exp(log_densities - largest) @ weights, LEAST))


def fit_weights(log_densities):
    """Returns the weights, `[k]`, of fixed components that maximise the likelihood; log densities are `[n, k]`.

    It is expectation maximisation: the new weight of a component is its mean responsibility for the codes.
    """
    relative = np.exp(log_densities - log_densities.max(axis=1, keepdims=True))
    weights = np.full(relative.shape[1], 1 / relative.shape[1])
    for _ in range(ROUNDS):
        weights = weights * np.mean(relative / (relative @ weights)[:, None], axis=0)
    return weights

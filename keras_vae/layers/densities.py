"""Log densities and divergences in nats, elementwise unless stated otherwise.

All functions are stateless and work on tensors of any Keras backend. `sum_per_image` sums over an image, and the model
takes the mean over the batch.
"""

import math

from keras_vae.runtime.lazy import ops

LOG_2_PI = math.log(2 * math.pi)
# Bounds of log-variances: exp(-14) is lost in a float32 sum with 1; exp(6) is 20 standard deviations of the prior.
MIN_LOG_VAR, MAX_LOG_VAR = -14.0, 6.0
SERIES_BELOW = 0.5  # power series of four terms are exact in float32 below this, closed forms above


def sum_per_image(values):
    """Sums over all axes except the first: `[batch, ...]` to `[batch]`."""
    return ops.sum(values, axis=tuple(range(1, len(values.shape))))


def batch_mean(values, weights=None):
    """Returns the weighted mean over the first axis, `[...]`; 0 if all weights are 0.

    All statistics of a batch (variances, moments, mean rates) use this mean. An image of weight 0 therefore counts as
    absent and one of weight 2 as two images.

    Args:
        values: `[batch, ...]`.
        weights: `[batch]`, not negative, up to a common factor. None for equal weights.
    """
    if weights is None:
        return ops.mean(values, axis=0)
    weights = ops.reshape(weights, (-1, *(1 for _ in values.shape[1:])))
    return ops.divide_no_nan(ops.sum(weights * values, axis=0), ops.sum(weights))


def gaussian_log_density(values, mean, log_var):
    """Returns log N(values; mean, exp(log_var)), elementwise."""
    return -0.5 * (LOG_2_PI + log_var + ops.square(values - mean) * ops.exp(-log_var))


def standard_normal_log_density(values):
    """Returns log N(values; 0, 1), elementwise."""
    return -0.5 * (LOG_2_PI + ops.square(values))


def kl_to_standard_normal(mean, log_var):
    """Returns KL(N(mean, exp(log_var)) || N(0, 1)), elementwise (Kingma and Welling 2014, appendix B).

    `exp(log_var) - 1` is computed by `expm1`: in float32, the plain difference has an error of 5% at log_var = 1e-3 and
    is useless at 1e-4, which is the range of large latents.
    """
    return 0.5 * (ops.square(mean) + ops.expm1(log_var) - log_var)


def bernoulli_log_density(values, logits):
    """Returns values * log p + (1 - values) * log(1 - p) with p = sigmoid(logits), elementwise.

    It is a log density if `values` are 0 or 1. For values in between it is the negative cross-entropy, whose
    exponential does not integrate to 1 (Loaiza-Ganem and Cunningham 2019).
    """
    return values * logits - ops.softplus(logits)


def continuous_bernoulli_log_density(values, logits):
    """Returns the log density of the continuous Bernoulli over [0, 1], elementwise.

    Loaiza-Ganem and Cunningham 2019, equation 4. With logits t the density is exp(t x) t / (exp(t) - 1), and its log is
    t (x - 1/2) - log(sinh(a) / a) with a = |t| / 2. This form is defined at t = 0 too, where their normaliser is 0/0.
    """
    half = 0.5 * ops.abs(logits)
    large = ops.maximum(half, SERIES_BELOW)
    exact = large + ops.log(-ops.expm1(-2 * large)) - ops.log(2 * large)
    square = ops.square(ops.minimum(half, SERIES_BELOW))
    series = square * (1 / 6 - square * (1 / 180 - square / 2835))
    return logits * (values - 0.5) - ops.where(half < SERIES_BELOW, series, exact)


def continuous_bernoulli_mean(logits):
    """Returns the mean of the continuous Bernoulli, elementwise: 1/2 + (coth(t/2) - 2/t) / 2 (their equation 7)."""
    half = 0.5 * logits
    is_small = ops.abs(half) < SERIES_BELOW
    large = ops.where(is_small, SERIES_BELOW, half)
    small = ops.clip(half, -SERIES_BELOW, SERIES_BELOW)
    square = ops.square(small)
    series = small * (1 / 3 - square * (1 / 45 - square * (2 / 945 - square / 4725)))
    return 0.5 + 0.5 * ops.where(is_small, series, 1 / ops.tanh(large) - 1 / large)


def laplace_log_density(values, location, log_scale):
    """Returns log Laplace(values; location, exp(log_scale)), elementwise."""
    return -math.log(2) - log_scale - ops.abs(values - location) * ops.exp(-log_scale)


def logistic_log_mass(values, location, log_scale, levels):
    """Returns the log probability of values under a logistic discretised to `levels` levels in [0, 1], elementwise.

    Salimans et al. 2017 (PixelCNN++), equation 2: sigmoid(above) - sigmoid(below), with cells of 0 and 1 that extend to
    infinity. It is computed as sigmoid(above) sigmoid(-below) (1 - exp(below - above)), which does not vanish in
    float32 at any scale. `values` between two levels are rounded to the nearest.
    """
    gaps = levels - 1
    level, precision = ops.round(values * gaps), ops.exp(-log_scale)
    above = ((level + 0.5) / gaps - location) * precision
    below = ((level - 0.5) / gaps - location) * precision
    is_first, is_last = level <= 0, level >= gaps
    log_mass = ops.where(is_last, 0.0, ops.log_sigmoid(above)) + ops.where(
        is_first, 0.0, ops.log_sigmoid(-below)
    )
    width = ops.log(-ops.expm1(-precision / gaps))
    return log_mass + ops.where(ops.logical_or(is_first, is_last), 0.0, width)


def clipped_logistic_mean(location, log_scale):
    """Returns the mean of a logistic clipped to [0, 1], the integral of P(value > t) over t, elementwise."""
    scale = ops.exp(log_scale)
    mean = scale * (ops.softplus(location / scale) - ops.softplus((location - 1) / scale))
    return ops.clip(mean, 0.0, 1.0)  # the difference has rounding errors if the location is far away


def soft_bounds(values, low, high):
    """Bounds `values` between `low` and `high` smoothly; nearly the identity in between.

    A hard clip has no gradient outside its bounds, so a log-variance could never return. This gradient falls by a
    factor of e per unit: a log-variance that is ten units outside still returns.
    """
    below = high - ops.softplus(high - values)
    return low + ops.softplus(below - low)


def log_mean_exp(values, axis):
    """Returns the log of the mean of exp(values) along `axis`, without overflow."""
    return ops.logsumexp(values, axis=axis) - math.log(values.shape[axis])


def squared_distances(rows, others):
    """Returns |row_i - other_j|^2, `[n, m]`, of `[n, d]` and `[m, d]`, without an array of n x m x d."""
    lengths = ops.sum(ops.square(rows), axis=1)[:, None] + ops.sum(ops.square(others), axis=1)[None]
    return ops.maximum(lengths - 2 * ops.matmul(rows, ops.transpose(others)), 0.0)


def gaussian_kernel(distances, size):
    """Returns exp(-distances / size), elementwise, of squared distances of rows of `size` numbers."""
    return ops.exp(-distances / size)


def inverse_multiquadratic(distances, size, scales=(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)):
    """Returns the sum over scales s of C / (C + distances) with C = 2 `size` s, elementwise (Tolstikhin et al. 2018).

    2 `size` is the mean squared distance between two draws from N(0, I) in `size` dimensions.
    """
    return sum(2 * size * scale / (2 * size * scale + distances) for scale in scales)


def maximum_mean_discrepancy(rows, others, kernel, weights=None):
    """Returns the squared maximum mean discrepancy of two sets, a scalar (Gretton et al. 2012, equation 3).

        sum_{i != j} k(x_i, x_j) / n(n - 1) + sum_{i != j} k(y_i, y_j) / m(m - 1) - 2 sum_ij k(x_i, y_j) / nm

    The estimate is unbiased: its mean is 0 for sets from the same distribution, so it can be negative. It is 0 if a set
        has
    only one row. With weights w of sum 1, 1 / n(n - 1) becomes w_i w_j / (1 - sum w^2), which is unbiased too. A row of
    weight 2 is not the same as two equal rows: the pair of a row and its copy would add a bias.

    Args:
        rows: `[n, d]`.
        others: `[m, d]`; with weights, `[n, d]`.
        kernel: A function of squared distances and d.
        weights: The weights of the rows and of the others, `[n]`. None for equal weights.
    """
    size = rows.shape[1]
    first, second = shares_of(rows, weights), shares_of(others, weights)

    def within(values, shares):
        pairs = shares[:, None] * shares[None]
        pairs = ops.where(ops.eye(ops.shape(values)[0], dtype="bool"), 0.0, pairs)
        kernels = kernel(squared_distances(values, values), size)
        return ops.divide_no_nan(ops.sum(pairs * kernels), ops.sum(pairs))

    kernels = kernel(squared_distances(rows, others), size)
    across = ops.sum(first[:, None] * second[None] * kernels)
    counts = [ops.sum(ops.cast(shares > 0, "int32")) for shares in (first, second)]
    is_known = ops.minimum(*counts) > 1
    return ops.where(is_known, within(rows, first) + within(others, second) - 2 * across, 0.0)


def shares_of(rows, weights=None):
    """Returns the `weights` of `rows`, `[n, ...]`, normalised to sum 1, `[n]`; equal shares if `weights` is None."""
    if weights is None:
        weights = ops.ones((ops.shape(rows)[0],), "float32")
    return ops.divide_no_nan(weights, ops.sum(weights))

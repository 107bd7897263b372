"""What the evaluation does not say of codes: the question's first observation, its soap bubbles, and the slices.

Posteriors are N(mean, diag exp(log_var)), `[n, d]` each.
"""

import numpy as np
from scipy import stats

from keras_vae.evaluation.metrics.spectrum import participation_ratio
from keras_vae.evaluation.sections.codes import encode_split, number_of_codes
from keras_vae.samplers.principal import column_blocks, count_for_share, principal_components

RANKED, COMPARED, PAIRED = 2000, 300, 100  # codes that ranks, densities, and overlaps of pairs are taken of
SHARES = (80, 90, 95, 99)  # percent of the means' variance
SHELL = (0.025, 0.975)


def measure_codes(subject, dataset, seed):
    """Returns the moments of held-out codes, the ranks of training codes and, where codes have noise, their overlaps."""
    size = int(np.prod(subject.encode(subject.observe(dataset.train.images(0, 1), seed))[0].shape[1:]))
    count = min(RANKED, number_of_codes(size))
    train = encode_split(subject, dataset.train, min(count, len(dataset.train)), seed)
    test = encode_split(subject, dataset.test, min(COMPARED, len(dataset.test)), seed + 1)
    found = {**moments(test.mean, test.log_var), "rank": ranks(train.mean)}
    if not subject.is_variational:
        return found
    generator = np.random.default_rng([seed, 7])
    known = train.mean[:COMPARED], train.log_var[:COMPARED]
    draws = {
        "own": train.draw(generator, len(known[0])),
        "held_out": test.draw(generator),
        "prior": generator.standard_normal(known[0].shape, "float32"),
    }
    pairs = log_overlaps(*(part[:PAIRED] for part in known))
    np.fill_diagonal(pairs, -np.inf)
    return {
        **found,
        "bubbles": bubbles(draws["own"], draws["prior"], *known),
        "slices": {
            **slices(draws, *known),
            "log10_overlap_with_prior": float(np.median(log_overlap_with_prior(*known)) / np.log(10)),
            "log10_overlap_with_nearest": float(np.median(pairs.max(axis=1)) / np.log(10)),
        },
    }


def moments(mean, log_var):
    """Returns the root mean square of the means and the mean standard deviation: the first observation."""
    return {
        "mean_rms": float(np.sqrt(np.square(mean, dtype="float64").mean())),
        "sigma": float(np.exp(0.5 * log_var, dtype="float64").mean()),
    }


def ranks(mean):
    """Returns how many principal components hold each of `SHARES` of the means' variance, and the participation ratio."""
    eigenvalues = principal_components(mean, 1).eigenvalues
    counts = {f"pc{share}": int(count_for_share(eigenvalues, share / 100)) for share in SHARES}
    return {**counts, "participation": participation_ratio(eigenvalues)}


def bubbles(own, prior, mean, log_var):
    """Returns what thin shells say of draws of N(0, I), and what densities say.

    In d dimensions a draw from a posterior lies at |(z - mean) / sigma|^2 ~ chi^2(d) from its middle: on a shell.

    Returns:
        A dict. `prior_inside`: the share of draws of N(0, I) that lie on an image's shell, within the middle 95% of its
        own draws, over all images; if bubbles did not touch, 0. `told_by_radius`: how well the distance from the middle
        tells an image's own draws from those of N(0, I), by the best threshold, and `told_by_density`, how well the
        ratio of densities does, both as a share of right answers: 0.5 is chance.
    """
    size = mean.shape[1]
    low, high = stats.chi2.ppf(SHELL, size)
    distances = squared_distances(prior, mean, log_var)
    own_distances = np.diagonal(squared_distances(own, mean, log_var))
    ratios = log_ratios(prior, mean, log_var, distances)
    own_ratios = np.diagonal(log_ratios(own, mean, log_var))
    return {
        "prior_inside": float(np.mean((distances >= low) & (distances <= high))),
        "told_by_radius": best_accuracy(own_distances, distances),
        "told_by_density": 0.5 * float(np.mean(own_ratios > 0) + np.mean(ratios < 0)),
    }


def best_accuracy(low, high):
    """Returns the largest mean share of right answers that one threshold between `low` and `high` values gives."""
    low, high = np.sort(np.ravel(low)), np.sort(np.ravel(high))
    thresholds = np.concatenate([low, high])
    below = np.searchsorted(low, thresholds, "right") / len(low)
    above = 1 - np.searchsorted(high, thresholds, "right") / len(high)
    return float(np.max(0.5 * (below + above)))


def slices(draws, mean, log_var):
    """Returns whether posteriors of training images are islands, and whether held-out codes lie between them.

    Returns:
        A dict. `told_apart`: the share of draws of a training image's posterior at which no other's is denser. `nearest`:
        the log density of the nearest training posterior less that of the prior, in nats, median over draws of training
        posteriors (their own image's left out), of held-out images' posteriors, and of the prior.
    """
    ratios = {name: log_ratios(codes, mean, log_var) for name, codes in draws.items()}
    own = ratios["own"]
    told_apart = float(np.mean(own.argmax(axis=1) == np.arange(len(own))))
    np.fill_diagonal(own, -np.inf)
    return {
        "told_apart": told_apart,
        "nearest": {name: float(np.median(values.max(axis=1))) for name, values in ratios.items()},
    }


def squared_distances(codes, mean, log_var):
    """Returns |(z_i - mean_j) / sigma_j|^2, `[i, j]`, float64, of codes `[i, d]`."""
    squares = np.zeros((len(codes), len(mean)))
    for block in column_blocks(max(len(codes), len(mean)), mean.shape[1]):
        z, middle = codes[:, block].astype("float64"), mean[:, block].astype("float64")
        precision = np.exp(-log_var[:, block].astype("float64"))
        squares += np.square(z) @ precision.T - 2 * z @ (middle * precision).T
        squares += (np.square(middle) * precision).sum(axis=1)
    return squares


def log_ratios(codes, mean, log_var, squares=None):
    """Returns log q(z_i|x_j) - log N(z_i; 0, I), `[i, j]`, in nats; `squares` are their `squared_distances`."""
    squares = squared_distances(codes, mean, log_var) if squares is None else squares
    lengths = np.square(codes, dtype="float64").sum(axis=1)
    return 0.5 * (lengths[:, None] - squares - log_var.sum(axis=1, dtype="float64"))


def log_overlaps(mean, log_var):
    """Returns the logarithm of the Bhattacharyya coefficients of all pairs of posteriors, `[n, n]`; 0 where equal.

    log BC = -1/8 sum (mean_i - mean_j)^2 / s - 1/2 sum log(s / (sigma_i sigma_j)),  s = (sigma_i^2 + sigma_j^2) / 2
    """
    return np.stack([log_overlap(mean, log_var, mean[row], log_var[row]) for row in range(len(mean))])


def log_overlap_with_prior(mean, log_var):
    """Returns the same of each posterior and N(0, I), `[n]`."""
    return log_overlap(mean, log_var, np.zeros(mean.shape[1]), np.zeros(mean.shape[1]))


def log_overlap(mean, log_var, other_mean, other_log_var):
    """Returns the same of posteriors `[n, d]` and one other, `[d]`: `[n]`."""
    total = np.zeros(len(mean))
    for block in column_blocks(*mean.shape):
        logs, other = log_var[:, block].astype("float64"), other_log_var[block].astype("float64")
        middle = 0.5 * (np.exp(logs) + np.exp(other))
        total -= 0.125 * (np.square(mean[:, block] - other_mean[block]) / middle).sum(axis=1)
        total -= 0.5 * (np.log(middle) - 0.5 * (logs + other)).sum(axis=1)
    return total

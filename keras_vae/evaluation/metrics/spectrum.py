"""How many directions the codes use, and how far they lie from the prior there.

Codes are `mean` and `log_var`, `[n, d]` each. The eigenvalues of Cov(mean) and the directions come from
`principal_components`, once; the rest here is arithmetic on them.
"""

from typing import NamedTuple

import numpy as np

from keras_vae.principal import column_blocks, count_for_share, principal_components, project

__all__ = [
    "area_under_curve",
    "measure_norms",
    "participation_ratio",
    "pc90",
    "pc95",
    "principal_components",
    "recommended_size",
    "signal_radius",
]


class Norms(NamedTuple):
    """Lengths of codes.

    Attributes:
        prior: Of draws from N(0, I), `[n]`.
        posterior: Of draws from the posteriors, one each, `[n]`.
        auc: The probability that one of `posterior` is longer than one of `prior`; 0.5 where length says nothing.
    """

    prior: np.ndarray
    posterior: np.ndarray
    auc: float


class SignalRadius(NamedTuple):
    """Root mean squared distance from the codes' center within the principal directions.

    Attributes:
        dims: How many directions.
        prior: Of draws from N(0, I).
        posterior: Of draws from the posteriors.
        ratio: prior / posterior: 1 in a healthy model, 0.3 where prior draws carry a third of a code's signal.
    """

    dims: int
    prior: float
    posterior: float
    ratio: float


def participation_ratio(eigenvalues):
    """Returns (sum l)^2 / sum l^2 of the eigenvalues `[k]` of Cov(mean): d where equal, 1 where there is one.

    The number of codes limits it: from n Gaussian codes, 1 / PR_n = 1 / PR + 1 / (n - 1) in expectation (the
    second moment of a Wishart matrix). Isotropic codes of 65,536 dimensions show 984 when there are 1,000.
    Believe a value well below n. 0 where all codes are equal.
    """
    eigenvalues = np.asarray(eigenvalues, "float64")
    total = eigenvalues.sum()
    return float(total**2 / np.square(eigenvalues).sum()) if total > 0 else 0.0


def pc90(eigenvalues):
    """Returns how many principal components hold 90% of the means' variance; at most n - 1, which see above."""
    return count_for_share(eigenvalues, 0.9)


def pc95(eigenvalues):
    """Returns how many principal components hold 95% of the means' variance.

    Where n is not far above it, it is a property of n: the noise of isotropic codes of d > n dimensions falls
    on n - 1 nearly equal eigenvalues (Marchenko and Pastur 1967), and PC95 is 0.95 n.
    """
    return count_for_share(eigenvalues, 0.95)


def recommended_size(eigenvalues):
    """Returns a latent size that holds what the codes hold: PC95, rounded up to a power of two, 1 at least.

    At or above the present size it means that the latent is not too large.
    """
    return 1 << max(pc95(eigenvalues) - 1, 0).bit_length()


def signal_radius(components, mean, log_var, prior_codes=None):
    """Returns the `SignalRadius` of codes `[n, d]` in the directions that hold 90% of the means' variance.

        prior^2 = k + |W' center|^2,  posterior^2 = E|W' (mean - center)|^2 + sum_i W_i' diag(E var) W_i

    Lengths in all d dimensions hide holes (`measure_norms`); these do not, as the signal is in few.

    Args:
        components: The `PrincipalComponents` of *other* codes, say of training images. Those of the same codes,
            fewer than d, find their own noise: isotropic codes that fill the prior exactly then look too wide.
        mean, log_var: Codes of held-out images.
        prior_codes: Draws of the prior, `[m, d]`, where it is not N(0, I).
    """
    dims = min(pc90(components.eigenvalues), components.directions.shape[1])
    directions = components.directions[:, :dims]
    coordinates = project(mean, components.center, directions)
    noise = 0.0
    for block in column_blocks(*log_var.shape):
        noise += (
            np.exp(log_var[:, block], dtype="float64").mean(axis=0) @ np.square(directions[block])
        ).sum()
    if prior_codes is None:
        prior = np.sqrt(dims + np.square(components.center @ directions).sum())
    else:
        away = project(prior_codes, components.center, directions)
        prior = np.sqrt(np.square(away).sum(axis=1).mean())
    posterior = np.sqrt(np.square(coordinates).sum(axis=1).mean() + noise)
    return SignalRadius(
        dims, float(prior), float(posterior), float(prior / posterior) if posterior > 0 else np.nan
    )


def measure_norms(mean, log_var, seed, prior_codes=None):
    """Returns the `Norms` of one draw from each posterior, `[n, d]`, and of as many from the prior.

    The classic picture, and blind: at any optimum E|z|^2 is d for both (`rate.second_moments`), whatever the
    mismatch. The length of a draw of N(0, I) is drawn from its own law, chi with d degrees of freedom; of another
    prior `prior_codes`, `[m, d]`, are draws.
    """
    generator = np.random.default_rng(seed)
    num_codes, size = mean.shape
    prior = np.sqrt(generator.chisquare(size, num_codes))
    if prior_codes is not None:
        prior = np.linalg.norm(prior_codes, axis=1).astype("float64")
    squares = np.zeros(num_codes)
    for block in column_blocks(num_codes, size):
        noise = generator.standard_normal(mean[:, block].shape)
        squares += np.square(mean[:, block] + np.exp(0.5 * log_var[:, block], dtype="float64") * noise).sum(
            axis=1
        )
    posterior = np.sqrt(squares)
    return Norms(prior, posterior, area_under_curve(posterior, prior))


def area_under_curve(positive, negative):
    """Returns the probability that one of `positive` `[n]` exceeds one of `negative` `[m]`, ties counted half.

    The area under the ROC curve, by ranks (Mann and Whitney 1947).
    """
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    return float((ranks.sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative)))

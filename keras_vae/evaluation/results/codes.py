"""The codes: how much of the latent they use, and how far they are from the prior."""

from keras_vae.evaluation.results.fields import (
    Section,
    Whole,
    count,
    limit,
    measure,
    seconds,
    standard_error,
)


class SecondMomentResults(Section, title="Second moments"):
    """Mean of mu² + sigma² per latent dim.

    It is 1 for every dim of a converged model, whatever beta is. It shows whether training has converged, and why
    norms and per-axis moments cannot reveal holes.
    """

    mean: float | None = measure("Mean", "Mean over the latent dims.", healthy="0.9 to 1.1", minimum=0)
    p5: float | None = measure(
        "5th percentile", "5% of the dims have a smaller value.", healthy="above 0.6", minimum=0
    )
    p95: float | None = measure(
        "95th percentile", "5% of the dims have a larger value.", healthy="below 1.7", minimum=0
    )


class LatentResults(Section, title="Latent space"):
    """How much of the latent the codes use."""

    n: Whole | None = count("codes")
    size: Whole = measure("Latent size", "Number of latent dims: the product of all axes.", "dims", minimum=1)
    num_units: Whole | None = count(
        "dims",
        "Number of latent dims among which active and collapsed units are counted.",
        "Units counted",
        optional=True,
    )
    active_units: Whole | None = count(
        "dims",
        "Latent dims whose posterior mean varies between images (variance above 0.01). This counts axes: a code"
        " spread thinly over many axes looks active everywhere. Read it together with the participation ratio.",
        "Active units",
    )
    collapsed_units: Whole | None = count(
        "dims",
        "Latent dims whose posterior is the prior for nearly every image (rate below 0.01 nats for 99% of them):"
        " they carry no information.",
        "Collapsed units",
        optional=True,
    )
    kl_spectrum: list[float | None] | None = measure(
        "KL spectrum",
        "Mean rate of each latent dim, largest first, at most 200 of them. A healthy spectrum has a knee within tens"
        " of dims. A flat line over thousands of dims means a spread code.",
        "nats",
        optional=True,
    )
    kl_dims90: Whole | None = count(
        "dims",
        "How many latent dims, largest first, hold 90% of the rate.",
        "Dims for 90% of the rate",
        optional=True,
    )
    second_moment: SecondMomentResults | None = None
    participation_ratio: float | None = measure(
        "Participation ratio",
        "Effective number of directions in which the posterior means vary: (sum of eigenvalues)² over the sum of"
        " their squares. It does not depend on the choice of axes. Far below the latent size, the latent is larger"
        " than the data needs.",
        "directions",
        minimum=0,
    )
    participation_ratio_corrected: float | None = measure(
        "Participation ratio, corrected",
        "The participation ratio, corrected for the bias due to the limited number of codes.",
        "directions",
        optional=True,
        minimum=0,
    )
    pc90: Whole | None = count(
        "directions",
        "Principal directions that hold 90% of the variance of the posterior means (PC90).",
        "Directions for 90%",
    )
    pc95: Whole | None = count(
        "directions",
        "Principal directions that hold 95% of the variance of the posterior means (PC95).",
        "Directions for 95%",
    )
    pc95_corrected: Whole | None = count(
        "directions",
        "PC95 extrapolated to infinitely many codes: a limited number of codes shows too few directions.",
        "Directions for 95%, corrected",
        optional=True,
    )
    pc95_low: Whole | None = limit("Directions for 95%", "lower")
    pc95_high: Whole | None = limit("Directions for 95%", "upper")
    recommended_size: Whole | None = measure(
        "Recommended latent size",
        "PC95 (corrected, if there is a correction) rounded up to a power of two: the size to train next if the latent"
        " is too large.",
        "dims",
        minimum=1,
    )
    recommended_low: Whole | None = limit("Recommended latent size", "lower")
    recommended_high: Whole | None = limit("Recommended latent size", "upper")
    eigenvalues: list[float | None] | None = measure(
        "Eigenvalues",
        "Variances of the posterior means along their principal directions, largest first, at most 200. The prior has"
        " variance 1 in every direction; an eigenvalue far above 1 means codes that N(0, I) never reaches.",
        optional=True,
    )
    seconds: float | None = seconds()


class CurveResults(Section, title="Mismatch by rank"):
    """L_r for each number r of principal directions that the Gaussian may use."""

    rank: list[Whole | None] | None = measure("Ranks", "The ranks r.", "directions")
    nats: list[float | None] | None = measure("L_r", "The mismatch at rank r, on held-out codes.", "nats")


class InformationResults(Section, title="Mutual information"):
    """How much a code tells about its image: a lower and an upper bound."""

    lower: float | None = measure(
        "Lower bound",
        "InfoNCE estimate. It cannot exceed log n, so a value near log n says nothing.",
        "nats",
    )
    lower_from: str | None = measure(
        "Lower bound, estimator", "The estimator that gave the lower bound.", optional=True
    )
    upper: float | None = measure(
        "Upper bound", "The smallest of the upper bounds, usually the rate minus the prior mismatch.", "nats"
    )
    upper_from: str | None = measure(
        "Upper bound, estimator", "The estimator that gave the upper bound.", optional=True
    )
    log_n: float | None = measure(
        "log n", "The largest value that the lower bound can take with this many images.", "nats"
    )


class HistogramResults(Section, title="Histogram"):
    """The two distributions of norms over common bins."""

    edges: list[float | None] | None = measure("Bin edges", "Edges of the bins: one more than bins.")
    prior: list[float | None] | None = measure("Prior", "Share of prior draws in each bin.")
    posterior: list[float | None] | None = measure("Posterior", "Share of codes in each bin.")


class NormsResults(Section, title="Norms of the codes"):
    """The classic test: do codes and prior draws have the same norm?

    They nearly always do, with or without a hole, because mu² + sigma² is 1 per dim. The test is here because people
    look for it; it cannot see a hole.
    """

    prior_mean: float | None = measure(
        "Prior, mean norm",
        "Mean norm of a draw from the prior; for N(0, I) about the square root of the latent size.",
        minimum=0,
    )
    prior_sd: float | None = measure(
        "Prior, spread", "Standard deviation of that norm; for N(0, I) about 0.71 at any size.", minimum=0
    )
    posterior_mean: float | None = measure(
        "Posterior, mean norm", "Mean norm of a code drawn from the posterior of a held-out image.", minimum=0
    )
    posterior_sd: float | None = measure("Posterior, spread", "Standard deviation of that norm.", minimum=0)
    auc: float | None = measure(
        "AUC of the norm",
        "How well the norm alone distinguishes codes from prior draws. It is about 0.5 even if there is a complete"
        " hole.",
        minimum=0,
        maximum=1,
    )
    auc_se: float | None = standard_error("AUC of the norm")
    histogram: HistogramResults | None


class SignalRadiusResults(Section, title="Signal radius"):
    """The norm test in the principal directions that hold 90% of the variance of the posterior means.

    There it can detect a hole.
    """

    dims: Whole | None = count("directions", "The number of these directions.", "Signal directions")
    prior: float | None = measure(
        "Prior radius", "Root mean square norm of a prior draw in these directions.", minimum=0
    )
    posterior: float | None = measure(
        "Posterior radius", "Root mean square norm of a code in these directions.", minimum=0
    )
    ratio: float | None = measure(
        "Ratio",
        "Prior radius divided by posterior radius. At 1 both are the same; at 0.3, prior draws carry a signal 3.4"
        " times weaker than codes do.",
        healthy="above 0.8",
        minimum=0,
    )


class PriorMismatchResults(Section, title="Prior mismatch"):
    """How far the aggregated posterior, the distribution of the codes, is from the prior, from which samples come.

    It is measured on held-out codes with a low-rank Gaussian fitted to training codes. It is a lower bound, so it
    cannot be an artefact of the fit.
    """

    n_fit: Whole | None = count(
        "codes",
        "The number of training codes to which the low-rank Gaussian was fitted.",
        "n of the fit",
        optional=True,
    )
    n: Whole | None = count("codes", optional=True)
    nats: float | None = measure(
        "Prior mismatch",
        "The largest L_r over ranks r. It is a lower bound on KL(q(z) || p(z)), and exactly what the ELBO gains if the"
        " fitted Gaussian replaces the prior.",
        "nats",
        "below 2 nats",
    )
    nats_se: float | None = standard_error("Prior mismatch")
    marginal_nats: float | None = measure(
        "Mismatch of single axes",
        "L_0: what rescaling each latent dim would gain. If it is near the total, rescaling is enough. If it is far"
        " below, the codes are correlated.",
        "nats",
        optional=True,
    )
    marginal_nats_se: float | None = standard_error("Mismatch of single axes")
    rank: Whole | None = count(
        "directions",
        "The rank r with the largest L_r: in how many directions the mismatch lies.",
        "Rank",
        optional=True,
    )
    curve: CurveResults | None = None
    in_sample_nats: float | None = measure(
        "In-sample mismatch",
        "The mismatch on the codes to which the Gaussian was fitted, as an upper reference. If it is far above the"
        " held-out number, more codes are needed.",
        "nats",
        optional=True,
    )
    fraction_of_rate: float | None = measure(
        "Share of the rate",
        "The mismatch divided by the rate: the part of the rate that only moves codes away from the prior.",
        "share",
        "below 10%",
    )
    fraction_of_rate_se: float | None = standard_error("Share of the rate")
    auc: float | None = measure(
        "AUC",
        "How well the fitted Gaussian distinguishes codes of held-out images from prior draws: 0.5 is chance, 1 is"
        " without error. Large rates alone bring it near 1.",
        healthy="below 0.9",
        minimum=0,
        maximum=1,
    )
    auc_se: float | None = standard_error("AUC")
    mutual_information: InformationResults | None = None
    marginal_kl_lower: float | None = measure(
        "Marginal KL, lower bound", "KL(q(z) || p(z)) is at least this.", "nats", optional=True
    )
    marginal_kl_upper: float | None = measure(
        "Marginal KL, upper bound",
        "KL(q(z) || p(z)) is at most this: the rate minus the lower bound on the mutual information.",
        "nats",
        optional=True,
    )
    norms: NormsResults | None = None
    signal_radius: SignalRadiusResults | None = None
    seconds: float | None = seconds()

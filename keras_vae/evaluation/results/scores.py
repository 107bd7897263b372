"""Memorisation, likelihood and disentanglement."""

from keras_vae.evaluation.results.fields import (
    CHANCE,
    SHARE,
    Section,
    Whole,
    count,
    limit,
    measure,
    seconds,
    standard_error,
)

UNIT = {"minimum": 0, "maximum": 1}


class CopyingResults(Section, title="Copying, for one rung"):
    """Two tests of whether images are too close to training images.

    No known test separates copies from blur reliably: look at the nearest neighbours too.
    """

    z: float | None = measure(
        "Copying z",
        "Are the images closer to training images than test images are? A standardised Mann-Whitney U. Far below 0"
        " they are closer: copies, or blur. Compare with the z of reconstructions.",
        healthy="less than 5 below the reconstructions'",
    )
    authenticity: float | None = measure(
        "Authenticity",
        "Share of images that are farther from their nearest training image than that image is from its own nearest"
        " neighbour. Compare with the authenticity of real test images.",
        healthy="less than 15 points below real images'",
        **SHARE,
    )
    authenticity_se: float | None = standard_error("Authenticity")


class MemorisationResults(Section, title="Memorisation"):
    """Does the model treat training images better than new ones, and do samples copy them?"""

    n: Whole | None = count("images")
    mse_ratio: float | None = measure(
        "Squared error, test over train",
        "At 1, held-out images are reconstructed as well as training images.",
        healthy="below 1.5",
        minimum=0,
    )
    mse_ratio_se: float | None = standard_error("Squared error, test over train")
    elbo_gap: float | None = measure("ELBO gap", "ELBO on training images minus ELBO on test images.", "nats")
    elbo_gap_se: float | None = standard_error("ELBO gap")
    elbo_gap_fraction: float | None = measure(
        "ELBO gap, share",
        "The gap divided by the rate. The ELBO would be the wrong divisor: that of a density depends on the unit of a"
        " pixel and can be 0.",
        "share",
        "below 40%",
        optional=True,
    )
    elbo_gap_fraction_se: float | None = standard_error("ELBO gap, share")
    rungs: dict[str, CopyingResults | None] | None = measure(
        "Copying, by rung", "The two tests of copying for each rung.", optional=True
    )
    real_authenticity: float | None = measure(
        "Authenticity of real images",
        "The authenticity of held-out real images, which is not 1: the reference for the others.",
        optional=True,
        **SHARE,
    )
    reconstruction_z: float | None = measure(
        "Copying z of reconstructions",
        "The z of test reconstructions. Blur looks like copying, so samples are judged against it.",
        optional=True,
    )
    copied_share: float | None = measure(
        "Copied share",
        "Share of the best sampler's samples that equal a training image up to a tolerance, pixel by pixel.",
        healthy="no more than by chance",
        optional=True,
        **SHARE,
    )
    copied_low: float | None = limit("Copied share", "lower")
    copied_high: float | None = limit("Copied share", "upper")
    copied_chance: float | None = measure(
        "Copied share by chance",
        "Share of held-out images that equal a training image in the same way: what is expected without copying.",
        optional=True,
        **SHARE,
    )
    copied_tolerance: float | None = measure(
        "Tolerance of copies",
        "Root mean square difference of the pixels up to which an image counts as a copy.",
        optional=True,
        minimum=0,
    )
    copies: bool | None = measure(
        "Copies training images",
        "Whether the best sampler copies training images, by pixels or by both tests in feature space. Null if the"
        " samples are too poor or the images too few for the tests to mean anything.",
        healthy="no",
    )
    sentence: str | None = measure(
        "Copying, in words", "What the tests found, or what they can exclude.", optional=True
    )
    seconds: float | None = seconds()


class LikelihoodResults(Section, title="Likelihood"):
    """Importance-weighted estimate of the negative log-likelihood, if requested (--nll_samples)."""

    n: Whole | None = count("images", optional=True)
    nats: float | None = measure(
        "Negative log-likelihood",
        "Negative log-likelihood of a test image; lower is better. It is an upper bound that becomes tighter with more"
        " samples.",
        "nats",
    )
    nats_se: float | None = standard_error("Negative log-likelihood")
    moved: float | None = measure(
        "Bound, moved",
        "By how much the bound fell when the number of samples was doubled for the last time. Near 0 it has converged.",
        "nats",
        optional=True,
    )
    moved_se: float | None = standard_error("Bound, moved")
    bias: float | None = measure(
        "Bias",
        "Estimate of how far the bound is above the negative log-likelihood.",
        "nats",
        optional=True,
    )
    bias_se: float | None = standard_error("Bias")
    bias_limit: float | None = measure(
        "Bias, upper limit",
        "The bias is at most this, with 95% confidence. It decides whether the number is accepted as a likelihood.",
        "nats",
        "at most 0.1 nats",
        optional=True,
    )
    samples: Whole | None = measure("Samples", "Importance samples for each image.", minimum=1)
    effective_sample_size: float | None = measure(
        "Effective sample size",
        "How many of the samples carry the estimate. A few out of hundreds are a warning; the bias decides.",
        "samples",
        minimum=0,
    )
    accepted: bool | None = measure(
        "Accepted",
        "Whether the bound is close enough to the negative log-likelihood to be called a likelihood.",
        healthy="yes",
    )
    seconds: float | None = seconds()


class DciResults(Section, title="DCI"):
    """Scores computed from how important each latent dim is for predicting each factor."""

    disentanglement: float | None = measure("Disentanglement", "Each dim encodes one factor.", **UNIT)
    completeness: float | None = measure("Completeness of factors", "Each factor is in one dim.", **UNIT)
    informativeness: float | None = measure(
        "Informativeness", "Accuracy with which factors are predicted from codes.", **UNIT
    )


class DisentanglementResults(Section, title="Disentanglement"):
    """How well single latent dims correspond to the known factors of the images. Null if these are not known."""

    n: Whole | None = count("codes", optional=True)
    mig: float | None = measure(
        "MIG",
        "Mutual information gap: how much more the best latent dim tells about a factor than the second best.",
        **UNIT,
    )
    sap: float | None = measure(
        "SAP",
        "Difference in accuracy between the best and the second best dim when a factor is predicted from one dim.",
        **UNIT,
    )
    dci: DciResults | None
    factor_vae: float | None = measure(
        "FactorVAE score",
        "Accuracy of finding the factor that was held fixed from the dim that varies least.",
        optional=True,
        **UNIT,
    )
    beta_vae: float | None = measure(
        "beta-VAE score",
        "Accuracy of finding the factor that a pair of images shares from the mean difference of their codes.",
        optional=True,
        **UNIT,
    )
    seconds: float | None = seconds()


class ScoreResults(Section, title="Score"):
    """One number about the model, described by its entry in `keras_vae.evaluation.scores`."""

    title: str = measure("Title", "The name of the score.")
    description: str = measure("Description", "What it means and how to read it.")
    unit: str = measure("Unit", "The unit of the value; empty for a plain number.")
    healthy: str = measure("Healthy", "The range of a healthy model; empty if unknown.")
    value: float | None = measure("Value", "The measured number.")
    se: float | None = measure("Standard error", CHANCE, minimum=0)


class ScoresResults(Section, title="Scores"):
    """Single numbers, one for each entry of `keras_vae.evaluation.scores.SCORES`. Programs can add entries."""

    entries: dict[str, ScoreResults] = measure("Entries", "The scores by name.")
    seconds: float | None = seconds()

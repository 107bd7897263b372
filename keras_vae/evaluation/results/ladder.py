"""The ladder of image sets: distances to real images, dead zones, and whether a classifier tells sets apart."""

from keras_vae.evaluation.results.fields import (
    SHARE,
    Section,
    Whole,
    count,
    limit,
    measure,
    seconds,
    standard_error,
)


class Rung(Section, title="A rung of the ladder"):
    """One set of images compared with real images in feature space.

    All rungs have the same n, so that they can be compared with each other.
    """

    n: Whole | None = count(
        "images",
        "Images compared on this rung. Fréchet distances at different n cannot be compared: fewer images make the"
        " distance larger.",
    )
    frechet: float | None = measure(
        "Fréchet distance",
        "Distance between two Gaussians, one fitted to the features of real images and one to the features of this"
        " rung. Lower is better. Real images do not reach 0 either: compare with their rung. The distance is called"
        " FID only if the features are Inception's.",
        healthy="near the reconstructions'",
        minimum=0,
    )
    frechet_se: float | None = standard_error("Fréchet distance")
    frechet_sd: float | None = measure(
        "Fréchet distance, deviation",
        "Standard deviation of the distance over random divisions of the held-out images into the two sets.",
        optional=True,
        minimum=0,
    )
    kid: float | None = measure(
        "Kernel distance",
        "Squared MMD, with a cubic kernel, between the same two sets of features; KID is its name with Inception's. It is"
        " unbiased, so it may be slightly below 0. If n is small, trust it more than the Fréchet distance.",
        healthy="within 2 standard errors of real images'",
    )
    kid_se: float | None = standard_error("Kernel distance")
    swd: float | None = measure(
        "Sliced Wasserstein distance",
        "Multi-scale sliced Wasserstein distance of image patches. Samples of the prior and of fitted samplers, and"
        " shuffled dims, are compared with decoded posterior draws of held-out images (with reconstructions if codes"
        " have no noise). Real images, reconstructions and posterior samples are compared with other real images.",
        healthy="near that of posterior samples; for these, near real images'",
        optional=True,
        minimum=0,
    )
    swd_se: float | None = standard_error("Sliced Wasserstein distance")
    density: float | None = measure(
        "Density",
        "How densely real images surround the samples: the mean number of neighbourhoods of real images (5 nearest)"
        " that a sample lies in, divided by 5. Near 0, samples do not look like real images. It can exceed 1.",
        healthy="about 1",
        minimum=0,
    )
    density_se: float | None = standard_error("Density")
    coverage: float | None = measure(
        "Coverage",
        "Share of real images that have a sample in their neighbourhood (5 nearest). If it is low, kinds of images are"
        " missing from the samples.",
        healthy="near real images', at best 97%",
        **SHARE,
    )
    coverage_se: float | None = standard_error("Coverage")
    confidence: float | None = measure(
        "Confidence",
        "Mean of the classifier's highest class probability. If it is low, the images do not look like any class. Null"
        " if there are no labels.",
        healthy="near the reconstructions'",
        optional=True,
        **SHARE,
    )
    confidence_se: float | None = standard_error("Confidence")


class FeaturesResults(Section, title="Features"):
    """The features for comparing images. They never come from the model's own encoder."""

    name: str | None = measure("Features", "The network that computes the features.")
    metric_name: str | None = measure(
        "Name of the metric",
        "The name of the Fréchet distance with these features. Only numbers with the same name can be compared.",
    )
    accuracy: float | None = measure(
        "Accuracy of the classifier",
        "Share of held-out images that the classifier behind the features labels correctly. Null if there are no"
        " labels.",
        healthy="above 90%",
        **SHARE,
    )
    accuracy_se: float | None = standard_error("Accuracy of the classifier")
    dim: Whole | None = measure(
        "Feature dims",
        "Number of features. The Fréchet distance needs about 8 times as many images.",
        "dims",
        minimum=1,
    )


class GenerationGapResults(Section, title="Generation gap", extra="allow"):
    """A ladder from real images to samples of the prior, each rung compared with real images in feature space.

    The step at which the numbers jump is where generation fails. A further sampler has a rung with its own name.
    """

    __pydantic_extra__: dict[str, Rung]

    features: FeaturesResults | None
    n: Whole | None = count("images")
    real: Rung | None = measure(
        "Real images", "Other real images: no rung can be expected to get below their distance at this n."
    )
    reconstruction: Rung | None = measure(
        "Reconstructions",
        "Held-out images, encoded and decoded: what the decoder makes of the right codes.",
    )
    posterior: Rung | None = measure(
        "Posterior samples", "Codes drawn from the posteriors of held-out images, decoded."
    )
    shuffled: Rung | None = measure(
        "Shuffled dims",
        "Posterior samples with each latent dim permuted across images: every axis keeps its distribution, but the"
        " axes become independent.",
    )
    gaussian: Rung | None = measure(
        "Ex-post Gaussian", "Samples of one Gaussian that was fitted to the codes after training."
    )
    mixture: Rung | None = measure(
        "Ex-post mixture", "Samples of a mixture of Gaussians that was fitted to the codes after training."
    )
    flow: Rung | None = measure(
        "Ex-post flow",
        "Samples of a normalizing flow that was fitted to the codes after training.",
        optional=True,
    )
    flow_matching: Rung | None = measure(
        "Ex-post flow matching",
        "Samples of flow matching: a network that was trained after the model to move noise to codes.",
        optional=True,
    )
    two_stage: Rung | None = measure(
        "Second VAE",
        "Samples of a small variational autoencoder of the codes, trained after the model.",
        optional=True,
    )
    vamp: Rung | None = measure(
        "Mixture of posteriors",
        "Samples of a mixture of the posteriors of some training images, weighted to fit all codes. If the posteriors"
        " are narrow, it reproduces these images.",
        optional=True,
    )
    pixel_cnn: Rung | None = measure(
        "PixelCNN of the codes",
        "Samples of an autoregressive network over the grid of codebook entries, trained after the model.",
        optional=True,
    )
    prior: Rung | None = measure("Prior", "Samples of the prior: what the model generates as it was trained.")
    repaired_fraction: float | None = measure(
        "Repaired share of the distance",
        "Share of the gap that the best ex-post sampler closes without retraining. It exceeds 100% if the sampler is"
        " better than the reconstructions.",
        "share",
        "above 70%",
    )
    repaired_fraction_se: float | None = standard_error("Repaired share of the distance")
    repaired_fraction_low: float | None = limit("Repaired share of the distance", "lower")
    repaired_fraction_high: float | None = limit("Repaired share of the distance", "upper")
    best_sampler: str | None = measure(
        "Best sampler",
        "The sampler whose samples the classifier distinguishes least from posterior draws (or that has the lowest"
        " Fréchet distance if the classifier cannot decide), without those that copy training images. The prior if none"
        " is better than it beyond the error.",
    )
    best_frechet: float | None = measure(
        "Fréchet distance of the best sampler",
        "The best sampler's distance on images that were not used to choose it, so it is not too optimistic.",
        optional=True,
        minimum=0,
    )
    best_frechet_se: float | None = standard_error("Fréchet distance of the best sampler")
    best_within_error: list[str] | None = measure(
        "As good as the best",
        "Samplers whose difference from the best is within its error.",
        optional=True,
    )
    gap: float | None = measure(
        "Gap",
        "Fréchet distance of prior samples minus that of reconstructions: what is lost because the prior misses the"
        " codes.",
    )
    gap_se: float | None = standard_error("Gap")
    gap_low: float | None = limit("Gap", "lower")
    gap_high: float | None = limit("Gap", "upper")
    gap_ratio: float | None = measure(
        "Gap ratio",
        "The gap divided by the Fréchet distance of reconstructions.",
        healthy="below 2; above 5 is a hole",
    )
    gap_ratio_se: float | None = standard_error("Gap ratio")
    gap_ratio_low: float | None = limit("Gap ratio", "lower")
    gap_ratio_high: float | None = limit("Gap ratio", "upper")
    blur_ratio: float | None = measure(
        "Blur ratio",
        "Fréchet distance of reconstructions divided by that of other real images: what the decoder loses.",
        healthy="below 8",
        optional=True,
        minimum=0,
    )
    blur_ratio_se: float | None = standard_error("Blur ratio")
    seconds: float | None = seconds()


class TwoSample(Section, title="Told apart, for one rung"):
    """How well a classifier distinguishes the images of a rung from decoded posterior draws of held-out images.

    The classifier is scored on images that it was not trained on. The entries `reconstruction`, `decoded` (posterior
    draws) and `real` (training images) are compared with held-out real images instead.
    """

    n: Whole | None = count("images", "The number of images of each set on which the classifier was scored.")
    auc: float | None = measure(
        "AUC",
        "Area under the curve of the classifier: 0.5 is chance, near 1 the two sets have nothing in common. A person"
        " does not see a difference at 0.6.",
        healthy="at most 0.6",
        minimum=0,
        maximum=1,
    )
    auc_se: float | None = standard_error("AUC")
    tv: float | None = measure(
        "Total variation",
        "Estimate of the share of samples that would have to be replaced before the two sets had the same"
        " distribution, as far as this classifier can see.",
        "share",
        maximum=1,
    )
    tv_low: float | None = measure(
        "Total variation, lower limit", "The total variation is at least this, with 95% confidence.", **SHARE
    )
    off: float | None = measure(
        "Off",
        "Share of the samples that lie where almost no posterior draws lie (at most 5% of them; 1% from 1,000 images"
        " on).",
        **SHARE,
    )
    off_se: float | None = standard_error("Off")
    missing: float | None = measure(
        "Missing",
        "Share of the posterior draws that lie where almost no samples lie: what the sampler leaves out.",
        **SHARE,
    )
    missing_se: float | None = standard_error("Missing")
    classifier: str | None = measure("Classifier", "The classifier that was used.")
    reason: str | None = measure("Reason", "Why a number is missing, if one is.")


class ToldApartResults(Section, title="Told apart", extra="allow"):
    """Can a classifier distinguish the samples of a rung from what they should look like?

    There is an entry for each rung and each control, by its name. Decoder entries with the endings `_half` and
    `_quarter` are measured at half and a quarter of the resolution. Images larger than 64 pixels are first averaged to
    at most 64. Entries with the ending `_training` compare a sampler with draws of training images, to which samplers
    are fitted.
    """

    __pydantic_extra__: dict[str, TwoSample | None]

    posterior: TwoSample | None = measure(
        "Posterior draws again",
        "Control: posterior draws of other held-out images. They follow the same distribution, so the AUC should be 0.5.",
        optional=True,
    )
    planted: TwoSample | None = measure(
        "Planted control",
        "Control: posterior draws with the blocks of one image in five shuffled. The AUC shows what the classifier can"
        " see with so few images; 0.6 is perfect.",
        optional=True,
    )
    training: TwoSample | None = measure(
        "Draws of training images",
        "Posterior draws of training images. If they are told apart, the encoder treats training images differently.",
        optional=True,
    )
    shuffled: TwoSample | None = measure(
        "Shuffled dims", "Posterior draws with each latent dim permuted across images.", optional=True
    )
    prior: TwoSample | None = measure("Prior", "Samples of the prior.", optional=True)
    reconstruction: TwoSample | None = measure(
        "Reconstructions against real images",
        "Reconstructions, compared with other real images.",
        optional=True,
    )
    decoded: TwoSample | None = measure(
        "Posterior draws against real images",
        "Posterior draws, compared with other real images.",
        optional=True,
    )
    real: TwoSample | None = measure(
        "Training images against held-out ones",
        "Control: real training images compared with real held-out images.",
        optional=True,
    )
    decoder_scale: str | None = measure(
        "Decoder told apart at",
        "The coarsest scale (full, half or quarter resolution) at which reconstructions are distinguished from real"
        " images.",
        optional=True,
    )
    encoder_overfits: bool | None = measure(
        "Encoder overfits",
        "Whether the classifier distinguishes draws of training images from draws of held-out images better than the"
        " images themselves.",
        optional=True,
    )

    best_auc: float | None = measure(
        "AUC of the best sampler",
        "The AUC of the sampler that is closest to posterior draws, on images that were not used to choose it.",
        healthy="at most 0.6",
        optional=True,
    )
    best_auc_se: float | None = standard_error("AUC of the best sampler")
    repaired_share: float | None = measure(
        "Repaired share of the total variation",
        "1 minus the total variation of the best ex-post sampler divided by that of N(0, I). Null if the latter is"
        " within its error of 0. It can slightly exceed 100% by chance if the sampler cannot be told apart.",
        "share",
    )
    repaired_share_se: float | None = standard_error("Repaired share of the total variation")
    repaired_share_low: float | None = limit("Repaired share of the total variation", "lower")
    repaired_share_high: float | None = limit("Repaired share of the total variation", "upper")
    seconds: float | None = seconds()


class DeadZoneResults(Section, title="Dead zone of one rung"):
    """How many images of this rung do not look like any real image."""

    dead_zone: float | None = measure(
        "Dead zone",
        "Share of images that are farther from every real image than 95% of the model's own test reconstructions are,"
        " rescaled so that reconstructions score 0. Chance can bring it slightly below 0.",
        "share",
        "below 10%",
        maximum=1,
    )
    dead_zone_se: float | None = standard_error("Dead zone")
    dead_zone_confidence: float | None = measure(
        "Dead zone by confidence",
        "Share of images that a classifier is less confident about than about 95% of the test reconstructions,"
        " rescaled like the dead zone. It is about 0 for reconstructions, or slightly below by chance. Null if there"
        " are no labels.",
        "share",
        "about 0%",
        maximum=1,
    )
    dead_zone_confidence_se: float | None = standard_error("Dead zone by confidence")


class CompletenessResults(Section, title="Completeness"):
    """Does every code that can be sampled decode to something that looks real?"""

    n: Whole | None = count("images")
    dead_zone: float | None = measure(
        "Dead zone",
        "Share of prior samples that are farther from every real image than 95% of the model's own test"
        " reconstructions are, rescaled so that reconstructions score 0. Completeness is 1 minus this share.",
        "share",
        "below 10%; above 50% is a hole",
        maximum=1,
    )
    dead_zone_se: float | None = standard_error("Dead zone")
    dead_zone_confidence: float | None = measure(
        "Dead zone by confidence",
        "Share of prior samples that a classifier is less confident about than about 95% of the test reconstructions,"
        " rescaled like the dead zone. Null if there are no labels.",
        "share",
        "about 0%",
        optional=True,
        maximum=1,
    )
    dead_zone_confidence_se: float | None = standard_error("Dead zone by confidence")
    threshold: float | None = measure(
        "Threshold",
        "The distance in feature space beyond which an image counts as dead.",
        optional=True,
        minimum=0,
    )
    by_rung: dict[str, DeadZoneResults | None] | None = measure(
        "Dead zone by rung", "The dead zone of every rung of the ladder."
    )
    seconds: float | None = seconds()

"""The steepness of the decoder, and paths between codes."""

from keras_vae.evaluation.results.fields import (
    SHARE,
    Section,
    Whole,
    count,
    measure,
    seconds,
    standard_error,
)


class JacobianResults(Section, title="Steepness of the decoder at one kind of point"):
    """The size of the decoder's Jacobian: how much the image changes for a small step of the code."""

    median: float | None = measure(
        "Median steepness",
        "Frobenius norm of the decoder's Jacobian at the median point: the change in pixels for a unit step of the"
        " code, over all directions.",
        minimum=0,
    )
    p95_over_median: float | None = measure(
        "Unevenness",
        "Steepness at the 95th percentile divided by that at the median. Far above 1 there are cliffs, where a small"
        " step changes the image a lot.",
        healthy="below 4",
        minimum=0,
    )
    p95_over_median_se: float | None = standard_error("Unevenness")


class JacobiansResults(Section, title="Steepness of the decoder"):
    """The norm of the decoder's Jacobian at three kinds of points."""

    posterior: JacobianResults | None = measure("At posterior samples", "At codes of images.")
    prior: JacobianResults | None = measure("At prior samples", "At draws from the prior.")
    midpoint: JacobianResults | None = measure("At midpoints", "Halfway between two codes of images.")


class ContinuityResults(Section, title="Continuity"):
    """Do small steps of the code make small steps of the image?

    This is independent of completeness: a model whose prior samples are garbage is usually perfectly continuous.
    """

    n: Whole | None = count("points")
    jacobian: JacobiansResults | None
    jump: float | None = measure(
        "Jump",
        "Largest step divided by mean step along paths between test codes, in feature space. 1 is perfectly even.",
        healthy="below 3",
        minimum=0,
    )
    jump_se: float | None = standard_error("Jump")
    jump_pixels: float | None = measure(
        "Jump in pixels",
        "The same with steps measured in pixels.",
        healthy="below 3",
        optional=True,
        minimum=0,
    )
    jump_pixels_se: float | None = standard_error("Jump in pixels")
    detour: float | None = measure(
        "Detour",
        "Length of a path in feature space divided by the straight distance between its ends.",
        healthy="about 1.3",
        optional=True,
        minimum=0,
    )
    detour_se: float | None = standard_error("Detour")
    seconds: float | None = seconds()


class PathResults(Section, title="One path between two images"):
    """What the images halfway between two test images look like."""

    confidence: float | None = measure(
        "Midpoint confidence",
        "Mean of the classifier's highest class probability halfway. If it is above that of pixel blending, the code"
        " space does better than a cross-fade. Null if there are no labels.",
        healthy="above pixel blending's",
        **SHARE,
    )
    confidence_se: float | None = standard_error("Midpoint confidence")
    frechet: float | None = measure(
        "Midpoint Fréchet distance",
        "Fréchet distance between the images halfway and real images.",
        healthy="below pixel blending's",
        minimum=0,
    )
    frechet_se: float | None = standard_error("Midpoint Fréchet distance")
    dead_zone: float | None = measure(
        "Midpoint dead zone",
        "Share of the images halfway that do not look like any real image (see Dead zone).",
        "share",
        "below 10%",
        maximum=1,
    )
    dead_zone_se: float | None = standard_error("Midpoint dead zone")


class PriorWalkResults(Section, title="From a code to the prior"):
    """The code of a test image turned step by step into a draw of the prior, cos(a) z + sin(a) e.

    If images break on the way, codes are islands.
    """

    angles: list[float | None] | None = measure(
        "Angles", "The angles a: 0 is the image's code, 90 the prior draw.", "degrees"
    )
    class_agreement: list[float | None] | None = measure(
        "Class agreement",
        "Share of images that still have the class of the start, at each angle. Null if there are no labels.",
        "share",
    )
    confidence: list[float | None] | None = measure(
        "Confidence",
        "Mean confidence of the classifier at each angle. A steep fall means that codes are islands. Null if there are"
        " no labels.",
        "share",
    )
    frechet: list[float | None] | None = measure(
        "Fréchet distance", "Fréchet distance to real images at each angle.", optional=True
    )


class UnitNoiseResults(Section, title="Unit noise around the mean"):
    """The test of N(mu(x), I): one unit of noise is added to the code of an image."""

    n: Whole | None = count("images", optional=True)
    same_class: float | None = measure(
        "Same class",
        "Share of images that still decode to the class of the original. If it is high while prior samples are bad, the"
        " code is spread: the decoder adds up thousands of tiny offsets, and unit noise cancels out in the sum.",
        **SHARE,
    )
    same_class_se: float | None = standard_error("Same class")
    feature_distance_ratio: float | None = measure(
        "Feature distance",
        "Distance from the original divided by the distance between two random images: 0 is unchanged, 1 is an"
        " unrelated image.",
        optional=True,
        minimum=0,
    )
    feature_distance_ratio_se: float | None = standard_error("Feature distance")


class InterpolationResults(Section, title="Interpolation"):
    """Paths between two test images, and from a code to a prior draw."""

    n: Whole | None = count("pairs")
    linear: PathResults | None = measure("Linear", "Straight line between the two codes.")
    slerp: PathResults | None = measure("Spherical", "Along the great circle between the two codes.")
    variance_preserving: PathResults | None = measure(
        "Variance-preserving",
        "The squares of the two weights add up to 1, which preserves the spread of the codes.",
    )
    pixel_blend: PathResults | None = measure(
        "Pixel blending", "A cross-fade of the two images without a model: interpolation should be better."
    )
    posterior_to_prior: PriorWalkResults | None
    noise_around_mean: UnitNoiseResults | None
    seconds: float | None = seconds()

"""The measurements that take several minutes and are requested with `--extended`."""

from keras_vae.evaluation.results.fields import (
    SHARE,
    Section,
    Whole,
    count,
    measure,
    seconds,
    standard_error,
)


class FrechetByNResults(Section, title="Fréchet distance by n"):
    """The Fréchet distance at several n, and the limit of a line in 1/n (Chong and Forsyth 2020).

    The limit does not have the bias that small sets of images cause.
    """

    n: list[Whole] = measure("n", "The numbers of images in each of the two sets.")
    rungs: dict[str, list[float | None]] = measure("Distances", "For each rung, the distance at each n.")
    limit: dict[str, float | None] = measure(
        "At infinite n", "For each rung. Chance can bring it slightly below 0."
    )
    limit_se: dict[str, float | None] = measure(
        "At infinite n, standard error", "For each rung: the jackknife error, over eighths of the images."
    )
    seconds: float | None = seconds(optional=False)


class KidByNResults(Section, title="Kernel distance by n"):
    """The kernel distance at the same n. It is unbiased: it should not change with n by more than its error."""

    n: list[Whole] = measure("n", "The numbers of images in each of the two sets.")
    rungs: dict[str, list[float | None]] = measure("Distances", "For each rung, the distance at each n.")
    rungs_se: dict[str, list[float | None]] = measure(
        "Distances, standard error", "For each rung, the error at each n."
    )
    seconds: float | None = seconds(optional=False)


class CellsResults(Section, title="Copying z by cells"):
    """Are the images of a rung closer to training images than test images are, cell by cell (Meehan et al. 2020)?

    The cells are those of k-means on the features of training images. Far below 0 the images are closer: copies, or
    blur.
    """

    n: Whole | None = count("images", "The number of images of each rung.")
    rungs: dict[str, float | None] = measure(
        "C_T", "For each rung: the mean over cells, weighted by the number of test images in each cell."
    )
    cells: dict[str, list[float | None]] = measure(
        "By cell", "For each rung, the z-score in each cell. Null if a cell has too few images."
    )
    seconds: float | None = seconds(optional=False)


class SurvivalResults(Section, title="Survival of one class"):
    """The images of one class on their paths to the prior."""

    n: Whole | None = count("images", "The number of paths that start in this class.")
    share: list[float] = measure("Share alive", "At each angle: the share that still has this class.")
    share_se: list[float] = measure("Share alive, standard error", "The error of the share at each angle.")
    median_angle: float | None = measure(
        "Median angle",
        "The angle at which half of the images have lost their class. Null if more than half keep it.",
        "degrees",
        minimum=0,
        maximum=90,
    )


class ClassSurvivalResults(Section, title="Survival of the class"):
    """Paths from the code of an image to a draw of the prior, cos(a) code + sin(a) draw.

    At each angle: the share of the images of a class that have had this class at every angle so far, according to the
    classifier. A path that leaves its class no longer counts, even if it returns.
    """

    n: Whole | None = count("images", "The number of paths.")
    angles: list[float] = measure("Angles", "In degrees: 0 is the code, 90 the draw.")
    classes: dict[str, SurvivalResults] = measure(
        "Classes", "For each class of the reconstruction, and for all classes together."
    )
    seconds: float | None = seconds(optional=False)


class PriorClassifierResults(Section, title="Classifier of codes"):
    """How often a small network distinguishes a code from a prior draw (Lopez-Paz and Oquab 2017).

    Its inputs are principal coordinates.
    """

    n: Whole | None = count("codes", "The number of codes on which the network was tested.")
    accuracy: float | None = measure(
        "Accuracy",
        "Accuracy on codes that the network was not trained on: 50% if the codes fill the prior.",
        healthy="near 50%",
        **SHARE,
    )
    accuracy_se: float | None = standard_error("Accuracy")
    seconds: float | None = seconds(optional=False)


class MoreInformationResults(Section, title="Information with more codes"):
    """Bounds on the mutual information between images and codes, from all test codes (Poole et al. 2019)."""

    n: Whole | None = count("codes")
    lower: float | None = measure(
        "At least",
        "Lower bound: how well one can find the code that belongs to an image. It cannot exceed log n, so a value near"
        " log n says nothing.",
        "nats",
    )
    lower_se: float | None = standard_error("At least")
    lower_from: str | None = measure(
        "At least, estimator", "The estimator that gave the lower bound.", optional=True
    )
    upper: float | None = measure(
        "At most",
        "The smallest of the upper bounds: the rate, the rate minus the prior mismatch, and how well one can find the"
        " code that belongs to an image if its own code is left out.",
        "nats",
    )
    upper_se: float | None = standard_error("At most")
    upper_from: str | None = measure(
        "At most, estimator", "The estimator that gave the upper bound.", optional=True
    )
    log_n: float | None = measure("log n", "The largest value that the lower bound can take.", "nats")
    seconds: float | None = seconds(optional=False)


class SpectralNormResults(Section, title="Largest stretch"):
    """The largest singular value of the decoder's Jacobian at posterior draws, by power iteration.

    It is how far the image moves if the code moves by 1 in the worst direction.
    """

    n: Whole | None = count("codes", "The number of posterior draws.")
    median: float | None = measure("Median", "Median over posterior draws.", minimum=0)
    p95: float | None = measure(
        "95th percentile",
        "95th percentile over posterior draws. If it is far above the median, there are cliffs.",
        healthy="less than 4 medians",
        minimum=0,
    )
    seconds: float | None = seconds(optional=False)


class PathLengthResults(Section, title="Path length"):
    """Mean squared change in feature space for a small step along the arc between two prior draws.

    It is divided by the squared length of the step (Karras et al. 2019, in these features).
    """

    n: Whole | None = count("paths", "The number of pairs of draws.")
    mean: float | None = measure(
        "Path length", "It can be compared only within one dataset and its features.", minimum=0
    )
    mean_se: float | None = standard_error("Path length")
    relative: float | None = measure(
        "Path length, relative",
        "Divided by the mean squared distance between the reconstructions of two images.",
        minimum=0,
    )
    seconds: float | None = seconds(optional=False)


class QuadrantsResults(Section, title="Swapped quadrants"):
    """Reconstructions of test images whose quadrants were swapped."""

    n: Whole | None = count("images", "The number of test images.")
    ratio: float | None = measure(
        "Error with swapped quadrants",
        "Squared error of reconstructing them, divided by that of the original images. At about 1, the model copies"
        " pixels, whatever they show.",
        healthy="well above 1",
        minimum=0,
    )
    ratio_se: float | None = standard_error("Error with swapped quadrants")
    seconds: float | None = seconds(optional=False)


class ImportanceResults(Section, title="Importance-weighted bound by samples"):
    """An upper bound on the negative log-likelihood for several numbers of samples per image (Burda et al. 2016)."""

    n: Whole | None = count("images", "The number of test images.")
    samples: list[Whole] = measure("Samples", "The numbers of samples for each image.")
    nats: list[float | None] = measure(
        "Bounds", "In nats per image, for each number of samples. The first is minus the ELBO."
    )
    nats_se: list[float | None] = measure("Bounds, standard error", "The error for each number of samples.")
    effective_sample_size: list[float | None] = measure(
        "Effective sample size",
        "How many samples carry the estimate. Near 1, one sample outweighs all others, and the bound is not a"
        " likelihood.",
    )
    accepted: list[bool] = measure(
        "Likelihood", "Whether the bias of the bound is small enough to call it a likelihood."
    )
    seconds: float | None = seconds(optional=False)


class AmortisationResults(Section, title="Amortisation gap"):
    """How much the ELBO rises if the posterior of each test image is optimised separately (Cremer et al. 2018).

    The encoder predicts it in a single pass instead.
    """

    n: Whole | None = count("images", "The number of test images.")
    nats: float | None = measure(
        "Amortisation gap",
        "A lower bound: more steps might find more. If it is large, a larger encoder or longer training raises the"
        " ELBO.",
        "nats",
        "a few nats at most",
    )
    nats_se: float | None = standard_error("Amortisation gap")
    elbo: float | None = measure("ELBO of the encoder", "The ELBO on these images.", "nats")
    elbo_se: float | None = standard_error("ELBO of the encoder")
    optimised_elbo: float | None = measure(
        "ELBO, optimised", "The ELBO with the best Gaussian that was found for each image.", "nats"
    )
    optimised_elbo_se: float | None = standard_error("ELBO, optimised")
    steps: Whole | None = count("steps", "Steps of the optimiser.", "Steps")
    seconds: float | None = seconds(optional=False)


class AnnealedResults(Section, title="Annealed importance sampling"):
    """The likelihood of a few test images, by chains from the encoder's posterior to the true posterior.

    The estimate (Neal 2001; Wu et al. 2017) is above the negative log-likelihood on average, and closer to it than
    importance weighting.
    """

    n: Whole | None = count("images", "The number of test images.")
    nats: float | None = measure(
        "Negative log-likelihood",
        "An upper bound on average; tight if most chains carry the estimate.",
        "nats",
    )
    nats_se: float | None = standard_error("Negative log-likelihood")
    inference_gap: float | None = measure(
        "Inference gap",
        "How far the ELBO of the same images is below it. One part is the amortisation gap, the other is due to the"
        " Gaussian family.",
        "nats",
    )
    inference_gap_se: float | None = standard_error("Inference gap")
    effective_sample_size: float | None = measure(
        "Effective sample size",
        "How many of an image's chains carry the estimate.",
        "chains",
        minimum=0,
    )
    acceptance: float | None = measure(
        "Accepted transitions",
        "Share of the chains' moves that were accepted.",
        healthy="near 65%",
        **SHARE,
    )
    chains: Whole | None = count("chains", "The number of chains for each image.", "Chains")
    temperatures: Whole | None = count(
        "steps", "Steps from the encoder's posterior to the true posterior.", "Temperatures"
    )
    seconds: float | None = seconds(optional=False)


class ExtendedResults(Section, title="Extended"):
    """Measurements that take longer: present only if --extended was given."""

    n: Whole | None = count(
        "images", "The number of images of each rung from which these numbers were computed."
    )
    frechet_by_n: FrechetByNResults | None
    kid_by_n: KidByNResults | None
    cell_z: CellsResults | None
    class_survival: ClassSurvivalResults | None
    prior_classifier: PriorClassifierResults | None
    mutual_information: MoreInformationResults | None
    spectral_norm: SpectralNormResults | None
    path_length: PathLengthResults | None
    swapped_quadrants: QuadrantsResults | None
    importance: ImportanceResults | None
    amortisation_gap: AmortisationResults | None
    annealed: AnnealedResults | None
    seconds: float | None = seconds("How long these measurements took.", optional=False)

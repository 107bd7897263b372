"""Where a number starts to mean something. `docs/thresholds.md` says on which models the thresholds were set."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """Where a number starts to mean something; all in the units of the results."""

    fewest_images: int = 200  # held-out originals below which distances between sets are noise
    collapsed_rate: float = 1.0  # nats an image
    useless_reconstruction: float = 0.94  # share of the mean image's squared error that is left, in training
    overfitted_mse: float = 1.5  # test over train
    overfitted_elbo: float = 0.4  # of the ELBO, training less test; share of the rate
    sure: float = 3.0  # standard errors of the gap between two ELBOs, below which it is noise
    blurry: float = 8.0  # distance of the reconstructions, in floors (real against real)
    hole: float = 5.0  # gap, in distances of the reconstructions
    patchy: float = 2.0
    dead: float = 0.5  # share of prior samples where no image is
    thin: float = 0.1
    told_hole: float = 0.9  # AUC of a classifier that tells samples from decoded codes
    told_patchy: float = 0.7
    told_repaired: float = 0.6
    told_blurry: float = (
        0.9  # of one that tells the decoder's images from real ones, at the coarsest resolution
    )
    mismatch: float = 2.0  # nats
    mismatch_share: float = 0.1  # of the rate
    spare_dimensions: float = 8.0  # for each direction of those that hold 95% of the means' variance
    low_beta: float = 0.2
    overcalibrated: float = 3.0  # mean squared error over the decoder's variance
    scale_share: float = 0.7  # of the mismatch that single dimensions explain
    rough: float = 4.0  # 95th percentile over median of the Jacobian's norm
    torn: float = 3.0  # largest over mean step of a path


THRESHOLDS = Thresholds()

"""The thresholds of the verdict. `docs/thresholds.md` describes the models that they were chosen on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of the verdict, in the units of the results."""

    fewest_images: int = 200  # held-out images; with fewer, distances between sets are noise
    collapsed_rate: float = 1.0  # nats per image
    # Share of the mean image's squared error that remains, on training images.
    useless_reconstruction: float = 0.94
    overfitted_mse: float = 1.5  # test error over training error
    overfitted_elbo: float = 0.4  # training ELBO minus test ELBO, as a share of the rate
    sure: float = 3.0  # standard errors; a smaller gap between the ELBOs is noise
    blurry: float = 8.0  # distance of reconstructions, in floors (real against real)
    hole: float = 5.0  # gap, in units of the reconstructions' distance
    patchy: float = 2.0
    dead: float = 0.5  # share of the prior's samples in the dead zone
    thin: float = 0.1
    told_hole: float = 0.9  # AUC of samples against decoded codes
    told_patchy: float = 0.7
    told_repaired: float = 0.6
    told_blurry: float = 0.9  # AUC of decoded against real images, at the coarsest resolution
    mismatch: float = 2.0  # nats
    mismatch_share: float = 0.1  # of the rate
    spare_dimensions: float = 8.0  # per direction that is needed for 95% of the means' variance
    low_beta: float = 0.2
    overcalibrated: float = 3.0  # mean squared error over the decoder's variance
    # Share of the prior's separation that a Gaussian with the codes' mean and covariance removes.
    explained: float = 0.5
    scale_share: float = 0.7  # share of the mismatch that single dimensions explain
    rough: float = 4.0  # Jacobian's norm, 95th percentile over median
    torn: float = 3.0  # largest step of a path over the mean step


THRESHOLDS = Thresholds()

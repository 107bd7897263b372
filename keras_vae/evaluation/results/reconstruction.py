"""Reconstruction, and the two terms of the loss."""

from keras_vae.evaluation.results.fields import (
    Section,
    Whole,
    count,
    measure,
    seconds,
    standard_error,
)


class SplitResults(Section, title="Reconstruction of one set of images"):
    """How well images are reconstructed from their codes.

    The code is the mean of the posterior; only the distortion uses a sample.
    """

    n: Whole | None = count("images")
    distortion: float | None = measure(
        "Distortion",
        "Negative log-likelihood of the image given a code drawn from its posterior, -log p(x|z), summed over the"
        " pixels: the cost of reconstruction. Only models with the same likelihood can be compared by it.",
        "nats",
    )
    distortion_se: float | None = standard_error("Distortion")
    bits_per_dim: float | None = measure(
        "Distortion per dim",
        "The distortion in bits, divided by the number of pixel values of an image.",
        "bits per dim",
        optional=True,
    )
    bits_per_dim_se: float | None = standard_error("Distortion per dim")
    mse: float | None = measure(
        "Squared error",
        "Mean squared error of a pixel, with pixels in [0, 1]. It needs no likelihood, so any two models can be"
        " compared by it.",
        minimum=0,
    )
    mse_se: float | None = standard_error("Squared error")
    psnr: float | None = measure(
        "PSNR",
        "Peak signal-to-noise ratio, -10 log10 of the squared error. Three decibels more mean half the error.",
        "dB",
        optional=True,
    )
    psnr_se: float | None = standard_error("PSNR")
    unexplained: float | None = measure(
        "Unexplained",
        "Squared error divided by that of always predicting the mean image. 0 is perfect; at 100% the code is of no"
        " use.",
        "share",
        "below 90%",
        optional=True,
        minimum=0,
    )
    unexplained_se: float | None = standard_error("Unexplained")
    ssim: float | None = measure(
        "SSIM",
        "Structural similarity of image and reconstruction: it compares contrast and structure instead of single"
        " pixels. It is 1 if they are equal.",
        optional=True,
        maximum=1,
    )
    ssim_se: float | None = standard_error("SSIM")


class ReconstructionResults(Section, title="Reconstruction"):
    """How well training images and held-out images are reconstructed."""

    train: SplitResults | None = measure(
        "Training images", "Reconstruction of images that the model was trained on."
    )
    test: SplitResults | None = measure(
        "Test images",
        "Reconstruction of held-out images. If it is much worse than on training images, the model overfits.",
    )
    seconds: float | None = seconds()


class RateDistortionResults(Section, title="Rate and distortion"):
    """The two terms of the loss, each summed over an image, in nats, on held-out images.

    An average over pixels or latent dims would hide how large they are.
    """

    n: Whole | None = count("images")
    rate: float | None = measure(
        "Rate",
        "KL divergence of the posterior from the prior, summed over all latent dims: how much a code tells about its"
        " image. A grey MNIST image needs 15 to 40 nats, whatever the latent size.",
        "nats",
        "5 to 60 nats for small grey images",
        minimum=0,
    )
    rate_se: float | None = standard_error("Rate")
    rate_per_dim: float | None = measure(
        "Rate per latent dim",
        "The rate divided by the latent size. It looks harmlessly small if the latent is large: judge by the total"
        " instead.",
        "nats",
        optional=True,
        minimum=0,
    )
    distortion: float | None = measure(
        "Distortion",
        "Negative log-likelihood of an image given a code drawn from its posterior, summed over the pixels.",
        "nats",
    )
    distortion_se: float | None = standard_error("Distortion")
    elbo: float | None = measure(
        "ELBO",
        "Evidence lower bound, minus distortion minus rate: a lower bound on the log-likelihood of an image. Higher"
        " is better.",
        "nats",
    )
    elbo_se: float | None = standard_error("ELBO")
    bits_per_dim: float | None = measure(
        "Bits per dim",
        "The negative ELBO in bits, divided by the number of pixel values. Image sizes can be compared by it if the"
        " likelihood is the same.",
        "bits per dim",
    )
    bits_per_dim_se: float | None = standard_error("Bits per dim")
    rate_bits: float | None = measure(
        "Rate in bits", "The rate in bits: nats divided by log 2.", "bits", optional=True, minimum=0
    )
    effective_beta: float | None = measure(
        "Effective beta",
        "The weight of the rate relative to the distortion when both are summed. A loss that averages the KL over"
        " latent dims and the error over pixels has a beta of pixels divided by dims, although it does not say so.",
        healthy="0.2 to 5",
        minimum=0,
    )
    implied_sigma: float | None = measure(
        "Implied decoder noise",
        "The standard deviation of pixel noise that the training loss corresponds to, if the loss is a squared error.",
        "of the pixel range",
        optional=True,
        minimum=0,
    )
    calibration: float | None = measure(
        "Calibration",
        "Squared error of a pixel divided by the implied noise variance. Well below 1, the rate is weighted too much"
        " (blur, collapse); well above 1, too little (holes).",
        healthy="1/3 to 3",
        optional=True,
        minimum=0,
    )
    train_rate: float | None = measure(
        "Rate on training images",
        "The rate on images that the model was trained on.",
        "nats",
        optional=True,
        minimum=0,
    )
    train_rate_se: float | None = standard_error("Rate on training images")
    train_elbo: float | None = measure(
        "ELBO on training images",
        "The ELBO on images that the model was trained on. If it is far above the ELBO on test images, the model"
        " overfits.",
        "nats",
        optional=True,
    )
    train_elbo_se: float | None = standard_error("ELBO on training images")
    seconds: float | None = seconds()


class RangesResults(Section, title="Value ranges"):
    """The value ranges in which a model that was not trained with keras_vae takes and returns images.

    They were requested, or detected on some training images.
    """

    encoder: str = measure(
        "Encoder's range", "The value range of the encoder's input, as for --encoder_range."
    )
    decoder: str = measure(
        "Decoder's range", "The value range of the decoder's output, as for --decoder_range."
    )
    unexplained: float = measure(
        "Unexplained in these ranges",
        "Squared error of the reconstructions of some training images in these ranges, divided by that of their mean"
        " image.",
        "share",
        "below 100%",
    )
    fits: bool = measure(
        "Ranges fit",
        "Whether the reconstructions are no worse than the mean image, or do not depend on the image at all. If false,"
        " the ranges are probably wrong, and the other numbers say nothing about the model.",
    )

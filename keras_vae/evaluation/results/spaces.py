"""Which feature spaces can be trusted on these images."""

from keras_vae.evaluation.results.fields import Section, Whole, count, measure, seconds, standard_error

HOW = "Its unit is that of the space: compare the sets of one space with each other only."


def distance(title, of):
    """Declares the distance of a planted set."""
    return measure(title, f"Distance of {of} from real images. {HOW}", minimum=0)


class SpaceResults(Section, title="Space"):
    """A space for comparing images, tested with sets of images of known quality."""

    name: str | None = measure(
        "Space", "The features, or swd for the sliced Wasserstein distance of image patches."
    )
    metric: str | None = measure("Metric", "The distance that is used in this space.")
    n: Whole | None = count("images", "Images of each set.")
    real: float | None = distance("Other real images", "other real images")
    real_se: float | None = standard_error("Other real images")
    blurred: float | None = distance("Slightly blurred", "slightly blurred real images")
    blurred_se: float | None = standard_error("Slightly blurred")
    shuffled_blocks: float | None = distance(
        "Shuffled blocks",
        "real images that were cut into a 4x4 grid of blocks and put together in random order",
    )
    shuffled_blocks_se: float | None = standard_error("Shuffled blocks")
    fog: float | None = distance(
        "Fog", "draws of a Gaussian with the mean and the covariance of the real images' pixels"
    )
    fog_se: float | None = standard_error("Fog")
    noise: float | None = distance("Noise", "independent pixels drawn from those of real images")
    noise_se: float | None = standard_error("Noise")
    fog_dead_zone: float | None = measure(
        "Dead zone of fog",
        "Share of the fog that is farther from every real image than 95% of the slightly blurred images are.",
        "share",
        "above 20%",
        optional=True,
        maximum=1,
    )
    fog_dead_zone_se: float | None = standard_error("Dead zone of fog")
    shuffled_blocks_dead_zone: float | None = measure(
        "Dead zone of shuffled blocks",
        "Share of the images with shuffled blocks that are farther from every real image than 95% of the slightly"
        " blurred images are.",
        "share",
        "above 20%",
        optional=True,
        maximum=1,
    )
    shuffled_blocks_dead_zone_se: float | None = standard_error("Dead zone of shuffled blocks")
    blind: bool | None = measure(
        "Blind",
        "Whether this space cannot distinguish nonsense from real images: fog or shuffled blocks are nearer to real"
        " images than slightly blurred images are, or no farther than 3 times other real images, or fewer than 20% of"
        " them are in the dead zone. Its distances are then not used. Null if this is within the error.",
        healthy="no",
    )
    reason: str | None = measure("Reason", "The comparison that decided whether the space is blind.")


class SpacesResults(Section, title="Spaces", extra="allow"):
    """Can the distances be trusted on these images? There is an entry for each space, by its name."""

    __pydantic_extra__: dict[str, SpaceResults | None]

    n: Whole | None = count("images", "Images of each planted set.")
    judged_in: str | None = measure(
        "Judged in",
        "The space in which dead zone, density and coverage are measured: the first feature space that is not blind."
        " Null if there is none; these numbers are then null too.",
    )
    seconds: float | None = seconds()

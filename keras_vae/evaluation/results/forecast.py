"""How well a learned sampler is expected to do."""

from keras_vae.evaluation.results.fields import Section, Whole, count, limit, measure, seconds


class ForecastResults(Section, title="Forecast for learned samplers"):
    """How hard the codes are to sample, measured before a sampler is fitted (docs/forecast.md)."""

    n: Whole | None = count("codes")
    coordinates: Whole | None = measure(
        "Coordinates", "The numbers of a code that flow matching learns.", "dims", minimum=1
    )
    velocity_variance: float | None = measure(
        "Velocity variance",
        "The sum over principal directions of the variance that the velocity of a flow keeps when its place is known. A"
        " smaller sum is an easier task.",
        healthy="below 30",
        minimum=0,
    )
    directions: float | None = measure(
        "Directions", "Participation ratio of the codes in these coordinates.", "dims", minimum=0
    )
    auc: float | None = measure(
        "Forecast of the AUC",
        "How surely a classifier is expected to tell samples of flow matching from decoded codes after a minute of"
        " learning. 0.5 is chance.",
        healthy="below 0.65",
        minimum=0.5,
        maximum=1,
    )
    auc_low: float | None = limit("Forecast of the AUC", "lower")
    auc_high: float | None = limit("Forecast of the AUC", "upper")
    high_frequencies: float | None = measure(
        "High frequencies",
        "Share of the variance of a map of codes at the upper half of the spatial frequencies. White noise has 75%.",
        "share",
        minimum=0,
        maximum=1,
    )
    scale_error: float | None = measure(
        "Scale error",
        "Squared error of decoding a map of half the resolution, compared with the decoded image at half the resolution,"
        " as a share of the variance between images.",
        "share",
        minimum=0,
    )
    seconds: float | None = seconds()

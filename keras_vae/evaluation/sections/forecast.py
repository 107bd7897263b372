"""Forecasts how well a learned sampler will do, before one is fitted."""

from keras_vae.evaluation.metrics import forecast
from keras_vae.evaluation.metrics.spectrum import participation_ratio
from keras_vae.evaluation.sections.found import Found, missing
from keras_vae.samplers import FlowMatching, UniformSampler
from keras_vae.samplers.coordinates import find_places

OF_MAPS = ("high_frequencies", "scale_error")
A_CODEBOOK = "the codes are entries of a codebook: flow matching is for codes that can move a little, and here pixel_cnn is fitted"
A_VECTOR = "the latent is a vector: it has no frequencies and no scale"
MOST_DECODED = 250  # codes for the scale error


def forecast_sampler(evidence, latent):
    """Measures what makes these codes easy or hard to sample, and forecasts the AUC of flow matching."""
    if isinstance(evidence.prior, UniformSampler):
        return Found(reasons={"forecast": A_CODEBOOK})
    train, sampler = evidence.train, FlowMatching(evidence.train.latent_shape)
    components = latent.kept
    places = find_places(
        train.mean, train.log_var, train.latent_shape, sampler.rank, sampler.channels, components
    )
    rows = places.rows(train.mean, train.log_var)
    labels = None if evidence.subject.num_classes else train.labels  # as flow matching is given them
    variances = forecast.variances_of(rows, labels)
    variance = forecast.velocity_variance(variances)
    expected = forecast.forecast_auc(variance)
    values = {
        "n": len(train),
        "coordinates": int(rows.mean[0].size),
        "velocity_variance": variance,
        "directions": participation_ratio(variances),
        "auc": expected.value,
        "auc_low": max(expected.low, 0.5),
        "auc_high": min(expected.high, 1.0),
        **dict.fromkeys(OF_MAPS),
    }
    if not sampler.map_shape:
        return Found(values, missing("forecast", OF_MAPS, A_VECTOR))
    values["high_frequencies"] = forecast.high_frequencies(train.shaped().mean)
    values["scale_error"] = scale_error(evidence)
    return Found(values)


def scale_error(evidence):
    """Returns `forecast.scale_error` of the first test images' codes."""
    count = min(MOST_DECODED, len(evidence.test))
    labels = evidence.test.labels_of(count)
    drawn = evidence.test.draw(evidence.generator("forecast"), count)

    def decode(maps):
        return evidence.decode(maps.reshape(len(maps), -1), labels)

    return forecast.scale_error(decode, evidence.shaped(drawn))

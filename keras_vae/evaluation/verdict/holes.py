"""Why samples of the prior do not decode to images: the kind of hole, its cause and what to train instead."""

from typing import NamedTuple

from keras_vae.evaluation.verdict.facts import above, below
from keras_vae.evaluation.verdict.steps import Remedy, train_again
from keras_vae.evaluation.verdict.thresholds import THRESHOLDS
from keras_vae.evaluation.verdict.words import number, percent
from keras_vae.model.objectives import OBJECTIVES

LONGER = 100  # epochs, if the number of epochs so far is unknown


class Hole(NamedTuple):
    """The reason why samples of the prior are not all images.

    Attributes:
        kind: The sub-verdict.
        cause: The cause, in sentences.
        steps: What to train, a list of `Remedy`.
    """

    kind: str
    cause: str
    steps: list


def hole(facts):
    """Returns the `Hole` of a model."""
    if facts.has_codebook:
        return Hole(
            "no_prior",
            "The prior draws codebook entries uniformly and independently, but in the codes of images each entry depends on"
            " those at other positions. Fit a density to the codes.",
            [],
        )
    return hole_of_points(facts) if facts.rate is None else hole_of_densities(facts)


def hole_of_points(facts):
    """Returns the `Hole` of a model with deterministic codes."""
    steps = train_again(facts, towards_the_bound(facts), smaller(facts))
    if facts.objective is not None and facts.objective.prior != "none":
        return Hole(
            "missed_prior",
            "A penalty pulls the distribution of the codes towards the prior but has not brought it there: its weight is"
            " too small, or training was too short.",
            steps,
        )
    return Hole(
        "no_prior",
        "A plain autoencoder is not trained towards any prior: nothing makes its codes follow"
        f" {facts.prior_in_words}.",
        steps,
    )


def hole_of_densities(facts):
    """Returns the `Hole` of a model with a rate."""
    mismatched = any(facts.mismatches) and not facts.is_beyond_mean_and_covariance
    if mismatched and above(facts.spare_dimensions, THRESHOLDS.spare_dimensions):
        return Hole("spread_code", spread_cause(facts), smaller_steps(facts))
    if below(facts.beta, THRESHOLDS.low_beta):
        cause = (
            f"The effective beta is only {number(facts.beta)}: the rate weighs so little that the codes spread beyond the"
            " prior."
        )
        return Hole("under_regularised", cause, train_again(facts, towards_the_bound(facts), smaller(facts)))
    if above(facts.get("rate_distortion", "calibration"), THRESHOLDS.overcalibrated):
        return Hole("under_regularised", overcalibrated_cause(facts), learn_the_variance(facts))
    marginal = facts.get("prior_mismatch", "marginal_nats")
    if (
        mismatched
        and marginal is not None
        and above(facts.mismatch, 0)
        and (marginal >= THRESHOLDS.scale_share * facts.mismatch)
    ):
        return Hole("mis_scaled", scale_cause(facts, marginal), train_on(facts))
    if mismatched:
        return Hole("correlated", correlated_cause(facts, marginal), smaller_steps(facts))
    return Hole("clustered", clustered_cause(facts), smaller_steps(facts))


def clustered_cause(facts):
    """Returns why mean and covariance of the codes are not the cause, and what is left."""
    known = (
        "The codes do not have the shape of a Gaussian: one with their mean and covariance removes only"
        f" {percent(max(facts.explained.value, 0.0))} of what tells samples of {facts.prior_in_words} from decoded codes. They"
        if facts.is_beyond_mean_and_covariance
        else "The codes have the mean and covariance of the prior but not its shape: they"
    )
    return (
        f"{known} form clusters with gaps between them, or the decoder generalises poorly beyond the codes that it was"
        " trained on." + places(facts)
    )


def spread_cause(facts):
    """Returns the cause that docs/latent_size.md found: few directions are used, and the positions of a map depend on each other."""
    radius = facts.get("prior_mismatch", "signal_radius") or {}
    return (
        f"The codes use about {number(facts.directions)} of {facts.size:,} directions and do not follow the prior along"
        f" these: their radius there is {number(radius.get('posterior'))}, that of samples of {facts.prior_in_words} is"
        f" {number(radius.get('prior'))}. Single dimensions do not show this: {facts.rate / facts.size:.2g} nats per"
        f" dimension look negligible but add up to {number(facts.rate)} nats per image." + places(facts)
    )


def places(facts):
    """Returns a sentence on the positions of a latent map, or `""` for a vector, or for a prior that joins positions."""
    if not facts.is_map or facts.get("prior") not in (None, "standard", "uniform_codes"):
        return ""
    height, width, _ = facts.get("latent_shape")
    return (
        f" The latent is a map: {facts.prior_in_words} draws each of its {height}x{width} positions independently, but in"
        " the codes of images they depend on each other."
    )


def overcalibrated_cause(facts):
    """Returns the effect of a decoder variance that is too small."""
    ratio = number(facts.get("rate_distortion", "calibration"))
    return (
        f"The decoder's variance is too small: the squared error per pixel is {ratio} times as large. The rate therefore"
        " weighs too little, and the codes spread beyond the prior."
    )


def scale_cause(facts, marginal):
    """Returns how much of the mismatch single dimensions explain."""
    return (
        f"Single dimensions have the wrong mean or variance: this explains {number(marginal)} of the"
        f" {number(facts.mismatch)} nats between the codes and the prior."
    )


def correlated_cause(facts, marginal):
    """Returns the mismatch of the dimensions one by one and together."""
    return (
        f"The dimensions depend on each other: one by one they are {number(marginal)} nats from the prior, together"
        f" {number(facts.mismatch)} nats." + places(facts)
    )


def mismatch_evidence(facts):
    """Returns the aggregated posterior's distance from the prior, as a sentence."""
    if facts.mismatch is None or facts.mismatch <= 0:
        return ""
    return (
        f" The aggregated posterior is at least {number(facts.mismatch)} nats from {facts.prior_in_words},"
        f" {percent(facts.mismatch_share)} of the rate."
    )


def towards_the_bound(facts, smaller_latent=True):
    """Returns the changes that train the ELBO itself, with a smaller latent if the codes fit into one."""
    changes = {} if may_be_the_bound(facts) else {"objective": facts.bound}
    config = facts.source.config
    if (
        config is not None
        and type(config.objective) is OBJECTIVES[facts.bound]
        and config.objective.reduction != "sum"
    ):
        changes["objective.reduction"] = "sum"
    if smaller_latent and facts.fits_a_smaller_latent:
        changes["latent"] = facts.recommended
    return changes


def may_be_the_bound(facts):
    """Returns whether the objective is unknown and the measurements are compatible with the ELBO."""
    return facts.objective is None and facts.rate is not None and not below(facts.beta, THRESHOLDS.low_beta)


def smaller(facts):
    """Returns a sentence on a smaller latent, or `""` if the codes do not fit into one."""
    if not facts.fits_a_smaller_latent:
        return ""
    low, high = (facts.get("latent", f"recommended_{end}") for end in ("low", "high"))
    likely = (
        f" The 95% interval of this size is {low} to {high}."
        if None not in (low, high) and low != high
        else ""
    )
    return f"The codes need fewer than the {facts.size:,} latent dimensions.{likely}"


def smaller_steps(facts):
    """Returns the step that trains a smaller latent, in a list; `[]` if the codes do not fit into one."""
    if not facts.fits_a_smaller_latent:
        return []
    return train_again(facts, towards_the_bound(facts), smaller(facts))


def learn_the_variance(facts):
    """Returns the step that makes the decoder learn its variance, in a list."""
    return train_again(facts, {"likelihood": "gaussian_optimal"}, "It learns the decoder's variance.")


def train_on(facts):
    """Returns the step that trains for longer, in a list: `[]` if the held-out loss had stopped falling."""
    source = facts.source
    if source.is_unfinished and not source.has_stalled:
        done = f"The training was stopped after {source.epoch} of {source.config.epochs} epochs: continue it."
        return [Remedy(done, source.resuming())]
    return train_again(facts, longer(facts))


def longer(facts):
    """Returns the change that doubles the number of epochs; `{}` if that many were not trained, or would not help."""
    config = facts.source.config
    if facts.source.is_unfinished or facts.source.has_stalled:
        return {}
    return {"epochs": 2 * config.epochs if config is not None and config.epochs else LONGER}

"""Why a prior's samples are not images: the kind of hole, its cause, and what would train a better model."""

from typing import NamedTuple

from keras_vae.evaluation.verdict.facts import above, below
from keras_vae.evaluation.verdict.steps import train_again
from keras_vae.evaluation.verdict.thresholds import THRESHOLDS
from keras_vae.evaluation.verdict.words import number, percent
from keras_vae.model.objectives import OBJECTIVES

LONGER = 100  # epochs, where it is not known how many there were


class Hole(NamedTuple):
    """A kind of hole.

    Attributes:
        kind: The sub-verdict.
        cause: Why, in sentences.
        steps: What to train, a list of `Step`.
    """

    kind: str
    cause: str
    steps: list


def hole(facts):
    """Returns the `Hole` of a model whose prior's samples are not all images."""
    if facts.has_codebook:
        return Hole(
            "no_prior",
            "A codebook's entries are drawn each for itself and all alike, and the codes of images are not like that:"
            " the entry at one place depends on those at the others. A density has to be fitted to them.",
            [],
        )
    return hole_of_points(facts) if facts.rate is None else hole_of_densities(facts)


def hole_of_points(facts):
    """Returns the `Hole` of a model whose codes have no noise."""
    steps = train_again(facts, towards_the_bound(facts), smaller(facts))
    if facts.objective is not None and facts.objective.prior != "none":
        return Hole(
            "missed_prior",
            "The codes are pulled towards the prior all together, by a penalty, and it has not brought them there: it"
            " weighs too little, or the training was too short.",
            steps,
        )
    return Hole(
        "no_prior",
        "A plain autoencoder is not trained towards any prior: its codes lie where they like, and"
        f" {facts.prior_in_words} is a guess.",
        steps,
    )


def hole_of_densities(facts):
    """Returns the `Hole` of a model whose codes have a rate."""
    mismatched = any(facts.mismatches)
    if mismatched and above(facts.spare_dimensions, THRESHOLDS.spare_dimensions):
        return Hole("spread_code", spread_cause(facts), smaller_steps(facts))
    if below(facts.beta, THRESHOLDS.low_beta):
        cause = f"The rate is weighed by an effective beta of {number(facts.beta)}, so the codes spread beyond the prior."
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
        return Hole("mis_scaled", scale_cause(facts, marginal), train_again(facts, longer(facts)))
    if mismatched:
        return Hole("correlated", correlated_cause(facts, marginal), smaller_steps(facts))
    return Hole(
        "clustered",
        "Mean and covariance of the codes are the prior's, their shape is not: they lie in clusters with gaps between"
        " them, or the decoder is fragile off the codes that it has seen." + places(facts),
        smaller_steps(facts),
    )


def spread_cause(facts):
    """Returns what docs/latent_size.md found: it is how many directions are used, and the places of a map."""
    radius = facts.get("prior_mismatch", "signal_radius") or {}
    return (
        f"The codes use some {number(facts.directions)} of {facts.size:,} directions, and their distribution along these is"
        f" not the prior's: they lie at a radius of {number(radius.get('posterior'))} there, samples of"
        f" {facts.prior_in_words} at {number(radius.get('prior'))}. The numbers of the latent do not show it one by one:"
        f" {facts.rate / facts.size:.2g} nats each look like none, and are {number(facts.rate)} nats an image."
        + places(facts)
    )


def places(facts):
    """Returns, of a map, what its places have to do with it."""
    if not facts.is_map:
        return ""
    height, width, _ = facts.get("latent_shape")
    return (
        f" The latent is a map, and {facts.prior_in_words} draws each of its {height}x{width} places for itself: in an"
        " image they agree with each other."
    )


def overcalibrated_cause(facts):
    """Returns what a decoder's variance that is too small does."""
    ratio = number(facts.get("rate_distortion", "calibration"))
    return (
        f"The decoder's variance is too small: the squared error of a pixel is {ratio} times as large. The rate then"
        " weighs too little, so the codes spread beyond the prior."
    )


def scale_cause(facts, marginal):
    """Returns what single dimensions account for."""
    return (
        f"Single dimensions have the wrong mean or variance: they account for {number(marginal)} of"
        f" {number(facts.mismatch)} nats."
    )


def correlated_cause(facts, marginal):
    """Returns what dimensions miss one by one, and together."""
    return (
        f"The dimensions depend on each other: one by one they miss the prior by {number(marginal)} nats, together by"
        f" {number(facts.mismatch)}." + places(facts)
    )


def mismatch_evidence(facts):
    """Returns the aggregated posterior's distance from the prior, as a sentence."""
    if facts.mismatch is None:
        return ""
    return (
        f" The aggregated posterior is at least {number(facts.mismatch)} nats from {facts.prior_in_words},"
        f" {percent(facts.mismatch_share)} of the rate."
    )


def towards_the_bound(facts, smaller_latent=True):
    """Returns what to change so that the bound itself is trained, with a smaller latent where the codes fit into one."""
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
    """Returns whether the objective is not known and what was measured does not contradict that it is the bound."""
    return facts.objective is None and facts.rate is not None and not below(facts.beta, THRESHOLDS.low_beta)


def smaller(facts):
    """Returns the sentence on a smaller latent, an empty one where the codes would not fit into one."""
    if not facts.fits_a_smaller_latent:
        return ""
    low, high = (facts.get("latent", f"recommended_{end}") for end in ("low", "high"))
    likely = (
        f" By chance it may be anything from {low} to {high}."
        if None not in (low, high) and low != high
        else ""
    )
    return f"The codes use fewer directions than the latent has numbers, {facts.size:,}.{likely}"


def smaller_steps(facts):
    """Returns the step that trains a smaller latent, in a list, where the codes would fit into one."""
    if not facts.fits_a_smaller_latent:
        return []
    return train_again(facts, towards_the_bound(facts), smaller(facts))


def learn_the_variance(facts):
    """Returns the step that lets the decoder learn its variance, in a list."""
    return train_again(facts, {"likelihood": "gaussian_optimal"}, "It learns the variance of its error.")


def longer(facts):
    """Returns the change that trains for twice as long."""
    config = facts.source.config
    return {"epochs": 2 * config.epochs if config is not None and config.epochs else LONGER}

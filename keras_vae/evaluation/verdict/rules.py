"""From numbers to words: what is wrong with a latent space, why, and what to do.

A rule is a function of `Facts` that returns a `Finding` or None. The rules are looked at in order: the first that
holds names the verdict; those after it that hold too are further findings.
"""

import dataclasses

from keras_vae.evaluation.verdict.evidence import blur_evidence, coverage_evidence, samples_evidence
from keras_vae.evaluation.verdict.facts import above, surely
from keras_vae.evaluation.verdict.holes import (
    hole,
    longer,
    mismatch_evidence,
    towards_the_bound,
)
from keras_vae.evaluation.verdict.repairing import more_time, repair_steps, without_repair
from keras_vae.evaluation.verdict.steps import Remedy, train_again
from keras_vae.evaluation.verdict.thresholds import THRESHOLDS
from keras_vae.evaluation.verdict.words import number, percent

AUGMENTED = ("shift", "rotate", "zoom")
WARMUP = 2000  # steps
HALF = 0.4  # of the samples, from which on the others are not called most
FIXED_SCALE = ("gaussian", "Gaussian", "laplace", "Laplace")  # likelihoods whose scale is not learned


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is so.

    Attributes:
        name: A verdict's name.
        symptom: What a person sees.
        evidence: The numbers.
        cause: Why, in plain words.
        steps: What to do, `Remedy`s in their order.
        sub_verdict: What kind of it, or None.
    """

    name: str
    symptom: str
    evidence: str
    cause: str
    steps: tuple
    sub_verdict: str | None = None

    @property
    def remedy(self):
        """The sentences of the steps."""
        return " ".join(step.sentence for step in self.steps)

    @property
    def command(self):
        """The first command of the steps, or None."""
        return next((step.command for step in self.steps if step.command), None)

    def as_dict(self):
        """Returns it as it is written to results.json."""
        return {
            "name": self.name,
            "symptom": self.symptom,
            "evidence": self.evidence,
            "cause": self.cause,
            "remedy": self.remedy,
            "command": self.command,
            "steps": [dataclasses.asdict(step) for step in self.steps],
            "sub_verdict": self.sub_verdict,
        }


def insufficient_data(facts):
    """Holds where too few images are held out to compare sets of images, or all are the same one."""
    trained_on = facts.get("reconstruction", "train") or {}
    if "unexplained" in trained_on and trained_on["unexplained"] is None:
        return Finding(
            "insufficient_data",
            "All images are equal.",
            f"The variance of {facts.get('num_train')} training images is 0.",
            "There is nothing that a code could say of one image and not of another.",
            (Remedy("Look at the images: were they read as they should be?"),),
        )
    if facts.held_out >= THRESHOLDS.fewest_images:
        return None
    return Finding(
        "insufficient_data",
        "Too few images are held out to say whether the samples are good.",
        f"{facts.held_out} held-out images; distances between sets of images mean something from about"
        f" {THRESHOLDS.fewest_images} on.",
        "The dataset is small. A low loss on it may be memory, and nothing here can tell.",
        (
            Remedy("Add images."),
            *train_again(facts, augmented(facts), "Look at the nearest training images of its samples."),
        ),
    )


def augmented(facts):
    """Returns the change that augments the training images, beside what augments them already."""
    known = facts.source.config.augment if facts.source.config is not None else ()
    return {"augment": ",".join(dict.fromkeys((*known, *AUGMENTED)))}


def collapsed(facts):
    """Holds where the decoder makes nothing of the code, and where the code's rate says so too, if it has one.

    Neither depends on the axes of the latent: a rotation of the codes changes no verdict. The variance is that of
    training images: a model that has learnt those by heart says something, however little it helps with others.
    """
    left = facts.get("reconstruction", "train", "unexplained")
    if not above(left, THRESHOLDS.useless_reconstruction) or above(facts.rate, THRESHOLDS.collapsed_rate):
        return None
    carried = "" if facts.rate is None else f"The code carries {number(facts.rate)} nats an image, and "
    return Finding(
        "collapsed",
        "The decoder ignores the code: all reconstructions"
        + (" of a class look alike." if facts.is_conditional else " look alike."),
        f"{carried}{percent(left)} of the variance of the training images is left unexplained.",
        *way_out_of_silence(facts),
    )


def way_out_of_silence(facts):
    """Returns why the code carries nothing, and the steps out of it."""
    if facts.rate is None:
        return (
            "Training has put nothing into the code yet, or a penalty on the codes outweighs the images.",
            tuple(train_again(facts, {**longer(facts), "likelihood": "gaussian_optimal"})),
        )
    changes = {**towards_the_bound(facts, smaller_latent=False), "objective.warmup": longer_warmup(facts)}
    if facts.get("decoder_likelihood") in FIXED_SCALE:
        changes["likelihood"] = "gaussian_optimal"
    return (
        f"The rate is weighed by an effective beta of {number(facts.beta)}: saying nothing is cheaper than saying something."
        if above(facts.beta, 1.5)
        else "Training found the way out of saying nothing before the code said anything, or the decoder assumes more"
        " noise than the images have structure.",
        tuple(train_again(facts, changes)),
    )


def longer_warmup(facts):
    """Returns over how many steps the weight of the rate is to grow: more than it did."""
    config = facts.source.config
    known = 0 if config is None else getattr(config.objective, "warmup", 0)
    return 2 * max(known, WARMUP // 2)


def overfitted(facts):
    """Holds where training images are explained much better than held-out ones."""
    ratio = facts.get("memorisation", "mse_ratio")
    gap = facts.get("memorisation", "elbo_gap")
    share = facts.get("memorisation", "elbo_gap_fraction")
    copies = facts.get("memorisation", "copies")
    lost = above(share, THRESHOLDS.overfitted_elbo) and above(gap, THRESHOLDS.sure * facts.elbo_gap_se)
    worse = above(ratio, THRESHOLDS.overfitted_mse) or lost
    if not (worse or copies):
        return None
    symptoms = [
        "Training images are reconstructed much better than new ones." if worse else "",
        f"{facts.copying_samples} contain copies of training images." if copies else "",
    ]
    return Finding(
        "overfitted",
        " ".join(filter(None, symptoms)),
        f"The squared error is {number(ratio)} times as large on held-out images"
        + ("" if gap is None else f", the ELBO {number(gap)} nats worse ({percent(share)} of the rate)")
        + f"; {facts.results['num_train']:,} training images."
        + copies_in_words(facts),
        "The networks have learned the training images themselves: too few images for their size.",
        (
            *train_again(facts, {**augmented(facts), "patience": 10}),
            Remedy("If that is not enough: more images, narrower networks, or a larger beta."),
        ),
        "copies_training_images" if copies else None,
    )


def copies_in_words(facts):
    """Returns what was counted where samples are copies, a sentence, else an empty one."""
    said = facts.get("memorisation", "sentence") if facts.get("memorisation", "copies") else None
    return f" {said[:1].upper()}{said[1:]}." if said else ""


def blurry(facts):
    """Holds where samples are as good as reconstructions, and reconstructions are poor."""
    worse = facts.is_farther or facts.prior_is_poor
    if worse or not facts.is_blurred:
        return None
    return Finding(
        "blurry",
        "Reconstructions are blurred"
        + (
            "."
            if facts.is_thin or surely(facts.gap_ratio, 0.0) or surely(facts.auc, 0.5)
            else ", and samples are no worse than they are."
        ),
        blur_evidence(facts),
        "The model explains too little of an image: the decoder is too small, training too short, or the noise that"
        " it assumes too large.",
        tuple(train_again(facts, {**larger(facts), **longer(facts)})),
    )


def larger(facts):
    """Returns the changes that let a decoder explain more: a learned variance, and wider networks."""
    changes, config = {"likelihood": "gaussian_optimal"}, facts.source.config
    if config is not None and hasattr(config.network, "channels"):
        widths = config.network.channels(facts.get("image_shape"))
        changes["network.widths"] = ",".join(str(2 * width) for width in widths)
    return changes


def prior_hole(facts):
    """Holds where the prior's samples decode to what no image looks like while reconstructions are fine."""
    if not facts.prior_is_poor:
        return None
    found, prior = hole(facts), facts.prior_in_words
    return Finding(
        "prior_hole",
        f"The model reconstructs but cannot generate: samples from {prior} do not decode to images.",
        samples_evidence(facts) + mismatch_evidence(facts),
        found.cause,
        hole_steps(facts, found),
        found.kind,
    )


def hole_steps(facts, found):
    """Returns what to do about a hole: the fitted sampler now, or why there is none; then another training."""
    repaired = repair_steps(facts) or [Remedy(without_repair(facts))]
    return (*repaired, *more_time(facts), *found.steps)


def patchy(facts):
    """Holds where some samples of the prior are images and some are not, or are images of some kinds only."""
    if facts.prior_is_poor:
        return None
    thin = facts.is_thin
    if not (facts.prior_is_off or thin or facts.is_repairable):
        return None
    found, prior = hole(facts), facts.prior_in_words
    return Finding(
        "patchy",
        (
            f"Some samples of {prior} are images, and about as many are not."
            if above(facts.share_off, HALF)
            else f"Most samples of {prior} are images, some are not."
        )
        if thin
        else f"Samples of {prior} are images, and other ones than the real: some kinds are rare or missing.",
        samples_evidence(facts) + coverage_evidence(facts) + mismatch_evidence(facts),
        found.cause,
        hole_steps(facts, found),
        found.kind,
    )


def jumps(facts):
    """Holds where a small step of the code is a large one of the image, somewhere."""
    rough = facts.get("continuity", "jacobian", "posterior", "p95_over_median")
    jump = facts.get("continuity", "jump")
    if not (above(rough, THRESHOLDS.rough) or above(jump, THRESHOLDS.torn)):
        return None
    return Finding(
        "discontinuous",
        "Small steps of the code make the image jump.",
        (
            ""
            if rough is None
            else f"The Jacobian's norm is {number(rough)} times its median at one code in twenty. "
        )
        + f"The largest step of a path is {number(jump)} times the mean one.",
        "The decoder has steep places between codes that it was trained on.",
        smoother_steps(facts),
    )


def smoother_steps(facts):
    """Returns the steps that widen the posteriors, so that the decoder sees what lies between codes."""
    if facts.is_conditional:
        return (Remedy("Train it on more images, or for fewer steps."),)
    beta = 2 * max(facts.beta or 1.0, 1.0)
    return (
        *train_again(facts, {"objective": "beta_vae", "objective.beta": f"{beta:g}"}),
        Remedy("Or train it on more images, or for fewer steps."),
    )


def steps_that_blur(facts):
    """Holds where the image jumps, and reconstructions are poor for it: a decoder of few steps has few images."""
    return jumps(facts) if blurry(facts) else None


def discontinuous(facts):
    """Holds where the image jumps, and nothing else comes of it."""
    return None if blurry(facts) else jumps(facts)


def healthy(facts):
    """Always holds: what is left where no rule before it did."""
    return Finding(
        "healthy",
        f"It reconstructs, and {facts.prior_in_words} decodes to images.",
        samples_evidence(facts) + mismatch_evidence(facts),
        "Nothing is wrong that these measurements can see.",
        tuple(repair_steps(facts)) or (Remedy("Use it."),),
    )


# In their order; `healthy` is what is left.
RULES = (
    insufficient_data,
    collapsed,
    overfitted,
    steps_that_blur,
    blurry,
    prior_hole,
    patchy,
    discontinuous,
)
# After these the other numbers mean nothing: distances of a decoder that always says the same, or of few images.
FINAL = ("insufficient_data", "collapsed")


def findings_of(facts):
    """Returns the findings that hold, the main one first."""
    found = [finding for rule in RULES if (finding := rule(facts)) is not None] or [healthy(facts)]
    return found[:1] if found[0].name in FINAL else found

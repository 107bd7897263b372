"""From numbers to words: what is wrong with a latent space, why, and what to do.

A rule is a function of `Facts` that returns a `Finding` or None. The rules are applied in order: the first that holds
names the verdict, and the others that hold are further findings.
"""

import dataclasses
import math

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
from keras_vae.evaluation.verdict.words import measured, number, percent

AUGMENTED = ("shift", "rotate", "zoom")
WARMUP = 2000  # steps
TRAINED_AFTER = 1.5  # of the steps of a warm-up: the least length of a training with one
HALF = 0.4  # share of unrealistic samples above which the others are not called "most"
BLUR_CAUSE = (
    "The model explains too little of an image: the latent or the decoder is too small, training was too short, or the"
    " assumed noise is too large."
)
FIXED_SCALE = ("gaussian", "Gaussian", "laplace", "Laplace")  # likelihoods with a fixed scale


@dataclasses.dataclass(frozen=True)
class Finding:
    """One finding about the model.

    Attributes:
        name: The name of the verdict.
        symptom: What one sees.
        evidence: The numbers that show it.
        cause: Why it happens.
        steps: What to do, `Remedy`s in order.
        sub_verdict: The kind of the verdict, or None.
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
        """Returns the finding as it is written to results.json."""
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
    """Holds if too few images are held out to compare sets of images, or if all images are equal."""
    trained_on = facts.get("reconstruction", "train") or {}
    if "unexplained" in trained_on and trained_on["unexplained"] is None:
        return Finding(
            "insufficient_data",
            "All images are equal.",
            f"The variance of the {facts.get('num_train')} training images is 0.",
            "There are no differences between images that a code could represent.",
            (Remedy("Check that the images were read correctly."),),
        )
    if facts.held_out >= THRESHOLDS.fewest_images:
        return None
    return Finding(
        "insufficient_data",
        "There are too few held-out images to judge the samples.",
        f"There are {facts.held_out} held-out images; distances between sets of images need about"
        f" {THRESHOLDS.fewest_images}.",
        "The dataset is small: a low loss may be due to memorisation, which these measurements cannot rule out.",
        (
            Remedy("Add images."),
            *train_again(
                facts, augmented(facts), "Then compare its samples with their nearest training images."
            ),
        ),
    )


def augmented(facts):
    """Returns the change that adds augmentations to those already in use."""
    known = facts.source.config.augment if facts.source.config is not None else ()
    return {"augment": ",".join(dict.fromkeys((*known, *AUGMENTED)))}


def collapsed(facts):
    """Holds if the decoder ignores the code and the rate, if there is one, is near 0.

    Neither depends on the axes of the latent: a rotation of the codes changes no verdict. The variance is that of
    training images: a model that memorises them does use its code, even if that does not help with other images.
    """
    left = facts.get("reconstruction", "train", "unexplained")
    if not above(left, THRESHOLDS.useless_reconstruction) or above(facts.rate, THRESHOLDS.collapsed_rate):
        return None
    carried = "" if facts.rate is None else f"The code carries {number(facts.rate)} nats per image, and "
    return Finding(
        "collapsed",
        "The decoder ignores the code: all reconstructions"
        + (" of a class look alike." if facts.is_conditional else " look alike."),
        f"{carried}{percent(left)} of the training images' variance remains unexplained"
        + (": reconstructions are worse than the mean image, which leaves 100%." if left > 1.005 else "."),
        *way_out_of_silence(facts),
    )


def way_out_of_silence(facts):
    """Returns why the code carries no information, and the steps against that."""
    if facts.rate is None:
        return (
            "Training has not yet put information into the code, or a penalty on the codes outweighs the reconstruction loss.",
            tuple(train_again(facts, {**longer(facts), "likelihood": "gaussian_optimal"})),
        )
    warmup = longer_warmup(facts)
    changes = {**towards_the_bound(facts, smaller_latent=False), "objective.warmup": warmup}
    changes |= epochs_for(facts, warmup)
    if facts.get("decoder_likelihood") in FIXED_SCALE:
        changes["likelihood"] = "gaussian_optimal"
    return (
        f"The effective beta is {number(facts.beta)}: a code without information has the lower loss."
        if above(facts.beta, 1.5)
        else "Training drove the rate to 0 before the decoder used the code, or the decoder assumes so much noise that it"
        " hides the structure of the images.",
        tuple(train_again(facts, changes)),
    )


def longer_warmup(facts):
    """Returns the number of warm-up steps for the weight of the rate: more than before."""
    config = facts.source.config
    known = 0 if config is None else getattr(config.objective, "warmup", 0)
    return 2 * max(known, WARMUP // 2)


def epochs_for(facts, warmup):
    """Returns the change that makes a training long enough for a warm-up of so many steps; `{}` if it is, or is unknown."""
    config, count = facts.source.config, facts.get("num_train")
    if config is None or not config.epochs or not count:
        return {}
    epochs = math.ceil(TRAINED_AFTER * warmup / math.ceil(count / config.batch_size))
    return {"epochs": epochs} if epochs > config.epochs else {}


def overfitted(facts):
    """Holds if training images are explained much better than held-out ones, or if samples are copies of them."""
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
        f"On held-out images the squared error is {number(ratio)} times as large"
        + ("" if gap is None else f" and the ELBO {number(gap)} nats lower ({percent(share)} of the rate)")
        + f"; there are {facts.results['num_train']:,} training images."
        + copies_in_words(facts),
        "The networks have memorised training images: there are too few images for networks of this size.",
        (
            *train_again(facts, {**augmented(facts), "patience": 10}),
            Remedy("If that is not enough, use more images, narrower networks or a larger beta."),
        ),
        "copies_training_images" if copies else None,
    )


def copies_in_words(facts):
    """Returns a sentence with the number of copies if samples are copies, else `""`."""
    said = facts.get("memorisation", "sentence") if facts.get("memorisation", "copies") else None
    return f" {said[:1].upper()}{said[1:]}." if said else ""


def blurry(facts):
    """Holds if reconstructions are poor and samples are about as good as they are."""
    worse = facts.is_farther or facts.prior_is_poor
    if worse or not facts.is_blurred:
        return None
    return Finding(
        "blurry",
        "Reconstructions are blurred"
        + (
            "."
            if facts.is_thin or surely(facts.gap_ratio, 0.0) or surely(facts.auc, 0.5)
            else ", and samples are no worse."
        ),
        blur_evidence(facts),
        BLUR_CAUSE,
        blur_steps(facts),
    )


def blurred_too(facts):
    """Holds if reconstructions are poor beside a worse fault of the samples."""
    if not facts.is_blurred or blurry(facts):
        return None
    return Finding(
        "blurry",
        "Reconstructions are blurred. A fitted sampler does not change that: its samples are as blurred as they are.",
        blur_evidence(facts),
        BLUR_CAUSE,
        blur_steps(facts),
    )


def blur_steps(facts):
    """Returns the steps against blurred reconstructions."""
    return tuple(train_again(facts, {**larger(facts), **longer(facts)}))


def larger(facts):
    """Returns the changes that let a model explain more: a learned variance, wider networks, and a latent that is not full."""
    changes, config = {"likelihood": "gaussian_optimal"}, facts.source.config
    if config is not None and hasattr(config.network, "channels"):
        widths = config.network.channels(facts.get("image_shape"))
        changes["network.widths"] = ",".join(str(2 * width) for width in widths)
    if facts.fills_its_vector:
        changes["latent"] = 2 * facts.size
    return changes


def prior_hole(facts):
    """Holds if the prior's samples do not decode to realistic images."""
    if not facts.prior_is_poor:
        return None
    found, prior = hole(facts), facts.prior_in_words
    able = (
        "cannot generate, and its reconstructions are blurred"
        if facts.is_blurred
        else "reconstructs but cannot generate"
    )
    return Finding(
        "prior_hole",
        f"The model {able}: samples of {prior} {told_by(facts)}.",
        samples_evidence(facts) + mismatch_evidence(facts),
        found.cause,
        hole_steps(facts, found),
        found.kind,
    )


def told_by(facts):
    """Returns what is wrong with samples that a classifier recognises: they are not realistic, or kinds are missing."""
    missing = facts.get("told_apart", "prior", "missing")
    if facts.off is None or above(facts.share_off, HALF) or not above(missing, facts.share_off):
        return "do not decode to realistic images"
    return f"are not distributed like decoded codes, {percent(missing)} of which resemble hardly any sample"


def hole_steps(facts, found):
    """Returns the steps against a hole: the fitted sampler, or why there is none; then retraining."""
    repaired = repair_steps(facts) or [Remedy(without_repair(facts))]
    return (*repaired, *more_time(facts), *found.steps)


def patchy(facts):
    """Holds if only some samples of the prior are realistic, or if they lack some kinds of images."""
    if facts.prior_is_poor:
        return None
    thin = facts.is_thin
    if not (facts.prior_is_off or thin or facts.is_repairable):
        return None
    found, prior = hole(facts), facts.prior_in_words
    return Finding(
        "patchy",
        (
            f"About half of the samples of {prior} are not realistic."
            if above(facts.share_off, HALF)
            else f"Most samples of {prior} are realistic, but some are not."
        )
        if thin
        else f"Samples of {prior} are realistic but not distributed like real images: some kinds are rare or missing.",
        samples_evidence(facts) + coverage_evidence(facts) + mismatch_evidence(facts),
        found.cause,
        hole_steps(facts, found),
        found.kind,
    )


def jumps(facts):
    """Holds if a small step of the code changes the image much, somewhere."""
    rough = facts.estimate("continuity", "jacobian", "posterior", "p95_over_median")
    jump = facts.estimate("continuity", "jump")
    if not (surely(rough, THRESHOLDS.rough) or surely(jump, THRESHOLDS.torn)):
        return None
    return Finding(
        "discontinuous",
        "Small steps of the code make the image jump.",
        (
            ""
            if rough is None
            else f"At one code in twenty the norm of the decoder's Jacobian is at least {measured(rough)} times its median. "
        )
        + f"The largest step of a path is {measured(jump)} times the mean step.",
        "The decoder changes abruptly between codes that it was trained on.",
        smoother_steps(facts),
    )


def smoother_steps(facts):
    """Returns the steps that widen the posteriors, which trains the decoder between the codes."""
    if facts.is_conditional:
        return (Remedy("Train on more images or for fewer steps."),)
    beta = 2 * max(facts.beta or 1.0, 1.0)
    return (
        *train_again(facts, {"objective": "beta_vae", "objective.beta": f"{beta:g}"}),
        Remedy("Alternatively, train on more images or for fewer steps."),
    )


def steps_that_blur(facts):
    """Holds if the image jumps and reconstructions are poor: a decoder that jumps can make only few different images.

    How often it makes each of them decides how well samples can be told apart, so a patchy prior says little here.
    """
    return jumps(facts) if facts.is_blurred and not facts.prior_is_poor else None


def discontinuous(facts):
    """Holds if the image jumps and nothing above says so."""
    return None if steps_that_blur(facts) else jumps(facts)


def healthy(facts):
    """The finding if no rule holds."""
    return Finding(
        "healthy",
        f"The model reconstructs, and samples of {facts.prior_in_words} decode to realistic images.",
        samples_evidence(facts) + mismatch_evidence(facts) + left_out(facts),
        "These measurements show no fault.",
        tuple(repair_steps(facts)) or (Remedy("Use it."),),
    )


def left_out(facts):
    """Returns how much of the images reconstructions leave out, as a sentence: a healthy model may be soft."""
    left = facts.get("reconstruction", "test", "unexplained")
    return (
        "" if left is None else f" Reconstructions leave {percent(left)} of the images' variance unexplained."
    )


# In order; `healthy` if none holds.
RULES = (
    insufficient_data,
    collapsed,
    overfitted,
    steps_that_blur,
    blurry,
    prior_hole,
    patchy,
    discontinuous,
    blurred_too,
)
# After these the other numbers are meaningless: distances of a decoder that ignores its code, or of few images.
FINAL = ("insufficient_data", "collapsed")


def findings_of(facts):
    """Returns the findings that hold, the main one first."""
    found = [finding for rule in RULES if (finding := rule(facts)) is not None] or [healthy(facts)]
    return found[:1] if found[0].name in FINAL else found

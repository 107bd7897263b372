"""From numbers to words: what is wrong with a latent space, why, and what to do.

The rules are looked at in order. The first that holds names the verdict; those after it that hold too are
added as further findings. A rule is a function of the results (`results.schema.json`) that returns a finding
or None. `docs/thresholds.md` says on which runs the thresholds were set.
"""

from dataclasses import dataclass, replace

from keras_vae.objectives import OBJECTIVES


@dataclass(frozen=True)
class Thresholds:
    """Where a number starts to mean something; all in the units of the results."""

    fewest_images: int = 200  # held-out originals below which distances between sets are noise
    collapsed_rate: float = 1.0  # nats an image
    useless_reconstruction: float = 0.94  # share of the mean image's squared error that is left, in training
    overfitted_mse: float = 1.5  # test over train
    overfitted_elbo: float = 0.4  # of the ELBO, training less test; share of the rate
    sure: float = 3.0  # standard errors of the ELBO, below which a gap is noise
    blurry: float = 8.0  # distance of the reconstructions, in floors (real against real)
    hole: float = 5.0  # gap, in distances of the reconstructions
    patchy: float = 2.0
    dead: float = 0.5  # share of prior samples where no image is
    thin: float = 0.1
    mismatch: float = 2.0  # nats
    mismatch_share: float = 0.1  # of the rate
    spare_dimensions: float = 8.0  # for each direction of those that hold 95% of the means' variance
    low_beta: float = 0.2
    overcalibrated: float = 3.0  # mean squared error over the decoder's variance
    scale_share: float = 0.7  # of the mismatch that single dimensions explain
    rough: float = 4.0  # 95th percentile over median of the Jacobian's norm
    torn: float = 3.0  # largest over mean step of a path


THRESHOLDS = Thresholds()
STANDARD_PRIOR, UNIFORM_PRIOR = "N(0, I)", "all entries alike"


@dataclass(frozen=True)
class Finding:
    """One thing that is so.

    Attributes:
        name: A verdict's name.
        symptom: What a person sees.
        evidence: The numbers.
        cause: Why, in plain words.
        remedy: What to do.
        command: The command that does it, or None.
        sub_verdict: What kind of it, or None.
    """

    name: str
    symptom: str
    evidence: str
    cause: str
    remedy: str
    command: str | None = None
    sub_verdict: str | None = None


def judge(results, command="python evaluate.py RUN", retrain="python train.py --config RUN/config.json"):
    """Returns the verdict on `results`: name, findings, remedy, the two lines, and confidence.

    Args:
        results: The results so far, a dict.
        command: How the measured run is evaluated again.
        retrain: How a run like it is trained again; flags are put behind it. None: we cannot know.
    """
    facts = Facts(results, retrain or "")
    findings = [finding for rule in RULES if (finding := rule(facts)) is not None]
    main = findings[0]
    if main.name in FINAL:
        findings = [main]
    if retrain is None:
        findings = [replace(finding, command=None) for finding in findings]
    findings = [named(finding, facts.get("prior")) for finding in findings]
    main = findings[0]
    return {
        "name": main.name,
        "sub_verdict": main.sub_verdict,
        "continuity": continuity(facts),
        "completeness": completeness(facts),
        "findings": [vars(finding) for finding in findings],
        "remedy": main.remedy,
        "command": main.command or command,
        "confidence": confidence(facts, main),
    }


def named(finding, prior):
    """Returns the `Finding` with "the prior" in the place of N(0, I), where it is another."""
    if prior in (None, STANDARD_PRIOR):
        return finding
    words = {
        name: value.replace(STANDARD_PRIOR, "the prior")
        for name, value in vars(finding).items()
        if isinstance(value, str)
    }
    return replace(finding, **words)


class Facts:
    """The results, with what the rules ask for by short names; None where a thing was not computed."""

    def __init__(self, results, retrain):
        self.results, self.retrain = results, retrain
        self.rate = self.get("rate_distortion", "rate")
        self.size = self.get("latent", "size")
        self.mismatch = self.get("prior_mismatch", "nats")
        self.mismatch_share = self.get("prior_mismatch", "fraction_of_rate")
        self.floor = self.get("generation_gap", "real", "frechet")
        self.reconstruction = self.get("generation_gap", "reconstruction", "frechet")
        self.prior = self.get("generation_gap", "prior", "frechet")
        self.gap_ratio = self.get("generation_gap", "gap_ratio")
        self.dead_zone = self.get("completeness", "dead_zone")
        self.repaired = self.get("generation_gap", "repaired_fraction")
        self.sampler = self.get("generation_gap", "best_sampler")
        self.recommended = self.get("latent", "recommended_size")
        self.directions = self.get("latent", "pc95")
        self.spare_dimensions = self.size / self.directions if self.size and self.directions else None
        self.beta = self.get("rate_distortion", "effective_beta")
        self.objective = next(
            (kind for kind in OBJECTIVES.values() if kind.__name__ == self.get("objective")), None
        )
        # The bound itself, as this model can be trained on it.
        self.bound = "conditional_vae" if self.is_conditional else "vae"

    def get(self, *path):
        """Returns the value at `path`, None where there is none."""
        value = self.results
        for key in path:
            if not isinstance(value, dict):
                return None
            value = value.get(key)
        return value

    @property
    def held_out(self):
        """Number of images that were held out from training."""
        return self.results["num_held_out"]

    @property
    def is_conditional(self):
        """Whether the networks are told an image's label."""
        return self.objective is not None and self.objective.conditional

    @property
    def prior_is_poor(self):
        """Whether prior samples are far from images, beyond what reconstructions are."""
        return above(self.gap_ratio, THRESHOLDS.hole) or above(self.dead_zone, THRESHOLDS.dead)

    @property
    def mismatches(self):
        """Whether the aggregated posterior is far from the prior in nats, and in nats of its rate."""
        return (
            above(self.mismatch, THRESHOLDS.mismatch),
            above(self.mismatch_share, THRESHOLDS.mismatch_share),
        )

    @property
    def is_repairable(self):
        """Whether the prior is missed by nats, and a density that is fitted to the codes samples better than it."""
        return all(self.mismatches) and self.sampler not in (None, "prior")


def above(value, threshold):
    """Returns whether there is a value and it is above `threshold`."""
    return value is not None and value > threshold


def below(value, threshold):
    """Returns whether there is a value and it is below `threshold`."""
    return value is not None and value < threshold


def number(value, digits=3):
    """Returns `value` as people write it: three significant digits, thousands with commas."""
    if value is None:
        return "?"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"


def percent(value):
    """Returns a share as a percentage; estimates of shares may come out a little below 0."""
    return "?" if value is None else f"{100 * max(value, 0):.0f}%"


def insufficient_data(facts):
    """Holds where too few images are held out to compare sets of images, or all are the same one."""
    trained_on = facts.get("reconstruction", "train") or {}
    if "unexplained" in trained_on and trained_on["unexplained"] is None:
        return Finding(
            "insufficient_data",
            "All images are equal.",
            f"The variance of {facts.get('num_train')} training images is 0.",
            "There is nothing that a code could say of one image and not of another.",
            "Look at the images: were they read as they should be?",
        )
    if facts.held_out >= THRESHOLDS.fewest_images:
        return None
    return Finding(
        "insufficient_data",
        "Too few images are held out to say whether the samples are good.",
        f"{facts.held_out} held-out images; distances between sets of images mean something from about"
        f" {THRESHOLDS.fewest_images} on.",
        "The dataset is small. A low loss on it may be memory, and nothing here can tell.",
        "Add images; where there are none, augment the training images and look at the nearest neighbours.",
        f"{facts.retrain} --augment shift,rotate,zoom",
    )


def collapsed(facts):
    """Holds where the code carries nothing."""
    # Of training images: one who has learnt those by heart says something, however little it helps with others.
    left = facts.get("reconstruction", "train", "unexplained")
    active = facts.get("latent", "active_units")
    # Codes without noise have no rate, and no scale by which a unit could be called inactive.
    silent = facts.rate is not None and (facts.rate < THRESHOLDS.collapsed_rate or active == 0)
    if not silent and not above(left, THRESHOLDS.useless_reconstruction):
        return None
    carried = f"The code carries {number(facts.rate)} nats an image, {number(active)} of {facts.size} units are active, and "
    return Finding(
        "collapsed",
        "The decoder ignores the code: all reconstructions"
        + (" of a class look alike." if facts.is_conditional else " look alike."),
        ("" if facts.rate is None else carried)
        + f"{percent(left)} of the variance of the training images is left unexplained.",
        *way_out_of_silence(facts),
    )


def way_out_of_silence(facts):
    """Returns why the code carries nothing, what to do, and the command that does it."""
    if facts.rate is None:
        return (
            "Training has put nothing into the code yet, or a penalty on the codes outweighs the images.",
            "Train longer, and let the decoder learn its variance.",
            f"{facts.retrain} --epochs 100 --likelihood gaussian_optimal",
        )
    return (
        f"The rate is weighed by an effective beta of {number(facts.beta)}: saying nothing is cheaper than saying something."
        if above(facts.beta, 1.5)
        else "Training found the way out of saying nothing before the code said anything.",
        "Weigh the rate by 1 and let its weight grow from 0; let the decoder learn its variance.",
        f"{facts.retrain} --objective {facts.bound} --objective.warmup 2000",
    )


def overfitted(facts):
    """Holds where training images are explained much better than held-out ones."""
    ratio = facts.get("memorisation", "mse_ratio")
    gap = facts.get("memorisation", "elbo_gap")
    share = facts.get("memorisation", "elbo_gap_fraction")
    copies = facts.get("memorisation", "copies")
    noise = THRESHOLDS.sure * (facts.get("rate_distortion", "elbo_se") or 0)
    lost = above(share, THRESHOLDS.overfitted_elbo) and above(gap, noise)
    if not (above(ratio, THRESHOLDS.overfitted_mse) or lost or copies):
        return None
    return Finding(
        "overfitted",
        "Training images are reconstructed much better than new ones."
        + (" Samples are copies of training images." if copies else ""),
        f"The squared error is {number(ratio)} times as large on held-out images"
        + ("" if gap is None else f", the ELBO {number(gap)} nats worse ({percent(share)} of the rate)")
        + f"; {facts.results['num_train']:,} training images.",
        "The networks have learned the training images themselves: too few images for their size.",
        "More images or augmentation, narrower networks, early stopping, a larger beta.",
        f"{facts.retrain} --augment shift,rotate,zoom --patience 10",
        "copies_training_images" if copies else None,
    )


def blurry(facts):
    """Holds where samples are as good as reconstructions, and reconstructions are poor."""
    if facts.reconstruction is None or not facts.floor:
        return None
    floors = facts.reconstruction / facts.floor
    if floors <= THRESHOLDS.blurry or above(facts.gap_ratio, THRESHOLDS.patchy):
        return None
    return Finding(
        "blurry",
        "Reconstructions are blurred"
        + ("." if above(facts.dead_zone, THRESHOLDS.thin) else ", and samples are no worse than they are."),
        f"Reconstructions lie {number(floors)} times as far from real images as real ones do from each other"
        f" ({number(facts.reconstruction)} against {number(facts.floor)}).",
        "The model explains too little of an image: the decoder is too small, training too short, or the noise that"
        " it assumes too large.",
        "Let the decoder's variance be learned, widen the networks, train longer.",
        f"{facts.retrain} --likelihood gaussian_optimal --network.widths 64,128",
    )


def prior_hole(facts):
    """Holds where N(0, I) decodes to what no image looks like while reconstructions are fine."""
    if not facts.prior_is_poor:
        return None
    kind, cause, command = hole_kind(facts)
    return Finding(
        "prior_hole",
        "It reconstructs, and it cannot generate: N(0, I) decodes to what no image looks like.",
        f"Samples from N(0, I) lie {number(facts.prior)} from real images, reconstructions {number(facts.reconstruction)},"
        f" real ones {number(facts.floor)}; {percent(facts.dead_zone)} of them fall where there is no image."
        + mismatch_evidence(facts),
        cause,
        repair_sentence(facts) + smaller_sentence(facts),
        command,
        kind,
    )


def mismatch_evidence(facts):
    """Returns what the aggregated posterior's distance from the prior is, as a sentence."""
    if facts.mismatch is None:
        return ""
    return (
        f" The aggregated posterior is at least {number(facts.mismatch)} nats from N(0, I),"
        f" {percent(facts.mismatch_share)} of the rate."
    )


def repair_sentence(facts):
    """Returns what the fitted sampler does for this very model."""
    if facts.sampler in (None, "prior") or facts.repaired is None:
        return "No ex-post sampler of those tried does better than N(0, I)."
    distance = facts.get("generation_gap", facts.sampler, "frechet")
    return (
        f"Now, without retraining: sample from the fitted {facts.sampler} ({number(facts.prior)} becomes"
        f" {number(distance)}, {percent(facts.repaired)} of the gap); the newest decoder does."
    )


def smaller_sentence(facts):
    """Returns the advice to train a smaller latent, where the codes would fit into one."""
    if facts.recommended is None or facts.size is None or facts.recommended >= facts.size:
        return ""
    if facts.get("prior") == UNIFORM_PRIOR:  # its positions each hold a whole vector
        return ""
    return f" Next: train a latent of {facts.recommended} numbers; {facts.size:,} is more than the codes use."


def pointless_hole(facts):
    """Returns what `hole_kind` does, of codes that are points."""
    if facts.objective is not None and facts.objective.prior != "none":
        return (
            "missed_prior",
            "The codes are pulled towards the prior all together, by a penalty, and it has not brought them there: it"
            " weighs too little, or the training was too short.",
            f"{facts.retrain} --objective vae",
        )
    return (
        "no_prior",
        "A plain autoencoder is not trained towards any prior: its codes lie where they like, and N(0, I) is a guess.",
        f"{facts.retrain} --objective vae",
    )


def hole_kind(facts):
    """Returns the kind of hole, its cause in words, and the command that trains a better model, None without one."""
    fewer = f"{facts.retrain} --objective {facts.bound} --latent {facts.recommended}"
    smaller = fewer if smaller_sentence(facts) else None
    if facts.get("prior") == UNIFORM_PRIOR:
        return (
            "no_prior",
            "A codebook's entries are drawn each for itself and all alike, and codes of images are not like that: what"
            " stands at one position depends on the others. A density has to be fitted to them.",
            None,
        )
    if facts.rate is None:
        return pointless_hole(facts)
    mismatched = any(facts.mismatches)
    radius = facts.get("prior_mismatch", "signal_radius") or {}
    if mismatched and above(facts.spare_dimensions, THRESHOLDS.spare_dimensions):
        return (
            "spread_code",
            f"Too many latent dimensions. The rate looks low because people look at its mean, {facts.rate / facts.size:.2g}"
            f" nats a dimension; times {facts.size:,} dimensions it is {number(facts.rate)} nats an image. The codes use some"
            f" {facts.directions} directions, at a radius of {number(radius.get('posterior'))} where samples of"
            f" N(0, I) reach {number(radius.get('prior'))}: each dimension looks like N(0, 1), their sum does not.",
            smaller,
        )
    marginal = facts.get("prior_mismatch", "marginal_nats")
    if below(facts.beta, THRESHOLDS.low_beta) or above(
        facts.get("rate_distortion", "calibration"), THRESHOLDS.overcalibrated
    ):
        return (
            "under_regularised",
            f"The rate is weighed by an effective beta of {number(facts.beta)}, so codes spread beyond the prior.",
            f"{facts.retrain} --objective {facts.bound}",
        )
    if (
        above(facts.mismatch, 0)
        and mismatched
        and marginal is not None
        and marginal >= THRESHOLDS.scale_share * facts.mismatch
    ):
        return (
            "mis_scaled",
            f"Single dimensions have the wrong mean or variance: they account for {number(marginal)} of"
            f" {number(facts.mismatch)} nats.",
            f"{facts.retrain} --epochs 100",
        )
    if mismatched:
        return (
            "correlated",
            f"The dimensions depend on each other: one by one they miss N(0, 1) by {number(marginal)} nats, together by"
            f" {number(facts.mismatch)}.",
            smaller,
        )
    return (
        "clustered",
        "Mean and covariance of the codes are the prior's, their shape is not: they lie in clusters with gaps between"
        " them, or the decoder is fragile off the codes that it has seen.",
        smaller,
    )


def patchy(facts):
    """Holds where some samples of N(0, I) are images and some are not, or are images of some kinds only."""
    if facts.prior_is_poor:
        return None
    thin = above(facts.dead_zone, THRESHOLDS.thin)
    if not (above(facts.gap_ratio, THRESHOLDS.patchy) or thin or facts.is_repairable):
        return None
    kind, cause, command = hole_kind(facts)
    return Finding(
        "patchy",
        "Most samples of N(0, I) are images, some are not."
        if thin
        else "Samples of N(0, I) are images, and other ones than the real: some kinds are rare or missing.",
        f"{percent(facts.dead_zone)} of them fall where there is no image; near them lie"
        f" {percent(facts.get('generation_gap', 'prior', 'coverage'))} of the real images, which other real ones do for"
        f" {percent(facts.get('generation_gap', 'real', 'coverage'))}. They lie {number(facts.prior)} from real images,"
        f" reconstructions {number(facts.reconstruction)}." + mismatch_evidence(facts),
        cause,
        repair_sentence(facts) + smaller_sentence(facts),
        command,
        kind,
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
        f"The Jacobian's norm is {number(rough)} times its median at one code in twenty; the largest step of a path is"
        f" {number(jump)} times the mean one.",
        "The decoder has steep places between codes that it was trained on.",
        "A larger beta, or a wider posterior; fewer training steps on more images.",
        f"{facts.retrain} --objective beta_vae --objective.beta 2",
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
        "It reconstructs, and N(0, I) decodes to images.",
        f"Samples lie {number(facts.prior)} from real images, reconstructions {number(facts.reconstruction)}, real ones"
        f" {number(facts.floor)}; {percent(facts.dead_zone)} of the samples fall where there is no image."
        + mismatch_evidence(facts),
        "Nothing is wrong that these measurements can see.",
        repair_sentence(facts) if facts.sampler not in (None, "prior") else "Use it.",
    )


def rules_before_healthy(facts):
    """Returns `healthy` only where nothing else holds."""
    return None if any(rule(facts) for rule in RULES[:-1]) else healthy(facts)


# After these the other numbers mean nothing: distances of a decoder that always says the same, or of few images.
FINAL = ("insufficient_data", "collapsed")

RULES = (
    insufficient_data,
    collapsed,
    overfitted,
    steps_that_blur,
    blurry,
    prior_hole,
    patchy,
    discontinuous,
    rules_before_healthy,
)


def continuity(facts):
    """Returns the line on continuity: do near codes decode to near images?"""
    rough = facts.get("continuity", "jacobian", "posterior", "p95_over_median")
    if rough is None:
        return "continuity: not measured"
    if collapsed(facts):
        return "continuity: without meaning (every code decodes to the same image)"
    word = "bad" if jumps(facts) else "ok"
    return (
        f"continuity: {word} (steepest over median {number(rough)}, largest step of a path over the mean"
        f" {number(facts.get('continuity', 'jump'))}); near codes decode to {'far' if word == 'bad' else 'near'} images"
    )


def completeness(facts):
    """Returns the line on completeness: does every code under the prior decode to an image?"""
    if facts.dead_zone is None:
        return "completeness: not measured"
    if collapsed(facts):
        return "completeness: without meaning (every code decodes to the same image)"
    word = "bad" if facts.prior_is_poor else "patchy" if patchy(facts) else "ok"
    return (
        f"completeness: {word} ({percent(facts.dead_zone)} of the prior decodes to what no image looks like)"
    )


def confidence(facts, main):
    """Returns how far to trust the verdict: `high`, `medium` or `low`."""
    level = 2
    if facts.get("generation_gap", "features", "name") != "classifier":
        level -= 1  # other features penalise blur more than nonsense
    if (facts.get("generation_gap", "n") or 0) < 500 and main.name not in ("insufficient_data", "collapsed"):
        level -= 1
    return ("low", "medium", "high")[max(level, 0)]

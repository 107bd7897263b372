"""Classifier two-sample tests of the sampler and of the decoder: the main measure of completeness.

The two tests have different references. *Is the sampler right?* Its decoded draws are compared with decoded draws of
the posteriors of held-out images, one draw per image, so both have the blur of the decoder. *Is the decoder right?*
Reconstructions and decoded posterior draws are compared with other real images, at full, half and quarter resolution.
"""

import dataclasses

import numpy as np

from keras_vae.evaluation.classifiers import block_means, halved, tell_apart
from keras_vae.evaluation.metrics.estimate import Estimate
from keras_vae.evaluation.metrics.planted_sets import shuffled_blocks
from keras_vae.evaluation.metrics.two_sample import FOLDS, SATURATED, difference, repaired_share, told_apart
from keras_vae.evaluation.occlusion import occlusion_maps
from keras_vae.evaluation.sections.codes import in_batches, some
from keras_vae.evaluation.sections.found import Found, missing
from keras_vae.evaluation.sections.ladder import drawn_codes

LEAST_IMAGES = 16  # in each set; the inner part of a fold then has two
LARGEST_SIDE = 64  # pixels; larger images are averaged over blocks first
LARGE, MOST_OF_LARGE = 48, 1000  # images with a side of at least 48 pixels: at most 1000 are compared
MOST_OF_DECODER = 1000  # images for the test of the decoder, which nearly always differs at full resolution
SMALLEST_SIDE = 8  # pixels of the coarsest resolution
PLANTED_SHARE = 0.2  # share of altered images in the planted control
SCALES = ("", "_half", "_quarter")  # suffixes of the decoder's entries
SCALE_NAMES = {"": "full", "_half": "half", "_quarter": "quarter"}
DECODER = ("reconstruction", "decoded", "real")  # compared with real images
SHOWN = 8  # samples with the highest scores, and equally many with the lowest
BEST = ("best_auc", "best_auc_se")
NONE_FITTED = "every fitted sampler copies training images, or none was fitted"
NONE_BETTER = "no fitted sampler is better than the prior beyond the error"
WITHIN_ERROR = "the total variation of the prior's samples is within its error of 0"
REPAIRED = ("repaired_share", "repaired_share_se", "repaired_share_low", "repaired_share_high")


@dataclasses.dataclass(frozen=True)
class ChosenByClassifier:
    """The best sampler according to the classifier.

    Attributes:
        sampler: The fitted sampler with the lowest AUC, or None if all copy or none was fitted.
        within_error: The fitted samplers whose AUC differs from it by no more than the error.
        better: Whether it beats the prior by more than the error of their difference; None if the AUC of both is too
            close to 1 for a comparison.
        auc: The AUC on images that were not used for the choice, an `Estimate`.
    """

    sampler: str | None
    within_error: tuple
    better: bool | None
    auc: Estimate | None


@dataclasses.dataclass(frozen=True)
class ToldApart:
    """The scores of the rungs that are compared with decoded posterior draws, and the classifiers.

    Attributes:
        scored: `Scored` by rung.
        reference: The decoded posterior draws.
        images: The images of each rung.
    """

    scored: dict
    reference: np.ndarray
    images: dict

    def shown(self, rung):
        """Returns the samples of a rung with the highest and the lowest scores in one fold, the most extreme first.

        Returns:
            {"most": `[k, h, w, c]`, "maps": occlusion maps of these, `[k, h, w]`, "least": `[k, h, w, c]`}.
        """
        scored = self.scored[rung]
        images = self.images[rung][scored.places[0][1]]
        order = np.argsort(-scored.folds[0].samples, kind="stable")
        most, least = images[order[:SHOWN]], images[order[::-1][:SHOWN]]
        return {
            "most": most,
            "maps": occlusion_maps(scored.scorers[0], most, self.reference.mean(axis=0)),
            "least": least,
        }

    def choose(self, names):
        """Returns the `ChosenByClassifier` among the samplers `names`."""
        if not names:
            return ChosenByClassifier(None, (), False, None)
        folds = {name: self.scored[name].folds for name in (*names, "prior")}
        overall = {name: told_apart(found) for name, found in folds.items()}
        best = min(names, key=lambda name: overall[name].auc)
        near = tuple(
            name for name in names if name == best or not difference(folds[name], folds[best]).beyond()
        )
        better = difference(folds["prior"], folds[best]).beyond()
        if not better and overall[best].auc > SATURATED:
            better = None
        return ChosenByClassifier(best, near, better, crossed(folds, names))


def crossed(folds, names):
    """Returns the AUC on each fold of the sampler that is best on the rest of its division, averaged, an `Estimate`."""
    by_fold = {name: [told_apart([fold]) for fold in folds[name]] for name in names}
    picked = []
    for fold in range(len(folds["prior"])):
        first = fold - fold % FOLDS
        rest = [place for place in range(first, first + FOLDS) if place != fold]
        others = {name: np.mean([by_fold[name][place].auc for place in rest]) for name in names}
        picked.append(by_fold[min(others, key=others.get)][fold])
    return Estimate(*(float(np.mean([getattr(part, key) for part in picked])) for key in ("auc", "auc_se")))


def measure_told_apart(evidence, reconstruction, samplers, ladder, copying):
    """Measures how well a classifier distinguishes rungs from decoded posterior draws, and decoded from real images."""
    rungs = ladder.kept
    n = compared(rungs.n, evidence.reference.shape[1:3])
    if n < LEAST_IMAGES:
        reason = (
            f"{n} images in each set are too few for a classifier: {LEAST_IMAGES} are needed (add images)"
        )
        return Found(None, {"told_apart": reason})
    kept, values = samplers_against_draws(evidence, rungs, list(samplers.kept), n)
    values |= decoder_against_images(evidence, rungs, min(n, MOST_OF_DECODER))
    values |= {"decoder_scale": coarsest(values), "encoder_overfits": encoder_overfits(values)}
    reasons = {"reason": "every number of this entry was computed"}
    if values["encoder_overfits"]:
        values |= against_training_draws(evidence, rungs, list(samplers.kept), n)
    honest = [name for name in samplers.kept if not copying.kept.verdicts[name][0]]
    choice = kept.choose(honest)
    share = repaired(kept, choice.sampler, evidence.seed) if choice.better else None
    values |= dict(zip(REPAIRED, share or (None,) * len(REPAIRED)))
    values |= dict(zip(BEST, choice.auc or (None, None)))
    if share is None:
        reasons |= missing("told_apart", REPAIRED, WITHIN_ERROR if choice.better else NONE_BETTER)
    if choice.auc is None:
        reasons |= missing("told_apart", BEST, NONE_FITTED)
    if values["decoder_scale"] is None:
        reasons["told_apart.decoder_scale"] = (
            "reconstructions cannot be distinguished from real images at any scale"
        )
    shown = () if evidence.subject.num_classes else ("prior", choice.sampler)
    pictures = {"told_apart": {rung: kept.shown(rung) for rung in shown if rung}}
    return Found(values, reasons, choice, pictures)


def compared(n, shape):
    """Returns the number of images of each set."""
    return min(n, MOST_OF_LARGE) if max(shape) >= LARGE else n


def repaired(kept, sampler, seed):
    """Returns the share of the prior's total variation that a sampler removes, see `repaired_share`."""
    return repaired_share(kept.scored[sampler].folds, kept.scored["prior"].folds, seed)


def samplers_against_draws(evidence, rungs, fitted, n):
    """Returns the `ToldApart` of the rungs and controls against decoded posterior draws, and the results."""
    name = "posterior" if "posterior" in rungs.images else "reconstruction"
    own = evidence.test.labels_of(n)
    again, told_again = rungs.others[name][:n], some(evidence.reference_labels, n)
    planted = again.copy()
    rows = evidence.generator("planted").permutation(len(again))[: round(PLANTED_SHARE * len(again))]
    planted[rows] = shuffled_blocks(again[rows], evidence.generator("blocks"))
    draws, told = training_draws(evidence, n)
    sets = {
        "posterior": (again, told_again),
        "planted": (planted, told_again),
        "training": (draws, told),
        **{rung: (rungs.images[rung][:n], own) for rung in ("shuffled", "prior", *fitted)},
    }
    return compare(evidence, rungs.images[name][:n], own, sets, fitted)


def compare(evidence, reference, own, sets, fitted):
    """Returns the `ToldApart` of `sets`, (images, labels) by name, against `reference`, and the results by name.

    The sets named in `fitted` have a network of their own: what is said of the prior does not depend on them.
    """
    reference = small(reference)
    images = {name: small(pixels) for name, (pixels, _) in sets.items()}
    scored = {}
    for names in ([name for name in sets if name not in fitted], [name for name in sets if name in fitted]):
        strata = own, {name: sets[name][1] for name in names}
        labels = strata if evidence.subject.num_classes else None
        chosen = {name: images[name] for name in names}
        scored |= tell_apart(reference, chosen, evidence.seed, labels, strata) if names else {}
    return ToldApart(scored, reference, images), {name: entry(found) for name, found in scored.items()}


def entry(scored):
    """Returns the results of a `Scored` set."""
    return {**dataclasses.asdict(told_apart(scored.folds)), "classifier": scored.classifier, "reason": None}


def training_draws(evidence, n):
    """Returns decoded posterior draws of the last `n` training images at most, and their labels.

    Samplers are not fitted to the last images if there are more training images than codes in memory.
    """
    split, subject = evidence.dataset.train, evidence.subject
    start = max(0, len(split) - n)
    images = split.images(start, len(split))
    labels = None if split.labels is None else np.asarray(split.labels[start:])
    observed, generator = subject.observe(images, evidence.seed + 3), evidence.generator("training draws")
    inputs = (observed, labels) if subject.num_classes else (observed,)

    def draw(*inputs):
        mean, log_var = subject.encode(*inputs)
        return drawn_codes(subject, generator, inputs, mean, log_var) if subject.is_variational else mean

    codes = in_batches(draw, *inputs)
    return evidence.decode(codes.reshape(len(codes), -1), labels), labels


def against_training_draws(evidence, rungs, fitted, n):
    """Returns the results of the samplers against decoded posterior draws of training images, as `RUNG_training`.

    Samplers are fitted to training codes. If the encoder overfits, these differ from the codes of held-out images.
    """
    draws, told = training_draws(evidence, n)
    labels = evidence.test.labels_of(n)
    sets = {f"{rung}_training": (rungs.images[rung][:n], labels) for rung in ("prior", *fitted)}
    return compare(evidence, draws, told, sets, [f"{rung}_training" for rung in fitted])[1]


def decoder_against_images(evidence, rungs, n):
    """Returns the results of reconstructions, posterior draws and training images against real images, by scale."""
    split, own = evidence.dataset.train, evidence.test.labels_of(n)
    first = max(0, len(split) - n)
    of_training = None if split.labels is None else split.labels[first:]
    strata = (
        some(evidence.reference_labels, n),
        {"reconstruction": own, "decoded": own, "real": of_training},
    )
    sets = {
        "reconstruction": rungs.images["reconstruction"][:n],
        **({"decoded": rungs.images["posterior"][:n]} if "posterior" in rungs.images else {}),
        "real": split.images(first, len(split)),
    }
    reference, found = small(evidence.reference[:n]), {}
    sets = {name: small(images) for name, images in sets.items()}
    for ending in SCALES:
        if found:
            if min(reference.shape[1:3]) < 2 * SMALLEST_SIDE:
                break
            reference, sets = halved(reference), {name: halved(images) for name, images in sets.items()}
        scored = tell_apart(reference, sets, evidence.seed, strata=strata)
        found |= {f"{name}{ending}": entry(scores) for name, scores in scored.items()}
    return found


def coarsest(values):
    """Returns the coarsest scale at which reconstructions differ from real images beyond the error, or None."""
    told = [
        ending
        for ending in SCALES
        if f"reconstruction{ending}" in values and values[f"reconstruction{ending}"]["tv_low"] > 0
    ]
    return SCALE_NAMES[told[-1]] if told else None


def encoder_overfits(values):
    """Returns whether posterior draws of training and held-out images differ more than the images themselves."""
    draws, images = (Estimate(values[name]["auc"], values[name]["auc_se"]) for name in ("training", "real"))
    both = Estimate(draws.value - images.value, float(np.hypot(draws.se, images.se)))
    return values["training"]["tv_low"] > 0 and both.beyond()


def small(images):
    """Returns images averaged over blocks to sides of at most 64 pixels."""
    factor = min(-(-max(images.shape[1:3]) // LARGEST_SIDE), *images.shape[1:3])
    return images if factor == 1 else block_means(images, factor)

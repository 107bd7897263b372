"""The ladder: sets of equally many images, from real images to samples of the prior."""

import dataclasses

import numpy as np

from keras_vae.evaluation.metrics import kernel, ladder, manifold
from keras_vae.evaluation.metrics.sliced_wasserstein import Slices
from keras_vae.evaluation.sections.codes import BATCH, some
from keras_vae.evaluation.sections.evidence import Seen, drawn_from
from keras_vae.evaluation.sections.found import Found

KEPT = 500  # draws of the posterior and of the prior that are kept for paths and pictures
SHOWN = 16
# Rungs whose patches are compared with those of real images.
WITH_REAL = ("real", "reconstruction", "posterior")
NO_NOISE = "the codes have no noise: posterior samples are the reconstructions"
# Number of sample sets per sampler, for the error of its distance: more if sets are small, and so noisy but cheap.
FEW_IMAGES, DRAWS_OF_FEW, DRAWS = 500, 4, 2


@dataclasses.dataclass(frozen=True)
class Rungs:
    """The rungs of the ladder.

    Attributes:
        images: `[n, height, width, channels]` of each rung, by name, from real images to samples of the prior.
        seen: The `Seen` of each rung.
        reference: The `Seen` of the reference images.
        codes: The first draws of the posterior and of the prior, by rung.
        labels: Their labels for decoding, or None, by rung.
        distances: The Frechet distances with errors, a `metrics.ladder.LadderDistances`.
        others: Reconstructions and decoded posterior draws of the reference images, by rung.
    """

    images: dict
    seen: dict
    reference: Seen
    codes: dict
    labels: dict
    distances: ladder.LadderDistances
    others: dict

    @property
    def n(self):
        """The number of images of a rung."""
        return len(self.reference.looks)


def build_ladder(evidence, reconstruction, samplers):
    """Decodes the codes of every rung, and computes the features of the images. Keeps the `Rungs`."""
    n = len(evidence.reference)
    images = {"real": evidence.test.images[:n], "reconstruction": reconstruction.kept.images[:n]}
    codes, labels = {}, {}
    for name, drawn, given_labels in rung_codes(evidence, samplers.kept, n):
        if name in ("posterior", "prior"):
            codes[name], labels[name] = drawn[:KEPT].copy(), some(given_labels, KEPT)
        if name != "posterior" or evidence.subject.is_variational:
            images[name] = evidence.decode(drawn, given_labels)
    seen = {name: evidence.see(rung) for name, rung in images.items()}
    reference, others = evidence.see(evidence.reference), of_reference(evidence)
    distances = measured(evidence, samplers.kept, seen, reference, others)
    return Found(
        reasons={} if "posterior" in images else {"generation_gap.posterior": NO_NOISE},
        kept=Rungs(images, seen, reference, codes, labels, distances, others),
        pictures={"ladder": {name: rung[:SHOWN] for name, rung in images.items()}},
    )


def rung_codes(evidence, samplers, n):
    """Yields name, codes `[n, d]` and labels of each decoded rung, one at a time to save memory."""
    draw, labels = evidence.generator("rungs"), evidence.test.labels_of(n)
    posterior = evidence.test.draw(draw, n)
    yield "posterior", posterior, labels
    yield "shuffled", draw.permuted(posterior, axis=0), labels
    del posterior
    for name, sampler in {**samplers, "prior": evidence.prior}.items():
        yield name, drawn_from(sampler, n, evidence.generator("seeds")), labels


def measured(evidence, samplers, seen, reference, others):
    """Returns the `LadderDistances` of all rungs over many halves of the held-out images.

    The held-out images are the measured images and the reference, so `others` has reconstructions of the reference.
    """
    real = np.concatenate([seen["real"].looks, reference.looks])
    tied = {
        name: np.concatenate([seen[name].looks, evidence.see(images).looks])
        for name, images in others.items()
    }
    free = {"shuffled": [seen["shuffled"].looks]}
    for name, sampler in {**samplers, "prior": evidence.prior}.items():
        free[name] = [seen[name].looks, *further_draws(evidence, sampler, len(reference.looks))]
    own, further = evidence.test.labels_of(len(reference.looks)), evidence.reference_labels
    labels = None if own is None or further is None else np.concatenate([own, further])
    return ladder.measure_ladder(real, tied, free, labels, seed=evidence.seed)


def of_reference(evidence):
    """Returns reconstructions of the reference and, for a variational model, its decoded posterior draws, by rung."""
    subject, generator, parts = evidence.subject, evidence.generator("reference"), {}
    images, labels = evidence.reference, evidence.reference_labels
    for start in range(0, len(images), BATCH):
        rows = slice(start, start + BATCH)
        observed, own = subject.observe(images[rows], evidence.seed + 2 + start), some(labels, rows)
        inputs = (observed, *evidence.label_inputs(own, len(observed)))
        mean, log_var = (part.reshape(len(observed), -1) for part in subject.encode(*inputs))
        parts.setdefault("reconstruction", []).append(evidence.decode(mean, own))
        if subject.is_variational:
            codes = drawn_codes(subject, generator, inputs, mean, log_var)
            parts.setdefault("posterior", []).append(evidence.decode(codes, own))
    return {name: np.concatenate(found) for name, found in parts.items()}


def drawn_codes(subject, generator, inputs, mean, log_var):
    """Returns a draw from the posterior of each image, `[n, d]`."""
    if subject.draw is None:
        return mean + np.exp(0.5 * log_var) * generator.standard_normal(mean.shape, "float32")
    images, *labels = inputs
    return subject.draw(images, generator.integers(2**31), *labels)[0].reshape(mean.shape)


def further_draws(evidence, sampler, n):
    """Yields the features of further sets of `n` samples, `[n, F]`."""
    count = DRAWS_OF_FEW if n <= FEW_IMAGES else DRAWS
    for draw in range(1, count):
        generator = evidence.generator(f"samples {draw}")
        labels = evidence.drawn_labels(n)
        yield evidence.see(evidence.decode(drawn_from(sampler, n, generator), labels)).looks


def measure_distances(evidence, ladder, spaces):
    """Measures the distances of every rung from real images, by name, with their errors; keeps the densities.

    The kept densities are measured in the evidence's features even if these are blind. The search for copies uses them
    to ignore samples that do not look like the data.
    """
    rungs, reasons = ladder.kept, {}
    own = {name: density_in(rungs.reference.looks, seen.looks) for name, seen in rungs.seen.items()}
    values = {name: compare(rungs, name) for name in rungs.seen}
    for name, found in judged_densities(evidence, spaces.kept.judged, own).items():
        values[name] |= found
    for name, distance in sliced(evidence, rungs, spaces.kept.slices).items():
        values[name] |= {"swd": distance and distance.value, "swd_se": distance and distance.se}
    values["real"]["frechet_sd"] = rungs.distances.deviation("real")
    if evidence.features.accuracy is None:
        reasons["generation_gap.features.accuracy"] = reasons["confidence"] = evidence.features.reason
    return Found(values, reasons, {name: found["density"] for name, found in own.items()})


def density_in(reference, looks):
    """Returns density and coverage of `looks`, `[n, F]`, among the `reference`, `[m, F]`."""
    return manifold.density_and_coverage(looks, reference)


def judged_densities(evidence, judged, own):
    """Returns density and coverage of each rung in the `judged` space, by rung; null without one."""
    if judged is None:
        return {name: dict.fromkeys(found) for name, found in own.items()}
    if judged.features is evidence.features:
        return own
    return {name: density_in(judged.reference, looks) for name, looks in judged.rungs.items()}


def sliced(evidence, rungs, real):
    """Returns the sliced Wasserstein distance of each rung from its target, by rung; None for too few images.

    The target of the rungs `WITH_REAL` is the reference; that of the others are decoded posterior draws.

    Args:
        evidence: The `Evidence`.
        rungs: The `Rungs`.
        real: `Slices` of the reference, or None for too few images.
    """
    images = rungs.images
    if real is None:
        return dict.fromkeys(images)
    drawn = Slices(images["posterior" if "posterior" in images else "reconstruction"], evidence.seed)
    return {name: (real if name in WITH_REAL else drawn).distance(rung) for name, rung in images.items()}


def compare(rungs, name):
    """Returns the distances of a rung from real images."""
    seen, reference = rungs.seen[name], rungs.reference
    kid, kid_se = kernel.kernel_distance(seen.looks, reference.looks)
    distance = rungs.distances.distance(name)
    return {
        "frechet": distance.value,
        "frechet_se": distance.se,
        "kid": kid,
        "kid_se": kid_se,
        "confidence": seen.mean_confidence,
        "n": len(seen.looks),
    }

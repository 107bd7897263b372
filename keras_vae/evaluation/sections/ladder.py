"""The ladder: sets of as many images each, from real ones down to the prior's."""

import dataclasses

from keras_vae.evaluation.metrics import frechet, kernel, manifold
from keras_vae.evaluation.sections.codes import some
from keras_vae.evaluation.sections.evidence import Seen, drawn_from
from keras_vae.evaluation.sections.found import Found

KEPT = 500  # draws of the posterior and of the prior that are kept, for paths and pictures
NO_NOISE = "the codes have no noise: their draws are the reconstructions"


@dataclasses.dataclass(frozen=True)
class Ladder:
    """The rungs of the ladder.

    Attributes:
        images: `[n, height, width, channels]` of each rung, by name, from real images down to the prior's.
        seen: The same as the features show them.
        reference: What all are compared with, as the features show it.
        codes: The first of the posterior's and of the prior's draws, by rung.
        labels: The labels that they are decoded with, or None, by rung.
    """

    images: dict
    seen: dict
    reference: Seen
    codes: dict
    labels: dict

    @property
    def n(self):
        """Images a rung."""
        return len(self.reference.looks)


def build_ladder(evidence, reconstruction, samplers):
    """Decodes the codes of every rung, and looks at the images through the features. Keeps the `Ladder`."""
    n, reasons = len(evidence.reference), {}
    images = {"real": evidence.test.images[:n], "reconstruction": reconstruction.kept.images[:n]}
    codes, labels = {}, {}
    for name, drawn, told in rung_codes(evidence, samplers.kept, n):
        if name in ("posterior", "prior"):
            codes[name], labels[name] = drawn[:KEPT].copy(), some(told, KEPT)
        if name == "posterior" and not evidence.subject.is_variational:
            reasons["generation_gap.posterior"] = NO_NOISE
            continue
        images[name] = evidence.decode(drawn, told)
    seen = {name: evidence.see(rung) for name, rung in images.items()}
    pictures = {"ladder": {name: rung[:16] for name, rung in images.items()}}
    ladder = Ladder(images, seen, evidence.see(evidence.reference), codes, labels)
    return Found(None, reasons, ladder, pictures)


def rung_codes(evidence, samplers, n):
    """Yields name, codes `[n, d]` and labels of each rung that is decoded; one at a time, for they are large."""
    draw, labels = evidence.generator("rungs"), evidence.test.labels_of(n)
    posterior = evidence.test.draw(draw, n)
    yield "posterior", posterior, labels
    yield "shuffled", draw.permuted(posterior, axis=0), labels
    del posterior
    labels = evidence.drawn_labels(n)
    for name, sampler in {**samplers, "prior": evidence.prior}.items():
        yield name, drawn_from(sampler, n, evidence.generator("seeds")), labels


def measure_distances(evidence, ladder):
    """The distances of every rung from the same reference, by name."""
    rungs = ladder.kept
    values = {name: compare(seen, rungs.reference) for name, seen in rungs.seen.items()}
    reasons = {}
    if evidence.features.accuracy is None:
        reasons["generation_gap.features.accuracy"] = reasons["confidence"] = evidence.features.reason
    return Found(values, reasons)


def compare(seen, reference):
    """Returns the distances of a set of images from the reference, both `Seen`."""
    kid, kid_se = kernel.kernel_distance(seen.looks, reference.looks)
    return {
        "frechet": frechet.frechet_distance(seen.looks, reference.looks),
        "kid": kid,
        "kid_se": kid_se,
        **manifold.density_and_coverage(seen.looks, reference.looks),
        "confidence": seen.mean_confidence,
        "n": len(seen.looks),
    }

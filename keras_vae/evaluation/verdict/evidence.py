"""The numbers behind a finding, in sentences. Numbers that cannot decide anything on these images are omitted."""

from keras_vae.evaluation.verdict.words import listed, measured, percent, share_with_error

SMALLEST_SHARE = 0.005  # smaller shares are printed as 0%
ENTRIES = (
    ("prior", "the prior's samples"),
    ("reconstruction", "reconstructions"),
    ("real", "other real images"),
)


def samples_evidence(facts):
    """Returns how the prior's samples differ from decoded codes, and their distance from real images."""
    return " ".join(filter(None, (told_evidence(facts), distance_evidence(facts))))


def told_evidence(facts):
    """Returns how well a classifier distinguishes the prior's samples from decoded codes, or `""` if not measured."""
    if facts.auc is None:
        return ""
    low = facts.get("told_apart", "prior", "tv_low")
    exchanged = (
        f" At least {percent(low)} of the samples would have to be replaced to make the two indistinguishable."
        if low and low >= SMALLEST_SHARE
        else " No difference between them is certain."
    )
    return (
        f"A classifier distinguishes samples of {facts.prior_in_words} from decoded codes of held-out images in"
        f" {share_with_error(facts.auc)} of pairs, where 50% is chance.{exchanged}"
        f" {percent(facts.off.value)} of the samples resemble hardly any decoded code, and"
        f" {percent(facts.get('told_apart', 'prior', 'missing'))} of the decoded codes hardly any sample."
        + encoder_evidence(facts)
    )


def encoder_evidence(facts):
    """Returns a sentence if part of the difference is due to the encoder treating training images differently."""
    if not facts.get("told_apart", "encoder_overfits"):
        return ""
    return (
        " The encoder causes part of this: a classifier distinguishes decoded codes of training images from those of"
        f" held-out images in {percent(facts.get('told_apart', 'training', 'auc'))} of pairs."
    )


def distance_evidence(facts):
    """Returns the distances from real images, or why they are omitted."""
    if facts.is_blind:
        return "Distances are omitted because their features cannot tell fog from real images here."
    distances = [
        f"{words} {measured(facts.distance(name))}"
        for name, words in ENTRIES
        if facts.distance(name) is not None
    ]
    dead = facts.dead_zone
    where = "" if dead is None else f"; {percent(dead)} of the samples are in the dead zone"
    return f"Fréchet distances from real images: {listed(distances)}{where}." if distances else ""


def coverage_evidence(facts):
    """Returns how many real images have a sample near them, or `""` if that was not measured."""
    covered = facts.get("generation_gap", "prior", "coverage")
    if covered is None or facts.is_blind:
        return ""
    usual = facts.get("generation_gap", "real", "coverage")
    return f" {percent(covered)} of the real images have a sample near them; {percent(usual)} have another real image near them."


def blur_evidence(facts):
    """Returns how reconstructions differ from real images."""
    if facts.is_blind:
        return (
            "At the coarsest resolution, a classifier distinguishes the decoder's images from real ones in"
            f" {share_with_error(facts.blur)} of pairs, where 50% is chance."
        )
    return (
        f"Reconstructions are {measured(facts.blur_ratio)} times as far from real images as real images are from each"
        f" other ({measured(facts.reconstruction)} against {measured(facts.floor)})."
    )

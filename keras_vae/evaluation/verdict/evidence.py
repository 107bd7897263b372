"""The numbers behind a finding, in sentences: only those that may decide something on these images."""

from keras_vae.evaluation.verdict.words import listed, measured, percent

SMALLEST_SHARE = 0.005  # less is 0% in words
ENTRIES = (
    ("prior", "the prior's samples"),
    ("reconstruction", "reconstructions"),
    ("real", "other real images"),
)


def samples_evidence(facts):
    """Returns how the prior's samples differ from decoded codes, and how far they lie from real images."""
    return " ".join(filter(None, (told_evidence(facts), distance_evidence(facts))))


def told_evidence(facts):
    """Returns how surely a classifier tells the prior's samples from decoded codes, of results that have it."""
    if facts.auc is None:
        return ""
    low = facts.get("told_apart", "prior", "tv_low")
    exchanged = (
        f" At least {percent(low)} of them would have to be replaced before it could not."
        if low and low >= SMALLEST_SHARE
        else " It is not sure of any difference."
    )
    return (
        f"A classifier tells samples from {facts.prior_in_words} from decoded codes of held-out images in"
        f" {percent(facts.auc.value)} ± {percent(facts.auc.se)} of pairs, where 50% is chance.{exchanged}"
        f" {percent(facts.off.value)} of the samples look like hardly any decoded code,"
        f" and {percent(facts.get('told_apart', 'prior', 'missing'))} of the decoded codes like hardly any sample."
        + encoder_evidence(facts)
    )


def encoder_evidence(facts):
    """Returns which part of the difference is not the prior's, where the encoder treats training images differently."""
    if not facts.get("told_apart", "encoder_overfits"):
        return ""
    return (
        " Part of that is the encoder's: decoded codes of training images are told from those of held-out images in"
        f" {percent(facts.get('told_apart', 'training', 'auc'))} of pairs."
    )


def distance_evidence(facts):
    """Returns the distances from real images, or why they are left out."""
    if facts.is_blind:
        return "Distances in features are left out: the features cannot tell fog from real images here."
    distances = [
        f"{words} {measured(facts.distance(name))}"
        for name, words in ENTRIES
        if facts.distance(name) is not None
    ]
    dead = facts.dead_zone
    where = "" if dead is None else f"; {percent(dead)} of the samples are in the dead zone"
    return f"Distances from real images: {listed(distances)}{where}." if distances else ""


def coverage_evidence(facts):
    """Returns how many real images have a sample near them, where that was measured."""
    covered = facts.get("generation_gap", "prior", "coverage")
    if covered is None or facts.is_blind:
        return ""
    usual = facts.get("generation_gap", "real", "coverage")
    return f" {percent(covered)} of the real images have a sample near them; other real images are near {percent(usual)}."


def blur_evidence(facts):
    """Returns how reconstructions differ from real images."""
    if facts.is_blind:
        return (
            f"A classifier tells the decoder's images from real ones in {percent(facts.blur.value)} ±"
            f" {percent(facts.blur.se)} of pairs at the coarsest resolution, where 50% is chance."
        )
    return (
        f"Reconstructions lie {measured(facts.blur_ratio)} times as far from real images as real ones do from each other"
        f" ({measured(facts.reconstruction)} against {measured(facts.floor)})."
    )

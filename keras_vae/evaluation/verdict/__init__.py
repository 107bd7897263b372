"""From results to a verdict: what is wrong with a latent space, why, and what to do.

The verdict comes last, after the repair (`keras_vae.evaluation.repair`): everything that it says about samplers and
exported versions is in the results.
"""

from keras_vae.evaluation.verdict.facts import Facts
from keras_vae.evaluation.verdict.rules import collapsed, findings_of, jumps, patchy
from keras_vae.evaluation.verdict.source import UNKNOWN, Source
from keras_vae.evaluation.verdict.thresholds import THRESHOLDS
from keras_vae.evaluation.verdict.words import number, percent, share_with_error

__all__ = ["Facts", "Source", "THRESHOLDS", "judge"]
ENOUGH_IMAGES = 500  # per rung; fewer lower the confidence
# The causes that a Gaussian fitted to the codes removes.
BY_MEAN_AND_COVARIANCE = "correlated", "mis_scaled"
WITHOUT_MEANING = "meaningless (the codes of all images decode to nearly the same image)"


def judge(results, source=UNKNOWN):
    """Returns the verdict on `results`, a dict: name, findings, remedy, continuity, completeness, and confidence with its reason.

    Args:
        results: As in results.json, after the repair and without a verdict.
        source: The `Source` of the model.
    """
    facts = Facts(results, source)
    findings = findings_of(facts)
    main, unsure = findings[0].as_dict(), doubts(facts, findings[0])
    return {
        "name": main["name"],
        "sub_verdict": main["sub_verdict"],
        "continuity": continuity(facts),
        "completeness": completeness(facts),
        "findings": [finding.as_dict() for finding in findings],
        "remedy": main["remedy"],
        "command": main["command"],
        "steps": main["steps"],
        "confidence": ("high", "medium", "low")[min(len(unsure), 2)],
        "confidence_reason": ", and ".join(unsure) or None,
    }


def continuity(facts):
    """Returns the line on continuity: do nearby codes decode to similar images?"""
    rough = facts.get("continuity", "jacobian", "posterior", "p95_over_median")
    if rough is None:
        return "continuity: not measured"
    if collapsed(facts):
        return f"continuity: {WITHOUT_MEANING}"
    word, meaning = (
        ("bad", "some nearby codes decode to very different images")
        if jumps(facts)
        else ("ok", "nearby codes decode to similar images")
    )
    return (
        f"continuity: {word} ({meaning}; the 95th percentile of the Jacobian's norm is {number(rough)} times its median, the"
        f" largest step of a path {number(facts.get('continuity', 'jump'))} times the mean)"
    )


def completeness(facts):
    """Returns the line on completeness: do all samples of the prior decode to images?"""
    if facts.share_off is None:
        return "completeness: not measured"
    if collapsed(facts):
        return f"completeness: {WITHOUT_MEANING}"
    word = "bad" if facts.prior_is_poor else "patchy" if patchy(facts) else "ok"
    if facts.auc is not None:
        return (
            f"completeness: {word} ({percent(facts.off.value)} of the prior's samples resemble hardly any decoded code; a"
            f" classifier distinguishes samples from decoded codes in {percent(facts.auc.value)} of pairs, where 50% is"
            " chance)"
        )
    covered = facts.get("generation_gap", "prior", "coverage")
    rare = (
        f"; {percent(covered)} of the real images have a sample near them"
        if word != "ok" and not facts.is_thin and covered is not None
        else ""
    )
    return f"completeness: {word} ({percent(facts.dead_zone)} of the prior's samples resemble no real image{rare})"


def doubts(facts, main):
    """Returns what makes the verdict less certain: phrases, each of which lowers the confidence by one level."""
    found = []
    if facts.auc is not None:
        if not facts.has_power:
            found.append("the classifier did not detect images of which a fifth had been altered on purpose")
        if main.name == "blurry" and not facts.is_blind and not facts.has_passed:
            found.append("it was not tested whether the distances can see blur here")
        if main.sub_verdict in BY_MEAN_AND_COVARIANCE and facts.has_uncertain_cause:
            found.append(
                "the cause may be another, as a Gaussian with the codes' mean and covariance removes"
                f" {share_with_error(facts.explained)} of what a classifier sees"
            )
    elif facts.get("generation_gap", "features", "name") != "classifier":
        found.append("without labels, distances penalise blur more than unrealistic images")
    n = facts.get("generation_gap", "n") or 0
    if n < ENOUGH_IMAGES and main.name not in ("insufficient_data", "collapsed"):
        found.append(f"only {n:,} images of each kind were compared")
    return found

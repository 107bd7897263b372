"""From results to a verdict: what is wrong with a latent space, why, and what to do.

The verdict is made last, of the results after the repair (`keras_vae.evaluation.repair`): what it says of a sampler,
an exported version or a command is a fact in these.
"""

from keras_vae.evaluation.verdict.facts import Facts
from keras_vae.evaluation.verdict.rules import collapsed, findings_of, jumps, patchy
from keras_vae.evaluation.verdict.source import UNKNOWN, Source
from keras_vae.evaluation.verdict.thresholds import THRESHOLDS
from keras_vae.evaluation.verdict.words import number, percent

__all__ = ["Facts", "Source", "THRESHOLDS", "judge"]
ENOUGH_IMAGES = 500  # a rung, below which the confidence is lower
WITHOUT_MEANING = "without meaning (every code decodes to the same image)"


def judge(results, source=UNKNOWN):
    """Returns the verdict on `results`: name, findings, what to do, the lines on the two properties, and confidence.

    Args:
        results: As in results.json, without a verdict, after the repair.
        source: The `Source` of the model.
    """
    facts = Facts(results, source)
    findings = findings_of(facts)
    main = findings[0].as_dict()
    return {
        "name": main["name"],
        "sub_verdict": main["sub_verdict"],
        "continuity": continuity(facts),
        "completeness": completeness(facts),
        "findings": [finding.as_dict() for finding in findings],
        "remedy": main["remedy"],
        "command": main["command"],
        "steps": main["steps"],
        "confidence": confidence(facts, findings[0]),
    }


def continuity(facts):
    """Returns the line on continuity: do near codes decode to near images?"""
    rough = facts.get("continuity", "jacobian", "posterior", "p95_over_median")
    if rough is None:
        return "continuity: not measured"
    if collapsed(facts):
        return f"continuity: {WITHOUT_MEANING}"
    word = "bad" if jumps(facts) else "ok"
    return (
        f"continuity: {word} (steepest over median {number(rough)}, largest step of a path over the mean"
        f" {number(facts.get('continuity', 'jump'))}); near codes decode to {'far' if word == 'bad' else 'near'} images"
    )


def completeness(facts):
    """Returns the line on completeness: does every code under the prior decode to an image?"""
    if facts.share_off is None:
        return "completeness: not measured"
    if collapsed(facts):
        return f"completeness: {WITHOUT_MEANING}"
    word = "bad" if facts.prior_is_poor else "patchy" if patchy(facts) else "ok"
    if facts.auc is not None:
        return (
            f"completeness: {word} ({percent(facts.off.value)} of the prior decodes to images that hardly any decoded code"
            f" looks like; a classifier tells samples from decoded codes in {percent(facts.auc.value)} of pairs, where 50%"
            " is chance)"
        )
    covered = facts.get("generation_gap", "prior", "coverage")
    rare = (
        f"; near its samples lie {percent(covered)} of the real images"
        if word != "ok" and not facts.is_thin and covered is not None
        else ""
    )
    return f"completeness: {word} ({percent(facts.dead_zone)} of the prior decodes to what no image looks like{rare})"


def confidence(facts, main):
    """Returns how far to trust the verdict: `high`, `medium` or `low`."""
    level = 2
    if facts.auc is not None:
        level -= not facts.has_power
        level -= main.name == "blurry" and not facts.is_blind and not facts.has_passed
    elif facts.get("generation_gap", "features", "name") != "classifier":
        level -= 1  # other features penalise blur more than nonsense
    if (facts.get("generation_gap", "n") or 0) < ENOUGH_IMAGES and main.name not in (
        "insufficient_data",
        "collapsed",
    ):
        level -= 1
    return ("low", "medium", "high")[max(level, 0)]

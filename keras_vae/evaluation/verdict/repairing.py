"""The sentences on fitted samplers: only what was measured, and what was done with them."""

from keras_vae.evaluation.verdict.steps import Remedy, evaluate_again
from keras_vae.evaluation.verdict.words import listed, measured, percent, share

LEAST_LONGER = 5  # minutes that are recommended at least if more time helps; else twice the budget
IS_REPAIRED = {
    True: "this is a repair",
    False: "better, but not a repair",
    None: "better, but too few images to tell whether it is a repair",
}
LATER = {
    "files": "No decoder was exported because the model was given as files, not as a run folder;"
    " docs/guides/repair.md shows how to draw from a fitted sampler in Python.",
    "program": "No decoder was exported because a program ran the evaluation.",
}


def repair_steps(facts):
    """Returns the step that uses the best fitted sampler, in a list; `[]` if the prior is as good."""
    if facts.sampler in (None, "prior"):
        return []
    outcome, found = facts.get("repair", "outcome"), gain(facts)
    if outcome == "exported":
        return [
            Remedy(f"Without retraining: {found}. The exported {facts.get('repair', 'version')} does this.")
        ]
    if outcome == "not_asked":
        words = f"Without retraining: {found}. Evaluate without --no-repair to export such a decoder."
        return [evaluate_again(facts.source, words, without=("--no-repair",))]
    if outcome == "outdated":
        words = "No decoder was exported because the run was trained further during the evaluation: evaluate it again."
        return [evaluate_again(facts.source, f"Without retraining: {found}. {words}")]
    if outcome == "program" and facts.source.evaluated is not None:
        words = f"Without retraining: {found}. {LATER[outcome]} This command exports such a decoder."
        return [evaluate_again(facts.source, words, without=("--no-repair",))]
    return [Remedy(f"Without retraining: {found}. {LATER.get(outcome, '')}".strip())]


def more_time(facts):
    """Returns the step that trains flow matching longer, in a list; `[]` if it is a repair already or no longer improves."""
    training = facts.get("samplers", "flow_matching", "training") or {}
    if facts.is_repaired or not training.get("gains") or training.get("next_gain") is None:
        return []
    words = (
        f"flow_matching was still improving when its {minutes(training['minutes'])} ended: the second half of the training"
        f" lowered the held-out loss by {training['last_gain']:.2g} to {training['held_out_loss']:.3g}, and as much time"
        f" again would probably lower it by another {training['next_gain']:.2g} ({training['next_gain_low']:.2g} to"
        f" {training['next_gain_high']:.2g}). Continue its training."
    )
    longer = f"{max(2 * training['minutes'], LEAST_LONGER):g}"
    return [evaluate_again(facts.source, words, changes={"repair_minutes": longer})]


def minutes(count):
    """Returns a number of minutes in words."""
    return "minute" if count == 1 else f"{count:g} minutes"


def gain(facts):
    """Returns a phrase on the best fitted sampler and its measured gain."""
    auc = facts.best_auc
    if auc is not None and facts.is_better:
        return (
            f"sample from the fitted {facts.sampler} (a classifier distinguishes its samples from decoded codes"
            f"{' of training images' if facts.best_of_training else ''} in {percent(auc.value)} of pairs, those of"
            f" {facts.prior_in_words} in {percent(facts.auc_beside_best.value)}; {IS_REPAIRED[facts.is_repaired]})"
        )
    distance = facts.estimate("generation_gap", "best_frechet") or facts.distance(facts.sampler)
    closed = "" if facts.repaired is None else f", which closes {share(facts.repaired, 'of the gap')}"
    return (
        f"sample from the fitted {facts.sampler} (Fréchet distance {measured(distance)} instead of"
        f" {measured(facts.prior)}{closed})"
    )


def without_repair(facts):
    """Returns a sentence on why no fitted sampler repairs the model, or `""` if one does."""
    if facts.sampler not in (None, "prior"):
        return ""
    reasons = facts.get("reasons") or {}
    fitted = list(facts.get("samplers") or {})
    copying = [name for name in fitted if f"samplers.{name}" in reasons]
    if not fitted:
        return "No density was fitted to the codes."
    if copying == fitted:
        return f"No fitted density is usable: samples of {listed(fitted)} contain copies of training images."
    tried = listed([name for name in fitted if name not in copying], "or")
    return f"No density fitted to the codes ({tried}) samples clearly better than {facts.prior_in_words}."

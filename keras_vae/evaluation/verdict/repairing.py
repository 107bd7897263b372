"""What is said of a fitted sampler: only what was measured of it and what was really done with it."""

from keras_vae.evaluation.verdict.steps import Remedy, evaluate_again
from keras_vae.evaluation.verdict.words import listed, measured, percent, share

MORE = 5  # times the budget that is recommended where more time helps
IS_REPAIRED = {
    True: "that is a repair",
    False: "better, and not a repair",
    None: "better; so few images cannot say whether it is a repair",
}
LATER = {
    "files": "The model is in files: a decoder that samples from it is exported for a run of keras_vae only.",
    "program": "Nothing was exported, as a program measured the model.",
}


def repair_steps(facts):
    """Returns the step that the best fitted sampler is worth, in a list; none where the prior is as good."""
    if facts.sampler in (None, "prior"):
        return []
    outcome, found = facts.get("repair", "outcome"), gain(facts)
    if outcome == "exported":
        return [
            Remedy(f"Without retraining: {found}; the exported {facts.get('repair', 'version')} does so.")
        ]
    if outcome == "not_asked":
        words = f"Without retraining: {found}. Evaluate without --no-repair to export a decoder that does so."
        return [evaluate_again(facts.source, words, without=("--no-repair",))]
    if outcome == "outdated":
        words = f"The run was trained further while it was measured, and nothing was exported. As it was: {found}."
        return [evaluate_again(facts.source, f"{words} Evaluate it again.")]
    if outcome == "program" and facts.source.evaluated is not None:
        words = f"Without retraining: {found}. {LATER[outcome]} The command exports a decoder that does so."
        return [evaluate_again(facts.source, words, without=("--no-repair",))]
    return [Remedy(f"Without retraining: {found}. {LATER.get(outcome, '')}".strip())]


def more_time(facts):
    """Returns the step that lets flow matching learn for longer, in a list, where its samples can be told and it gains."""
    training = facts.get("samplers", "flow_matching", "training") or {}
    if facts.is_repaired or not training.get("gains") or training.get("next_gain") is None:
        return []
    words = (
        f"flow_matching still gained when its {minutes(training['minutes'])} ended: the last half of the training took"
        f" {training['last_gain']:.2g} from its held-out loss of {training['held_out_loss']:.3g}, and as much time again is"
        f" likely to take another {training['next_gain']:.2g} ({training['next_gain_low']:.2g} to"
        f" {training['next_gain_high']:.2g}). Let it go on where it stopped."
    )
    longer = f"{MORE * training['minutes']:g}"
    return [evaluate_again(facts.source, words, changes={"repair_minutes": longer})]


def minutes(count):
    """Returns a number of minutes in words."""
    return "minute" if count == 1 else f"{count:g} minutes"


def gain(facts):
    """Returns what the best fitted sampler gains, as far as it was measured."""
    auc = facts.best_auc
    if auc is not None and facts.is_better:
        return (
            f"sample from the fitted {facts.sampler} (a classifier tells its samples from decoded codes in"
            f" {percent(auc.value)} of pairs, those of {facts.prior_in_words} in {percent(facts.auc.value)};"
            f" {IS_REPAIRED[facts.is_repaired]})"
        )
    distance = facts.estimate("generation_gap", "best_frechet") or facts.distance(facts.sampler)
    closed = "" if facts.repaired is None else f", {share(facts.repaired, 'of the gap')}"
    return f"sample from the fitted {facts.sampler} ({measured(facts.prior)} becomes {measured(distance)}{closed})"


def without_repair(facts):
    """Returns a sentence on why no fitted sampler repairs the model, an empty one where one does."""
    if facts.sampler not in (None, "prior"):
        return ""
    reasons = facts.get("reasons") or {}
    fitted = list(facts.get("samplers") or {})
    copying = [name for name in fitted if f"samplers.{name}" in reasons]
    if not fitted:
        return f"No density was fitted to the codes in the place of {facts.prior_in_words}."
    if copying == fitted:
        return f"What was fitted to the codes ({listed(fitted)}) draws copies of training images."
    tried = listed([name for name in fitted if name not in copying], "or")
    return f"Of the densities fitted to the codes ({tried}) none samples clearly better than {facts.prior_in_words}."

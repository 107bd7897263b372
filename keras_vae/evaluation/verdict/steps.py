"""What to do, in steps. A step's sentence and its command are made from the same data and therefore agree."""

import dataclasses

from keras_vae.config.codec import to_json
from keras_vae.evaluation.verdict.words import listed

# The phrase for each flag of train.py.
PHRASES = {
    "objective": "with the objective {}",
    "objective.reduction": "with both loss terms reduced by {}",
    "objective.beta": "with a beta of {}",
    "objective.warmup": "with the weight of the rate growing from 0 over the first {} steps",
    "likelihood": "with the likelihood {}",
    "latent": "with a latent size of {}",
    "network.widths": "with wider networks ({})",
    "augment": "with augmentation ({})",
    "epochs": "for {} epochs",
    "patience": "until the held-out loss has not improved for {} epochs",
}


@dataclasses.dataclass(frozen=True)
class Remedy:
    """One thing to do.

    Attributes:
        sentence: What to do.
        command: The command that does it, or None.
    """

    sentence: str
    command: str | None = None


def train_again(facts, changes, aim=""):
    """Returns the step that retrains the measured model with changes, in a list; `[]` if nothing would change.

    Args:
        facts: The `Facts` of the measured model.
        changes: Settings of the new training, flag of train.py to value. Settings that already hold are omitted.
        aim: A sentence on the purpose, or `""`.
    """
    so = settings_of(facts)
    changed = {name: str(value) for name, value in changes.items() if so.get(name) != str(value)}
    if not changed:
        return []
    phrases = [PHRASES[name].format(value.replace(",", ", ")) for name, value in changed.items()]
    sentence = f"Retrain {listed(phrases)}."
    return [Remedy(f"{sentence} {aim}".strip(), facts.source.training(changed))]


def settings_of(facts):
    """Returns the known settings of the measured model's training, flag of train.py to value as typed."""
    known = {} if facts.source.config is None else to_json(facts.source.config)
    so = {name: typed(known, name) for name in PHRASES}
    results = {"objective": facts.objective_name, "likelihood": facts.likelihood_name}
    return so | {name: value for name, value in results.items() if value is not None}


def typed(known, name):
    """Returns the value of the dotted `name` in a configuration's JSON as typed on the command line, or None."""
    value = known
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, dict):
        return value.get("kind")
    if isinstance(value, list):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else None if value is None else str(value)


def evaluate_again(source, reason, without=(), changes=None):
    """Returns the step that evaluates the model again with other flags; `reason` is its sentence."""
    return Remedy(reason, source.evaluation(without, changes))

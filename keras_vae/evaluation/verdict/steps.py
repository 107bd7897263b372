"""What to do, in steps. A step's sentence and its command are made from the same data, so that they agree."""

import dataclasses

from keras_vae.evaluation.verdict.words import listed

# What a flag of train.py does, in words.
PHRASES = {
    "objective": "with the objective {}",
    "objective.reduction": "with the {} of both terms of the loss",
    "objective.beta": "with a beta of {}",
    "objective.warmup": "with the weight of the rate growing from 0 over the first {} steps",
    "likelihood": "with the likelihood {}",
    "latent": "with a latent of {} numbers",
    "network.widths": "with wider networks ({})",
    "augment": "with augmentation ({})",
    "epochs": "for {} epochs",
    "patience": "until the held-out loss has not improved for {} epochs",
}


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        sentence: What to do.
        command: The command that does it, or None where none does.
    """

    sentence: str
    command: str | None = None


def train_again(source, changes, aim=""):
    """Returns the step that trains a model like the measured one anew.

    Args:
        source: The `Source` of the model.
        changes: What is changed in its configuration, flag of train.py to value.
        aim: What that is for, a sentence, or nothing.
    """
    changed = {name: str(value) for name, value in changes.items()}
    phrases = [PHRASES[name].format(value.replace(",", ", ")) for name, value in changed.items()]
    sentence = f"Train it again {listed(phrases)}."
    return Step(f"{sentence} {aim}".strip(), source.training(changed))


def evaluate_again(source, reason, without=()):
    """Returns the step that evaluates the model again, without some flags; `reason` says what that gains."""
    return Step(reason, source.evaluation(without))

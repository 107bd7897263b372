"""The verdict, the fitted samplers, and the cost."""

from typing import Any, Literal

from keras_vae.evaluation.results.fields import Section, Whole, measure, seconds, standard_error

VerdictName = Literal[
    "insufficient_data",
    "collapsed",
    "overfitted",
    "blurry",
    "prior_hole",
    "patchy",
    "discontinuous",
    "healthy",
]


class RemedyStepResults(Section, title="One step of a remedy"):
    """One thing to do, in a sentence, with the command that does it."""

    sentence: str | None = measure("Sentence", "What to do in this step.")
    command: str | None = measure(
        "Command", "The command line of this step, which runs as it is printed. Null if there is none."
    )


class FindingResults(Section, title="A finding"):
    """One thing that was found, from symptom to remedy."""

    name: str = measure(
        "Name", "The verdict that this finding is evidence for. The first finding gives the main verdict."
    )
    symptom: str | None = measure("Symptom", "What one sees.")
    evidence: str | None = measure("Evidence", "The numbers that show it.")
    cause: str | None = measure("Cause", "Why it happens.")
    remedy: str | None = measure("Remedy", "What to do about it.")
    command: str | None = measure(
        "Command", "The command line that applies the remedy. Null if there is none.", optional=True
    )
    steps: list[RemedyStepResults] | None = measure(
        "Steps", "The remedy as a list of steps, in order.", optional=True
    )
    sub_verdict: str | None = measure(
        "Sub-verdict", "The kind of the verdict, for example spread_code for a prior hole.", optional=True
    )


class VerdictResults(Section, title="Verdict"):
    """The diagnosis that follows from the numbers."""

    name: VerdictName = measure(
        "Verdict",
        "insufficient_data, collapsed, overfitted, blurry, prior_hole, patchy, discontinuous or healthy: the first that"
        " applies, in this order.",
    )
    sub_verdict: str | None = measure(
        "Sub-verdict", "The kind of the verdict, that of the first finding.", optional=True
    )
    continuity: str | None = measure(
        "Continuity", "Whether small steps of the code make small steps of the image, in a sentence."
    )
    completeness: str | None = measure(
        "Completeness", "Whether samples decode to something that looks real, in a sentence."
    )
    findings: list[FindingResults] = measure("Findings", "All findings, the main verdict first.")
    remedy: str | None = measure("Remedy", "What to do now, in a sentence.")
    command: str | None = measure("Command", "The command line that does it.")
    steps: list[RemedyStepResults] | None = measure(
        "Steps", "What to do as a list of steps, those of the first finding.", optional=True
    )
    confidence: Literal["high", "medium", "low"] = measure(
        "Confidence",
        "How sure the verdict is: lower with few images, or if the classifier does not detect the planted control.",
    )
    confidence_reason: str | None = measure(
        "Reason of the confidence",
        "Why the confidence is not high; null if it is, and in results of older versions.",
        optional=True,
    )


class RepairResults(Section, title="Repair"):
    """What was done for the model after the measurements."""

    outcome: Literal["exported", "not_needed", "not_asked", "outdated", "files", "program"] = measure(
        "Outcome",
        "exported: a decoder that samples from the best sampler; not_needed: no sampler is better than the prior;"
        " not_asked: --no-repair was given; outdated: the run was trained further in the meantime; files: the model is"
        " in files; program: a program made the evaluation.",
    )
    sampler: str | None = measure("Sampler", "The sampler from which the exported version draws.")
    version: str | None = measure("Version", "The folder of the exported version in the run.")


class TrainingResults(Section, title="The training of a sampler"):
    """The training of a sampler with a time limit; it ends earlier if held-out codes stop improving."""

    minutes: float = measure("Budget", "The time limit (`--repair_minutes`).", "minutes", minimum=0)
    seconds: float | None = seconds("How long the velocity network was trained.", optional=False)
    updates: Whole = measure("Updates", "Steps of the optimizer.", minimum=0)
    held_out_loss: float = measure(
        "Held-out loss",
        "Mean squared error of the velocity per coordinate, on held-out codes. It is about 1 if codes are Gaussian and"
        " nothing can be learned. Its minimum is above 0.",
        minimum=0,
    )
    gains: bool = measure(
        "Still gains", "Whether the held-out loss was still falling when the training ended."
    )
    last_gain: float | None = measure(
        "Gain of the last half", "How much the held-out loss fell in the last half of the training."
    )
    next_gain: float | None = measure(
        "Likely gain",
        "How much the held-out loss is expected to fall if the training is doubled: from one doubling to the next, the"
        " gain shrinks by a ratio that is assumed to stay constant.",
    )
    next_gain_low: float | None = measure(
        "Likely gain, least", "The expected gain if the ratio falls to its square."
    )
    next_gain_high: float | None = measure("Likely gain, most", "The expected gain if it does not shrink.")
    curve: list[list[float]] = measure("Curve", "Updates, seconds and held-out loss at each check.")


class SamplerResults(Section, title="A fitted sampler"):
    """A density over codes that was fitted after training, to draw from instead of the prior."""

    file: str | None = measure("File", "Where it was saved, relative to the run folder.")
    settings: dict[str, Any] | None = measure("Settings", "The settings with which it was fitted.")
    frechet: float | None = measure(
        "Fréchet distance",
        "Fréchet distance between its samples and real images (see the ladder).",
        minimum=0,
    )
    frechet_se: float | None = standard_error("Fréchet distance")
    training: TrainingResults | None = measure(
        "Training", "How the sampler was trained; missing for samplers without a time limit.", optional=True
    )


class StepResults(Section, title="One step of the evaluation"):
    """What was done, and how long it took."""

    name: str = measure("Step", "The measurement.")
    seconds: float | None = seconds("How long it took.", optional=False)


class CostResults(Section, title="Cost"):
    """What the evaluation cost."""

    steps: list[StepResults] = measure("Steps", "Each step and how long it took.")
    seconds: float | None = seconds("From start to end.", "Total time", optional=False)
    peak_memory_bytes: Whole | None = measure(
        "Peak memory", "The largest amount of memory that the process used.", "bytes", minimum=0
    )

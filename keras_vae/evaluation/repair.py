"""The repair of a measured model: saves samplers, and exports a decoder that draws from the best.

`repair` returns a record of its outcome, from which the verdict is made afterwards.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Repair:
    """The outcome of the repair.

    Attributes:
        outcome: `exported`; `not_needed`: no fitted sampler is better than the prior; `not_asked`: by --no-repair;
            `outdated`: the run was trained further while it was measured; `files`: the model is not a run but files;
            `program`: measured by a program, which can export a decoder itself.
        sampler: The name of the sampler that the exported version draws from, or None.
        version: The exported version's folder in the run, or None.
        files: The file of each saved sampler in the run, by name.
    """

    outcome: str
    sampler: str | None = None
    version: str | None = None
    files: dict = dataclasses.field(default_factory=dict)

    @property
    def reasons(self):
        """Why nothing was exported, and why samplers have no file, by dotted path."""
        reason = REASONS[self.outcome]
        exported = (
            {} if self.version else {"exported": reason, "repair.version": reason, "repair.sampler": reason}
        )
        return exported if self.files else {**exported, "file": reason}


REASONS = {
    "exported": "no sampler was fitted",
    "not_needed": "no fitted sampler is better than the prior",
    "not_asked": "disabled by --no-repair",
    "outdated": "the run was trained further in the meantime: evaluate it again",
    "files": "the model is in files: a new decoder is exported only to a run",
    "program": "measured by a program: only the command line saves samplers and exports a decoder",
}


def repair(run, model, measured, checksum, classes=()):
    """Saves the fitted samplers of a run, and exports a decoder that draws from the best if it beats the prior.

    Args:
        run: The measured `Run`, locked against other exports (`Run.publishing`).
        model: Its model.
        measured: Its `Measured` results.
        checksum: `run.model_checksum()` before it was measured.
        classes: The names of the images' classes, if they have any.

    Returns:
        A `Repair`. A decoder that draws from the same sampler already is not exported again.
    """
    from keras_vae.export.saved_models import export_decoder

    if run.model_checksum() != checksum:
        return Repair("outdated")
    files = save_samplers(run, measured.samplers)
    best = measured.results["generation_gap"]["best_sampler"]
    if best not in measured.samplers:
        return Repair("not_needed", files=files)
    made_from = run.made_from(best, classes)
    version = run.repaired_decoder(made_from)
    if version is None:
        path = export_decoder(model, run.serving, measured.samplers[best], classes)
        version = path.relative_to(run.path).as_posix()
        run.note_repaired(version, made_from)
    return Repair("exported", best, version, files)


def save_samplers(run, samplers):
    """Writes each sampler to the run's folder and returns the names of the files by sampler."""
    from keras_vae.samplers import save

    files = {name: run.sampler_file(name) for name in samplers}
    for name, path in files.items():
        save(samplers[name], path)
    return {name: str(path.relative_to(run.path)) for name, path in files.items()}

"""Measures whether a latent space can generate, and says why not and what to do: `python evaluate.py`."""

import dataclasses
import os
import pathlib

from keras_vae.config.flags import command, parse, to_flags
from keras_vae.errors import DatasetError, FeatureError, UsageError
from keras_vae.evaluation.settings import Evaluation
from keras_vae.evaluation.subject import load_model
from keras_vae.runtime import devices
from keras_vae.runtime.devices import say
from keras_vae.runtime.programs import command_line, program, typed_path
from keras_vae.training.config import FOUND, DataSettings
from keras_vae.training.run_folder import Run
from keras_vae.training.training import load

DESCRIPTION = (
    "Measures whether a trained model's latent space can generate, says why not, and repairs it if possible."
)
EXAMPLES = """\
examples:
  python evaluate.py                                     the newest run
  python evaluate.py saved_models/NAME                   one run: report/index.html, report/results.json
  python evaluate.py saved_models/A saved_models/B       side by side
  python evaluate.py --encoder encoder.keras --decoder decoder.keras --dataset mnist
                                                         anybody's model: .keras files or SavedModels
"""


@command("evaluate.py", bad_input=(DatasetError, FeatureError))
def main(argv=None):
    """Runs the command; exits with 0, 2 (bad input) or 1 (a defect)."""
    parsed = parse(
        Evaluation,
        argv,
        prog="evaluate.py",
        description=DESCRIPTION,
        epilog=EXAMPLES.replace("python evaluate.py", program("evaluate")),
        extra=lambda parser: parser.add_argument(
            "runs", nargs="*", metavar="saved_models/NAME", help="runs to measure"
        ),
    )
    settings, paths = parsed.config, parsed.extra.runs
    if settings.encoder and paths:
        raise UsageError("either runs or --encoder and --decoder: give one of them")
    runs = [] if settings.encoder else [Run.open(path) for path in paths] or [newest_run(settings.output)]
    devices.start()
    try:
        measure_all(settings, runs, parsed.given)
    except KeyboardInterrupt:
        raise UsageError("stopped: nothing was written that is not whole") from None


def newest_run(folder):
    """Returns the run in `folder` whose model was written last."""
    files = pathlib.Path(folder).glob("*/model.keras")
    newest = max(files, key=lambda file: file.stat().st_mtime, default=None)
    if newest is None:
        raise UsageError(
            f"{folder} holds no trained run: train one first ({command_line('train')}), or name one"
        )
    return Run.open(newest.parent)


def measure_all(settings, runs, given):
    """Measures the runs, or the model in files, and writes and prints the reports.

    A run is measured on its own dataset, except for the fields that the command line sets: `given` names them.
    """
    from keras_vae import report

    if not runs:
        results, pictures = measure_files(as_trained(settings, given), given)
        folder = pathlib.Path(settings.output) / "reports" / results["run"]
        say(*summary(results, report.write_report(folder, results, pictures)))
        return
    measured = [measure_run(settings, run, given) for run in runs]
    if len(runs) > 1:
        folder = runs[0].path.parent / "comparison"
        say(f"side by side: {report.write_comparison(folder, *map(list, zip(*measured)))}")


def measure_run(settings, run, given):
    """Measures one run, repairs its decoder, writes its report and prints the verdict."""
    from keras_vae import report
    from keras_vae.evaluation.conclusion import conclude
    from keras_vae.evaluation.repair import SAMPLERS, Repair, repair
    from keras_vae.evaluation.sections import measure
    from keras_vae.evaluation.subject import from_model

    config = run.read_config()
    asked = {name: getattr(settings, name) for name in data_fields(given)}
    dataset = load(dataclasses.replace(config, **asked))
    if not asked and run.trained_on() not in (None, dataset.fingerprint):
        say(f"warning: the images of {dataset.name} were changed after {run.path} was trained on them")
    for note in dataset.notes:
        say(note)
    if not os.access(run.path, os.W_OK | os.X_OK):
        raise UsageError(
            f"{run.path} cannot be written to, and the report goes there: copy the run elsewhere"
        )
    checksum = run.model_checksum()
    model = load_model(run)
    measured = measure(from_model(model, run.path.name), dataset, settings, run.path / SAMPLERS)
    with run.publishing():
        asked_for = settings.repair
        repaired = (
            repair(run, model, measured, checksum, dataset.label_names or ())
            if asked_for
            else Repair("not_asked")
        )
        results = conclude(measured, repaired, source_of(settings, given, run, config))
        page = report.write_report(run.report, results, measured.pictures)
    say(*summary(results, page))
    return results, measured.pictures


def as_trained(settings, given):
    """Returns `settings` with the value range, classes and data rules of the decoder's training, if they are known.

    They are in the decoder's run, or beside an exported decoder. `given` names the fields that the command line sets,
    which stay.
    """
    from keras_vae.evaluation.subject import run_of
    from keras_vae.export.saved_models import Description

    known = {}
    if run := run_of(settings.decoder):
        config = run.read_config()
        known = {name: getattr(config, name) for name in FOUND}
    elif description := Description.read(settings.decoder):
        known = {"range": description.value_range or None, "classes": description.label_names}
    known = {name: value for name, value in known.items() if name not in given}
    return dataclasses.replace(settings, **known)


def measure_files(settings, given):
    """Returns the results and the pictures of the model in the files that `settings` names."""
    from keras_vae.evaluation.conclusion import conclude
    from keras_vae.evaluation.repair import Repair
    from keras_vae.evaluation.sections import measure
    from keras_vae.evaluation.subject import run_of

    dataset = load(settings)
    measured = measure(subject_of(settings, dataset), dataset, settings)
    run = run_of(settings.decoder)
    source = source_of(settings, given, run, run.read_config() if run else None)
    return conclude(measured, Repair("files"), source), measured.pictures


def data_fields(given):
    """Returns the fields of the dataset that the command line gives."""
    names = {name.partition(".")[0] for name in given}
    return [field.name for field in dataclasses.fields(DataSettings) if field.name in names]


def source_of(settings, given, run, config):
    """Returns the `Source` of the measured model: a run, or the files that `settings` names, from a run or not."""
    from keras_vae.evaluation.verdict import Source

    measured = () if settings.encoder or run is None else (typed_path(run.path),)
    known = set(data_fields(given))
    return Source(
        evaluated=(*measured, *to_flags(settings, given)),
        config_file=None if run is None else typed_path(run.config_file),
        config=config,
        data=tuple(to_flags(settings, {name for name in given if name.partition(".")[0] in known})),
    )


def subject_of(settings, dataset):
    """Returns the `Subject` of the files, as they describe themselves unless another likelihood is requested."""
    from keras_vae.evaluation.adapters import from_pair

    return from_pair(settings.encoder, settings.decoder, settings, dataset)


def summary(results, page):
    """Returns the lines of the verdict, on one screen."""
    verdict, gap = results["verdict"], results["generation_gap"]
    finding = verdict["findings"][0]
    name = verdict["name"].replace("_", " ") + (
        f": {verdict['sub_verdict'].replace('_', ' ')}" if verdict["sub_verdict"] else ""
    )
    others = [f"{other['name'].replace('_', ' ')}: {other['symptom']}" for other in verdict["findings"][1:]]
    lines = [
        "",
        f"{results['run']}: {name.upper()} (confidence: {verdict['confidence']})",
        f"  {finding['symptom']}",
        f"  {finding['evidence']}",
        f"  why: {finding['cause']}",
        *steps_in_lines(verdict["steps"]),
        f"  {verdict['continuity']}",
        f"  {verdict['completeness']}",
        *(f"  also {other}" for other in others),
    ]
    if gap.get("features"):
        rungs = ", ".join(
            f"{rung} {values['frechet']:.3g}"
            for rung, values in gap.items()
            if isinstance(values, dict) and values.get("frechet") is not None
        )
        lines.append(f"  {gap['features']['metric_name']}, n = {gap['n']:,}: {rungs}")
    if results["exported"]:
        lines.append(
            f"  {results['exported']} samples from the {results['repair']['sampler']}; the version before it stays"
        )
    cost = results["cost"]
    lines.append(f"  {cost['seconds']:.0f} s, {cost['peak_memory_bytes'] / 2**30:.1f} GiB; report: {page}")
    return lines


def steps_in_lines(steps):
    """Yields the lines of the recommended steps, each step's command below its sentence."""
    for index, step in enumerate(steps):
        yield f"  {'now:' if index == 0 else '    '} {step['sentence']}"
        if step["command"]:
            yield f"       {step['command']}"

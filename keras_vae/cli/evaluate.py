"""Can this latent space generate, why not, and what now: `python evaluate.py`."""

import dataclasses
import os
import pathlib
import shlex

from keras_vae import devices
from keras_vae.command_line import UsageError, command, parse
from keras_vae.config import FOUND, DataSettings
from keras_vae.datasets import DatasetError
from keras_vae.devices import say
from keras_vae.evaluation.features import FeatureError
from keras_vae.evaluation.settings import Evaluation
from keras_vae.evaluation.subject import load_model
from keras_vae.runs import Run
from keras_vae.training import load

DESCRIPTION = (
    "Measures whether a trained model's latent space can generate, says why not, and repairs what can be."
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
        epilog=EXAMPLES,
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
        raise UsageError(f"{folder} holds no trained run: train one first (python train.py), or name one")
    return Run.open(newest.parent)


def measure_all(settings, runs, given):
    """Measures the runs, or the model in files, and writes and prints the reports.

    A run is measured on its own dataset, but for what the command line says of it: `given` names those fields.
    """
    from keras_vae import report

    if not runs:
        results, pictures = measure_files(as_trained(settings, given))
        folder = pathlib.Path(settings.output) / "reports" / results["run"]
        page = report.write_report(folder, results, pictures)
        say(*summary(results, page))
        return
    names = [field.name for field in dataclasses.fields(DataSettings) if field.name in given]
    data = {name: getattr(settings, name) for name in names}
    measured = [measure_run(settings, run, data) for run in runs]
    if len(runs) > 1:
        folder = runs[0].path.parent / "comparison"
        say(f"side by side: {report.write_comparison(folder, *map(list, zip(*measured)))}")


def measure_run(settings, run, data):
    """Measures one run, repairs its decoder, writes its report and prints the verdict."""
    from keras_vae import report
    from keras_vae.evaluation.sections import diagnose
    from keras_vae.evaluation.subject import from_model

    dataset = load(dataclasses.replace(run.read_config(), **data))
    if not data and run.trained_on() not in (None, dataset.fingerprint):
        say(f"warning: the images of {dataset.name} were changed after {run.path} was trained on them")
    for note in dataset.notes:
        say(note)
    if not os.access(run.path, os.W_OK | os.X_OK):
        raise UsageError(
            f"{run.path} cannot be written to, and the report goes there: copy the run elsewhere"
        )
    measured = run.model_checksum()
    model = load_model(run)
    results, pictures, samplers = diagnose(
        from_model(model, run.path.name),
        dataset,
        settings,
        command=f"python evaluate.py {shlex.quote(str(run.path))}{fitting(settings)}",
        retrain=retraining(run),
    )
    with run.publishing():
        left = None if settings.repair else "not asked for: --no-repair"
        if settings.repair and run.model_checksum() != measured:
            left = "the run was trained further meanwhile: evaluate it anew"
        if left is None:
            results["samplers"], results["exported"] = repair(run, model, results, samplers)
            results["reasons"]["exported"] = "no fitted sampler does better than the prior"
        else:
            results["reasons"]["exported"] = results["reasons"]["file"] = left
        page = report.write_report(run.report, results, pictures)
    say(*summary(results, page))
    return results, pictures


def as_trained(settings, given):
    """Returns `settings` with the value range, classes and data rules of the decoder's training, where they are known.

    They are in the decoder's run, or beside an exported decoder. `given` names the fields that the command line sets,
    which stay.
    """
    from keras_vae.evaluation.subject import run_of
    from keras_vae.export import Description

    known = {}
    if run := run_of(settings.decoder):
        config = run.read_config()
        known = {name: getattr(config, name) for name in FOUND}
    elif description := Description.read(settings.decoder):
        known = {"range": description.value_range or None, "classes": description.label_names}
    known = {name: value for name, value in known.items() if name not in given}
    return dataclasses.replace(settings, **known)


def measure_files(settings):
    """Returns the results and the pictures of the model in the files that `settings` names."""
    from keras_vae.evaluation.sections import diagnose
    from keras_vae.evaluation.subject import run_of

    dataset = load(settings)
    run = run_of(settings.decoder)
    results, pictures, _ = diagnose(
        subject_of(settings, dataset),
        dataset,
        settings,
        command=f"python evaluate.py --encoder {shlex.quote(settings.encoder)}"
        f" --decoder {shlex.quote(settings.decoder)}{fitting(settings)}",
        retrain=run and retraining(run),
    )
    return results, pictures


def subject_of(settings, dataset):
    """Returns the `Subject` of the files: as they describe themselves, unless another likelihood is asked for."""
    from keras_vae.evaluation.given import from_pair

    return from_pair(settings.encoder, settings.decoder, settings, dataset)


def retraining(run):
    """Returns the command that trains a run like `run`."""
    return f"python train.py --config {shlex.quote(str(run.config_file))}"


def fitting(settings):
    """Returns the flags that have the same samplers fitted, for a command that is to do so again."""
    samplers = f" --samplers {','.join(settings.samplers)}" if settings.samplers else ""
    return samplers + " --extended" * settings.extended


def repair(run, model, results, samplers):
    """Saves the fitted samplers, and exports a decoder that draws from the best where it is not the prior.

    Returns:
        What was saved, a dict by sampler, and the exported version's folder or None.
    """
    from keras_vae.export import export_decoder
    from keras_vae.samplers import save

    saved = {}
    for name, sampler in samplers.items():
        path = run.path / "samplers" / f"{name}.npz"
        save(sampler, path)
        distance = results["generation_gap"][name]["frechet"]
        saved[name] = {
            "file": str(path.relative_to(run.path)),
            "settings": sampler.settings,
            "frechet": distance,
        }
    best = results["generation_gap"]["best_sampler"]
    if best not in samplers:
        return saved, None
    version = export_decoder(model, run.serving, samplers[best])
    return saved, str(version.relative_to(run.path))


def summary(results, page):
    """Returns the lines of the verdict, on one screen."""
    verdict, gap = results["verdict"], results["generation_gap"]
    finding = verdict["findings"][0]
    name = verdict["name"].replace("_", " ") + (
        f": {verdict['sub_verdict'].replace('_', ' ')}" if verdict["sub_verdict"] else ""
    )
    lines = [
        "",
        f"{results['run']}: {name.upper()} (confidence: {verdict['confidence']})",
        f"  {finding['symptom']}",
        f"  {finding['evidence']}",
        f"  why: {finding['cause']}",
        f"  now: {verdict['remedy']}",
        f"       {verdict['command']}",
        f"  {verdict['continuity']}",
        f"  {verdict['completeness']}",
        *(
            f"  also {other['name'].replace('_', ' ')}: {other['symptom']}"
            for other in verdict["findings"][1:]
        ),
    ]
    if gap.get("features"):
        lines.append(
            f"  {gap['features']['metric_name']}, n = {gap['n']:,}: "
            + ", ".join(
                f"{rung} {values['frechet']:.3g}"
                for rung, values in gap.items()
                if isinstance(values, dict) and values.get("frechet") is not None
            )
        )
    if results.get("exported"):
        lines.append(
            f"  {results['exported']} samples from the {gap['best_sampler']}; the version before it stays"
        )
    lines.append(
        f"  {results['cost']['seconds']:.0f} s, {results['cost']['peak_memory_bytes'] / 2**30:.1f} GiB; report: {page}"
    )
    return lines

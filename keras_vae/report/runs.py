"""Measures runs and models in files, repairs runs, and writes the reports."""

import dataclasses
import os
import pathlib
import time

from keras_vae.config.flags import to_flags
from keras_vae.errors import UsageError
from keras_vae.evaluation.subject import load_model
from keras_vae.runtime.devices import say
from keras_vae.runtime.programs import begun as command_begun
from keras_vae.runtime.programs import explorer_command, runnable, typed_path
from keras_vae.runtime.progress import Job
from keras_vae.training.config import FOUND, DataSettings
from keras_vae.training.setup import load


def measure_all(settings, runs, given, finished=None):
    """Measures the runs, or the model in files, and writes and prints the reports.

    A run is measured on its own dataset, except for the data fields in `given`, the names set on the command line.
    `finished` is a function of the run, its model and its dataset, which is called after each report, or None.
    """
    from keras_vae import report

    begun = command_begun() or time.monotonic()
    if not runs:
        results, pictures = measure_files(as_trained(settings, given), given)
        folder = pathlib.Path(settings.output) / "reports" / results["run"]
        say(*summary(results, report.write_report(folder, results, pictures), begun))
        return
    measured = []
    with Job("evaluation", len(runs)) as job:
        for run in runs:
            measured.append(measure_run(settings, run, given, job, begun, finished))
            begun = time.monotonic()
    if len(runs) > 1:
        folder = runs[0].path.parent / "comparison"
        say(f"side by side: {report.write_comparison(folder, *map(list, zip(*measured)))}")


def measure_run(settings, run, given, job=None, begun=None, finished=None):
    """Measures one run, repairs its decoder, writes its report and prints the verdict; returns results and pictures."""
    from keras_vae.evaluation.sections.clock import job_for

    begun = begun or time.monotonic()
    with job_for(job, run.path.name) as shown:
        results, pictures, page = report_run(settings, run, given, shown, finished)
        shown.pause()
        say(*summary(results, page, begun, run))
    return results, pictures


def report_run(settings, run, given, job, finished=None):
    """Measures one run, repairs its decoder and writes its report; returns results, pictures and the report's page."""
    from keras_vae import report
    from keras_vae.evaluation.conclusion import conclude
    from keras_vae.evaluation.repair import Repair, repair
    from keras_vae.evaluation.sections import measure, parts
    from keras_vae.evaluation.sections.clock import expected_seconds
    from keras_vae.evaluation.subject import from_model

    config = run.read_config()
    asked = {name: getattr(settings, name) for name in data_fields(given)}
    dataset = load(dataclasses.replace(config, **asked))
    if not asked and run.trained_on() not in (None, dataset.fingerprint):
        say(f"warning: the images of {dataset.name} have changed since {run.path} was trained on them")
    for note in dataset.notes:
        say(note)
    if not os.access(run.path, os.W_OK | os.X_OK):
        raise UsageError(
            f"the report cannot be written because {run.path} is read-only: copy the run elsewhere"
        )
    checksum = run.model_checksum()
    model = load_model(run)
    steps = (*parts(settings), *(("repair",) if settings.repair else ()), "report", "explorer")
    job.plan(expected_seconds(steps, dataset, settings), run.path.name)
    measured = measure(from_model(model, run.path.name), dataset, settings, run.samplers, job)
    with run.publishing():
        repaired = Repair("not_asked")
        if settings.repair:
            with job.part("repair"):
                repaired = repair(run, model, measured, checksum, dataset.label_names or ())
        with job.part("report"):
            results = conclude(measured, repaired, source_of(settings, given, run, config))
            page = report.write_report(run.report, results, measured.pictures)
    # On other images, or if the run was trained further meanwhile, this is not what the run's files describe.
    if finished and not asked and run.model_checksum() == checksum:
        with job.part("explorer"):
            finished(run, model, dataset)
    return results, measured.pictures, page


def as_trained(settings, given):
    """Returns `settings` with the value range, classes and data rules of the decoder's training, if known.

    They come from the decoder's run, or from the description next to an exported decoder. Fields in `given`, the names
    set on the command line, are kept.
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
    """Returns the results and pictures of the model in the files of `settings`."""
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
    """Returns the data fields that are set on the command line."""
    names = {name.partition(".")[0] for name in given}
    return [field.name for field in dataclasses.fields(DataSettings) if field.name in names]


def source_of(settings, given, run, config):
    """Returns the `Source` of the measured model: a run, or the files of `settings` (`run` is their run, if any)."""
    from keras_vae.evaluation.verdict import Source
    from keras_vae.training.advice import epochs_of

    measured = () if settings.encoder or run is None else (typed_path(run.path),)
    known = set(data_fields(given))
    return Source(
        evaluated=(*measured, *to_flags(settings, given)),
        config_file=None if run is None else typed_path(run.config_file),
        config=config,
        data=tuple(to_flags(settings, {name for name in given if name.partition(".")[0] in known})),
        **epochs_of(run),
    )


def subject_of(settings, dataset):
    """Returns the `Subject` of the files of `settings`."""
    from keras_vae.evaluation.adapters import from_pair

    return from_pair(settings.encoder, settings.decoder, settings, dataset)


def summary(results, page, begun, run=None):
    """Returns the printed lines of the verdict, of the cost since `begun`, and of what can be done next."""
    from keras_vae.evaluation.verdict import Facts

    verdict, gap = results["verdict"], results["generation_gap"]
    finding, doubt = verdict["findings"][0], verdict.get("confidence_reason")
    name = verdict["name"].replace("_", " ") + (
        f": {verdict['sub_verdict'].replace('_', ' ')}" if verdict["sub_verdict"] else ""
    )
    lines = [
        "",
        f"{results['run']}: {name.upper()} (confidence: {verdict['confidence']})",
        f"  {finding['symptom']}",
        f"  {finding['evidence']}",
        f"  why: {finding['cause']}",
        *steps_in_lines(verdict["steps"]),
        f"  {verdict['continuity']}",
        f"  {verdict['completeness']}",
        *([f"  confidence: {verdict['confidence']}, because {doubt}"] if doubt else []),
        *further_findings(verdict),
    ]
    if gap.get("features") and not Facts(results).is_blind:
        rungs = ", ".join(
            f"{rung} {values['frechet']:.3g}"
            for rung, values in gap.items()
            if isinstance(values, dict) and values.get("frechet") is not None
        )
        lines.append(f"  {gap['features']['metric_name']}, n = {gap['n']:,}: {rungs}")
    if (forecast := results.get("forecast")) and "flow_matching" not in (results.get("samplers") or {}):
        lines.append(
            "  forecast for flow_matching after a minute: its samples are told from decoded codes in"
            f" {forecast['auc']:.0%} of pairs ({forecast['auc_low']:.0%} to {forecast['auc_high']:.0%})"
        )
    if results["exported"]:
        lines.append(
            f"  {results['exported']} samples from the {results['repair']['sampler']}; the previous version is kept"
        )
    if ranges := results.get("ranges"):
        lines.append(
            f"  value ranges: encoder {ranges['encoder']}, decoder {ranges['decoder']}: reconstructions leave"
            f" {ranges['unexplained']:.0%} of the variance of training images unexplained"
            " (--encoder_range, --decoder_range)"
        )
    cost = results["cost"]
    seconds = time.monotonic() - begun
    lines.append(
        f"  {seconds:.0f} s, {cost['peak_memory_bytes'] / 2**30:.1f} GiB; report: {typed_path(page)}"
    )
    if run is not None:
        lines.append(f"  explore it: {explorer_command(run.path)}")
    return lines


def further_findings(verdict):
    """Yields the printed lines of the findings after the first, with the steps that are not among its own."""
    said = {step["sentence"] for step in verdict["steps"]}
    for other in verdict["findings"][1:]:
        yield f"  also {other['name'].replace('_', ' ')}: {other['symptom']}"
        new = [step for step in other["steps"] if step["sentence"] not in said]
        said |= {step["sentence"] for step in new}
        yield from steps_in_lines(new, "then:")


def steps_in_lines(steps, first="now:"):
    """Yields the printed lines of the steps, each command below its sentence."""
    for index, step in enumerate(steps):
        yield f"  {first if index == 0 else ' ' * len(first)} {step['sentence']}"
        if step["command"]:
            yield f"       {runnable(step['command'])}"

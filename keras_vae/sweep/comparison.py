"""Compares runs: which settings vary, what was measured of each run, and what is recommended."""

import csv
import io
import math
from dataclasses import dataclass

from keras_vae.config.codec import in_texts, to_json
from keras_vae.errors import UsageError
from keras_vae.evaluation.verdict.facts import Facts
from keras_vae.model.posteriors import parse_shape
from keras_vae.report.comparison import COMPARED, harmless, latent_size, scalars
from keras_vae.report.tables import described, get, get_error, plain
from keras_vae.report.verdict import VERDICTS
from keras_vae.runtime.files import whole, write_json
from keras_vae.sweep.folder import results_of
from keras_vae.sweep.grid import REPLICATES, Axis, in_words
from keras_vae.sweep.recommendation import Candidate, recommend
from keras_vae.training.config import LOCATIONS
from keras_vae.training.run_folder import Run
from keras_vae.training.setup import default_epochs

SCHEMA_VERSION = 1
BEST = "generation_gap.best"  # the rung of the run's best sampler
RUNGS = {
    BEST: "best sampler",
    "generation_gap.prior": "prior",
    "generation_gap.reconstruction": "reconstructions",
}
OF_RUNG = ("frechet", "kid", "density", "coverage")
PRIOR_DISTANCE = "generation_gap.prior.frechet"
# Measured on other images than those that the sampler was chosen on; older results lack it.
BEST_DISTANCE = "generation_gap.best_frechet"
EXTENDED_ERROR = "extended.frechet_by_n.limit_se"


@dataclass(frozen=True)
class Member:
    """A run in a comparison.

    Attributes:
        name: The run's name.
        run: The `Run`, whose folder may not exist yet.
        settings: Its values on the axes, a dict of texts by field.
        error: Why the run failed, or None.
        results: The results of its evaluation, or None.
    """

    name: str
    run: Run
    settings: dict
    error: str | None
    results: dict | None

    @property
    def state(self):
        """Returns "done", "failed" or "unfinished"."""
        return "done" if self.results else "failed" if self.error else "unfinished"


def of_sweep(sweep):
    """Returns the axes and the `Member`s of a sweep, including runs that have not started."""
    failures = sweep.failures()
    members = [
        member_of(name, sweep.run(name), point, failures.get(name))
        for name, point in sweep.grid.points().items()
    ]
    return sweep.grid.axes, members


def member_of(name, run, settings, error=None):
    """Returns the `Member` of a run; if its results cannot be read, that is its error."""
    results, damage = results_of(run)
    return Member(name, run, settings, damage or error, results)


def of_runs(runs):
    """Returns the axes and the `Member`s of any runs; the axes are the settings that differ."""
    said = [in_texts(to_json(run.read_config())) for run in runs]
    fields = dict.fromkeys(field for settings in said for field in settings if field not in LOCATIONS)
    values = {field: list(dict.fromkeys(one[field] for one in said if field in one)) for field in fields}
    axes = tuple(Axis(field, tuple(found)) for field, found in values.items() if len(found) > 1)
    names = [run.path.resolve().name for run in runs]
    return axes, [
        member_of(
            name if names.count(name) == 1 else str(run.path),
            run,
            {axis.field: one[axis.field] for axis in axes if axis.field in one},
        )
        for name, run, one in zip(names, runs, said)
    ]


def compare(title, axes, members):
    """Returns the comparison as plain JSON values."""
    done = [member for member in members if member.results]
    metrics = [metric for metric in all_metrics() if any(measured(metric["key"], member) for member in done)]
    return plain(
        {
            "schema_version": SCHEMA_VERSION,
            "title": title,
            "datasets": sorted({str(get(member.results, "dataset")) for member in done}),
            "axes": [axis_facts(axis) for axis in axes],
            "metrics": metrics,
            "runs": [run_facts(member, metrics) for member in members],
            "recommendations": recommendations(done),
        }
    )


def axis_facts(axis):
    """Returns an axis with the position of each value on a numeric scale, or None if it is not a number."""
    return {
        "field": axis.field,
        "replicates": axis.field == REPLICATES,
        "values": [{"text": text, "place": place_of(axis.field, text)} for text in axis.values],
    }


def place_of(field, text):
    """Returns a value as a number, a latent's shape as the size of a code; None if it is not a finite number."""
    try:
        value = math.prod(parse_shape(text)) if field == "latent" else float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def all_metrics():
    """Returns all metrics that can be compared, with key, title, unit and meaning; generation comes first."""
    metrics = [
        metric(
            f"{rung}.{key}",
            f"{described(f'generation_gap.prior.{key}')[0]['title']}: {words}",
            f"generation_gap.prior.{key}",
        )
        for key in OF_RUNG
        for rung, words in RUNGS.items()
    ]
    for line in COMPARED.strip().splitlines():
        section, _, names = line.strip().partition(": ")
        for name in names.split():
            key = f"{section}.{name}"
            metrics.append(
                metric(key, f"{described(section)[0]['title']}: {described(key)[0]['title']}", key)
            )
    nats = "likelihood.nats"
    return [*metrics, metric(nats, f"Likelihood: {described(nats)[0]['title']}", nats)]


def metric(key, title, path):
    """Returns one entry of `all_metrics`, described by the results' schema for `path`."""
    node = described(path)[0]
    return {
        "key": key,
        "title": title,
        "unit": node.get("x-unit"),
        "meaning": node["description"],
        "healthy": node.get("x-healthy"),
    }


def find(results, path, getter=get):
    """Returns `getter(results, path)`, with `BEST` in the path replaced by the rung of the best sampler."""
    if path.startswith(f"{BEST}."):
        best = get(results, "generation_gap.best_sampler")
        path = ("generation_gap", best, *path.removeprefix(f"{BEST}.").split("."))
        if path[-1] == "frechet" and get(results, BEST_DISTANCE) is not None:
            path = BEST_DISTANCE
    return getter(results, path)


def measured(key, member):
    """Returns whether the results of a run contain this number."""
    value = find(member.results, key)
    return isinstance(value, int | float) and not isinstance(value, bool)


def run_facts(member, metrics):
    """Returns a run's settings, and its numbers with their standard errors."""
    results = member.results or {}
    keys = [metric["key"] for metric in metrics if member.results and measured(metric["key"], member)]
    errors = {key: find(results, key, get_error) for key in keys}
    return {
        "name": member.name,
        "state": member.state,
        "error": member.error,
        "settings": member.settings,
        "dataset": results.get("dataset"),
        "latent_size": latent_size(results) if results else None,
        "verdict": get(results, "verdict.name"),
        "best_sampler": get(results, "generation_gap.best_sampler"),
        "values": {key: find(results, key) for key in keys},
        "errors": {key: error for key, error in errors.items() if error is not None},
    }


def recommendations(done):
    """Returns one recommendation per way of measuring: distances are comparable only within one way."""
    ways = {}
    for member in done:
        if measured(f"{BEST}.frechet", member) and latent_size(member.results):
            ways.setdefault(way_of(member.results), []).append(member)
    return [
        {"dataset": dataset, "metric": metric, "n": n, **recommend(candidates(members)).to_json()}
        for (dataset, metric, n), members in ways.items()
    ] or [{"dataset": None, "metric": None, "n": None, **recommend([]).to_json()}]


def way_of(results):
    """Returns what distances depend on besides the model: the images, the features and the number of images."""
    return (
        get(results, "dataset"),
        (get(results, "generation_gap.features.metric_name") or "").replace("Frechet", "Fréchet") or None,
        get(results, "generation_gap.n"),
    )


def candidates(members):
    """Returns the `Candidate`s among runs; runs that differ only in their seed form one candidate."""
    fields = dict.fromkeys(field for member in members for field in member.settings if field != REPLICATES)
    varied = [field for field in fields if len({member.settings.get(field) for member in members}) > 1]
    named = varied or list(fields)
    alike = {}
    for member in members:
        words = in_words({field: member.settings[field] for field in named if field in member.settings})
        alike.setdefault((words, latent_size(member.results)), []).append(member)
    return [candidate(words or f"latent {size}", size, found) for (words, size), found in alike.items()]


def candidate(words, size, members):
    """Returns the `Candidate` named `words` that consists of `members`, whose codes have the same size."""
    evaluated = [member.results for member in members]
    return Candidate(
        words,
        size,
        tuple(find(results, f"{BEST}.frechet") for results in evaluated),
        tuple(own_error(results) for results in evaluated),
        tuple(prior for results in evaluated if (prior := get(results, PRIOR_DISTANCE)) is not None),
        tuple(member.name for member in members),
        tuple(map(fault_of, filter(is_unhealthy, evaluated))),
        tuple(auc for results in evaluated if (auc := auc_of_best(results)) is not None),
        any(Facts(results).is_blind for results in evaluated),
        tuple(fault_of(results) for results in evaluated if not is_usable(results)),
        advice_of(min(evaluated, key=lambda results: find(results, f"{BEST}.frechet"))),
        *steps_of(members),
    )


def is_usable(results):
    """Returns whether the verdict allows the use of the model, if need be with its best fitted sampler."""
    name = get(results, "verdict.name")
    is_bad = VERDICTS.get(name, ("", "", "none"))[2] == "bad"
    return not is_bad or (name == "prior_hole" and Facts(results).is_repaired is True)


def advice_of(results):
    """Returns the sentences of the verdict's steps as one text, or None."""
    steps = get(results, "verdict.steps") or []
    return " ".join(step["sentence"] for step in steps) or get(results, "verdict.remedy")


def steps_of(members):
    """Returns the optimizer steps of the shortest training and those of a training by default; (None, None) if unknown.

    A training that ended because the held-out loss no longer improved was as long as it had to be.
    """
    known = [steps for member in members if (steps := steps_of_run(member)) is not None]
    return min(known) if known else (None, None)


def steps_of_run(member):
    """Returns the steps of a run and those of a training by default, or None."""
    try:
        config, rows = member.run.read_config(), member.run.history_file.read_text().splitlines()
    except (OSError, UsageError):
        return None
    images = get(member.results, "num_train")
    epochs = len(rows) - 1
    if not images or (config.patience is not None and epochs < (config.epochs or 0)):
        return None
    per_epoch = math.ceil(images / config.batch_size)
    return epochs * per_epoch, default_epochs(per_epoch) * per_epoch


def auc_of_best(results):
    """Returns the AUC of a classifier between the best sampler's samples and decoded codes; None if not measured."""
    return get(results, ("told_apart", get(results, "generation_gap.best_sampler") or "prior", "auc"))


def is_unhealthy(results):
    """Returns whether there is a verdict other than "healthy"."""
    return get(results, "verdict.name") not in (None, "healthy")


def fault_of(results):
    """Returns the verdict in words."""
    name = get(results, "verdict.name")
    return VERDICTS[name][1].lower() if name in VERDICTS else str(name)


def own_error(results):
    """Returns the standard error of the best sampler's distance; older results have it only with --extended."""
    if get(results, BEST_DISTANCE) is not None:
        return get(results, f"{BEST_DISTANCE}_se")
    return (get(results, EXTENDED_ERROR) or {}).get(get(results, "generation_gap.best_sampler"))


def csv_of(axes, members):
    """Returns CSV with one row per run: its settings, and every number and text of its results."""
    rows = []
    for member in members:
        row = {"run": member.name, "state": member.state, "error": member.error or ""}
        row |= {f"over.{axis.field}": member.settings.get(axis.field, "") for axis in axes}
        if member.results:
            row |= {f"{BEST}.{key}": find(member.results, f"{BEST}.{key}") for key in OF_RUNG}
            row |= {key: value for key, value in scalars(member.results) if key != "run"}
        rows.append(row)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: harmless(value) for key, value in row.items()} for row in rows)
    return file.getvalue()


def write_comparison(folder, title, axes, members):
    """Writes `comparison.json`, `.csv` and `.html` into `folder`; returns the comparison and the page's path."""
    from keras_vae.sweep.page import comparison_page

    comparison, table = compare(title, axes, members), csv_of(axes, members)
    write_json(folder / "comparison.json", comparison)
    texts = {
        "comparison.csv": table,
        "comparison.html": comparison_page(comparison, table, members, folder),
    }
    for name, text in texts.items():
        with whole(folder / name) as temporary:
            temporary.write_text(text, "utf-8", "replace")
    return comparison, folder / "comparison.html"

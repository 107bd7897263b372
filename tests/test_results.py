"""The types of the results: what may be written, what can be read back, and that every path in use exists."""

import ast
import json
import pathlib
import re

import jsonschema
import pytest
from test_report import spread_code

import keras_vae
from keras_vae import report
from keras_vae.errors import UsageError
from keras_vae.evaluation.results import Results
from keras_vae.evaluation.results.file import check, read_results
from keras_vae.evaluation.results.schema import results_schema
from keras_vae.report.comparison import COMPARED
from keras_vae.report.tables import described, get, get_error, plain, table, value_of
from keras_vae.sweep.comparison import BEST

ROOT = pathlib.Path(keras_vae.__file__).parent


def changed(path, value):
    """Results with one entry replaced; a callable gets the old value."""
    results = spread_code()
    *sections, name = path.split(".")
    node = results
    for section in sections:
        node = node[section]
    node[name] = value
    return results


def read(folder, results):
    """What is read back of results that are in a file."""
    path = folder / "results.json"
    path.write_text(json.dumps(results), "utf-8")
    return read_results(path)


# Writing


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("latent.pc59", 98, "latent.pc59"),
        ("rate_distortion.rate", "466", "rate_distortion.rate"),
        ("rate_distortion.rate", True, "rate_distortion.rate"),
        ("latent.pc95", 98.5, "latent.pc95"),
        ("latent", [], "latent"),
        ("generation_gap.mixture.freshet", 3.0, "generation_gap.mixture.freshet"),
        ("generation_gap.gapp", 3.0, "generation_gap.gapp"),
        ("verdict.name", "fine", "verdict.name"),
        ("completeness.by_rung.prior", 0.98, "completeness.by_rung.prior"),
        ("told_apart", {"prior": {"auk": 0.9}}, "told_apart.prior.auk"),
    ],
)
def test_a_misspelt_name_or_a_wrong_type_is_not_written(tmp_path, path, value, named):
    with pytest.raises(ValueError, match=rf"^{re.escape(named)}: "):
        report.write_report(tmp_path, changed(path, value), {})
    assert list(tmp_path.iterdir()) == []


def test_complete_results_are_typed():
    results = Results.model_validate(plain(spread_code()))
    assert results.latent.pc95 == 98
    assert results.generation_gap.mixture.frechet == 13.2
    assert results.generation_gap.mixture.frechet_se is None
    assert results.told_apart is None


# Reading


def test_what_was_written_is_read_as_it_is(tmp_path):
    results = json.loads(json.dumps(spread_code()))
    results["generation_gap"]["spline_flow"] = results["generation_gap"]["mixture"]
    assert read(tmp_path, results) == results


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("beauty", 0.7),
        ("latent.beauty", {"inner": [1]}),
        ("generation_gap.beauty", 0.7),
        ("generation_gap.mixture.beauty", 0.7),
        ("prior_mismatch.norms.histogram.beauty", None),
        ("samplers.mixture.beauty", 0.7),
        ("cost.beauty", []),
    ],
)
def test_entries_of_a_later_version_are_dropped(tmp_path, path, value):
    assert read(tmp_path, changed(path, value)) == json.loads(json.dumps(spread_code()))


def test_entries_may_be_missing_and_a_verdict_may_be_a_later_one(tmp_path):
    results = {"run": "a", "verdict": {"name": "haunted"}, "latent": {"pc95": 3}, "likelihood": None}
    assert read(tmp_path, results) == results


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("latent", 3),
        ("latent.pc95", "98"),
        ("latent.pc95", 98.0),
        ("latent.pc95", True),
        ("latent.pc95", 10**400),
        ("rate_distortion.rate", 10**400),
        ("rate_distortion.rate", float("nan")),
        ("rate_distortion.rate", float("-inf")),
        ("run", None),
        ("verdict.name", 7),
        ("generation_gap.mixture", 3),
        ("generation_gap.real.frechet", [6.2]),
        ("generation_gap.spline_flow", {"frechet": "13.2"}),
        ("reasons.latent", None),
        ("memorisation.copies", 0),
    ],
)
def test_an_entry_of_another_type_is_refused_with_its_name(tmp_path, path, value):
    with pytest.raises(
        UsageError, match=rf"results\.json: {re.escape(path)}(\.frechet)? does not have the type"
    ):
        read(tmp_path, changed(path, value))


def test_the_place_in_a_list_is_named(tmp_path):
    results = spread_code()
    results["cost"]["steps"][2]["seconds"] = "2"
    with pytest.raises(UsageError, match=r"cost\.steps\.2\.seconds"):
        read(tmp_path, results)


# The schema


def test_one_section_is_generated_as_it_should_be():
    node = results_schema()["properties"]["prior_mismatch"]["properties"]["signal_radius"]
    assert node["title"] == "Signal radius"
    assert node["type"] == ["object", "null"]
    assert node["additionalProperties"] is False
    assert node["required"] == ["dims", "prior", "posterior", "ratio"]
    assert node["properties"]["ratio"] == {
        "title": "Ratio",
        "description": "Prior radius divided by posterior radius. At 1 both are the same; at 0.3, prior draws carry a"
        " signal 3.4 times weaker than codes do.",
        "type": ["number", "null"],
        "x-healthy": "above 0.8",
        "minimum": 0,
    }


def test_a_range_is_in_the_schema_and_costs_no_report():
    results = plain(changed("completeness.dead_zone", 1.0000001))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(results, results_schema())
    check(results)


NUMBERS_WITH_AN_ERROR = """
    rate_distortion: rate distortion elbo train_elbo
    reconstruction.test: mse distortion unexplained
    prior_mismatch: nats auc
    generation_gap: gap gap_ratio repaired_fraction
    generation_gap.real: frechet kid density coverage
    generation_gap.spline_flow: frechet kid density coverage
    completeness: dead_zone
    memorisation: elbo_gap elbo_gap_fraction
    told_apart.prior: auc
    likelihood: nats moved bias
"""
SECTIONS_OF = [line.partition(":")[0].strip() for line in NUMBERS_WITH_AN_ERROR.splitlines()]


def paths_in(lists):
    """The dotted paths in lines of `section: names`."""
    for line in lists.strip().splitlines():
        section, _, names = line.strip().partition(": ")
        yield section
        yield from (f"{section}.{name}" for name in names.split())


@pytest.mark.parametrize(
    "path", [path for path in paths_in(NUMBERS_WITH_AN_ERROR) if path not in SECTIONS_OF]
)
def test_a_number_has_room_for_its_error(path):
    section, _, name = path.rpartition(".")
    path, error = ((*section.split("."), key) for key in (name, f"{name}_se"))
    assert described(error)[0]["type"] == ["number", "null"]
    assert described(error)[0]["title"] == f"{described(path)[0]['title']}, standard error"


# Paths


READERS = {
    "get": 1,
    "value_of": 1,
    "table": 1,
    "matrix": 1,
    "link": 0,
    "described": 0,
    "points": 0,
    "healthy": 0,
}
SECTIONS = {name for name, node in results_schema()["properties"].items() if "object" in node["type"]}


def used_paths(file):
    """The paths into results that a file has: arguments of what reads them, and texts that begin like one."""
    tree = ast.parse(file.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in READERS:
            place = READERS[node.func.id]
            argument = node.args[place] if len(node.args) > place else None
            if isinstance(argument, ast.Constant):
                yield argument.value
            elif isinstance(argument, ast.JoinedStr) and isinstance(argument.values[0], ast.Constant):
                yield argument.values[0].value.rpartition(".")[0]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            root = node.value.partition(".")[0]
            if re.fullmatch(r"\w+(\.\w+)+", node.value) and root in SECTIONS:
                yield node.value


FILES = [file for room in ("report", "sweep") for file in sorted((ROOT / room).glob("*.py"))]
NO_PATHS = {BEST}  # replaced by the rung of the best sampler
USED = {*paths_in(COMPARED), *(path for file in FILES for path in used_paths(file))} - NO_PATHS


def test_the_paths_in_use_are_found():
    assert len(USED) > 60
    assert {"latent.pc95", "generation_gap.prior.frechet", "cost.steps", "extended.cell_z.rungs"} <= USED


@pytest.mark.parametrize("path", sorted(USED))
def test_a_path_in_use_exists(path):
    described(path)


@pytest.mark.parametrize(
    "path",
    [
        "latent.pc59",
        "latnt.pc95",
        "latent.pc95.value",
        "generation_gap.prior.freshet",
        "generation_gap.repaired_fracton",
        "",
        "verdict.findings.name",
    ],
)
def test_a_misspelt_path_raises(path):
    with pytest.raises(KeyError, match="results have no entry"):
        get(spread_code(), path)


def test_a_name_from_data_may_hold_a_dot():
    results = spread_code()
    results["generation_gap"]["flow.2"] = results["generation_gap"]["mixture"]
    assert get(results, ("generation_gap", "flow.2", "frechet")) == 13.2
    assert get(results, ("generation_gap", "flow.3", "frechet")) is None


# Errors and intervals in the report


def shown(results, path):
    return re.sub(r"<.*?>", "", value_of(results, path))


def test_an_interval_is_shown_with_its_number_and_not_as_one():
    results = spread_code()
    results["generation_gap"].update(gap_ratio_low=31.2, gap_ratio_high=74.0, gap_se=12.0)
    assert shown(results, "generation_gap.gap_ratio") == "49.6 (31.2 to 74.0)"
    assert shown(results, "generation_gap.gap") == "426 ± 12"
    assert get_error(results, "generation_gap.gap") == 12.0
    made = table(results, "generation_gap", "The gap", skip=("real",))
    assert "lower limit" not in made
    assert ", standard error" not in made


def test_a_lower_limit_alone_says_at_least():
    results = spread_code()
    results["told_apart"] = {"prior": {"tv": 0.95, "tv_low": 0.91}}
    assert shown(results, ("told_apart", "prior", "tv")) == "95.0% (at least 91.0%)"

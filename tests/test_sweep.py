"""Sweeps: what a command line means, what is recommended, and what is compared; without training."""

import csv
import dataclasses
import io
import json
import os
import resource
import subprocess
import sys
import threading

import pytest
from sweep_runs import leave, results_of, swept

from keras_vae.cli.sweep import compared, default_name, main, recommended
from keras_vae.errors import UsageError
from keras_vae.parallel import slots as places
from keras_vae.parallel.schedulers import chosen
from keras_vae.parallel.task import why_failed
from keras_vae.sweep.comparison import candidates, compare, is_usable, of_runs, of_sweep, way_of
from keras_vae.sweep.folder import Sweep
from keras_vae.sweep.grid import Axis, Grid, Trial, names_of
from keras_vae.sweep.one_run import claimed
from keras_vae.sweep.recommendation import Candidate, recommend
from keras_vae.training.run_folder import Run


def grid(*overs, flags=()):
    return Grid(tuple(flags), tuple(Axis.read(text) for text in overs))


# The grid


def test_a_grid_has_every_combination_and_one_of_everything_before_the_second_seed():
    trials = grid("seed=0,1", "latent=2,8x8x4").trials()
    assert list(trials) == [
        "seed-0_latent-2",
        "seed-0_latent-8x8x4",
        "seed-1_latent-2",
        "seed-1_latent-8x8x4",
    ]
    assert [(trial.seed, trial.latent) for trial in trials.values()] == [
        (0, (2,)),
        (0, (8, 8, 4)),
        (1, (2,)),
        (1, (8, 8, 4)),
    ]


def test_components_their_fields_lists_switches_and_evaluation_can_be_swept():
    trials = grid(
        "objective.beta=1,4",
        "network.widths=16,32;64",
        "deterministic=true,false",
        "nll_samples=0,7",
        flags=("--objective", "beta_vae", "--samplers", "gaussian,flow"),
    ).trials()
    assert len(trials) == 16
    trial = trials["beta-4_widths-16-32_deterministic-true_nll_samples-7"]
    assert (trial.objective.beta, trial.network.widths, trial.deterministic) == (4.0, (16, 32), True)
    training, evaluation = trial.training("run", "folder"), trial.evaluation()
    assert (training.name, training.output, training.objective.beta) == ("run", "folder", 4.0)
    assert (evaluation.nll_samples, evaluation.samplers, evaluation.seed) == (7, ("gaussian", "flow"), 0)


def test_a_flag_may_belong_to_a_component_that_is_swept():
    trials = grid("objective=beta_vae,beta_tcvae", flags=("--objective.beta", "4")).trials()
    assert {trial.objective.beta for trial in trials.values()} == {4.0}


def test_a_field_is_left_out_where_the_component_does_not_have_it():
    trials = grid("objective=autoencoder,vae,beta_vae", "objective.beta=2,4", "seed=0,1").trials()
    assert [name for name in trials if name.endswith("seed-0")] == [
        "objective-autoencoder_seed-0",
        "objective-vae_seed-0",
        "objective-beta_vae_beta-2_seed-0",
        "objective-beta_vae_beta-4_seed-0",
    ]
    assert len(trials) == 8
    assert trials["objective-beta_vae_beta-4_seed-1"].objective.beta == 4.0


def test_a_list_may_be_empty():
    trials = grid("augment=empty,shift").trials()
    assert [trial.augment for trial in trials.values()] == [(), ("shift",)]


def test_a_name_says_which_field_it_means_where_two_end_alike():
    assert list(names_of([{"objective.weight": "1", "prior.weight": "2"}])) == [
        "objective-weight-1_prior-weight-2"
    ]


def test_names_are_folders_and_no_two_are_alike():
    names = list(names_of([{"dataset": text} for text in ("a/b", "a b", "../é", "x" * 300, "x" * 301)]))
    assert len(set(names)) == 5
    assert all(name == os.path.basename(name) and len(name) < 130 for name in names)


BAD = {
    "no_values": (["--over", "latent"], "expected FIELD=VALUE,VALUE"),
    "unknown": (["--over", "latnt=2,8"], "unknown option --latnt (did you mean --latent?)"),
    "value": (["--over", "latent=2,8x8x0"], "latent 8x8x0: --latent '8x8x0': latent is 8x8x0"),
    "number": (
        ["--over", "epochs=1,few", "--over", "seed=0,1"],
        "epochs few, seed 0: --epochs: 'few' is not",
    ),
    "stranger": (
        ["--over", "objective=vae,beta_vae", "--objective.beta", "2"],
        "objective vae: --objective.beta belongs to",
    ),
    "nobodys": (
        ["--over", "objective=vae,autoencoder", "--over", "objective.beta=1,4"],
        "objective vae, objective.beta 1: --objective.beta belongs to",
    ),
    "the_sweeps": (["--over", "jobs=1,2"], "--over jobs: it applies to the sweep as a whole"),
    "shared": (["--over", "latent=2,8", "--epochs", "x"], "error: --epochs: 'x' is not a whole number"),
    "evaluation": (["--over", "latent=2", "--nll_samples=-5"], "error: nll_samples is -5"),
    "twice": (["--over", "latent=2,2"], "2 is given twice"),
    "alike": (["--over", "latent=2,02"], "latent 2 and latent 02 are the same run"),
    "two_axes": (["--over", "latent=2", "--over", "latent=8"], "--over latent is given twice"),
    "both": (["--over", "latent=2,8", "--latent", "4"], "--latent and --over latent are both given"),
    "name": (["--over", "name=a,b"], "runs are named after what varies"),
    "foreign": (["--over", "latent=2", "--encoder", "e"], "unknown option --encoder"),
    "thousands": (
        ["--over", "latent=" + ",".join(map(str, range(1, 1003)))],
        "the grid has 1,002 runs: give --yes",
    ),
    "nothing": (["--dataset", "digits"], "nothing is swept"),
    "jobs": (["--over", "latent=2,8", "--jobs", "0"], "--jobs is 0"),
    "scheduler": (["--over", "latent=2,8", "--scheduler", "lokal"], "expected local, an address such as tcp"),
    "cluster_jobs": (
        ["--over", "latent=2,8", "--scheduler", "tcp://a:1", "--jobs", "2"],
        "--jobs is 2, but the runs of --scheduler tcp://a:1 are counted by its workers",
    ),
    "no_sweep": (["elsewhere"], "elsewhere is not a sweep"),
    "changed": (["elsewhere", "--epochs", "3"], "the settings of a resumed sweep cannot change"),
    "no_runs": (["--compare", "."], "contains no run"),
    "no_images": (["--over", "dataset=digits,./missing"], "missing: there is no such file or folder"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_ends_with_2_and_one_line_before_anything_runs(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    arguments, said = BAD[name]
    with pytest.raises(SystemExit) as end:
        main(arguments)
    out, err = capsys.readouterr()
    assert (end.value.code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("keras-vae sweep: error: ")
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_help_has_everything_within_a_second_and_without_tensorflow(tmp_path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = "import sys, keras_vae_commands; from keras_vae.cli.sweep import main\ntry: main(['--help', 'all'])\nfinally: assert 'tensorflow' not in sys.modules"
    process = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (process.returncode, process.stderr) == (0, "")
    for flag in (
        "--over",
        "--jobs",
        "--scheduler",
        "--compare",
        "--latent",
        "--nll_samples",
        "--objective.beta",
    ):
        assert flag in process.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.5


# The folder


def test_the_same_sweep_goes_on_and_another_gets_a_folder_of_its_own(tmp_path):
    first = Sweep.create(grid("latent=2,8"), tmp_path, "sweep", asked=False)
    assert Sweep.create(grid("latent=2,8"), tmp_path, "sweep", asked=True).path == first.path
    assert Sweep.create(grid("latent=2"), tmp_path, "sweep", asked=False).path.name == "sweep-2"
    with pytest.raises(UsageError, match="already exists and is not this sweep"):
        Sweep.create(grid("latent=2"), tmp_path, "sweep", asked=True)
    assert Sweep.open(first.path).grid == first.grid


def test_a_sweep_is_held_by_one_process(tmp_path):
    sweep = Sweep.create(grid("latent=2"), tmp_path, "sweep", asked=False)
    with (
        sweep.held(),
        pytest.raises(UsageError, match="in use by another process"),
        Sweep.open(sweep.path).held(),
    ):
        pass


def test_two_processes_do_not_work_on_the_same_run(tmp_path, capsys):
    (tmp_path / "log").touch()
    entered = threading.Event()

    def second():
        with claimed(tmp_path / "log"):
            entered.set()

    with claimed(tmp_path / "log"):
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.5)
    assert entered.wait(60)
    thread.join()
    assert capsys.readouterr().out == "waiting for another process that works on this run\n"


def test_a_cluster_without_dask_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "keras_vae.parallel.cluster", raising=False)
    with pytest.raises(
        UsageError, match=r"needs Dask, which is not installed: pip install --editable '\.\[cluster\]'"
    ):
        chosen("tcp://127.0.0.1:9", None)


def test_a_run_that_was_killed_or_refused_says_so():
    assert why_failed(-9, b"epoch 1/4\n") == "killed by signal 9 (out of memory?)"
    assert why_failed(2, b"x\nkeras-vae sweep: error: loss became nan\n\n") == "loss became nan"
    assert why_failed(1, b"Traceback\n  File\nValueError: no\n") == "ValueError: no"
    assert why_failed(3, b"") == "it ended with code 3 and no output"


def test_runs_get_a_gpu_each_or_a_share_of_the_cores(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    assert [place.gpu for place in places.find_places()] == ["0", "3"]
    assert [place.environment()["CUDA_VISIBLE_DEVICES"] for place in places.find_places(3)] == ["0", "3", "0"]
    assert places.find_places(3)[0].environment()["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    monkeypatch.setattr(places, "available_cores", lambda: [2, 4, 5, 7])
    assert places.find_places() == [places.Slot()]
    assert [place.cores for place in places.find_places(3)] == [(2, 7), (4,), (5,)]
    with pytest.raises(UsageError, match="there are 4 cores"):
        places.find_places(5)


# The recommendation


def candidate(size, *distances, words=None, errors=None, priors=()):
    return Candidate(words or f"latent {size}", size, distances, errors or (None,) * len(distances), priors)


def test_the_smallest_within_one_standard_error_of_the_best_is_recommended():
    # Best: mean 1.0, error sqrt(0.02 / 2) = 0.1, so that up to 1.1 is as good.
    best = candidate(128, 0.9, 1.1)
    found = recommend([candidate(2, 3.0, 3.0), candidate(8, 1.05, 1.15), candidate(32, 1.0, 1.02), best])
    assert (found.words, found.size, found.best) == ("latent 8", 8, "latent 128")
    assert found.best_error == pytest.approx(0.1)
    assert found.threshold == pytest.approx(1.1)
    assert (found.distance, found.seeds) == (pytest.approx(1.1), 2)
    assert "The next smaller latent is worse: latent 2" in found.reason
    assert "a larger one may do better" in found.reason


def test_just_beyond_one_standard_error_is_not_within_it():
    assert recommend([candidate(8, 1.101, 1.101), candidate(128, 0.9, 1.1)]).size == 128


def test_of_equal_sizes_the_better_is_recommended_and_the_other_is_named():
    found = recommend(
        [candidate(8, 1.05, 1.05, words="a"), candidate(8, 1.0, 1.2, words="b"), candidate(32, 0.9, 1.1)]
    )
    assert found.words == "a"
    assert "at the same size: b" in found.reason


def test_of_equal_distances_the_smaller_is_best():
    assert recommend([candidate(32, 1.0), candidate(8, 1.0)]).best == "latent 8"


def test_one_seed_gives_no_error_and_the_reason_says_so():
    found = recommend([candidate(8, 1.0001), candidate(32, 1.0)])
    assert (found.size, found.error) == (32, None)
    assert "only one seed and therefore no standard error" in found.reason


def test_one_seed_with_the_error_of_its_evaluation_is_judged_by_that():
    found = recommend([candidate(8, 1.05), candidate(32, 1.0, errors=(0.1,))])
    assert (found.size, found.threshold) == (8, pytest.approx(1.1))
    assert "not the randomness of training" in found.reason


def test_the_reason_names_the_bound_and_what_two_seeds_are_worth():
    few, many = (recommend([candidate(2, 3.0), candidate(8, *(0.9, 1.1) * pairs)]) for pairs in (1, 2))
    assert "(within one standard error: up to 1.1)" in few.reason
    assert "from 2 seeds is itself uncertain" in few.reason
    assert "uncertain" not in many.reason


def test_a_prior_that_generates_worse_is_named():
    assert "with the prior, the distance is 2.5" in recommend([candidate(8, 1.0, priors=(2.0, 3.0))]).reason
    assert "prior" not in recommend([candidate(8, 1.0, priors=(1.0,))]).reason


def test_what_is_recommended_is_not_called_well_where_it_is_not(tmp_path):
    found = compared(swept(tmp_path / "sweep"))[0]["recommendations"][0]
    assert "It has problems: patchy." in found["reason"]
    assert "problems" not in recommend([candidate(8, 1.0)]).reason


def judged(size, distance, *unusable, **rest):
    return Candidate(f"latent {size}", size, (distance,), (0.01,), unusable=unusable, **rest)


def test_a_model_with_a_bad_verdict_is_not_recommended_however_low_its_distance():
    found = recommend([judged(2, 0.1, "prior hole"), judged(8, 1.0), judged(32, 1.005)])
    assert (found.words, found.best, found.threshold) == ("latent 8", "latent 8", 1.01)
    assert "Left out because of their verdicts: latent 2 (prior hole)." in found.reason
    assert (found.title, found.tone) == ("latent 8", "good")


def test_most_seeds_have_to_be_usable():
    seeds = {"size": 8, "distances": (1.0, 1.0, 1.0), "errors": (None,) * 3}
    assert Candidate("a", **seeds, unusable=("prior hole",)).is_usable
    assert not Candidate("a", **seeds, unusable=("prior hole",) * 2).is_usable


def test_where_no_setting_is_usable_none_is_recommended_and_the_reason_and_a_way_are_named():
    found = recommend(
        [
            judged(2, 0.1, "prior hole", advice="Retrain with a latent size of 4."),
            judged(8, 1.0, "overfitted"),
        ]
    )
    assert (found.words, found.size, found.tone) == (None, None, "bad")
    assert found.title == "None of these settings is usable"
    assert "prior hole (1 of 2 runs) and overfitted (1 of 2 runs)" in found.reason
    assert "By distance alone, latent 2 (0.100 ± 0.010) is first" in found.reason
    assert found.reason.endswith("by the verdict on latent 2: Retrain with a latent size of 4.")


@pytest.mark.parametrize(("steps", "is_said"), [(345, True), (1499, True), (1500, False), (None, False)])
def test_short_trainings_are_said(steps, is_said):
    good = recommend([judged(8, 1.0, steps=steps, enough=3000)])
    bad = recommend([judged(8, 1.0, "prior hole", steps=steps, enough=3000, advice="Do it.")])
    for found in (good, bad):
        assert ("Training was short" in found.reason) == is_said
    assert ("Do it." in bad.reason) != is_said  # first train, then judge
    assert good.tone == ("fair" if is_said else "good")


def test_a_sweep_of_broken_models_recommends_none(tmp_path):
    """Four runs of 15 epochs with 23 steps each, all with a prior hole."""
    sweep = Sweep.create(
        grid("latent=2,8", "seed=0,1", flags=("--epochs", "15")), tmp_path, "sweep", asked=True
    )
    for name, trial in sweep.grid.trials().items():
        run = sweep.run(name)
        leave(run, {**results_of(name, trial.latent[0], 0.1, verdict="prior_hole"), "num_train": 1437})
        run.write_config(dataclasses.replace(trial.training(name, tmp_path), epochs=15))
        run.history_file.write_text("epoch\n" + "1\n" * 15)
    comparison = compared(sweep)[0]
    (found,) = comparison["recommendations"]
    assert (found["words"], found["runs"]) == (None, [])
    assert "prior hole (4 of 4 runs)" in found["reason"]
    # 1437 images in batches of 64 are 23 steps; 131 epochs of these are the first that reach 3,000.
    assert "345 steps, where the default is about 3,013" in found["reason"]
    assert "recommended: none of these settings is usable" in recommended(comparison)


def test_a_hole_that_a_fitted_sampler_repairs_is_usable():
    auc = {"auc_se": 0.005, "n": 2000}
    results = results_of("a", 8, 0.1, verdict="prior_hole")
    results["told_apart"] = {
        "prior": {"auc": 0.99, **auc},
        "planted": {"auc": 0.9, **auc},
        "posterior": {"auc": 0.5, **auc},
    }
    for value, expected in ((0.52, True), (0.9, False)):
        results["told_apart"]["mixture"] = {"auc": value, **auc}
        assert is_usable(results) == expected
    assert is_usable({"verdict": {"name": "patchy"}})
    assert not is_usable({"verdict": {"name": "collapsed"}})


def test_results_of_the_old_spelling_are_compared_with_new_ones():
    ways = set()
    for word in ("Frechet", "Fréchet"):
        results = results_of("a", 8, 0.1)
        results["generation_gap"]["features"]["metric_name"] = f"{word} distance, classifier features"
        ways.add(way_of(results))
    assert len(ways) == 1


def test_one_setting_is_not_called_the_best():
    assert recommend([candidate(8, 1.0)]).reason.startswith("It is the only setting that was tried: ")


def test_where_nothing_was_evaluated_nothing_is_recommended():
    assert recommend([]).words is None
    assert "No run has been evaluated" in recommend([]).reason


# The comparison


def test_a_sweep_is_compared_over_its_seeds(tmp_path):
    comparison, page = compared(swept(tmp_path / "sweep"))
    (found,) = comparison["recommendations"]
    # VAE, latent 32: 0.02 and 0.022, so 0.021 +- 0.001; latent 8: 0.0205 and 0.02255, mean 0.021525.
    assert (found["words"], found["best"]) == ("latent 8, objective vae", "latent 32, objective vae")
    assert found["threshold"] == pytest.approx(0.022)
    assert json.loads((page.parent / "comparison.json").read_text()) == comparison
    run = next(run for run in comparison["runs"] if run["name"] == "latent-8_objective-vae_seed-1")
    assert run["values"]["generation_gap.best.frechet"] == pytest.approx(0.02255)
    assert run["values"]["generation_gap.prior.frechet"] == pytest.approx(3 * 0.02255)
    assert run["errors"]["rate_distortion.rate"] == 0.2


def test_the_csv_has_a_row_a_run_with_settings_and_numbers(tmp_path):
    sweep = swept(tmp_path / "sweep", failed={"latent-2_objective-vae_seed-0": "=broken"})
    compared(sweep)
    rows = list(csv.DictReader(io.StringIO((sweep.path / "comparison.csv").read_text())))
    assert [row["run"] for row in rows] == list(sweep.grid.points())
    by_name = {row["run"]: row for row in rows}
    failed = by_name["latent-2_objective-vae_seed-0"]
    assert (failed["state"], failed["error"], failed["rate_distortion.rate"]) == ("failed", "'=broken", "")
    row = by_name["latent-32_objective-vae_seed-1"]
    assert (row["over.latent"], row["over.objective"], row["over.seed"]) == ("32", "vae", "1")
    assert float(row["generation_gap.best.frechet"]) == pytest.approx(0.022)


@pytest.mark.parametrize("text", [None, "{}{", '{"latent": 3}'])
def test_a_run_whose_results_are_lost_or_damaged_is_measured_again_and_stops_no_page(tmp_path, text):
    sweep = swept(tmp_path / "sweep")
    name = "latent-2_objective-vae_seed-0"
    for done in sweep.grid.points():
        assert sweep.is_done(done)
    results = sweep.run(name).report / "results.json"
    results.unlink() if text is None else results.write_text(text)
    assert not sweep.is_done(name)
    runs = {run["name"]: run for run in compared(sweep)[0]["runs"]}
    assert runs[name]["state"] == ("unfinished" if text is None else "failed")
    assert text is None or str(results) in runs[name]["error"]
    assert sum(run["state"] == "done" for run in runs.values()) == 11


def test_a_sweep_of_many_fields_has_a_name_that_a_folder_can_have():
    fields = [f"network.{name}" for name in ("widths", "depth", "kernel_size", "dense", "activation")] * 9
    axes = tuple(Axis(f"{field}{number}", ("1",)) for number, field in enumerate(fields))
    assert len(default_name(Trial(), Grid((), axes))) <= 120


def test_a_sweep_whose_runs_all_failed_recommends_nothing_and_has_its_page(tmp_path):
    names = list(grid("latent=2,8,32", "objective=autoencoder,vae", "seed=0,1").points())
    comparison, page = compared(swept(tmp_path / "sweep", failed=dict.fromkeys(names, "no")))
    assert {run["state"] for run in comparison["runs"]} == {"failed"}
    assert comparison["recommendations"][0]["words"] is None
    assert page.is_file()


def test_distances_of_different_datasets_are_not_compared(tmp_path):
    sweep = Sweep.create(grid("dataset=digits,sprites", "latent=2,8"), tmp_path, "sweep", asked=True)
    for name, point in sweep.grid.points().items():
        distance = {"digits": 1.0, "sprites": 5.0}[point["dataset"]] / int(point["latent"])
        leave(sweep.run(name), results_of(name, int(point["latent"]), distance, dataset=point["dataset"]))
    found = compare("sweep", *of_sweep(sweep))["recommendations"]
    assert [(one["dataset"], one["size"]) for one in found] == [("digits", 8), ("sprites", 8)]
    # What all of them share, here the dataset, is not said again.
    assert [(one["words"], one["runs"]) for one in found] == [
        ("latent 8", ["dataset-digits_latent-8"]),
        ("latent 8", ["dataset-sprites_latent-8"]),
    ]
    assert (
        "recommended for sprites (Fréchet distance, classifier features, n = 180): latent 8"
        in recommended(compare("sweep", *of_sweep(sweep)))
    )


def test_the_evaluations_own_error_is_that_of_the_best_sampler(tmp_path):
    sweep = Sweep.create(grid("latent=2,8"), tmp_path, "sweep", asked=True)
    for name, point in sweep.grid.points().items():
        leave(sweep.run(name), results_of(name, int(point["latent"]), 0.1, error=0.03))
    assert [found.error for found in candidates(of_sweep(sweep)[1])] == [0.03, 0.03]


def test_runs_are_compared_by_the_distance_that_the_choice_of_the_sampler_does_not_flatter(tmp_path):
    sweep = Sweep.create(grid("latent=2,8"), tmp_path, "sweep", asked=True)
    for name, point in sweep.grid.points().items():
        results = results_of(name, int(point["latent"]), 0.1, error=0.03)
        results["generation_gap"] |= {"best_frechet": 0.12, "best_frechet_se": 0.02}
        leave(sweep.run(name), results)
    found = candidates(of_sweep(sweep)[1])
    assert [(one.distances, one.error) for one in found] == [((0.12,), 0.02)] * 2


def test_settings_that_differ_are_written_as_one_types_them(tmp_path):
    runs = []
    for name, point in (
        grid("augment=empty,shift", "deterministic=true,false", "epochs=none,3").trials().items()
    ):
        runs.append(Run(tmp_path / name))
        leave(runs[-1], results_of(name, 2, 0.1))
        runs[-1].write_config(point.training(name, tmp_path))
    assert {axis.field: set(axis.values) for axis in of_runs(runs)[0]} == {
        "augment": {"empty", "shift"},
        "deterministic": {"true", "false"},
        "epochs": {"none", "3"},
    }


def test_a_run_that_is_given_twice_is_there_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, point in grid("latent=2,8").trials().items():
        leave(Run(tmp_path / name), results_of(name, point.latent[0], 0.1))
        Run(tmp_path / name).write_config(point.training(name, tmp_path))
    main(["--compare", "latent-2", ".", "--output", "out"])
    assert capsys.readouterr().out.startswith("2 of 2 runs compared\n")


def test_any_runs_are_compared_by_the_settings_that_differ(tmp_path):
    runs = []
    for name, point in grid("objective=beta_vae,autoencoder", "latent=2,8").trials().items():
        run = Run(tmp_path / name)
        leave(run, results_of(name, point.latent[0], 0.1))
        run.write_config(point.training(name, tmp_path))
        runs.append(run)
    axes, members = of_runs(runs)
    assert {axis.field: axis.values for axis in axes} == {
        "latent": ("2", "8"),
        "objective": ("beta_vae", "autoencoder"),
    }
    assert members[3].settings == {"latent": "8", "objective": "autoencoder"}


def test_a_recommendation_says_how_surely_samples_are_told_apart_and_when_distances_are_blind():
    seen = Candidate("latent 8", 8, (0.1,), (0.01,), aucs=(0.9, 0.94))
    reason = recommend([seen]).reason
    assert "from decoded codes in 92% of pairs" in reason
    assert "fog" not in reason
    assert "cannot tell fog" in recommend([dataclasses.replace(seen, blind=True)]).reason
    assert "classifier" not in recommend([dataclasses.replace(seen, aucs=())]).reason

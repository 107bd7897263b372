"""How each code block of the README and of the documentation is checked, in the order of the page.

A block is run by a test or by a command of CI, or it carries the reason why it cannot be run here. `MOST_NOT_RUN` counts
those and may only fall.
"""

from typing import NamedTuple


class Run(NamedTuple):
    """The block is run by this file, or by the test `file::name`."""

    by: str


class NotRun(NamedTuple):
    """The block is not run, and why. Command lines of this package in it are still parsed, and shell is checked."""

    reason: str


class NotCode(NamedTuple):
    """The block is a picture in text, an output, or a directive that sphinx-build reads in CI."""

    what: str


MOST_NOT_RUN = 31

OVERVIEW = NotRun("a summary of commands that are run further below on the page")
DATA = NotRun("needs a download or data of your own, and minutes")
STUDY = NotRun("repeats a study: hours, and data that the tests do not have")
HOSTS = NotRun("needs several hosts or a cluster; tests/test_distributed.py runs two workers on one host")
SERVER = NotRun("serves until Ctrl-C; tests/test_serving_server.py starts the command")
DEVICES = NotRun("needs several devices; tests/jax_session.py trains on two")
PRESETS = NotRun("evaluates and serves; tests/test_presets.py calls what these commands call")
INSTALL = NotRun("installs packages")
READ = NotCode("a directive, read by sphinx-build in CI")
DRAWING = NotCode("a drawing")
TREE = NotCode("a list of files")

WHEEL = Run(".ci/run")  # the same commands from the wheel, on a small budget
README_PROGRAMS = Run("tests/test_training.py::test_the_programs_in_the_readme_run")
OBJECTIVE = Run("tests/test_docs.py::test_the_page_on_adding_an_objective_adds_one")
ARCHITECTURE = Run("tests/test_docs.py::test_the_page_on_architecture_adds_a_source_and_a_metric")
ANOMALIES = Run("tests/test_docs.py::test_the_guide_on_anomalies_finds_them_and_is_served_the_same_scores")
SERVED = Run("tests/test_serving_client.py::test_the_code_in_the_documentation_runs")

CHECKED = {
    "README.md": [
        OVERVIEW,
        Run(".ci/run"),
        Run(".ci/run"),
        NotCode("an output"),
        DATA,
        README_PROGRAMS,
        SERVER,
        README_PROGRAMS,
        DATA,
    ],
    "docs/adding_an_objective.md": [OBJECTIVE] * 4,
    "docs/architecture.md": [DRAWING, DRAWING, DRAWING, ARCHITECTURE, ARCHITECTURE],
    "docs/diagnosis.md": [DATA] * 4,
    "docs/easy_latents.md": [STUDY],
    "docs/guides/anomaly_detection.md": [
        Run("tests/test_anomalies.py::test_the_command_ranks_a_folder_and_raises_alarms"),
        NotCode("an output"),
        *[ANOMALIES] * 3,
    ],
    "docs/guides/diagnose.md": [DATA],
    "docs/guides/explore.md": [SERVER],
    "docs/guides/first_run.md": [WHEEL],
    "docs/guides/from_pytorch.md": [Run("tests/test_docs.py::test_the_guide_from_pytorch_gives_a_subject")],
    "docs/guides/many_machines.md": [
        HOSTS,
        HOSTS,
        HOSTS,
        HOSTS,
        Run("tests/test_sweep_cluster.py::test_the_slurm_script_of_the_guide_starts_a_cluster"),
        Run(
            "tests/test_sharding.py::test_codes_of_a_cluster_whose_worker_is_killed_are_those_of_this_machine"
        ),
        DATA,
    ],
    "docs/guides/presets.md": [
        PRESETS,
        Run("tests/test_presets.py::test_the_programs_of_the_guide_run"),
        Run("tests/test_presets.py::test_the_programs_of_the_guide_run"),
        Run("tests/test_presets.py::test_an_evaluated_run_is_packed_by_a_command"),
        INSTALL,
    ],
    "docs/guides/repair.md": [
        WHEEL,
        Run("tests/test_docs.py::test_the_guide_on_repair_draws_from_fitted_samplers"),
        Run("tests/test_docs.py::test_the_guide_on_repair_draws_from_fitted_samplers"),
    ],
    "docs/guides/serve.md": [
        NotRun("needs Docker; tests/test_serving_prepare.py writes the files"),
        Run("tests/test_conditional.py::test_keras_takes_an_exported_decoder_as_a_layer_of_codes_and_labels"),
        Run("tests/test_serving_client.py::test_the_requests_in_the_documentation_are_answered"),
        SERVED,
        SERVED,
        SERVER,
    ],
    "docs/guides/sweep.md": [DATA, TREE],
    "docs/index.md": [READ] * 4,
    "docs/jax.md": [
        NotRun("starts a program of yours; tests/test_jax_backend.py does this"),
        Run("tests/test_docs.py::test_the_page_on_jax_trains_on_any_backend"),
        INSTALL,
        DEVICES,
    ],
    "docs/latent_size.md": [STUDY, STUDY],
    "docs/objectives.md": [STUDY],
    "docs/performance.md": [STUDY, INSTALL],
    "docs/reference/api.md": [READ] * 5,
    "docs/run_folder.md": [TREE],
    "docs/samplers.md": [DATA],
    "docs/thresholds.md": [STUDY],
}

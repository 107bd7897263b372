"""A command that is killed, started again and killed again, to its end; and the moments to kill it at."""

import pathlib
import re
import shutil

from killing import Moment, check_whole, kill

from keras_vae.sweep.folder import Sweep
from keras_vae.sweep.grid import Axis, Grid

POSSIBLE = pathlib.Path("/proc/self/cmdline").exists()

EPOCHS = 12
SETTINGS = ["--limit", "70", "--epochs", str(EPOCHS), "--deterministic", "--precision", "float32"]
SETTINGS += ["--augment", "flip,shift", "--latent", "2", "--batch_size", "8", "--learning_rate", "0.01"]
# Codes that N(0, I) misses: evaluate.py exports a decoder with a sampler.
SETTINGS += ["--objective", "beta_vae", "--objective.beta", "0.001", "--objective.warmup", "20"]
SETTINGS += ["--network.widths", "4", "--network.dense", "8"]
RUN = [*SETTINGS, "--name", "run", "--output", "."]
EVALUATION = ["run", "--features", "random", "--samplers", "gaussian"]
SWEPT = "seed-0"
AT_THE_END = re.compile("serving|preview|report|samplers")  # moments after the last epoch


def some(random, *moments):
    """Returns `Moment`s of (name, pattern, most, longest): the count is drawn up to `most`, the delay to `longest`."""
    return [
        Moment(name, pattern, int(random.integers(1, most + 1)), round(float(random.uniform(0, longest)), 4))
        for name, pattern, most, longest in moments
    ]


def training_moments(random, folder="run"):
    """Returns moments to kill a training at, those that come first in a run first."""
    return some(
        random,
        ("while the run's folder is made", ".writing-*" if folder == "run" else "sweep/.writing-*", 1, 0.02),
        ("while TensorFlow starts", None, 1, 2.0),
        ("while the configuration is written", f"{folder}/.writing-*/config.json", 1, 0.005),
        ("while a checkpoint is written", f"{folder}/checkpoints/.writing-*/new/*", 3, 0.005),
        ("within an epoch", f"{folder}/checkpoints/epoch-*", 2, 0.05),
        ("while the history is written", f"{folder}/.writing-*/history.csv", 2, 0.002),
        ("while the best model is written", f"{folder}/.writing-*/model.keras", 2, 0.01),
        ("while checksums are written", f"{folder}/.writing-*/checksums.json", 4, 0.001),
        ("while the picture is drawn", f"{folder}/.writing-*/preview.png", 1, 0.1),
        ("while the decoder is exported", f"{folder}/serving/decoder/.writing-*/*", 2, 0.05),
        ("between decoder and encoder", f"{folder}/serving/decoder/[0-9]*", 1, 0.1),
        ("while the encoder is exported", f"{folder}/serving/encoder/.writing-*/*", 2, 0.05),
    )


def evaluation_moments(random, folder="run"):
    """Returns moments to kill an evaluation at."""
    return some(
        random,
        ("while a figure of the report is drawn", f"{folder}/report/figures/.writing-*/*", 5, 0.05),
        ("while a decoder with a sampler is exported", f"{folder}/serving/decoder/.writing-*/*", 2, 0.05),
        ("while a sampler is saved", f"{folder}/samplers/.writing-*/*", 1, 0.005),
        ("while the results are written", f"{folder}/report/.writing-*/results.json", 1, 0.002),
        ("while the page is written", f"{folder}/report/.writing-*/index.html", 1, 0.005),
        ("while it measures", None, 1, 10.0),
    )


def sweep_moments(random):
    """Returns moments to kill a sweep's run at, the training and the evaluation in turn."""
    folder = f"sweep/{SWEPT}"
    training = training_moments(random, folder)
    evaluation = evaluation_moments(random, folder)
    return [moment for both in zip(training[4:], evaluation) for moment in both]


def story_of(start, cwd, folder, moments):
    """Kills what `start()` starts at each of `moments`, lets it come to its end, and returns what happened.

    A moment within the training that is missed is late two epochs later: the run is not to come to its end before it has
    been killed. Once it has, those are passed over that cannot come any more.

    Args:
        start: Returns a `Command`, the first one or one that goes on.
        cwd: What is watched.
        folder: The run's, which has to be whole each time.
        moments: `Moment`s.
    """
    story = []
    for moment in moments:
        trained = epochs_of(folder) == EPOCHS
        at_the_end = AT_THE_END.search(moment.pattern or "")
        if trained and moment.pattern and not at_the_end:
            continue
        latest = EPOCHS if at_the_end or trained else min(epochs_of(folder) + 2, EPOCHS - 1)
        command = start()
        killed = kill(command, cwd, moment, lambda latest=latest: epochs_of(folder) > latest)
        if killed is None:
            code, _, err = command.end()
            assert code == 0, (moment, err)
        if folder.exists():
            check_whole(folder)
        story.append({"moment": moment.name, "killed": killed})
    code, _, err = start().end()
    assert code == 0, (story, err)
    check_whole(folder)
    return story


def epochs_of(folder):
    """Returns the epoch of a run's newest checkpoint: 0 where there is none yet, -1 where there is no run."""
    numbers = [int(path.name.partition("-")[2]) for path in folder.glob("checkpoints/epoch-*")]
    return max(numbers, default=0) if folder.exists() else -1


def train(server, cwd, moments):
    """Trains `RUN` in `cwd`, killed at `moments`."""
    run = cwd / "run"

    def start():
        return server.start("train", *(["--resume", "run"] if run.exists() else RUN), cwd=cwd)

    return story_of(start, cwd, run, moments)


def evaluate(server, cwd, moments):
    """Evaluates the run that lies in `cwd`, killed at `moments`."""
    return story_of(lambda: server.start("evaluate", *EVALUATION, cwd=cwd), cwd, cwd / "run", moments)


def run_of_a_sweep(server, cwd, moments):
    """Trains and evaluates the only run of a sweep, of the same settings, killed at `moments`."""
    words = (*SETTINGS, "--features", "random", "--samplers", "gaussian")
    Sweep.create(Grid(words, (Axis("seed", ("0",)),)), cwd, "sweep", asked=True)
    return story_of(
        lambda: server.start("one_run", "sweep", SWEPT, cwd=cwd), cwd, cwd / "sweep" / SWEPT, moments
    )


def undisturbed_run(server, cwd):
    """Returns the folder of `RUN`, trained in `cwd`."""
    code, _, err = server.run("train", *RUN, cwd=cwd)
    assert code == 0, err
    return cwd / "run"


def undisturbed_evaluation(server, run, cwd):
    """Returns the folder of a copy of `run` in `cwd`, evaluated."""
    shutil.copytree(run, cwd / "run")
    code, _, err = server.run("evaluate", *EVALUATION, cwd=cwd)
    assert code == 0, err
    return cwd / "run"

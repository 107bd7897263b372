"""What the trials of a section have found."""

from benchmarks.study.statistics import mean_and_error, show
from benchmarks.study.trials import Trained, read_pictures, read_record
from keras_vae.report.tables import at

AGAIN = 3  # the seed
HELD_OUT = 1000


def over_seeds(count, *arguments, first=0, **settings):
    """Returns the `Trained` of `count` seeds."""
    return tuple(Trained(*arguments, seed=seed, **settings) for seed in range(first, first + count))


def again(*arguments, **settings):
    """Returns the `Trained` by which a section is measured again, with the measures of today: a seed of its own."""
    return Trained(*arguments, seed=AGAIN, held_out=HELD_OUT, **settings)


class Found:
    """The records of trials, those that there are.

    Attributes:
        trials: All of the section's.
        place: Where they lie.
    """

    def __init__(self, trials, place):
        self.trials, self.place = trials, place
        self.records = {trial.name: read_record(place.record(trial)) for trial in trials}

    @property
    def done(self):
        """The trials that have a record."""
        return [trial for trial in self.trials if self.records[trial.name]]

    def value(self, trial, path):
        """Returns what stands at a dotted path in a trial's record, or None."""
        record = self.records.get(trial.name)
        return None if record is None else at(record, path)

    def values(self, trials, path):
        """Returns what trials have at a path, without those that have nothing."""
        found = [self.value(trial, path) for trial in trials]
        return [value for value in found if value is not None]

    def mean(self, trials, path):
        """Returns the mean over trials and its standard error, or None."""
        return mean_and_error(self.values(trials, path))

    def cell(self, trials, path, scale=1.0, digits=3):
        """Returns the same as a table's cell."""
        return show([scale * value for value in self.values(trials, path)], digits)

    def told(self, trial, rung="prior"):
        """Returns how surely a classifier tells a rung from decoded codes, with its error, as a table's cell."""
        auc, error = (self.value(trial, f"results.told_apart.{rung}.{key}") for key in ("auc", "auc_se"))
        return "-" if auc is None else f"{auc:.3f} ± {error:.3f}"

    def pictures(self, trial):
        """Returns a trial's pictures by dotted names, where its run is there."""
        return read_pictures(self.place.pictures(trial))


def table(headings, rows):
    """Returns the lines of a table in Markdown."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (headings, ["---"] * len(headings), *rows)]
    return "\n".join(lines)


def verdict_of(found, trial):
    """Returns the verdict of a trial in words, as a table's cell."""
    verdict = found.value(trial, "results.verdict")
    return "-" if verdict is None else words(verdict)


def words(verdict):
    """Returns a verdict's name, and its kind."""
    return ": ".join(filter(None, (verdict["name"], verdict["sub_verdict"]))).replace("_", " ")


def sampled(found, trial, key="frechet"):
    """Returns a number of the trial's best sampler."""
    name = found.value(trial, "results.generation_gap.best_sampler")
    return None if name is None else found.value(trial, f"results.generation_gap.{name}.{key}")

"""The cost of an evaluation: its forecast, the seconds of each step, and memory."""

import contextlib
import math
import resource
import sys
import time

from keras_vae.runtime.progress import Job

# Seconds of each step on two cores: a constant, and what 10,000 held-out images of 28x28 numbers add. Measured on digits,
# MNIST and CIFAR-10; the progress line corrects them by the steps that have ended.
COSTS = {
    "features": (0.3, 8),
    "codes": (0.3, 2.5),
    "reconstruction": (0.5, 2.5),
    "rate_distortion": (0.1, 0.5),
    "latent": (0.1, 1.5),
    "prior_mismatch": (0.2, 4),
    "samplers": (3, 5),
    "ladder": (4, 9),
    "spaces": (1, 1.2),
    "distances": (0.2, 2),
    "copying": (0.5, 15),
    "completeness": (0.1, 0.5),
    "continuity": (2.5, 0.5),
    "interpolation": (0.3, 1),
    "memorisation": (0.1, 0.7),
    "extended": (10, 100),
    "pictures": (0.2, 0.5),
    "repair": (4, 4),
    "report": (6, 4),
    "explorer": (1, 2),
}
MOST_IMAGES, MOST_NUMBERS = 15_000, 4096  # measured images, and numbers of an image that cost
# Of told_apart: seconds for 10,000 images of 28x28 numbers if it compared so many, the most held-out images that it does
# compare, and the power of the numbers of an image (46 s on MNIST, 72 s on CIFAR-10).
TOLD_APART, MOST_COMPARED, POWER = 115, 4000, 0.35
MINUTES_USED = 0.6  # share of --repair_minutes that flow matching takes, which ends by itself
SAMPLE_SECONDS = 2e-5  # of one of --nll_samples of an image of 28x28 numbers


def expected_seconds(names, dataset, settings):
    """Returns the seconds that each step is expected to take, by name.

    Args:
        names: The steps.
        dataset: A `Dataset`.
        settings: An `Evaluation`.
    """
    count = min(MOST_IMAGES, len(dataset.test) + len(dataset.validation))
    numbers = min(MOST_NUMBERS, math.prod(dataset.image_shape))
    work = count / 10_000 * numbers / 784
    costs = {name: constant + slope * work for name, (constant, slope) in COSTS.items()}
    costs["told_apart"] = 1 + TOLD_APART * min(MOST_COMPARED, count) / 10_000 * (numbers / 784) ** POWER
    costs["samplers"] += 60 * MINUTES_USED * settings.repair_minutes
    costs["likelihood"] = settings.nll_samples * work * 10_000 * SAMPLE_SECONDS
    return {name: costs.get(name, 0.1) for name in names}


class Clock:
    """Times the steps, and shows them in the line of a `Job`.

    Args:
        job: The `Job`, whose parts are the steps.
    """

    def __init__(self, job):
        self.job, self.steps = job, []

    @contextlib.contextmanager
    def step(self, name):
        """Times the block as the step `name`."""
        begun = time.perf_counter()
        with self.job.part(name):
            yield
        self.steps.append({"name": name, "seconds": time.perf_counter() - begun})

    def cost(self):
        """Returns the seconds of each step and in total, and the peak memory of the process so far."""
        unit = 1 if sys.platform == "darwin" else 1024
        return {
            "steps": self.steps,
            "seconds": sum(step["seconds"] for step in self.steps),
            "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        }


@contextlib.contextmanager
def job_for(given, name):
    """Returns a context of the `Job` that was given, or of one of its own."""
    if given is not None:
        yield given
        return
    with Job(name) as own:
        yield own

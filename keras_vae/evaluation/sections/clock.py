"""The cost of an evaluation: seconds of each step, and memory."""

import contextlib
import resource
import sys
import time

from tqdm import tqdm


class Clock:
    """Times the steps and shows a progress bar."""

    def __init__(self, names, quiet=False):
        self.bar = tqdm(
            total=len(names), unit="step", leave=False, dynamic_ncols=True, disable=quiet or None, delay=1
        )
        self.steps = []

    @contextlib.contextmanager
    def step(self, name):
        """Times the block as the step `name`."""
        self.bar.set_description(name)
        begun = time.perf_counter()
        yield
        self.steps.append({"name": name, "seconds": time.perf_counter() - begun})
        self.bar.update()

    def cost(self):
        """Returns the seconds of each step and in total, and the peak memory of the process so far."""
        self.bar.close()
        unit = 1 if sys.platform == "darwin" else 1024
        return {
            "steps": self.steps,
            "seconds": sum(step["seconds"] for step in self.steps),
            "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        }

"""Where runs may run beside each other: a GPU each, or a share of the processor's cores each."""

import os
import subprocess
from dataclasses import dataclass

from keras_vae.errors import UsageError


@dataclass(frozen=True)
class Slot:
    """What one run at a time has for itself.

    Attributes:
        gpu: What CUDA_VISIBLE_DEVICES calls the GPU, or None.
        cores: Numbers of the cores, or None for all.
        shared: Whether another place has the same GPU.
    """

    gpu: str | None = None
    cores: tuple[int, ...] | None = None
    shared: bool = False

    def environment(self):
        """Returns the environment of a process here."""
        if self.gpu is None:
            return dict(os.environ)
        growth = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"} if self.shared else {}
        return {**os.environ, "CUDA_VISIBLE_DEVICES": self.gpu, **growth}

    def pin(self, process):
        """Keeps a process that has just been started to the cores of this place."""
        if self.cores is not None:
            os.sched_setaffinity(process.pid, self.cores)


def find_places(jobs=None):
    """Returns the places for `jobs` runs at once: by default one a GPU, and one in all where there is no GPU.

    Raises:
        UsageError: There is no room for so many.
    """
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs is {jobs}: it must be at least 1")
    if gpus := visible_gpus():
        jobs = jobs or len(gpus)
        return [Slot(gpus[index % len(gpus)], shared=jobs > len(gpus)) for index in range(jobs)]
    if jobs in (None, 1):
        return [Slot()]
    cores = available_cores()
    if jobs > len(cores):
        raise UsageError(
            f"--jobs is {jobs}: there are {len(cores)} cores and no GPU (try --jobs {len(cores)})"
        )
    if not hasattr(os, "sched_setaffinity"):  # macOS, Windows: the system spreads them
        return [Slot()] * jobs
    return [Slot(cores=tuple(cores[index::jobs])) for index in range(jobs)]


def available_cores():
    """Returns the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def visible_gpus():
    """Returns the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them.

    TensorFlow is not asked: it would take their memory.
    """
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return [name.strip() for name in allowed.split(",") if name.strip() not in ("", "-1")]
    try:
        asked = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return asked.stdout.split() if asked.returncode == 0 else []

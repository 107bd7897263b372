"""The devices that tasks use at the same time: a GPU each, or a share of the processor's cores each."""

import os
import subprocess
from dataclasses import dataclass

from keras_vae.errors import UsageError


@dataclass(frozen=True)
class Slot:
    """The devices of one run at a time.

    Attributes:
        gpu: The GPU's name for CUDA_VISIBLE_DEVICES, or None.
        cores: Numbers of the cores, or None for all.
        shared: Whether another slot uses the same GPU.
    """

    gpu: str | None = None
    cores: tuple[int, ...] | None = None
    shared: bool = False

    def environment(self):
        """Returns the environment variables of a process in this slot."""
        if self.gpu is None:
            return dict(os.environ)
        growth = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"} if self.shared else {}
        return {**os.environ, "CUDA_VISIBLE_DEVICES": self.gpu, **growth}

    def pin(self, process):
        """Restricts a process to the cores of this slot."""
        if self.cores is not None:
            os.sched_setaffinity(process.pid, self.cores)


def find_places(jobs=None):
    """Returns the slots for `jobs` parallel runs: by default one per GPU, or a single one without a GPU.

    Raises:
        UsageError: `jobs` is less than 1, or larger than the number of cores without a GPU.
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
            f"--jobs is {jobs}, but there are {len(cores)} cores and no GPU (try --jobs {len(cores)})"
        )
    if not hasattr(os, "sched_setaffinity"):  # on macOS and Windows the system distributes the runs
        return [Slot()] * jobs
    return [Slot(cores=tuple(cores[index::jobs])) for index in range(jobs)]


def available_cores():
    """Returns the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def visible_gpus():
    """Returns the GPUs that this process may use, by their names for CUDA_VISIBLE_DEVICES.

    TensorFlow is not queried, because it would allocate their memory.
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

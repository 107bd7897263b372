"""Writes the files that TF Serving needs: warm-up requests, two configuration files and `compose.yaml`."""

from dataclasses import dataclass

from keras_vae.config.codec import option
from keras_vae.errors import UsageError
from keras_vae.runtime.files import whole
from keras_vae.serving.models import Model
from keras_vae.serving.warmup import write_warmup

SERVABLES = ("decoder", "encoder")
BATCH_SIZES = (1, 64)  # of the warm-up: a single row, and max_batch_size
KEPT_VERSIONS = 2

BATCHING = """\
# Simultaneous requests are run as one batch. Rows do not depend on the other rows of their batch.

# Number of rows. Small networks decode a batch of 64 images several times as fast as single images; more rows gain
# little on a CPU (measured by benchmarks/serving.py). Larger requests are split into batches.
max_batch_size { value: 64 }

# How long a single request waits for others: 1 ms, about the time of decoding one small image.
batch_timeout_micros { value: 1000 }

# Longest queue: 64 batches of 64 rows. Further requests are rejected with UNAVAILABLE, and the client tries again; an
# unlimited queue would only make every request wait.
max_enqueued_batches { value: 64 }

# num_batch_threads is not set: the server uses one thread per processor.
# allowed_batch_sizes is not set: on a CPU, rounding a batch up only costs time. On a GPU, or with XLA, each size is
# compiled or tuned separately: add 1, 2, 4, 8, 16, 32 and 64, one per line (allowed_batch_sizes: 1).
"""

COMPOSE = """\
# Run docker compose up in this folder. REST is on port 8501 and gRPC on port 8500, for this machine only: TF Serving
# has no authentication. Put a proxy in front of it to serve other machines.
services:
  serving:
    image: tensorflow/serving:${TF_SERVING_TAG:-2.21.0}
    platform: linux/amd64
    restart: unless-stopped
    ports:
      - "127.0.0.1:8500:8500"
      - "127.0.0.1:8501:8501"
    volumes:
      - .:/models:ro
    # The image's own entrypoint would add --model_name.
    entrypoint: ["tensorflow_model_server"]
    command:
      - --port=8500
      - --rest_api_port=8501
      - --rest_api_timeout_in_ms=30000
      - --model_config_file=/models/models.config
      - --model_config_file_poll_wait_seconds=10
      - --allow_version_labels_for_unavailable_models=true
      - --file_system_poll_wait_seconds=1
      - --enable_model_warmup=true
      - --enable_batching=true
      - --batching_parameters_file=/models/batching.config
"""


@dataclass(frozen=True)
class Canary:
    """Two versions of the decoder that are served side by side under the labels stable and canary."""

    stable: int | None = option(None, "version of the decoder to serve as stable")
    canary: int | None = option(None, "version of the decoder to serve as canary")

    def __post_init__(self):
        if (self.stable is None) != (self.canary is None):
            raise ValueError("stable and canary must be given together: give both versions, or neither")

    def labels(self):
        """Returns the versions by label, empty if labels were not requested."""
        return {} if self.stable is None else {"stable": self.stable, "canary": self.canary}


def prepare(run, canary=Canary()):
    """Writes the files that TF Serving needs into the run's folder `serving`.

    Args:
        run: A `keras_vae.training.run_folder.Run` that has been exported.
        canary: A `Canary`.

    Returns:
        The paths of the files written.

    Raises:
        UsageError: A model, or a version for a label, has not been exported.
    """
    models = [Model(name, run.serving / name) for name in SERVABLES]
    for model in models:
        if not model.exported():
            raise UsageError(f"{model.folder} holds no exported version (finish the training to export one)")
    for label, version in canary.labels().items():
        if version not in models[0].exported():
            there = ", ".join(map(str, reversed(models[0].exported())))
            raise UsageError(f"--{label} {version}: the decoder's versions are {there}")
    written = [
        write_warmup(model.name, model.folder / str(version), BATCH_SIZES)
        for model in models
        for version in model.exported()
    ]
    texts = {
        "models.config": models_config(models, canary.labels()),
        "batching.config": BATCHING,
        "compose.yaml": COMPOSE,
    }
    for name, text in texts.items():
        with whole(run.serving / name) as temporary:
            temporary.write_text(text)
        written.append(run.serving / name)
    return written


def models_config(models, labels):
    """Returns TF Serving's `ModelServerConfig` as text; `labels` are the decoder's."""
    return (
        "model_config_list {\n"
        + "".join(model_config(model.name, labels if model.name == "decoder" else {}) for model in models)
        + "}\n"
    )


def model_config(name, labels):
    """Returns the configuration of one model."""
    if labels:
        versions = " ".join(f"versions: {version}" for version in sorted(set(labels.values())))
        policy = f"specific {{ {versions} }}"
    else:
        # Keeps the previous version too, for comparing and for going back.
        policy = f"latest {{ num_versions: {KEPT_VERSIONS} }}"
    lines = [
        f'name: "{name}"',
        f'base_path: "/models/{name}"',
        'model_platform: "tensorflow"',
        f"model_version_policy {{ {policy} }}",
        *(f'version_labels {{ key: "{label}" value: {version} }}' for label, version in labels.items()),
    ]
    body = "\n".join(f"    {line}" for line in lines)
    return f"  config {{\n{body}\n  }}\n"

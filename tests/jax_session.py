"""What models do on Keras' JAX backend, where TensorFlow cannot be imported; `test_jax_backend.py` reads what it writes.

KERAS_BACKEND=jax python tests/jax_session.py PART FOLDER
"""

import contextlib
import importlib
import io
import itertools
import json
import pathlib
import pkgutil
import sys
import unittest.mock
import warnings

import numpy as np
import sklearn.datasets

import keras_vae
from keras_vae.evaluation import metrics
from keras_vae.model.likelihoods import LIKELIHOODS
from keras_vae.model.networks import Convolutional, Perceptron, Residual
from keras_vae.model.objectives import OBJECTIVES
from keras_vae.model.objectives.quantized import VectorQuantized
from keras_vae.model.priors import FlowPrior, MixturePrior, VampPrior
from keras_vae.model.regularizers import REGULARIZERS
from keras_vae.runtime.lazy import keras, ops

IMAGES = (sklearn.datasets.load_digits().images[:48, ..., None] / 16).astype("float32")
LABELS = sklearn.datasets.load_digits().target[:48]
PLAIN = Convolutional(widths=(4,), dense=6, activation="elu")
NORMALIZED = Convolutional(widths=(4,), dense=6, activation="elu", normalization="batch")
# The papers' sizes, made small.
SMALL = {
    "adversarial_autoencoder": {"critic_widths": (8, 8)},
    "ciwae": {"num_samples": 3},
    "factor_vae": {"critic_widths": (8, 8)},
    "miwae": {"num_samples": 2, "num_estimates": 2},
    "piwae": {"num_samples": 2, "num_estimates": 2},
    "vq_vae": {"codebook": 16},
}
# The likelihoods go round the objectives.
ROWS = {
    name: {
        "objective": kind(**SMALL.get(name, {})).resolve(num_images=256, num_steps=32),
        "likelihood": likelihood,
    }
    for (name, kind), likelihood in zip(OBJECTIVES.items(), itertools.cycle(LIKELIHOODS))
} | {
    "vq_vae by gradients": {"objective": VectorQuantized(codebook=16, ema=0.0, revive=0.9)},
    "prior mixture": {"prior": MixturePrior(components=3), "corruption": "salt_and_pepper"},
    "prior vamp, residual": {
        "prior": VampPrior(components=3),
        "network": Residual(widths=(4,), dense=6, groups=2),
    },
    "prior flow, perceptron": {"prior": FlowPrior(depth=2, width=8), "network": Perceptron(hidden=(6,))},
    **{
        f"regularizer {name}": {
            "regularizer": name,
            "objective": "autoencoder" if name == "normalized" else "vae",
        }
        for name in REGULARIZERS
        if name != "none"
    },
}


def make(objective="vae", optimizer="adam", network=PLAIN, **kwargs):
    keras.utils.set_random_seed(1)
    latent = (2, 2, 3) if isinstance(objective, VectorQuantized) or "regularizer" in kwargs else 3
    model = keras_vae.VAE((8, 8, 1), latent, objective, network=network, num_classes=10, **kwargs)
    model.compile(optimizer)
    return model


def same_noise():
    """Has `keras.random` give numbers that are the same on every backend, a function of their shape alone."""

    def draw(name, *arguments):
        def drawn(shape, *_, dtype="float32", **__):
            values = getattr(np.random.default_rng(7), name)(*arguments, size=[int(size) for size in shape])
            return ops.convert_to_tensor(values, dtype)

        return drawn

    normal, uniform = draw("normal", 0, 1), draw("uniform", 0, 1)
    randint = draw("integers", 0, 8)  # of the 32 vectors that a step quantizes
    return unittest.mock.patch.multiple("keras.random", normal=normal, uniform=uniform, randint=randint)


def two_steps(row):
    """Returns the logs of two training steps from given weights with given noise, and what the first moved them by."""
    model = make(**{"network": NORMALIZED, "optimizer": keras.optimizers.SGD(1e-4), **ROWS[row]})
    model.run_eagerly = keras.backend.backend() == "tensorflow"
    numbers = np.random.default_rng(3)
    for weight in model.weights:
        values = 0.3 * numbers.normal(size=weight.shape)
        weight.assign(values if weight.trainable else np.abs(values))
    before = model.get_weights()
    labels = LABELS[:8] if model.conditional else None
    with same_noise():
        first = model.train_on_batch(IMAGES[:8], labels, return_dict=True)
        moved = [np.subtract(*pair) for pair in zip(model.get_weights(), before)]
        second = model.train_on_batch(IMAGES[:8], labels, return_dict=True)
    return [{name: float(value) for name, value in logs.items()} for logs in (first, second)], moved


def objectives(folder):
    """Takes two steps with every objective."""
    logs = {}
    for row in ROWS:
        logs[row], moved = two_steps(row)
        np.savez(folder / f"{row}.npz", *moved)
    return logs


def measured(model):
    """Returns figures of the metrics, all of which are imported."""
    for module in pkgutil.iter_modules(metrics.__path__):
        importlib.import_module(f"keras_vae.evaluation.metrics.{module.name}")
    with same_noise():
        log_weights = model.log_weights(IMAGES, 8, seed=0)
    mean, log_var = model.encode(IMAGES)
    shown = model.decode(mean)
    mean, log_var, shown, log_weights = map(np.asarray, (mean, log_var, shown, log_weights))
    aggregate = metrics.mismatch.fit_aggregate(mean, log_var)
    figures = {
        "rate": metrics.rate.measure_rate(mean, log_var).per_image,
        "error": metrics.reconstruction.mse(IMAGES, shown),
        "frechet": metrics.frechet.frechet_distance(mean[:24], mean[24:]),
        "mismatch": metrics.mismatch.measure_mismatch(aggregate, mean, log_var).nats,
        "likelihood": metrics.importance.importance_weighted(log_weights).per_image,
    }
    return {name: float(np.mean(values)) for name, values in figures.items()}


def model(folder):
    """Uses one model as any Keras model, and others where backends could differ."""
    said = {}
    straight, halting = make(), make()
    options = {"batch_size": 16, "verbose": 0}
    said["loss"] = straight.fit(IMAGES, epochs=2, shuffle=False, **options).history["loss"]
    history = halting.fit(IMAGES, epochs=2, shuffle=False, validation_data=(IMAGES,), **options).history
    said["same weights"] = same(straight, halting)
    said["evaluated"] = [
        history["val_loss"][-1],
        halting.evaluate(IMAGES, **options, return_dict=True)["loss"],
    ]

    mean, _ = straight.encode(IMAGES)
    shown = straight.predict(IMAGES, verbose=0)
    said["decoded"] = float(np.abs(np.asarray(straight.decode(mean)) - shown).max())
    said["sampled"] = list(straight.sample(5).shape)
    straight.save(folder / "by_jax.keras")
    np.save(folder / "by_jax.npy", shown)
    said["measured"] = measured(straight)
    loaded = keras.saving.load_model(folder / "by_jax.keras")
    for one in (straight, loaded):
        one.train_on_batch(IMAGES[:16])
    said["goes on alike"] = same(straight, loaded)
    foreign = keras.saving.load_model(folder / "by_tensorflow.keras")
    np.save(folder / "by_tensorflow.npy", foreign(IMAGES))

    for policy in ("mixed_bfloat16", "mixed_float16"):
        mixed = make(ROWS["factor_vae"]["objective"], dtype=policy)
        before = mixed.get_weights()
        losses = mixed.fit(IMAGES, epochs=2, **options).history["loss"]
        moved = [bool(np.any(a != b)) for a, b in zip(before, mixed.get_weights())]
        said[policy] = {
            "losses": losses,
            "moved": all(moved),
            "steps": [int(one.iterations) for one in (mixed.optimizer, mixed.critic_optimizer)],
        }

    said["refused"] = refusals(straight, folder)
    return said


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights()))


def refusals(network, folder):
    """Returns what those parts say that are written in TensorFlow."""
    from keras_vae.cli import train
    from keras_vae.export import saved_models as export

    said = []
    for use in (
        lambda: keras_vae.train(keras_vae.Config(output=str(folder))),
        lambda: keras_vae.evaluate(network, None),
        lambda: export.export(network, folder),
    ):
        try:
            use()
        except ValueError as error:
            said.append(str(error))
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        try:
            train.main(["--output", str(folder)])
        except SystemExit as stopped:
            said.append(f"{stopped.code}: {stderr.getvalue()}")
    return said


def devices(folder):
    """Trains on one device and on two, with batches that are the same as a whole."""
    del folder
    runs = []
    for distribution in (None, keras.distribution.DataParallel()):
        keras.distribution.set_distribution(distribution)
        network = make(optimizer=keras.optimizers.SGD(1e-3))
        start = network.get_weights()
        history = network.fit(IMAGES, epochs=2, batch_size=16, shuffle=False, verbose=0).history
        runs.append((network.get_weights(), history["loss"]))
        spread = len(network.trainable_variables[0].value.sharding.device_set)
    (one, losses), (two, other_losses) = runs
    return {
        "spread": spread,
        "moved": float(max(np.abs(a - b).max() for a, b in zip(start, two))),
        "apart": float(max(np.abs(a - b).max() for a, b in zip(one, two))),
        "losses": [losses, other_losses],
    }


class Refusing:
    """Refuses to find TensorFlow, as where it is not installed."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "tensorflow_datasets"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


if __name__ == "__main__":
    sys.meta_path.insert(0, Refusing())
    warnings.simplefilter("ignore", UserWarning)
    part = {"objectives": objectives, "model": model, "devices": devices}[sys.argv[1]]
    said = part(pathlib.Path(sys.argv[2]))
    assert "tensorflow" not in sys.modules
    print(json.dumps(said))

"""Can it be said beforehand how well a learned sampler will do? `python -m benchmarks.forecast --data_dir MNIST --animals FOLDER --models DIR`

Trains 14 models on each of three sets of images, all at 16x16 pixels, takes the numbers of
`keras_vae.evaluation.metrics.forecast` of each, fits `FlowMatching` for the same time, and measures the AUC of a
classifier that tells its decoded samples from decoded posterior draws (1,000 a side). benchmarks/results/forecast.json
keeps what is measured, so that a run that was stopped goes on. `--table` prints the tables of docs/forecast.md.
"""

import argparse
import json
import pathlib
import time
import warnings

import numpy as np

import keras_vae
from benchmarks.easy_latents import draws_of
from benchmarks.study.found import table
from keras_vae.data import Sprites
from keras_vae.evaluation.classifiers import tell_apart
from keras_vae.evaluation.features import random_features
from keras_vae.evaluation.metrics import forecast
from keras_vae.evaluation.metrics.two_sample import told_apart
from keras_vae.model.networks import Convolutional
from keras_vae.model.objectives import BetaVAE
from keras_vae.model.regularizers import Equivariance
from keras_vae.runtime.lazy import keras
from keras_vae.samplers import FlowMatching, GaussianSampler
from keras_vae.samplers.coordinates import find_places
from keras_vae.training import setup

RESULTS = pathlib.Path(__file__).parent / "results" / "forecast.json"
SETS = ("mnist", "sprites", "animals")
# What is given to `Config`: the same for all sets of images, written down before any was trained.
VARIANTS = {
    "4": {"latent": "4"},
    "8": {"latent": "8"},
    "16": {"latent": "16"},
    "32": {"latent": "32"},
    "64": {"latent": "64"},
    "16, beta 4": {"latent": "16", "objective": BetaVAE(beta=4.0)},
    "16, beta 0.1": {"latent": "16", "objective": BetaVAE(beta=0.1)},
    "4x4x4": {"latent": "4x4x4"},
    "4x4x16": {"latent": "4x4x16"},
    "4x4x64": {"latent": "4x4x64"},
    "4x4x16, beta 4": {"latent": "4x4x16", "objective": BetaVAE(beta=4.0)},
    "4x4x16, beta 0.1": {"latent": "4x4x16", "objective": BetaVAE(beta=0.1)},
    "4x4x16, normalized": {"latent": "4x4x16", "objective": "autoencoder", "regularizer": "normalized"},
    "4x4x16, equivariance": {"latent": "4x4x16", "regularizer": Equivariance(weight=1.0)},
}
LIMIT, EPOCHS, WIDTHS, SIZE = 10_000, 4, (16, 32), (16, 16)
COUNT = 1000  # images a side
FIRST_SEED = 2**20  # of the samples
SECONDS = 30.0  # that flow matching learns for


def main():
    """Measures what the file lacks, and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", help="folder of MNIST's files")
    parser.add_argument("--animals", help="folder of CIFAR-10's animals")
    parser.add_argument("--models", type=pathlib.Path, help="folder that keeps the models")
    parser.add_argument("--table", action="store_true", help="only print what the file has")
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for name in () if arguments.table else SETS:
        dataset = setup.load(config_of(name, "4", arguments))
        for variant in VARIANTS:
            if f"{name}, {variant}" in results:
                continue
            keras.backend.clear_session()
            found = measure(name, variant, arguments, dataset)
            results[f"{name}, {variant}"] = found
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
            print(name, variant, json.dumps(found), flush=True)
    print(tables(results))


def config_of(name, variant, arguments):
    """Returns the `Config` of a variant on a set of images."""
    places = {
        "mnist": {"data_dir": arguments.data_dir},
        "sprites": {"dataset": Sprites(size=5 * COUNT * 3)},
        "animals": {"dataset": arguments.animals},
    }
    return keras_vae.Config(
        **{"dataset": name, **places[name], **VARIANTS[variant]},
        image_size=SIZE,
        limit=LIMIT,
        epochs=EPOCHS,
        network=Convolutional(widths=WIDTHS),
    )


def measure(name, variant, arguments, dataset):
    """Returns the numbers of one model, a dict."""
    config = setup.resolve(config_of(name, variant, arguments), dataset)
    path = arguments.models / f"{name}, {variant}.keras"
    images, labels = dataset.train.images(), np.asarray(dataset.train.labels)
    if path.is_file():
        model = keras.saving.load_model(path)
    else:
        keras.utils.set_random_seed(config.seed)
        model = setup.build(config, dataset)
        model.fit(images, batch_size=config.batch_size, epochs=config.epochs, verbose=0)
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(path)
    held_out = np.concatenate([dataset.validation.images(), dataset.test.images()])[: 3 * COUNT]
    codes, _ = draws_of(model, held_out, 0)
    decoded = np.asarray(model.decode(codes))
    _, known = draws_of(model, images, 1)
    began = time.monotonic()
    said = indicators(model, known, labels, codes, dataset)
    seconds = time.monotonic() - began
    samplers = {"gaussian": GaussianSampler(model.latent_shape)}
    samplers["flow_matching"] = FlowMatching(model.latent_shape, minutes=SECONDS / 60)
    third = len(decoded) // 3
    sets = {"again": decoded[third : 2 * third]}
    for key, sampler in samplers.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            more = {"labels": labels} if key == "flow_matching" else {}
            fitted = samplers[key] = sampler.fit(known, **more)
        sets[key] = np.asarray(model.decode(np.asarray(fitted.sample(FIRST_SEED + np.arange(third)))))
    scored = tell_apart(decoded[:third], sets, 0)
    found = {key: told_apart(one.folds) for key, one in scored.items()}
    error = float(np.square(held_out - decoded).sum(axis=(1, 2, 3)).mean())
    return {
        "auc": {key: [float(one.auc), float(one.auc_se)] for key, one in found.items()},
        "indicators": said,
        "seconds": round(seconds, 2),
        "error": error,
        "training": {
            key: samplers["flow_matching"].training[key]
            for key in ("seconds", "updates", "held_out_loss", "gains")
        },
    }


def indicators(model, known, labels, codes, dataset):
    """Returns the numbers that are to say how well a sampler will do, by name."""
    flat = [part.reshape(len(part), -1) for part in known]
    places = find_places(*flat, model.latent_shape, 128, 64)
    rows = places.rows(*flat)
    signal = forecast.variances_of(rows, labels)
    noise = float(np.square(rows.deviation, dtype="float32").mean(dtype="float64"))
    variances = np.full(rows.mean[0].size, noise)
    variances[: len(signal)] += signal
    see = random_features(dataset)
    third = len(codes) // 3
    drawn = codes.reshape(len(codes), -1)

    def decode(flat):
        return np.asarray(model.decode(flat.reshape(-1, *model.latent_shape)))

    found = {
        "coordinates": len(variances),
        "velocity_variance": forecast.velocity_variance(variances),
        "velocity_variance_signal": forecast.velocity_variance(signal),
        "velocity_variance_a_coordinate": forecast.velocity_variance(variances) / len(variances),
        "directions": float(signal.sum() ** 2 / np.square(signal).sum()),
        "neighbours": forecast.neighbour_distance(see, decode, drawn[:third], drawn[third : 2 * third]),
    }
    if len(model.latent_shape) == 3:
        found["high_frequencies"] = forecast.high_frequencies(known.mean)
        found["scale_error"] = forecast.scale_error(model.decode, codes[:third])
    return {key: float(value) for key, value in found.items()}


def tables(results):
    """Returns the rank correlations of each number with the AUC after flow matching, and all the numbers."""
    from scipy.stats import spearmanr

    names = list(dict.fromkeys(key for one in results.values() for key in one["indicators"]))
    rows = []
    for name in (*names, "gaussian AUC"):
        cells = [name.replace("_", " ")]
        for data in SETS:
            own = [one for key, one in results.items() if key.startswith(f"{data},")]
            pairs = [(value_of(one, name), one["auc"]["flow_matching"][0]) for one in own]
            pairs = [pair for pair in pairs if pair[0] is not None]
            cells.append(f"{spearmanr(*zip(*pairs)).statistic:.2f} ({len(pairs)})" if len(pairs) > 3 else "-")
        rows.append(cells)
    every = [
        (
            key,
            *(f"{value:.3f} ± {error:.3f}" for value, error in one["auc"].values()),
            *(f"{one['indicators'].get(name, float('nan')):.3g}" for name in names),
        )
        for key, one in results.items()
    ]
    first = next(iter(results.values()))["auc"] if results else {}
    return f"{table(('number', *SETS), rows)}\n\n{table(('model', *first, *names), every)}"


def value_of(one, name):
    """Returns the number `name` of a model's results, or None."""
    return one["auc"]["gaussian"][0] if name == "gaussian AUC" else one["indicators"].get(name)


if __name__ == "__main__":
    main()

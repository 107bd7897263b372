"""Which training makes a latent easy to sample? `python benchmarks/easy_latents.py --dataset DIR --output FILE.json`

Trains each variant at one small budget, fits samplers to its codes of training images, and measures on held-out images

    error        squared error of decoded posterior draws, summed over an image, with its standard error
    distortion   -log p(x|z) at posterior draws, in nats an image
    auc          of a classifier that tells decoded samples from decoded posterior draws of other images
                 (`keras_vae.evaluation.classifiers`); `again` are further posterior draws: 0.5 up to chance

and, of the codes, the share of their variance at high frequencies and the number of principal directions that hold 90%
of it. A variant that reconstructs worse is to be compared with the plain model at a larger beta. The file keeps what has
been measured: a run that was stopped goes on. `--table FILE.json` prints the table of docs/easy_latents.md.
"""

import argparse
import json
import pathlib
import time
import warnings

import numpy as np

import keras_vae
from keras_vae.evaluation.classifiers import tell_apart
from keras_vae.evaluation.metrics.forecast import high_frequencies
from keras_vae.evaluation.metrics.two_sample import told_apart
from keras_vae.model.networks import Convolutional
from keras_vae.model.objectives import BetaVAE
from keras_vae.model.regularizers import CodeNoise, Equivariance, SpectralPenalty
from keras_vae.runtime.lazy import keras
from keras_vae.samplers import SAMPLERS, Codes
from keras_vae.training import setup

AUTOENCODER = {"objective": "autoencoder"}
# What is given to `Config`, by the variant's name.
VARIANTS = {
    "vae": {},
    "beta 2": {"objective": BetaVAE(beta=2.0)},
    "vae, equivariance 0.25": {"regularizer": Equivariance(weight=0.25)},
    "vae, equivariance 1": {"regularizer": Equivariance(weight=1.0)},
    "vae, scales only 1": {"regularizer": Equivariance(weight=1.0, rotations=False)},
    "vae, spectral 1000": {"regularizer": SpectralPenalty(weight=1000.0)},
    "vae, noise 0.5": {"regularizer": CodeNoise(sigma=0.5)},
    "autoencoder": AUTOENCODER,
    "autoencoder, normalized": {**AUTOENCODER, "regularizer": "normalized"},
    "autoencoder, noise 0.2": {**AUTOENCODER, "regularizer": CodeNoise(sigma=0.2)},
    "autoencoder, noise 0.5": {**AUTOENCODER, "regularizer": CodeNoise(sigma=0.5)},
    "autoencoder, equivariance 1": {**AUTOENCODER, "regularizer": Equivariance(weight=1.0)},
    "beta 4": {"objective": BetaVAE(beta=4.0)},
    "vae, spectral 300": {"regularizer": SpectralPenalty(weight=300.0)},
}
FIRST_SEED = 2**20  # of the samples


def config_of(variant, arguments, seed):
    """Returns the `Config` of a variant."""
    return keras_vae.Config(
        dataset=arguments.dataset,
        data_dir=arguments.data_dir,
        limit=arguments.limit,
        image_size=arguments.image_size,
        latent=arguments.latent,
        epochs=arguments.epochs,
        seed=seed,
        network=Convolutional(widths=tuple(map(int, arguments.widths.split(",")))),
        **VARIANTS[variant],
    )


def draws_of(model, images, seed):
    """Returns codes drawn from the posteriors of images, and their moments, as `(codes, Codes)`."""
    mean, log_var = (np.asarray(values) for values in model.encode(images))
    noise = np.random.default_rng(seed).standard_normal(mean.shape, "float32")
    return mean + np.exp(log_var / 2) * noise, Codes(mean, log_var)


def spectrum_of(mean):
    """Returns the share of the codes' variance at high frequencies, and how many directions hold 90% of it."""
    share = None
    if mean.ndim == 4:
        share = high_frequencies(mean)
    flat = mean.reshape(len(mean), -1)
    variances = np.linalg.svd(flat - flat.mean(0), compute_uv=False) ** 2
    return share, int(np.searchsorted(np.cumsum(variances) / variances.sum(), 0.9)) + 1


def trained(config, dataset, images, variant, arguments):
    """Returns the model, from its file if it is there, and the seconds that it was trained for."""
    path = arguments.models and arguments.models / f"{variant}, seed {config.seed}.keras"
    if path and path.is_file():
        return keras.saving.load_model(path), 0.0
    keras.utils.set_random_seed(config.seed)
    model, begun = setup.build(config, dataset), time.monotonic()
    model.fit(images, batch_size=config.batch_size, epochs=config.epochs, verbose=0)
    seconds = time.monotonic() - begun
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(path)
    return model, seconds


def measure(variant, arguments, seed, dataset):
    """Returns the figures of one trained variant, a dict."""
    config = config_of(variant, arguments, seed)
    images = dataset.train.images()
    model, seconds = trained(setup.resolve(config, dataset), dataset, images, variant, arguments)
    held_out = dataset.test.images(0, 2 * arguments.count)
    terms = model.evaluate(held_out, verbose=0, return_dict=True)
    codes, _ = draws_of(model, held_out, seed)
    decoded = np.asarray(model.decode(codes))
    errors = np.sum((held_out - decoded) ** 2, axis=(1, 2, 3))
    _, known = draws_of(model, images, seed + 1)
    half = len(decoded) // 2
    sets, fitting = {"again": decoded[half : 2 * half]}, {}
    for name in arguments.samplers.split(","):
        begun = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sampler = SAMPLERS[name](latent_shape=model.latent_shape).fit(known)
        fitting[name] = time.monotonic() - begun
        sets[name] = np.asarray(model.decode(np.asarray(sampler.sample(FIRST_SEED + np.arange(half)))))
    scored = tell_apart(decoded[:half], sets, seed)
    found = {name: told_apart(one.folds) for name, one in scored.items()}
    share, directions = spectrum_of(known.mean)
    return {
        "error": [float(errors.mean()), float(errors.std() / np.sqrt(len(errors)))],
        **{name: float(terms[name]) for name in ("distortion", "rate") if name in terms},
        "auc": {name: [float(one.auc), float(one.auc_se)] for name, one in found.items()},
        "high_frequencies": share,
        "directions": directions,
        "seconds": seconds,
        "fitting": fitting,
    }


def table(results):
    """Returns the rows of a Markdown table, each cell the mean over seeds; errors include what differs between seeds."""
    names = sorted({name for runs in results.values() for run in runs.values() for name in run["auc"]})
    head = ["variant", "error", "distortion", "rate", "high freq.", "directions", *names, "s"]
    rows = [head, ["---"] * len(head)]
    for variant, runs in results.items():
        runs = list(runs.values())
        cells = [variant, shown([run["error"] for run in runs], ".2f")]
        cells += [
            f"{np.mean([run[key] for run in runs]):.1f}" if key in runs[0] else "-"
            for key in ("distortion", "rate")
        ]
        cells += [f"{np.mean([run['high_frequencies'] for run in runs]):.2f}"]
        cells += [f"{np.mean([run['directions'] for run in runs]):.0f}"]
        cells += [shown([run["auc"][name] for run in runs if name in run["auc"]], ".3f") for name in names]
        cells += [f"{np.mean([run['seconds'] for run in runs]):.0f}"]
        rows.append(cells)
    return ["| " + " | ".join(row) + " |" for row in rows]


def shown(values, form):
    """Returns the mean of `[(value, standard error)]` and its standard error, of chance and of the seed."""
    if not values:
        return "-"
    numbers, errors = np.transpose(values)
    error = np.sqrt(np.mean(errors**2) / len(numbers))
    if len(numbers) > 1:
        error = max(error, numbers.std(ddof=1) / np.sqrt(len(numbers)))
    return f"{numbers.mean():{form}} ± {error:{form}}"


def main():
    """Measures what the file lacks, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--data_dir")
    parser.add_argument("--limit", type=int, default=6000)
    parser.add_argument("--image_size")
    parser.add_argument("--latent", default="8x8x16")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--widths", default="16,32,64", help="channels at each halving of the image")
    parser.add_argument(
        "--models", type=pathlib.Path, help="folder that keeps the models, for more samplers later"
    )
    parser.add_argument("--samplers", default="gaussian,mixture", help="names in keras_vae.SAMPLERS")
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), help="by default all")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--count", type=int, default=1000, help="images a side for the classifier")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("easy_latents.json"))
    parser.add_argument("--table", action="store_true", help="only print what the file has")
    arguments = parser.parse_args()
    dataset = None if arguments.table else setup.load(config_of("vae", arguments, 0))
    results = json.loads(arguments.output.read_text()) if arguments.output.is_file() else {}
    for seed in range(0 if arguments.table else arguments.seeds):
        for variant in arguments.variants:
            runs = results.setdefault(variant, {})
            known = runs.get(str(seed), {"auc": {}})
            if not set(arguments.samplers.split(",")) <= set(known["auc"]):
                found = measure(variant, arguments, seed, dataset)
                found["seconds"] = found["seconds"] or known.get("seconds", 0.0)
                found["fitting"] = known.get("fitting", {}) | found["fitting"]
                found["auc"] = known["auc"] | found["auc"]
                runs[str(seed)] = found
                print(variant, seed, json.dumps(runs[str(seed)]), flush=True)
                arguments.output.write_text(json.dumps(results, indent=1))
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()

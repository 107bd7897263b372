"""Every objective and every prior at one budget: `python benchmarks/objectives.py --data_dir FOLDER` writes docs/objectives.md.

A row is a training on MNIST (those about disentanglement: on the built-in sprites too), four epochs with latent 16,
seed 0, and its evaluation. Rows that are in benchmarks/results/objectives.json with the same flags are not made
again: killed, it goes on where it was, and to make a row anew one removes it there. The last column of the table holds
what the row's paper says that it does against what was measured.
"""

import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys
import time

import numpy as np

from keras_vae.runtime.files import write_json

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = pathlib.Path(__file__).resolve().parent / "results" / "objectives.json"
SEED = 0
IMAGES = 2000  # held-out images that codes are looked at on
BUDGET = {
    "mnist": ["--dataset", "mnist", "--epochs", "4"],
    "sprites": ["--dataset", "sprites", "--epochs", "8"],
}
TABLE = "<!-- made by benchmarks/objectives.py -->"
# The paper's critic, six layers of 1,000 at 1e-4, is made for 300,000 steps: in some thousand it learns too little.
QUICK_CRITIC = "--objective.critic_widths 256,256 --objective.critic_rate 1e-3"
NOISE = 0.3  # standard deviation, of the test of denoising


@dataclasses.dataclass(frozen=True)
class Row:
    """A training and what its paper says of it.

    Attributes:
        flags: Of train.py, beyond the budget.
        against: The row that it is compared with.
        quantity: What is compared, a key of `measured`.
        than: What the other's is, where that is another key.
        better: "lower" or "higher" than the other's, or "near" to the number `aim` within a twentieth.
        claim: The sentence that this tests.
        dataset: "mnist" or "sprites".
    """

    flags: str
    against: str | None = None
    quantity: str = ""
    better: str = "lower"
    claim: str = ""
    dataset: str = "mnist"
    aim: float = 0.0
    than: str = ""


def vs(against, quantity, better, claim, flags, dataset="mnist", aim=0.0, than=""):
    """Returns the `Row` that is compared so."""
    return Row(flags, against, quantity, better, claim, dataset, aim, than)


SAMPLED_EX_POST = ("frechet best", "lower", "samples better, ex post, than a VAE from its prior")

ROWS = {
    "vae": Row("--objective vae"),
    "autoencoder": Row("--objective autoencoder"),
    "denoising": vs("autoencoder", "mse of noisy", "lower", "removes noise", "--objective denoising"),
    "beta_vae": vs("vae", "rate", "lower", "spends less rate", "--objective beta_vae"),
    "capacity": vs(None, "rate", "near", "rate at C", "--objective capacity --objective.gamma 30", aim=25.0),
    "latent 64: vae": Row("--latent 64 --objective vae"),
    "latent 64: free_bits": vs(
        "latent 64: vae",
        "active units",
        "higher",
        "keeps more units active",
        "--latent 64 --objective free_bits --objective.free 0.25",
    ),
    "dip_vae_i": vs("vae", "off-diagonal", "lower", "decorrelates the means", "--objective dip_vae_i"),
    "dip_vae_ii": vs("vae", "off-diagonal", "lower", "decorrelates the codes", "--objective dip_vae_ii"),
    "info_vae": vs("vae", "gaussian mismatch", "lower", "brings q(z) to the prior", "--objective info_vae"),
    "wae_mmd": vs(
        "autoencoder", "gaussian mismatch", "lower", "brings q(z) to the prior", "--objective wae_mmd"
    ),
    "adversarial_autoencoder": vs(
        "autoencoder",
        "gaussian mismatch",
        "lower",
        "brings q(z) to the prior",
        "--objective adversarial_autoencoder",
    ),
    "mlp: vae": Row("--network mlp --objective vae"),
    "mlp: iwae": vs(
        "mlp: vae",
        "nll",
        "lower",
        "a better bound",
        "--network mlp --objective iwae --objective.num_samples 50",
    ),
    "mlp: miwae": vs("mlp: vae", "nll", "lower", "a better bound", "--network mlp --objective miwae"),
    "mlp: piwae": vs("mlp: vae", "nll", "lower", "a better bound", "--network mlp --objective piwae"),
    "mlp: ciwae": vs("mlp: vae", "nll", "lower", "a better bound", "--network mlp --objective ciwae"),
    "rae_l2": vs("vae", *SAMPLED_EX_POST, "--objective rae_l2", than="frechet prior"),
    "rae_gradient_penalty": vs(
        "vae", *SAMPLED_EX_POST, "--objective rae_gradient_penalty", than="frechet prior"
    ),
    "rae_spectral": vs(
        "vae",
        *SAMPLED_EX_POST,
        "--objective rae_spectral --network.normalization batch",  # as its paper's network
        than="frechet prior",
    ),
    # Not by squared error: it shows even the grains that drawing black and white puts into what it sees.
    "vq_vae": vs(
        "vae",
        "distortion",
        "lower",
        "reconstructs better",
        "--objective vq_vae --latent 7x7x16 --objective.codebook 128",
    ),
    "conditional_vae": vs("vae", "rate", "lower", "labels cost no rate", "--objective conditional_vae"),
    "planar_flow": vs("vae", "negative elbo", "lower", "a better bound", "--objective planar_flow"),
    "iaf": vs("vae", "negative elbo", "lower", "a better bound", "--objective iaf"),
    "vae, mixture prior": vs("vae", "negative elbo", "lower", "a better bound", "--prior mixture"),
    "vae, vamp prior": vs("vae", "negative elbo", "lower", "a better bound", "--prior vamp"),
    "vae, flow prior": vs("vae", "negative elbo", "lower", "a better bound", "--prior flow"),
    "sprites: vae": Row("--objective vae", dataset="sprites"),
    "sprites: beta_tcvae": vs(
        "sprites: vae",
        "total correlation",
        "lower",
        "lowers the total correlation",
        "--objective beta_tcvae",
        "sprites",
    ),
    "sprites: factor_vae": vs(
        "sprites: vae",
        "total correlation",
        "lower",
        "lowers the total correlation",
        f"--objective factor_vae {QUICK_CRITIC}",
        "sprites",
    ),
    "beta_tcvae": vs(
        "vae", "total correlation", "lower", "lowers the total correlation", "--objective beta_tcvae"
    ),
    "factor_vae": vs(
        "vae",
        "total correlation",
        "lower",
        "lowers the total correlation",
        f"--objective factor_vae {QUICK_CRITIC}",
    ),
}


def make(row, folder, data_dir):
    """Trains and evaluates a row, each where it is not there yet, and returns the run's folder, called by its flags."""
    run = folder / "".join(letter if letter.isalnum() else "-" for letter in f"{row.dataset} {row.flags}")
    if not (run / "checkpoints" / "finished.json").is_file():
        flags = ["--resume", str(run)]
        if not (run / "config.json").is_file():
            latent = [] if "--latent" in row.flags else ["--latent", "16"]
            flags = [*BUDGET[row.dataset], *latent, *row.flags.split(), "--seed", str(SEED)]
            flags += ["--output", str(folder), "--name", run.name]
            flags += ["--data_dir", data_dir] if data_dir and row.dataset == "mnist" else []
        begun = time.monotonic()
        subprocess.run([sys.executable, ROOT / "train.py", *flags], check=True)
        (run / "seconds.json").write_text(json.dumps(time.monotonic() - begun))
    if not (run / "report" / "results.json").is_file():
        nll = ["--nll_samples", "200"] if row.dataset == "mnist" else []
        subprocess.run([sys.executable, ROOT / "evaluate.py", run, *nll, "--seed", str(SEED)], check=True)
    return run


def measure(run):
    """Returns what is known of a run, a dict of numbers by name; None where it has none."""
    results = json.loads((run / "report" / "results.json").read_text())
    rate, gap = results["rate_distortion"], results["generation_gap"]
    samplers = [
        rung["frechet"] for key, rung in gap.items() if isinstance(rung, dict) and key in results["samplers"]
    ]
    return {
        "rate": rate["rate"],
        "distortion": rate["distortion"],
        "negative elbo": -rate["elbo"] if rate["elbo"] is not None else None,
        "nll": results["likelihood"]["nats"] if results["likelihood"]["accepted"] else None,
        "nll_se": results["likelihood"]["nats_se"],
        "mse": results["reconstruction"]["test"]["mse"],
        "active units": results["latent"]["active_units"],
        "frechet prior": gap["prior"]["frechet"],
        "frechet best": min(samplers, default=None),
        "best sampler": gap["best_sampler"],
        "seconds": json.loads((run / "seconds.json").read_text()),
        **measure_codes(run),
    }


def measure_codes(run):
    """Returns what the codes of held-out images say: their correlations, and their distance from N(0, I).

    total correlation of a Gaussian:  -1/2 log det correlation(z)
    KL(N(m, S) || N(0, I)) = 1/2 (tr S + m'm - d - log det S)
    """
    from keras_vae.runtime.lazy import keras
    from keras_vae.training.run_folder import Run
    from keras_vae.training.setup import load

    model = keras.saving.load_model(run / "model.keras")
    test = load(Run.open(run).read_config()).test
    images, labels = test.images(0, IMAGES), test.labels[:IMAGES] if model.conditional else None
    mean, log_var = (np.asarray(part) for part in model.encode(images, labels))
    generator = np.random.default_rng(SEED)
    codes = (mean + np.exp(log_var / 2) * generator.standard_normal(mean.shape)).reshape(len(mean), -1)
    noisy = np.clip(images + NOISE * generator.standard_normal(images.shape), 0, 1).astype("float32")
    restored = np.asarray(model((noisy, labels) if model.conditional else noisy))
    found = {"mse of noisy": float(np.square(restored - images).mean())}
    if codes.shape[1] > IMAGES // 10:
        return {**found, "total correlation": None, "off-diagonal": None, "gaussian mismatch": None}
    covariance, correlation = np.cov(codes.T), np.corrcoef(codes.T)
    _, log_det = np.linalg.slogdet(covariance)
    center = codes.mean(axis=0)
    of_means = np.cov(mean.reshape(len(mean), -1).T)
    return {
        **found,
        "total correlation": float(-0.5 * np.linalg.slogdet(correlation)[1]),
        "off-diagonal": float(np.sqrt(np.mean(of_means[~np.eye(len(of_means), dtype=bool)] ** 2))),
        "gaussian mismatch": float(0.5 * (np.trace(covariance) + center @ center - len(center) - log_det)),
    }


def judge(row, mine, others):
    """Returns the table's last cell: what was claimed, and what came."""
    if not row.claim:
        return ""
    value = mine[row.quantity]
    if row.against is not None and row.against not in others:
        return f"{row.claim}: {row.against} was not made"
    other = row.aim if row.against is None else others[row.against][row.than or row.quantity]
    if value is None or other is None:
        return f"{row.claim}: {row.quantity} not to be had"
    held = {
        "lower": value < other,
        "higher": value > other,
        "near": abs(value - other) <= 0.05 * other,
    }[row.better]
    words = {"lower": "against", "higher": "against", "near": "for"}[row.better]
    return f"{row.claim}: {'yes' if held else '**no**'} ({row.quantity} {value:.4g} {words} {other:.4g})"


def write(path, runs):
    """Writes the page: what stands above its table is kept, the table is made anew."""
    head = path.read_text().partition(TABLE)[0] if path.is_file() else "# Objectives, measured\n\n"
    columns = ("rate", "distortion", "nll", "frechet prior", "frechet best", "best sampler", "seconds")
    lines = [TABLE, "", "| | " + " | ".join((*columns, "what its paper says")) + " |"]
    lines.append("|---" * (len(columns) + 2) + "|")
    for name, mine in runs.items():
        cells = {column: show(mine[column]) for column in columns}
        if mine["nll"] is not None:
            cells["nll"] += f" ± {mine['nll_se']:.1f}"
        lines.append(f"| {name} | " + " | ".join((*cells.values(), judge(ROWS[name], mine, runs))) + " |")
    path.write_text(head + "\n".join(lines) + "\n")
    print(*lines, sep="\n")


def show(value):
    """Returns a cell of the table."""
    return "" if value is None else value if isinstance(value, str) else f"{value:.4g}"


def main():
    """Makes the rows and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data_dir", help="folder with MNIST's files, as train.py takes it")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "saved_models" / "objectives")
    parser.add_argument("--only", nargs="*", default=list(ROWS), help="rows to make")
    arguments = parser.parse_args()
    runs = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for name in arguments.only:
        row = ROWS[name]
        if runs.get(name, {}).get("flags") == row.flags:
            continue
        runs[name] = {"flags": row.flags, **measure(make(row, arguments.output, arguments.data_dir))}
        write_json(RESULTS, runs)
    write(ROOT / "docs" / "objectives.md", {name: runs[name] for name in ROWS if name in runs})


if __name__ == "__main__":
    main()

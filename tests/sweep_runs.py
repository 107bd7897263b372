"""Runs of sweeps as their folders hold them, without the training: for the tests of what is made of them."""

import numpy as np

from keras_vae.report.pictures import LADDER, ladder_strips
from keras_vae.report.sections import ladder
from keras_vae.runtime.files import write_json
from keras_vae.sweep.folder import Sweep
from keras_vae.sweep.grid import Axis, Grid


def results_of(name, latent, distance, rate=12.0, verdict="patchy", dataset="digits", error=None):
    """Results of a run whose best sampler, the mixture, lies at `distance`; `error` is that of --extended."""
    rung = {"kid": 0.5, "kid_se": 0.1, "density": 0.9, "coverage": 0.8, "n": 180}
    return {
        "schema_version": 1,
        "run": name,
        "dataset": dataset,
        "latent_shape": [latent],
        "verdict": {"name": verdict, "findings": []},
        "latent": {"size": latent, "active_units": min(latent, 9)},
        "reconstruction": {"test": {"mse": 0.02 / latent, "mse_se": 0.001 / latent}},
        "rate_distortion": {
            "rate": rate,
            "rate_se": 0.2,
            "distortion": -30.0 - latent,
            "elbo": 30.0 + latent - (rate or 0),
        },
        "completeness": {"dead_zone": 0.25},
        "generation_gap": {
            "n": 180,
            "features": {"metric_name": "Fréchet distance, classifier features"},
            "best_sampler": "mixture",
            "real": {**rung, "frechet": 0.001},
            "reconstruction": {**rung, "frechet": distance / 2},
            "mixture": {**rung, "frechet": distance},
            "prior": {**rung, "frechet": 3 * distance},
        },
        **({"extended": {"frechet_by_n": {"limit_se": {"mixture": error}}}} if error is not None else {}),
    }


def leave(run, results):
    """Writes what evaluate.py leaves of `results` in the folder of `run`."""
    run.path.mkdir(parents=True, exist_ok=True)
    write_json(run.report / "results.json", results)
    images = np.random.default_rng(results["latent"]["size"]).random((16, 8, 8, 1))
    pictures = {"ladder": dict.fromkeys(("real", "reconstruction", "mixture", "prior"), images)}
    (run.report / "index.html").write_text(ladder(results, pictures, {})[2], encoding="utf-8")
    write_json(run.report / LADDER, ladder_strips(results, pictures))


def swept(folder, missing=(), failed=None, hostile=False):
    """A sweep over latent, objective and seed; distances fall to latent 8 and then stay.

    Args:
        folder: Of the sweep.
        missing: Names of runs that have not run.
        failed: Why runs failed, by name.
        hostile: Whether the name of the dataset is markup.
    """
    axes = (
        Axis("latent", ("2", "8", "32")),
        Axis("objective", ("autoencoder", "vae")),
        Axis("seed", ("0", "1")),
    )
    sweep = Sweep.create(Grid((), axes), folder.parent, folder.name, asked=True)
    for name, point in sweep.grid.points().items():
        if name in missing or name in (failed or {}):
            continue
        latent, seed = int(point["latent"]), int(point["seed"])
        plain = point["objective"] == "autoencoder"
        distance = {2: 0.08, 8: 0.0205, 32: 0.02}[latent] * (1.5 if plain else 1) * (1 + 0.1 * seed)
        results = results_of(
            name,
            latent,
            distance,
            None if plain else 4.0 + latent / 4 + seed / 9,
            "prior_hole" if plain else "patchy",
            "<img src=x onerror=alert(1)></script>" if hostile else "digits",
        )
        leave(sweep.run(name), results)
    for name, why in (failed or {}).items():
        sweep.note(name, why)
    return sweep

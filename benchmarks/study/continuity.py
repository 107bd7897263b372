"""Section 2: autoencoder against VAE, at 2, 16 and 128 numbers: continuity and completeness are two things."""

import numpy as np

from benchmarks.study.found import again, over_seeds, sampled, table, verdict_of
from benchmarks.study.plots import CLASSES, canvas
from benchmarks.study.statistics import show
from keras_vae.report.figures import INK
from keras_vae.runtime import figures as pictures_of

TITLE = "Autoencoder against VAE"
PLAIN = "--objective autoencoder"
PAIRS = {
    ("2", "autoencoder"): over_seeds(3, "mnist", "2", PLAIN),
    ("2", "VAE"): over_seeds(3, "mnist", "2"),
    ("16", "autoencoder"): over_seeds(3, "mnist", "16", PLAIN),
    ("16", "VAE"): over_seeds(3, "mnist", "16"),
    ("128", "autoencoder"): over_seeds(3, "mnist", "128", PLAIN),
    ("128", "VAE"): over_seeds(3, "mnist", "128"),
}
# With the classifier two-sample test, which there was not yet: one seed of each.
AGAIN = {
    ("16", "autoencoder"): again("mnist", "16", PLAIN),
    ("16", "VAE"): again("mnist", "16"),
}
TRIALS = (*(trial for trials in PAIRS.values() for trial in trials), *AGAIN.values())
SHOWN = 1200  # codes on a map


def continuity(found):
    """Whether small steps of the code are small steps of the image."""
    way = "results.interpolation"
    columns = {
        "steepest : median slope": "results.continuity.jacobian.posterior.p95_over_median",
        "largest : mean step of a path": "results.continuity.jump",
        "length of a path : its chord": "results.continuity.detour",
        "half way, dead zone": f"{way}.linear.dead_zone",
        "pixels blended, dead zone": f"{way}.pixel_blend.dead_zone",
        "half way, sure of a class": f"{way}.linear.confidence",
    }
    return table(
        ("latent", "model", *columns),
        [
            (latent, model, *(found.cell(trials, path) for path in columns.values()))
            for (latent, model), trials in PAIRS.items()
        ],
    )


def completeness(found):
    """Whether every code decodes to an image."""
    zones = "results.completeness.by_rung"
    return table(
        (
            "latent",
            "model",
            "squared error",
            "dead zone: N(0, I)",
            "fitted Gaussian",
            "fitted mixture",
            "Fréchet: N(0, I)",
            "best sampler",
        ),
        [
            (
                latent,
                model,
                found.cell(trials, "results.reconstruction.test.mse"),
                *(
                    found.cell(trials, f"{zones}.{rung}.dead_zone")
                    for rung in ("prior", "gaussian", "mixture")
                ),
                found.cell(trials, "results.generation_gap.prior.frechet"),
                show([value for trial in trials if (value := sampled(found, trial)) is not None]),
            )
            for (latent, model), trials in PAIRS.items()
        ],
    )


def told_completeness(found):
    """How surely samples are told from decoded codes."""
    return table(
        ("latent", "model", "N(0, I)", "fitted Gaussian", "fitted mixture", "verdict"),
        [
            (
                latent,
                model,
                *(found.told(trial, rung) for rung in ("prior", "gaussian", "mixture")),
                verdict_of(found, trial),
            )
            for (latent, model), trial in AGAIN.items()
        ],
    )


def plane_plot(found):
    """The plane of the latents of two numbers: where the codes lie, and what the square around 0 decodes to."""
    seen = {model: found.pictures(PAIRS["2", model][0]) for model in ("autoencoder", "VAE")}
    if not all("map.codes" in pictures and "plane" in pictures for pictures in seen.values()):
        return None
    figure, panels = canvas(8.4, 8.2, nrows=2, ncols=2)
    for (codes_of, decoded), (model, pictures) in zip(panels, seen.items()):
        codes, labels = pictures["map.codes"][:SHOWN], pictures["map.labels"][:SHOWN]
        codes_of.scatter(*codes.T, c=[CLASSES[label % len(CLASSES)] for label in labels], s=8, linewidths=0)
        angle = np.linspace(0, 2 * np.pi, 121)
        for radius in (1, 2, 3):
            codes_of.plot(radius * np.cos(angle), radius * np.sin(angle), color=INK, linewidth=0.8)
        codes_of.set_aspect("equal", adjustable="datalim")
        codes_of.set_title(f"{model}: codes of held-out digits")
        square = pictures_of.grid(list(pictures["plane"]), gap=0)
        pictures_of.show(decoded, square, "the square from -3 to 3, decoded")
    return figure


FIGURES = {"plane": plane_plot}
TABLES = {
    "continuity": continuity,
    "completeness": completeness,
    "told_completeness": told_completeness,
}

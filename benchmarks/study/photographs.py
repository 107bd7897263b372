"""Do the verdicts hold on photographs? Models of planted conditions on three sets of images.

The list and the verdict that is right for each (`benchmarks.study.verdicts.RIGHT`) were committed before any of these
models was trained. The thresholds are set on the models of `benchmarks.study.verdicts`, and on none of these.
"""

from benchmarks.planted import BETA, Plant

SEEDS = {"mnist": 31, "sprites": 33, "animals": 34}
# The condition, what train.py is told by set of images, what is made of the model and how much of that.
CONDITIONS = (
    (
        "healthy",
        {"mnist": "--latent 9 --epochs 3", "sprites": "--latent 7", "animals": "--latent 32"},
        "ideal",
        10_000,
    ),
    (
        "healthy",
        {"mnist": "--latent 14 --epochs 2", "sprites": "--latent 5", "animals": "--latent 12"},
        "ideal",
        8000,
    ),
    (
        "collapsed",
        {
            "mnist": f"--latent 10 {BETA} 100 --epochs 2",
            "sprites": f"--latent 8 {BETA} 4000 --epochs 2",
            "animals": f"--latent 16 {BETA} 5000 --epochs 2",
        },
        "",
        0,
    ),
    (
        "under_regularised",
        {
            "mnist": f"--latent 14 {BETA} 0.02",
            "sprites": f"--latent 9 {BETA} 0.015",
            "animals": f"--latent 48 {BETA} 0.01",
        },
        "",
        0,
    ),
    (
        "under_regularised",
        {
            "mnist": f"--latent 18 {BETA} 0.03",
            "sprites": f"--latent 14 {BETA} 0.02",
            "animals": f"--latent 24 {BETA} 0.02",
        },
        "",
        0,
    ),
    (
        "spread_code",
        {
            "mnist": "--latent 8x8x48 --epochs 2",
            "sprites": "--latent 8x8x48 --epochs 2",
            "animals": "--latent 8x8x32 --epochs 3",
        },
        "",
        0,
    ),
    (
        "spread_code",
        {
            "mnist": "--latent 8x8x96 --epochs 2",
            "sprites": "--latent 8x8x96 --epochs 2",
            "animals": "--latent 8x8x64 --epochs 2",
        },
        "",
        0,
    ),
    (
        "correlated",
        {"mnist": "--latent 9 --epochs 3", "sprites": "--latent 9", "animals": "--latent 24"},
        "correlated",
        0.9,
    ),
    (
        "correlated",
        {"mnist": "--latent 11 --epochs 3", "sprites": "--latent 6", "animals": "--latent 16"},
        "correlated",
        0.95,
    ),
    (
        "clustered",
        {"mnist": "--latent 9 --epochs 3", "sprites": "--latent 9", "animals": "--latent 24"},
        "clustered",
        2,
    ),
    (
        "clustered",
        {"mnist": "--latent 11 --epochs 3", "sprites": "--latent 6", "animals": "--latent 16"},
        "clustered",
        1,
    ),
    (
        "no_prior",
        {
            "mnist": "--latent 20 --objective autoencoder",
            "sprites": "--latent 14 --objective autoencoder",
            "animals": "--latent 48 --objective autoencoder",
        },
        "",
        0,
    ),
    (
        "blurry",
        {
            "mnist": "--latent 2 --network.widths 8,16 --epochs 3",
            "sprites": "--latent 2 --network.widths 8,16",
            "animals": "--latent 3 --network.widths 8,16",
        },
        "",
        0,
    ),
    (
        "overfitted",
        {
            "mnist": "--latent 14 --limit 220 --epochs 70",
            "sprites": "--latent 9 --limit 220 --epochs 70",
            "animals": "--latent 32 --limit 300 --epochs 80",
        },
        "",
        0,
    ),
    (
        "copying",
        {
            "mnist": "--latent 9 --epochs 2",
            "sprites": "--latent 7 --epochs 2",
            "animals": "--latent 24 --epochs 2",
        },
        "copies",
        5000,
    ),
    (
        "copying",
        {
            "mnist": "--latent 12 --epochs 2",
            "sprites": "--latent 9 --epochs 2",
            "animals": "--latent 16 --epochs 2",
        },
        "copies",
        8000,
    ),
    (
        "discontinuous",
        {"mnist": "--latent 9 --epochs 2", "sprites": "--latent 7", "animals": "--latent 16"},
        "steps",
        70,
    ),
    (
        "discontinuous",
        {"mnist": "--latent 12 --epochs 2", "sprites": "--latent 9", "animals": "--latent 24"},
        "steps",
        50,
    ),
    (
        "blind",
        {
            "mnist": "--latent 8x8x8 --epochs 3",
            "sprites": "--latent 8x8x8 --epochs 2",
            "animals": "--latent 8x8x16 --epochs 4",
        },
        "blind",
        8000,
    ),
    (
        "blind",
        {
            "mnist": "--latent 8x8x16 --epochs 3",
            "sprites": "--latent 4x4x32 --epochs 2",
            "animals": "--latent 8x8x8 --epochs 4",
        },
        "blind",
        8000,
    ),
)


def plants_of(conditions, seeds):
    """Returns the `Plant`s of a list of conditions, one for each set of images."""
    return tuple(
        Plant(condition, data, flags, seeds[data], made, amount)
        for condition, by_data, made, amount in conditions
        for data, flags in by_data.items()
    )


TESTED_ON_PHOTOGRAPHS = plants_of(CONDITIONS, SEEDS)

"""Section 3: a plain convolutional autoencoder of 64 to 1,024 numbers, of 150 augmented colour images, and of one."""

from benchmarks.study.found import over_seeds, table
from benchmarks.study.plots import BLUE, GREEN, ORANGE, PURPLE, blocks, canvas, errors, log_axis
from benchmarks.study.statistics import mean_and_error, written

TITLE = "150 colour images"
PLAIN = "--objective autoencoder"
SIZES = {
    "64": over_seeds(3, "coloured", "64", PLAIN, cost=110),
    "128": over_seeds(3, "coloured", "128", PLAIN, cost=110),
    "256": over_seeds(3, "coloured", "256", PLAIN, cost=110),
    "512": over_seeds(3, "coloured", "512", PLAIN, cost=110),
    "1024": over_seeds(3, "coloured", "1024", PLAIN, cost=120),
}
ONE = {
    "64": over_seeds(2, "single", "64", PLAIN, cost=110),
    "1024": over_seeds(2, "single", "1024", PLAIN, cost=120),
}
TRIALS = tuple(trial for kind in (SIZES, ONE) for trials in kind.values() for trial in trials)
TRAIN, TEST = "results.reconstruction.train.mse", "results.reconstruction.test.mse"


def sizes(found, kind=SIZES):
    """What each size gives."""
    columns = {
        "weights, millions": ("weights", 1e-6),
        "squared error x 1,000, training": (TRAIN, 1e3),
        "held-out": (TEST, 1e3),
        "held-out : training": ("results.memorisation.mse_ratio", 1),
        "directions used (PC95)": ("codes.rank.pc95", 1),
        "best epoch": ("history.best_epoch", 1),
        "largest : mean step": ("results.continuity.jump", 1),
        "half way, dead zone": ("results.interpolation.linear.dead_zone", 1),
        "Fréchet half way": ("results.interpolation.linear.frechet", 1),
        "of pixels blended": ("results.interpolation.pixel_blend.frechet", 1),
    }
    return table(
        ("latent", *columns),
        [
            (latent, *(found.cell(trials, path, scale) for path, scale in columns.values()))
            for latent, trials in kind.items()
        ],
    )


def one(found):
    """The same of a single image's forms."""
    return sizes(found, ONE)


def largest(found):
    """Whether 1,024 is worse than the best of the others, by how many standard errors."""
    lines = []
    for words, path in (
        ("squared error, training", TRAIN),
        ("squared error, held-out", TEST),
        ("held-out : training", "results.memorisation.mse_ratio"),
        ("Fréchet half way", "results.interpolation.linear.frechet"),
    ):
        means = {latent: found.mean(trials, path) for latent, trials in SIZES.items()}
        means = {latent: both for latent, both in means.items() if both[0] is not None}
        if "1024" not in means or len(means) < 2:
            continue
        best = min((latent for latent in means if latent != "1024"), key=lambda latent: means[latent][0])
        (mean, error), (other, other_error) = means["1024"], means[best]
        spread = ((error or 0) ** 2 + (other_error or 0) ** 2) ** 0.5
        sure = f"{(mean - other) / spread:+.1f}" if spread else "-"
        lines.append(
            (words, written(mean), f"{written(other)} ({best})", f"{100 * (mean / other - 1):+.0f}%", sure)
        )
    return table(("", "1,024", "best of the others", "1,024 against it", "in standard errors"), lines)


def sizes_plot(found):
    """Errors and what lies half way, against the size."""
    figure, (left, right) = canvas(8.2, 3.2, ncols=2)
    for axes, lines in (
        (left, (("training", BLUE, TRAIN), ("held-out", ORANGE, TEST))),
        (
            right,
            (
                ("half way between codes", GREEN, "results.interpolation.linear.frechet"),
                ("pixels blended", PURPLE, "results.interpolation.pixel_blend.frechet"),
            ),
        ),
    ):
        for label, colour, path in lines:
            points = [
                (int(latent), *mean_and_error(found.values(trials, path))) for latent, trials in SIZES.items()
            ]
            errors(axes, points, colour, label=label)
        log_axis(axes.xaxis)
        axes.set_xticks([int(latent) for latent in SIZES])
        axes.set_ylim(bottom=0)
        axes.set_xlabel("numbers in the latent")
        axes.legend()
    left.set_ylabel("squared error of a pixel")
    right.set_ylabel("Fréchet distance, random features")
    return figure


def interpolations(found):
    """Ways between two held-out images, by each size, and between two forms of the single image."""
    columns = {"150 images": SIZES, "one image, augmented": ONE}
    shown, blend = {}, "pixels blended"
    for column, kind in columns.items():
        for latent, trials in kind.items():
            pictures = found.pictures(trials[0])
            for row, name in ((latent, "linear"), (blend, "pixel_blend")):
                if f"interpolation.{name}" in pictures:
                    shown[column, row] = pictures[f"interpolation.{name}"][0]
    return blocks(list(columns), [*SIZES, blend], shown, size=0.42, across=9)


FIGURES = {"small_set": sizes_plot, "interpolations": interpolations}
TABLES = {
    "sizes": sizes,
    "largest": largest,
    "one": one,
}

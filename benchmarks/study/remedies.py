"""Section 4: remedies on one broken model, 8x8x64 with means in the place of sums: what each gains, and costs."""

from benchmarks.study.found import again, over_seeds, sampled, table
from benchmarks.study.plots import BLUE, GREEN, MUTED, canvas
from benchmarks.study.statistics import mean_and_error, show, written

TITLE = "Remedies"
FITTED = ("gaussian", "mixture", "two_stage", "flow", "vamp")
MEAN = "--objective.reduction mean"
BROKEN = over_seeds(2, "mnist", "8x8x64", MEAN, samplers=FITTED, cost=450)
RETRAINED = {
    "sums in the place of means": over_seeds(2, "mnist", "8x8x64"),
    "learned variance": over_seeds(2, "mnist", "8x8x64", f"{MEAN} --likelihood gaussian_learned"),
    "learned variance and sums": over_seeds(2, "mnist", "8x8x64", "--likelihood gaussian_learned"),
    "a vector of 32": over_seeds(2, "mnist", "32", MEAN),
    "a vector of 32 and sums": over_seeds(2, "mnist", "32"),
    "VampPrior": over_seeds(2, "mnist", "8x8x64", f"{MEAN} --prior vamp", cost=260),
    "VampPrior and sums": over_seeds(2, "mnist", "8x8x64", "--prior vamp", cost=260),
}
WITHOUT_TRAINING = {
    "gaussian": "ex-post Gaussian",
    "mixture": "ex-post mixture",
    "two_stage": "two-stage",
    "flow": "ex-post flow",
    "vamp": "mixture of posteriors",
}
# With the classifier two-sample test, which there was not yet: one seed of each.
BROKEN_AGAIN = again("mnist", "8x8x64", MEAN, samplers=(*FITTED, "flow_matching"), cost=600)
RETRAINED_AGAIN = {
    "sums in the place of means": again("mnist", "8x8x64"),
    "a vector of 32 and sums": again("mnist", "32"),
}
TRIALS = (
    *BROKEN,
    *(trial for trials in RETRAINED.values() for trial in trials),
    BROKEN_AGAIN,
    *RETRAINED_AGAIN.values(),
)
ALL_FITTED = {**WITHOUT_TRAINING, "flow_matching": "flow matching, a minute"}
GAP = "results.generation_gap"
LEFT = -0.2  # where the figure ends


def remedies(found):
    """Yields, a remedy: its words, whether it needs a training, and lists over seeds: distances, gains, seconds."""
    for name, words in WITHOUT_TRAINING.items():
        distances = [found.value(trial, f"{GAP}.{name}.frechet") for trial in BROKEN]
        seconds = [found.value(trial, f"fitting.{name}.core") for trial in BROKEN]
        yield words, False, *measured(found, distances, seconds)
    for words, trials in RETRAINED.items():
        distances = [found.value(trial, f"{GAP}.prior.frechet") for trial in trials]
        seconds = [found.value(trial, "seconds.training.core") for trial in trials]
        yield words, True, *measured(found, distances, seconds)


def measured(found, distances, seconds):
    """Returns distances, gains and seconds of the seeds that have them."""
    pairs = [
        (distance, gain(found, broken, distance))
        for broken, distance in zip(BROKEN, distances)
        if distance is not None
    ]
    known = [second for second in seconds if second is not None]
    return [distance for distance, _ in pairs], [value for _, value in pairs if value is not None], known


def gain(found, broken, distance):
    """Returns which share of the broken model's gap a distance of samples closes, against the model of that seed.

    1 is as close to real images as its reconstructions are, or closer; below 0 is worse than N(0, I) was.
    """
    prior, floor = (found.value(broken, f"{GAP}.{rung}.frechet") for rung in ("prior", "reconstruction"))
    if None in (prior, floor) or prior <= floor:
        return None
    return (prior - distance) / (prior - floor)


def broken(found):
    """What is wrong with the model."""
    columns = {
        "beta": "results.rate_distortion.effective_beta",
        "rate": "results.rate_distortion.rate",
        "mismatch": "results.prior_mismatch.nats",
        "dead zone": "results.completeness.dead_zone",
        "Fréchet: real": f"{GAP}.real.frechet",
        "reconstructions": f"{GAP}.reconstruction.frechet",
        "N(0, I)": f"{GAP}.prior.frechet",
        "training, core seconds": "seconds.training.core",
    }
    return table(tuple(columns), [tuple(found.cell(BROKEN, path) for path in columns.values())])


def all_remedies(found):
    """Gain against cost, the best first."""
    rows = [
        (words, "a training" if trained else "none", distances, gains, seconds)
        for words, trained, distances, gains, seconds in remedies(found)
    ]
    rows.sort(key=lambda row: -(mean_and_error(row[3])[0] if row[3] else -9))
    return table(
        (
            "remedy",
            "needs",
            "Fréchet of samples",
            "share of the gap closed",
            "core seconds",
            "and best sampler",
        ),
        [
            (words, needs, show(distances), show(gains), show(seconds), show(besides(found, words)))
            for words, needs, distances, gains, seconds in rows
        ],
    )


def besides(found, words):
    """Returns the distances of the best sampler that is fitted to the codes of a remedy that is trained."""
    distances = [sampled(found, trial) for trial in RETRAINED.get(words, ())]
    return [distance for distance in distances if distance is not None]


def told_remedies(found):
    """How surely samples are told from decoded codes after each remedy."""
    left = [(words, "none", found.told(BROKEN_AGAIN, name), "-") for name, words in ALL_FITTED.items()]
    trained = [
        (words, "a training", found.told(trial), found.told(trial, "mixture"))
        for words, trial in RETRAINED_AGAIN.items()
    ]
    return table(
        ("remedy", "needs", "its samples", "with a mixture fitted as well"),
        [("nothing", "none", found.told(BROKEN_AGAIN), "-"), *left, *trained],
    )


def remedies_plot(found):
    """What each closes of the gap, the best first, and what it costs."""
    rows = [
        (words, trained, mean_and_error(gains), mean_and_error(seconds)[0])
        for words, trained, _, gains, seconds in remedies(found)
        if gains
    ]
    if not rows:
        return None
    rows.sort(key=lambda row: row[2][0])
    figure, axes = canvas(7.4, 0.8 + 0.3 * len(rows))
    for place, (_, trained, (mean, error), cost) in enumerate(rows):
        colour, marker = (BLUE, "s") if trained else (GREEN, "o")
        if mean < LEFT:
            axes.text(
                LEFT,
                place,
                f"\N{BLACK LEFT-POINTING SMALL TRIANGLE} {written(mean)}",
                va="center",
                color=colour,
            )
        else:
            axes.errorbar(mean, place, xerr=error or 0, color=colour, marker=marker, capsize=2)
        axes.text(
            1.02,
            place,
            f"{written(cost, 2)} s" if cost else "-",
            transform=axes.get_yaxis_transform(),
            va="center",
        )
    axes.set_yticks(range(len(rows)), [words for words, *_ in rows])
    axes.text(1.02, len(rows), "of one core", transform=axes.get_yaxis_transform(), va="center", color=MUTED)
    for share in (0, 1):
        axes.axvline(share, color=MUTED, linewidth=0.9, linestyle="--")
    axes.set_xlim(left=LEFT)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("share of the gap closed (circles: fitted to the codes; squares: a training)")
    return figure


FIGURES = {"remedies": remedies_plot}
TABLES = {
    "broken": broken,
    "remedies": all_remedies,
    "told_remedies": told_remedies,
}

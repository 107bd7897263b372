"""Section 6: how often is the verdict right? Models of planted conditions, half of them for the thresholds, half for the test."""

import numpy as np

from benchmarks.planted import BETA, PLANTS, Plant
from benchmarks.study.found import table
from benchmarks.study.plots import canvas
from benchmarks.study.statistics import written
from benchmarks.study.trials import Planted
from benchmarks.thresholds import SIDES, numbers_of
from keras_vae.evaluation.verdict import THRESHOLDS, Facts, judge

TITLE = "How often is the verdict right?"
COSTS = {"mnist": 105, "sprites": 85, "digits": 45}

# A first test. It was looked at, and rules were changed by it, so that it is of the first half now.
LOOKED_AT = (
    Plant("healthy", "mnist", "--latent 12 --epochs 3", seed=11, made="ideal", amount=16_000),
    Plant("healthy", "digits", "--latent 10", seed=12, made="ideal", amount=4000),
    Plant("healthy", "sprites", "--latent 5", seed=13, made="ideal", amount=10_000),
    Plant("collapsed", "mnist", f"--latent 8 {BETA} 60 --epochs 2", seed=11),
    Plant("collapsed", "digits", f"--latent 12 {BETA} 200", seed=12),
    Plant("collapsed", "sprites", f"--latent 6 {BETA} 2000 --epochs 2", seed=13),
    Plant("under_regularised", "mnist", f"--latent 12 {BETA} 0.03", seed=11),
    Plant("under_regularised", "digits", f"--latent 12 {BETA} 0.01", seed=12),
    Plant("under_regularised", "sprites", f"--latent 8 {BETA} 0.01", seed=13),
    Plant("spread_code", "mnist", "--latent 8x8x128 --epochs 2", seed=11),
    Plant("spread_code", "digits", "--latent 4x4x64", seed=12),
    Plant("spread_code", "sprites", "--latent 8x8x32 --epochs 2", seed=13),
    Plant("correlated", "mnist", "--latent 10 --epochs 3", seed=11, made="correlated", amount=0.95),
    Plant("correlated", "digits", "--latent 8", seed=12, made="correlated", amount=0.9),
    Plant("correlated", "sprites", "--latent 6", seed=13, made="correlated", amount=0.9),
    Plant("clustered", "mnist", "--latent 10 --epochs 3", seed=11, made="clustered", amount=2),
    Plant("clustered", "digits", "--latent 6", seed=12, made="clustered", amount=1),
    Plant("clustered", "sprites", "--latent 6", seed=13, made="clustered", amount=2),
    Plant("no_prior", "mnist", "--latent 12 --objective autoencoder", seed=11),
    Plant("no_prior", "digits", "--latent 12 --objective autoencoder", seed=12),
    Plant("no_prior", "sprites", "--latent 16 --objective autoencoder", seed=13),
    Plant("blurry", "mnist", "--latent 2 --network.widths 8,8 --epochs 3", seed=11),
    Plant("blurry", "digits", "--latent 1 --epochs 20", seed=12),
    Plant("blurry", "sprites", "--latent 2 --network.widths 8,16", seed=13),
    Plant("overfitted", "mnist", "--latent 12 --limit 200 --epochs 80", seed=11),
    Plant("overfitted", "digits", "--latent 10 --limit 150 --epochs 300", seed=12),
    Plant("overfitted", "sprites", "--latent 8 --limit 200 --epochs 80", seed=13),
    Plant("copying", "mnist", "--latent 10 --epochs 2", seed=11, made="copies", amount=5000),
    Plant("copying", "digits", "--latent 8", seed=12, made="copies", amount=1400),
    Plant("copying", "sprites", "--latent 8 --epochs 2", seed=13, made="copies", amount=6000),
    Plant("discontinuous", "mnist", "--latent 10 --epochs 2", seed=11, made="steps", amount=80),
    Plant("discontinuous", "digits", "--latent 6", seed=12, made="steps", amount=40),
    Plant("discontinuous", "sprites", "--latent 8", seed=13, made="steps", amount=60),
)
# The first half: the models that the thresholds were first set by, the first test, and conditions that were missing.
SET = (
    *PLANTS[:19],
    *LOOKED_AT,
    Plant("correlated", "mnist", "--latent 8 --epochs 3", made="correlated", amount=0.9),
    Plant("correlated", "digits", "--latent 6", made="correlated", amount=0.95),
    Plant("correlated", "sprites", "--latent 8", made="correlated", amount=0.95),
    Plant("clustered", "mnist", "--latent 8 --epochs 3", made="clustered", amount=1),
    Plant("clustered", "digits", "--latent 8", made="clustered", amount=2),
    Plant("clustered", "sprites", "--latent 8", made="clustered", amount=1),
    Plant("healthy", "mnist", "--latent 8 --epochs 3", made="ideal", amount=16_000),
    Plant("healthy", "digits", "--latent 6", made="ideal", amount=4000),
    Plant("healthy", "sprites", "--latent 8", made="ideal", amount=10_000),
)
# The second half: each condition on each set of images once, of other seeds, sizes and strengths. No threshold was
# set, and no rule may be changed, by these.
TESTED = (
    Plant("healthy", "mnist", "--latent 10 --epochs 3", seed=21, made="ideal", amount=16_000),
    Plant("healthy", "digits", "--latent 7", seed=22, made="ideal", amount=4000),
    Plant("healthy", "sprites", "--latent 6", seed=23, made="ideal", amount=10_000),
    Plant("collapsed", "mnist", f"--latent 20 {BETA} 80 --epochs 2", seed=21),
    Plant("collapsed", "digits", f"--latent 6 {BETA} 250", seed=22),
    Plant("collapsed", "sprites", f"--latent 12 {BETA} 3000 --epochs 2", seed=23),
    Plant("under_regularised", "mnist", f"--latent 20 {BETA} 0.02", seed=21),
    Plant("under_regularised", "digits", f"--latent 10 {BETA} 0.015", seed=22),
    Plant("under_regularised", "sprites", f"--latent 12 {BETA} 0.02", seed=23),
    Plant("spread_code", "mnist", "--latent 8x8x32 --epochs 3", seed=21),
    Plant("spread_code", "digits", "--latent 4x4x96", seed=22),
    Plant("spread_code", "sprites", "--latent 8x8x128 --epochs 2", seed=23),
    Plant("correlated", "mnist", "--latent 12", seed=21, made="correlated", amount=0.9),
    Plant("correlated", "digits", "--latent 10", seed=22, made="correlated", amount=0.95),
    Plant("correlated", "sprites", "--latent 7", seed=23, made="correlated", amount=0.9),
    Plant("clustered", "mnist", "--latent 12", seed=21, made="clustered", amount=1),
    Plant("clustered", "digits", "--latent 10", seed=22, made="clustered", amount=2),
    Plant("clustered", "sprites", "--latent 7", seed=23, made="clustered", amount=2),
    Plant("no_prior", "mnist", "--latent 24 --objective autoencoder", seed=21),
    Plant("no_prior", "digits", "--latent 6 --objective autoencoder", seed=22),
    Plant("no_prior", "sprites", "--latent 12 --objective autoencoder", seed=23),
    Plant("blurry", "mnist", "--latent 3 --network.widths 8,16", seed=21),
    Plant("blurry", "digits", "--latent 1 --epochs 30 --network.widths 8,8", seed=22),
    Plant("blurry", "sprites", "--latent 1 --network.widths 16,16", seed=23),
    Plant("overfitted", "mnist", "--latent 20 --limit 250 --epochs 60", seed=21),
    Plant("overfitted", "digits", "--latent 6 --limit 120 --epochs 350", seed=22),
    Plant("overfitted", "sprites", "--latent 12 --limit 250 --epochs 60", seed=23),
    Plant("copying", "mnist", "--latent 14 --epochs 2", seed=21, made="copies", amount=6000),
    Plant("copying", "digits", "--latent 10", seed=22, made="copies", amount=1200),
    Plant("copying", "sprites", "--latent 6 --epochs 2", seed=23, made="copies", amount=5000),
    Plant("discontinuous", "mnist", "--latent 12 --epochs 2", seed=21, made="steps", amount=60),
    Plant("discontinuous", "digits", "--latent 10", seed=22, made="steps", amount=30),
    Plant("discontinuous", "sprites", "--latent 6", seed=23, made="steps", amount=80),
)
# The verdicts that are right, by condition: names, or kinds of a hole, large or patchy.
RIGHT = {
    "healthy": ("healthy",),
    "vae": ("healthy", "patchy: clustered"),
    "collapsed": ("collapsed",),
    "under_regularised": ("prior hole: under regularised", "patchy: under regularised"),
    "spread_code": ("prior hole: spread code", "patchy: spread code"),
    "mis_scaled": ("prior hole: mis scaled", "patchy: mis scaled"),
    "correlated": ("prior hole: correlated", "patchy: correlated"),
    "clustered": ("prior hole: clustered", "patchy: clustered"),
    # Right statistics and no objects: a person sees that nothing of it is an image, so "patchy" would be wrong.
    "blind": ("prior hole: clustered",),
    "no_prior": ("prior hole: no prior", "patchy: no prior"),
    "blurry": ("blurry",),
    "overfitted": ("overfitted",),
    "copying": ("overfitted: copies training images",),
    "discontinuous": ("discontinuous",),
    "insufficient_data": ("insufficient data",),
}
# Where the numbers of conditions lie that no threshold was set by: threshold, number, and whether it is to be above.
SOUND = (
    ("overfitted_mse", "mse ratio", False),
    ("overfitted_elbo", "ELBO gap", False),
    ("blurry", "floors", False),
    ("rough", "rough", False),
    ("torn", "jump", False),
)
NEEDED = {
    "healthy": (*SOUND, ("patchy", "gap", False), ("thin", "dead zone", False)),
    "vae": SOUND,
    "correlated": (*SOUND, ("thin", "dead zone", True), ("mismatch", "mismatch", True)),
    "clustered": (*SOUND, ("thin", "dead zone", True), ("mismatch", "mismatch", False)),
}
TRIALS_OF = {
    "set": tuple(Planted(plant, COSTS[plant.data]) for plant in SET),
    "tested": tuple(Planted(plant, COSTS[plant.data]) for plant in TESTED),
}
TRIALS = tuple(trial for half in TRIALS_OF.values() for trial in half)


def judged(found, half):
    """Yields a plant, its facts, its verdict in words and all findings in words, of the trials that are done."""
    for trial in TRIALS_OF[half]:
        record = found.records[trial.name]
        if record:
            findings = judge(record["results"])["findings"]
            words = [in_words(finding) for finding in findings]
            yield trial.plant, Facts(record["results"]), words[0], words


def in_words(finding):
    """Returns a finding's name and kind."""
    return ": ".join(filter(None, (finding["name"], finding["sub_verdict"]))).replace("_", " ")


def is_right(condition, verdict):
    """Returns whether a verdict names the condition."""
    return verdict in RIGHT[condition]


def right(found):
    """How many of each half are right, with the interval of Wilson (1927) at 95%."""
    lines = []
    for half in TRIALS_OF:
        verdicts = list(judged(found, half))
        count = sum(is_right(plant.condition, verdict) for plant, _, verdict, _ in verdicts)
        among = sum(any(is_right(plant.condition, one) for one in words) for plant, _, _, words in verdicts)
        low, high = wilson(count, len(verdicts))
        share = (
            f"{100 * count / len(verdicts):.0f}% ({100 * low:.0f} to {100 * high:.0f})" if verdicts else "-"
        )
        lines.append((half, len(verdicts), count, share, among))
    return table(("half", "models", "right", "share (95% interval)", "named among the findings"), lines)


def wilson(count, total, z=1.96):
    """Returns the interval of a share of `count` in `total`: it keeps its meaning where all or none are right."""
    if not total:
        return 0.0, 1.0
    share, scale = count / total, 1 + z**2 / total
    middle = (share + z**2 / (2 * total)) / scale
    half = z * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)) / scale
    return float(middle - half), float(middle + half)


def confusion(found, half="tested"):
    """Rows: what was planted. Columns: the verdict."""
    counts, verdicts = counted(found, half)
    return table(
        ("planted", *verdicts),
        [
            (condition.replace("_", " "), *(mark(counts, condition, verdict) for verdict in verdicts))
            for condition in dict.fromkeys(condition for condition, _ in counts)
        ],
    )


def counted(found, half):
    """Returns how often each condition got each verdict, and the verdicts that there were."""
    counts = {}
    for plant, _, verdict, _ in judged(found, half):
        counts[plant.condition, verdict] = counts.get((plant.condition, verdict), 0) + 1
    order = [verdict for verdicts in RIGHT.values() for verdict in verdicts]
    seen = {verdict for _, verdict in counts}
    return counts, sorted(seen, key=lambda verdict: order.index(verdict) if verdict in order else len(order))


def mark(counts, condition, verdict):
    """Returns a cell: bold where it is right."""
    count = counts.get((condition, verdict))
    if count is None:
        return ""
    return f"**{count}**" if is_right(condition, verdict) else count


def wrong(found):
    """Each wrong verdict: what it rests on, and which numbers would have had to lie elsewhere for the right one."""
    lines = []
    for half in TRIALS_OF:
        for plant, facts, verdict, words in judged(found, half):
            if not is_right(plant.condition, verdict):
                also = "yes" if any(is_right(plant.condition, one) for one in words) else "no"
                evidence = judge(facts.results)["findings"][0]["evidence"]
                missing = "; ".join(missed(plant.condition, facts)) or "-"
                lines.append((half, plant.name, verdict, evidence, also, missing))
    return table(
        ("half", "planted", "verdict", "because", "right one among the findings", "numbers that miss it"),
        lines,
    )


def missed(condition, facts):
    """Yields the numbers of a model that do not lie where those of its condition should."""
    numbers = numbers_of(facts)
    sides = [(name, side.number, side.above) for name, side in SIDES.items() if condition in side.beyond]
    for name, number, above in (*sides, *NEEDED.get(condition, ())):
        value, threshold = numbers[number], getattr(THRESHOLDS, name)
        if value is not None and (value > threshold) != above:
            yield f"{number} {written(value)}, threshold {written(threshold)}"


def confusion_plot(found):
    """The confusion matrix of the tested half."""
    counts, verdicts = counted(found, "tested")
    conditions = list(dict.fromkeys(condition for condition, _ in counts))
    if not counts:
        return None
    matrix = np.array([[counts.get((row, column), 0) for column in verdicts] for row in conditions])
    figure, axes = canvas(2.2 + 0.45 * len(verdicts), 2.2 + 0.32 * len(conditions))
    axes.imshow(matrix, cmap="Blues", vmin=0, vmax=max(matrix.max(), 1) * 1.4)
    for row, condition in enumerate(conditions):
        for column, verdict in enumerate(verdicts):
            if matrix[row, column]:
                bold = "bold" if is_right(condition, verdict) else "normal"
                axes.text(column, row, matrix[row, column], ha="center", va="center", fontweight=bold)
    axes.set_xticks(range(len(verdicts)), verdicts, rotation=60, ha="right")
    axes.set_yticks(range(len(conditions)), [condition.replace("_", " ") for condition in conditions])
    axes.grid(False)
    axes.set_ylabel("planted")
    axes.set_title("verdict (bold: right)")
    return figure


FIGURES = {"verdicts": confusion_plot}
TABLES = {
    "right": right,
    "confusion": confusion,
    "wrong": wrong,
}

"""Section 5: the size that evaluate.py recommends from one oversized run, against the best of the sweep."""

import math

from benchmarks.study.found import again, over_seeds, sampled, table, verdict_of
from benchmarks.study.plots import GREEN, ORANGE, PURPLE, canvas, errors, log_axis
from benchmarks.study.question import SUMS
from benchmarks.study.statistics import factor, mean_and_error, power_of_two, show, written
from keras_vae.sweep.recommendation import Candidate, recommend

TITLE = "Is the advice right?"
SWEEPS = {
    "mnist": {latent: SUMS[latent] for latent in ("2", "8", "16", "32", "64", "128", "1024")},
    "digits": {
        "2": over_seeds(3, "digits", "2", cost=50),
        "4": over_seeds(3, "digits", "4", cost=50),
        "8": over_seeds(3, "digits", "8", cost=50),
        "16": over_seeds(3, "digits", "16", cost=50),
        "32": over_seeds(3, "digits", "32", cost=50),
        "64": over_seeds(3, "digits", "64", cost=50),
        "256": over_seeds(3, "digits", "256", cost=50),
    },
    "sprites": {
        "4": over_seeds(3, "sprites", "4", cost=115),
        "8": over_seeds(3, "sprites", "8", cost=115),
        "16": over_seeds(3, "sprites", "16", cost=115),
        "32": over_seeds(3, "sprites", "32", cost=115),
        "64": over_seeds(3, "sprites", "64", cost=115),
        "256": over_seeds(3, "sprites", "256", cost=115),
    },
}
PLAIN = "--objective autoencoder"
OVERSIZED = {
    ("mnist", "VAE, 1,024"): SWEEPS["mnist"]["1024"],
    ("mnist", "autoencoder, 1,024"): over_seeds(3, "mnist", "1024", PLAIN),
    ("digits", "VAE, 256"): SWEEPS["digits"]["256"],
    ("digits", "autoencoder, 256"): over_seeds(3, "digits", "256", PLAIN, cost=50),
    ("sprites", "VAE, 256"): SWEEPS["sprites"]["256"],
    ("sprites", "autoencoder, 256"): over_seeds(3, "sprites", "256", PLAIN, cost=115),
}
# With the measures of today: one seed of each, and digits alone.
DIGITS_AGAIN = {latent: again("digits", latent, cost=50) for latent in SWEEPS["digits"]}
OVERSIZED_AGAIN = {
    "VAE, 256": DIGITS_AGAIN["256"],
    "autoencoder, 256": again("digits", "256", PLAIN, cost=50),
}
TRIALS = (
    *(trial for kind in (*SWEEPS.values(), OVERSIZED) for trials in kind.values() for trial in trials),
    *DIGITS_AGAIN.values(),
    *OVERSIZED_AGAIN.values(),
)
# The present rule stood before these runs and is tested on all of them. Another one would be chosen by runs of seed 2,
# sweep and oversized run, and tested on those of seeds 0 and 1.
TUNING, TESTING = (2,), (0, 1)
ALL = (*TESTING, *TUNING)

# What the rule could be, from one oversized run. evaluate.py's is the first.
RULES = {
    "PC95, up to a power of two": lambda rank, active: power_of_two(rank["pc95"]),
    "PC80, up to a power of two": lambda rank, active: power_of_two(rank["pc80"]),
    "PC90, up to a power of two": lambda rank, active: power_of_two(rank["pc90"]),
    "PC99, up to a power of two": lambda rank, active: power_of_two(rank["pc99"]),
    "participation ratio, up to a power of two": lambda rank, active: power_of_two(rank["participation"]),
    "twice the participation ratio, up to a power of two": lambda rank, active: power_of_two(
        2 * rank["participation"]
    ),
    "active units, up to a power of two": lambda rank, active: power_of_two(active),
}
PRESENT = next(iter(RULES))
NEAR = 2.0  # a factor


def advised(found, trial, rule):
    """Returns the size that a rule recommends from an oversized run, or None where that is not there."""
    rank, active = found.value(trial, "codes.rank"), found.value(trial, "results.latent.active_units")
    return None if rank is None or active is None else RULES[rule](rank, active)


def swept(found, data, seeds):
    """Returns the `Candidate`s of a sweep, of those seeds, by size."""
    candidates = {}
    for latent, trials in SWEEPS[data].items():
        distances = [sampled(found, trial) for trial in trials if trial.seed in seeds]
        distances = tuple(distance for distance in distances if distance is not None)
        if distances:
            candidates[int(latent)] = Candidate(
                f"latent {latent}", int(latent), distances, (None,) * len(distances)
            )
    return candidates


def verdicts(found, rule, seeds):
    """Yields data, kind, advised size, the sweep's choice, its lowest, and the price, of each oversized run of `seeds`.

    The price is the distance of the swept size next to the advised one over the lowest distance of the sweep.
    """
    for (data, kind), trials in OVERSIZED.items():
        candidates = swept(found, data, seeds)
        if len(candidates) < 2:
            continue
        chosen = recommend(list(candidates.values()))
        lowest = min(candidates.values(), key=lambda candidate: candidate.distance)
        for trial in trials:
            size = advised(found, trial, rule) if trial.seed in seeds else None
            if size is not None:
                near = min(candidates, key=lambda other: abs(math.log(other / size)))
                yield data, kind, size, chosen.size, lowest.size, candidates[near].distance / lowest.distance


def hits(found, rule, seeds):
    """Returns of how many oversized runs the advice is within a factor of two of the sweep's choice, and of how many."""
    near = [factor(size, chosen) <= NEAR for _, _, size, chosen, _, _ in verdicts(found, rule, seeds)]
    return sum(near), len(near)


def tuned(found):
    """Returns the rule that does best on the tuning runs; of equals the first, which the present one is."""
    return max(RULES, key=lambda rule: hits(found, rule, TUNING)[0])


def advice(found):
    """The present rule, oversized run by oversized run, of all seeds."""
    grouped = {}
    for data, kind, *judged in verdicts(found, PRESENT, ALL):
        grouped.setdefault((data, kind), []).append(judged)
    return table(
        (
            "data",
            "oversized run",
            "advised, by seed",
            "sweep's choice",
            "sweep's lowest",
            "within a factor of two",
            "Fréchet at the advice : lowest",
        ),
        [
            (
                data,
                kind,
                ", ".join(str(size) for size, *_ in judged),
                judged[0][1],
                judged[0][2],
                within(judged),
                show([price for *_, price in judged]),
            )
            for (data, kind), judged in grouped.items()
        ],
    )


def within(judged):
    """Returns how many of the advised sizes are within a factor of two of the sweep's choice, and the worst that is not."""
    factors = [factor(size, chosen) for size, chosen, *_ in judged]
    count = sum(value <= NEAR for value in factors)
    words = f"{count} of {len(factors)}"
    return words if count == len(factors) else f"**{words}** (factor {max(factors):.3g})"


def told_advice(found):
    """What evaluate.py advises of an oversized run today, and what it costs against the sweep."""
    distances = {
        int(latent): distance
        for latent, trial in DIGITS_AGAIN.items()
        if (distance := sampled(found, trial)) is not None
    }
    rows = []
    for kind, trial in OVERSIZED_AGAIN.items():
        size = found.value(trial, "results.latent.recommended_size")
        if size is None or not distances:
            continue
        low, high = (found.value(trial, f"results.latent.recommended_{end}") for end in ("low", "high"))
        lowest = min(distances, key=distances.get)
        near = min(distances, key=lambda other: abs(math.log(other / size)))
        error = sampled(found, DIGITS_AGAIN[str(lowest)], "frechet_se")
        rows.append(
            (
                kind,
                f"{size} ({low} to {high})",
                lowest,
                written(distances[near]),
                f"{written(distances[lowest])} ± {written(error, 2)}",
            )
        )
    headings = ("oversized run", "advised (95%)", "sweep's lowest", "Fréchet at the advice", "at the lowest")
    return table(headings, rows)


def told_sweep(found):
    """How surely samples of N(0, I), and of the best sampler, are told from decoded codes, by size."""
    rows = [
        (
            latent,
            found.cell([trial], "results.latent.pc95_corrected"),
            found.told(trial),
            found.told(trial, found.value(trial, "results.generation_gap.best_sampler")),
            written(sampled(found, trial)),
            verdict_of(found, trial),
        )
        for latent, trial in DIGITS_AGAIN.items()
        if trial in found.done
    ]
    headings = ("latent", "directions", "N(0, I)", "best sampler", "Fréchet of the best sampler", "verdict")
    return table(headings, rows)


def rules(found):
    """All rules on both halves."""
    best = tuned(found)
    lines = []
    for rule in RULES:
        counts = [hits(found, rule, seeds) for seeds in (TUNING, TESTING)]
        prices = [price for *_, price in verdicts(found, rule, TESTING)]
        lines.append(
            (
                f"**{rule}**" if rule == best else rule,
                *(f"{near} of {count}" for near, count in counts),
                written(mean_and_error(prices)[0]),
            )
        )
    return table(("rule (bold: best by seed 2)", "seed 2", "tested: seeds 0, 1", "mean price, tested"), lines)


def sweeps(found):
    """The sweeps themselves."""
    sizes = sorted({int(latent) for settings in SWEEPS.values() for latent in settings})
    lines = []
    for data in SWEEPS:
        candidates = swept(found, data, ALL)
        cells = []
        for size in sizes:
            mean, error = (
                (candidates[size].distance, candidates[size].error) if size in candidates else (None, None)
            )
            cells.append(written(mean) + (f" ± {written(error, 2)}" if error else ""))
        lines.append((data, *cells))
    return table(("best sampler's Fréchet", *sizes), lines)


def advice_plot(found):
    """Each sweep, and what was advised."""
    figure, panels = canvas(9.2, 3.0, ncols=len(SWEEPS))
    for axes, data in zip(panels, SWEEPS):
        candidates = swept(found, data, ALL)
        errors(
            axes,
            [(size, one.distance, one.error) for size, one in candidates.items()],
            GREEN,
            label="the sweep: its best sampler",
        )
        for (source, kind), colour in zip([key for key in OVERSIZED if key[0] == data], (ORANGE, PURPLE)):
            sizes = [size for trial in OVERSIZED[source, kind] if (size := advised(found, trial, PRESENT))]
            for index, size in enumerate(sizes):
                label = None if index else f"advice from one oversized {kind.split(',')[0]}"
                # Broad and pale below, thin and dotted above: both are seen where they are equal.
                below = colour == ORANGE
                look = {"linewidth": 5, "alpha": 0.15} if below else {"linewidth": 1.4, "linestyle": ":"}
                axes.axvline(size, color=colour, label=label, **look)
        axes.set_title(data)
        axes.set_xlabel("numbers in the latent")
        if candidates:
            log_axis(axes.yaxis)
        log_axis(axes.xaxis)
    panels[0].set_ylabel("Fréchet distance")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


FIGURES = {"advice": advice_plot}
TABLES = {
    "advice": advice,
    "rules": rules,
    "sweeps": sweeps,
    "told_advice": told_advice,
    "told_sweep": told_sweep,
}

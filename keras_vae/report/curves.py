"""The plots of the `--extended` measurements, functions as in `figures`."""

import numpy as np

from keras_vae.report.figures import (
    BLUE,
    CLASSES,
    INK,
    MUTED,
    canvas,
    known,
    plain_ticks,
    rung_colour,
    rung_name,
    rung_rows,
    rungs_of,
)
from keras_vae.report.page import clean, number

LINEAR = 30  # largest value on a linear axis, in standard errors
MARKERS = "osD^vPX*"


def styled(rungs):
    """Yields the rungs in the order of the ladder, each with the style of its line."""
    for index, name in enumerate(rungs_of({name: {"frechet": 0} for name in rungs})):
        yield name, {"color": rung_colour(name), "marker": MARKERS[index % len(MARKERS)], "markersize": 4.5}


def below(figure, columns=3):
    """Puts the legend below the axes."""
    figure.legend(
        loc="outside lower left", ncols=columns, columnspacing=1.0, handlelength=1.4, handletextpad=0.4
    )


def frechet_by_n(section):
    """The Fréchet distance of each rung against 1 / n, with the lines that extrapolate to infinite n."""
    sizes, rungs = known((section or {}).get("n")), (section or {}).get("rungs") or {}
    if not len(sizes) or not rungs:
        return None
    figure, axes = canvas(height=3.9)
    fractions = np.linspace(0, 1 / sizes.min(), 60)
    positive = [
        value for values in (*rungs.values(), section["limit"].values()) for value in values if value > 0
    ]
    if not positive:
        return None
    bottom = 0.5 * min(positive)
    for name, look in styled(rungs):
        values, limit = known(rungs[name]), section["limit"][name]
        line = np.polyval(np.polyfit(1 / sizes, values, 1), fractions)
        axes.plot(fractions, np.where(line > 0, line, np.nan), color=look["color"], linewidth=1)
        axes.plot(1 / sizes, values, linestyle="none", label=rung_name(name), **look)
        if limit > 0:
            error = section["limit_se"][name]
            bars = [[min(error, limit - bottom)], [error]]  # a logarithmic axis has no end below
            axes.errorbar(0, limit, bars, capsize=2, linewidth=1, markerfacecolor="white", **look)  # fmt: skip
    axes.set_yscale("log")
    axes.set_ylim(bottom=bottom)
    axes.set_xlim(left=-0.04 / sizes.min())
    axes.set_xticks([0, *1 / sizes], ["∞", *(number(int(size)) for size in sizes)])
    axes.set(xlabel="images, at even steps of 1 / n", ylabel="Fréchet distance, log scale")
    plain_ticks(axes.yaxis, log=True)
    below(figure)
    listed = "; ".join(
        f"{rung_name(name)} from {number(float(rungs[name][-1]))} at n = {number(int(sizes[-1]))} to"
        f" {number(float(section['limit'][name]))}"
        for name, _ in styled(rungs)
    )
    return (
        figure,
        f"Fréchet distance of each rung against 1/n, extrapolated to infinite n: {listed}.",
    )


def kid_by_n(section):
    """The kernel distance of each rung against n, with its standard error."""
    sizes, rungs = known((section or {}).get("n")), (section or {}).get("rungs") or {}
    if not len(sizes) or not rungs:
        return None
    figure, axes = canvas(height=3.9)
    errors = {name: known(section["rungs_se"][name]) for name in rungs}
    axes.axhline(0, color=MUTED, linewidth=1)
    for index, (name, look) in enumerate(styled(rungs)):
        shift = 0.008 * np.ptp(sizes) * (index - len(rungs) / 2)  # so that bars do not overlap
        axes.errorbar(sizes + shift, known(rungs[name]), errors[name], linewidth=1.2, capsize=2, label=rung_name(name), **look)  # fmt: skip
    threshold = max(float(np.nanmax([error.max() for error in errors.values()])), 1e-9)
    axes.set_xticks(sizes, [number(int(size)) for size in sizes])
    axes.set(xlabel="images", ylabel="kernel distance ± standard error")
    symmetric_log(axes, threshold)
    below(figure)
    listed = "; ".join(
        f"{rung_name(name)} {number(float(rungs[name][0]))} and {number(float(rungs[name][-1]))}"
        for name, _ in styled(rungs)
    )
    return figure, (
        f"Kernel distance of each rung, with error bars, at {number(int(sizes[0]))} and {number(int(sizes[-1]))} images: {listed}."
    )


def symmetric_log(axes, threshold):
    """Makes the vertical axis logarithmic beyond +-`threshold` if values go far beyond it."""
    from matplotlib.ticker import FixedLocator, NullLocator

    axis, reach = axes.yaxis, np.abs(axes.get_ylim()).max()
    if reach < LINEAR * threshold:
        plain_ticks(axis)
        return
    axes.set_yscale("symlog", linthresh=threshold)
    axes.autoscale(axis="y")
    low, high = axes.get_ylim()
    first, last = int(np.ceil(np.log10(threshold))), int(np.floor(np.log10(reach)))
    powers = 10.0 ** np.arange(first, last + 1)
    ticks = np.concatenate([-powers[::-1], [0], powers])
    axis.set_major_locator(FixedLocator(ticks[(low <= ticks) & (ticks <= high)]))
    axis.set_minor_locator(NullLocator())
    plain_ticks(axis)


def cells(section):
    """The copying z-scores of each rung: a point for each cell and a larger one for their mean."""
    section = section or {}
    rungs = {
        name: known(parts)
        for name, parts in (section.get("cells") or {}).items()
        if any(part is not None for part in parts)
    }
    if not rungs:
        return None
    figure, axes = canvas(height=1.2 + 0.36 * len(rungs))
    order = [name for name, _ in styled(rungs)]
    axes.axvline(0, color=MUTED, linewidth=1)
    for row, name in enumerate(order):
        axes.plot(
            rungs[name],
            np.full(len(rungs[name]), row),
            "o",
            color=rung_colour(name),
            markersize=4,
            alpha=0.55,
        )
        axes.plot(section["rungs"][name], row, "D", color=rung_colour(name), markersize=8)
    axes.plot([], [], "o", color=MUTED, markersize=4, label="a cell")
    axes.plot([], [], "D", color=MUTED, markersize=8, label="C_T, their mean")
    rung_rows(axes, order)
    axes.set_xlabel("z (negative: closer to training images than test images are)")
    plain_ticks(axes.xaxis)
    figure.legend(loc="outside upper left", ncols=2, handletextpad=0.2)
    listed = ", ".join(f"{rung_name(name)} {number(float(section['rungs'][name]))}" for name in order)
    return figure, f"Copying z-scores of each rung, one point per cell. Means: {listed}."


def survival(section):
    """The share of images of each class that have kept their class, by angle."""
    section = section or {}
    angles, classes = known(section.get("angles")), section.get("classes") or {}
    if not len(angles) or not classes:
        return None
    figure, axes = canvas(width=4.8, height=3.2)
    labels = [label for label in classes if label != "all"]
    for index, label in enumerate(labels):
        shares = 100 * known(classes[label]["share"])
        axes.plot(angles, shares, color=CLASSES[index % len(CLASSES)], linewidth=1.3, label=clean(label, 14))
    if "all" in classes:
        shares, errors = (100 * known(classes["all"][key]) for key in ("share", "share_se"))
        axes.fill_between(
            angles, shares - 2 * errors, shares + 2 * errors, color=INK, alpha=0.15, linewidth=0
        )
        axes.plot(angles, shares, color=INK, linewidth=2.4, label="all")
    axes.set_ylim(0, 104)
    ticks = [angle for angle in (0, 15, 30, 45, 60, 75, 90) if angle <= angles.max()]
    axes.set_xticks(ticks, [f"{angle}°" for angle in ticks])
    axes.set(
        xlabel="from the image's code (0°) to a draw of the prior (90°)",
        ylabel="images that kept their class, percent",
    )
    figure.legend(loc="outside right center", title="class", handlelength=1.2)
    listed = ", ".join(
        f"{clean(label, 14)} "
        + (f"{entry['median_angle']:.0f}°" if entry.get("median_angle") is not None else "beyond 90°")
        for label, entry in classes.items()
    )
    return figure, f"Class survival on the path to the prior. Half have lost their class at: {listed}."


def importance(section):
    """The importance-weighted bound against the number of samples."""
    section = section or {}
    samples, nats, errors = (known(section.get(key)) for key in ("samples", "nats", "nats_se"))
    if not len(samples) or not np.isfinite(nats).all():
        return None
    figure, axes = canvas()
    axes.errorbar(samples, nats, np.nan_to_num(errors), color=BLUE, linewidth=1.5, capsize=3)
    accepted = np.array(section["accepted"], bool)
    for chosen, face, label in ((accepted, BLUE, "enough effective samples"), (~accepted, "white", "too few: only a bound")):  # fmt: skip
        if chosen.any():
            axes.plot(samples[chosen], nats[chosen], "o", color=BLUE, markerfacecolor=face, markersize=7, label=label)  # fmt: skip
    for x, y, size in zip(samples, nats, section["effective_sample_size"]):
        axes.annotate(f"{size:.1f}", (x, y), (6, 6), textcoords="offset points", color=MUTED, fontsize=8.5)
    axes.set_xscale("log", base=4)
    axes.set_xlim(samples.min() * 0.7, samples.max() * 2)
    axes.set_xticks(samples, [number(int(value)) for value in samples])
    axes.minorticks_off()
    axes.set(xlabel="samples per image (next to the points: effective samples)", ylabel="nats per image")
    plain_ticks(axes.yaxis)
    figure.legend(loc="outside upper left", ncols=2, handletextpad=0.2)
    listed = ", ".join(
        f"{number(float(value))} nats from {number(int(count))}" for value, count in zip(nats, samples)
    )
    return figure, f"Bound on the negative log-likelihood by number of samples per image: {listed}."

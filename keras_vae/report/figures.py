"""The plots of a report.

Each plot is a function that returns a matplotlib figure and its alternative text, or None if there is nothing to show.
`draw` turns it into a PNG, and into an SVG in the colours of the page, light or dark.
"""

import colorsys
import contextlib
import io
import math
import re
import warnings
from dataclasses import dataclass

import numpy as np

from keras_vae.report.page import MINUS, as_pictures, clean, number
from keras_vae.runtime import figures
from keras_vae.runtime.files import whole

# The colours of the light theme, and the CSS variable for each.
INK, MUTED, LINE = "#1b1f24", "#59616b", "#dedbd3"
BLUE, ORANGE, GREEN, PURPLE = "#1f5fa8", "#b8470b", "#1a7350", "#7a3fa0"
VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
    BLUE: "blue",
    ORANGE: "orange",
    GREEN: "green",
    PURPLE: "purple",
}
# The colours of ten classes, readable on light and dark backgrounds: those of the explorer (`hue` in static/dom.js).
CLASSES = [
    "#4e79c7",
    "#e8743b",
    "#19a979",
    "#945ecf",
    "#d4406e",
    "#13a4b4",
    "#b8962e",
    "#8a8d91",
    "#6a9a2d",
    "#c06bb8",
]
MOST_POINTS = 2000  # in a scatter plot; more would hide each other
RUNGS = {
    "real": "real images",
    "reconstruction": "reconstructions",
    "posterior": "posterior samples",
    "shuffled": "shuffled dims",
    "gaussian": "ex-post Gaussian",
    "mixture": "ex-post mixture",
    "flow_matching": "flow matching",
    "flow": "ex-post flow",
    "two_stage": "second VAE",
    "vamp": "mixture of posteriors",
    "pixel_cnn": "PixelCNN",
    "prior": "the prior",
}


@dataclass(frozen=True)
class Drawn:
    """A plot: the `svg` for the page and its alternative text `alt`."""

    svg: str
    alt: str


def draw(path, plot, *arguments):
    """Writes the PNG of a plot and returns the plot as `Drawn`, or None if there is nothing to show.

    Args:
        path: Path of the PNG.
        plot: A function of `arguments` that returns a figure and its alternative text, or None.
    """
    with style(path.stem), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # names may contain letters that the font lacks
        made = plot(*arguments)
        if made is None:
            return None
        figure, alt = made
        with whole(path) as temporary:
            figure.savefig(
                temporary, dpi=150, facecolor="white", bbox_inches="tight", metadata={"Software": None}
            )
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return Drawn(themed(file.getvalue()), alt)


def themed(svg):
    """Returns `svg` with its colours replaced by the CSS variables of the page."""
    for colour, variable in VARIABLES.items():
        svg = re.sub(colour, f"var(--{variable})", svg, flags=re.I)
    return svg


@contextlib.contextmanager
def style(name):
    """Sets up matplotlib for one figure: text stays text, and ids are unique in the page."""
    import matplotlib

    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "text.parse_math": False,  # names may contain dollar signs
        "font.size": 10,
        "text.color": INK,
        "axes.labelcolor": MUTED,
        "axes.edgecolor": MUTED,
        "axes.titlesize": 10,
        "axes.titlecolor": INK,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": LINE,
        "grid.linewidth": 0.7,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "axes.linewidth": 0.7,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "xtick.minor.size": 0,
        "ytick.minor.size": 0,
        "lines.linewidth": 2,
        "legend.frameon": False,
        "legend.fontsize": 9,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
    }
    with matplotlib.rc_context(settings):
        yield


def canvas(width=4.3, height=3.0, ax=None, **subplots):
    """Returns a new figure of the given size in inches and its axes, or `ax` and its figure."""
    from matplotlib.figure import Figure  # needs neither a display nor pyplot's global state

    if ax is not None:
        return ax.figure, ax
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(**subplots)


def rung_rows(axes, names):
    """Gives the vertical axis one row per rung in `names`, the first on top."""
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), [rung_name(name) for name in names], color=INK)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def plain_ticks(axis, log=False):
    """Formats the ticks of an axis as 10,000 and 0.01.

    On a logarithmic axis they are at powers of ten, over less than two decades also at 2 and 5 times these, and over less
    than half a decade evenly spaced.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    if log:
        axis.axes.autoscale_view()
        low, high = sorted(axis.get_view_interval())
        decades = math.log10(high / low) if low > 0 else math.inf
        subs = (1, 2, 5) if decades < 2 else (1,)
        axis.set_major_locator(MaxNLocator(4) if decades < 0.5 else LogLocator(subs=subs, numticks=6))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}".replace("-", MINUS)))


def count_axis(axes, count):
    """Sets the horizontal axis up for 1, 2, ... `count`, logarithmic above 20."""
    from matplotlib.ticker import MaxNLocator

    if count > 20:
        axes.set_xscale("log")
        plain_ticks(axes.xaxis, log=True)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def known(values):
    """Returns a list as a float array, with NaN for None."""
    return np.array([math.nan if value is None else value for value in values or []], "float64")


def rungs_of(gap):
    """Returns the measured rungs of a generation gap by name, in the order of the ladder."""
    gap = gap or {}
    further = [
        name
        for name, value in gap.items()
        if name not in RUNGS and isinstance(value, dict) and "frechet" in value
    ]
    order = [*list(RUNGS)[:-1], *further, "prior"]
    return {name: gap[name] for name in order if isinstance(gap.get(name), dict)}


def rung_name(rung):
    """Returns the name of a rung in plots."""
    return RUNGS.get(rung) or clean(rung, 24)


def rung_colour(rung):
    """Returns the colour of a rung: blue for encoded images, green for fitted samplers, orange for the prior."""
    if rung in ("real",):
        return MUTED
    return {"prior": ORANGE, "reconstruction": BLUE, "posterior": BLUE, "shuffled": PURPLE}.get(rung, GREEN)


def distances(gap, ax=None):
    """The Fréchet distance of each rung, on a logarithmic axis."""
    rungs = {name: rung["frechet"] for name, rung in rungs_of(gap).items() if rung.get("frechet") is not None}
    if not rungs or max(rungs.values()) <= 0:
        return None
    smallest = min(value for value in rungs.values() if value > 0)
    left = 10 ** math.floor(math.log10(smallest * 0.7))
    figure, axes = canvas(height=0.6 + 0.36 * len(rungs), ax=ax)
    for row, (name, value) in enumerate(rungs.items()):
        shown = max(value, left)
        axes.hlines(row, left, shown, color=rung_colour(name), linewidth=2)
        axes.plot(shown, row, "o", color=rung_colour(name), markersize=7)
        axes.annotate(
            number(float(value)), (shown, row), (9, 0), textcoords="offset points", va="center", color=INK
        )
    axes.set_xscale("log")
    axes.set_xlim(left, max(rungs.values()) * 2.6)
    rung_rows(axes, rungs)
    axes.set_xlabel("Fréchet distance, log scale (lower is better)")
    plain_ticks(axes.xaxis, log=True)
    listed = ", ".join(f"{rung_name(name)} {number(float(value))}" for name, value in rungs.items())
    return figure, f"Fréchet distance of each rung, as horizontal lines: {listed}."


def shares(gap, completeness):
    """Coverage and dead zone of each rung."""
    rungs = rungs_of(gap)
    dead = (completeness or {}).get("by_rung") or {}
    dead = {name: (value or {}).get("dead_zone") for name, value in dead.items()}
    if completeness and dead.get("prior") is None:
        dead["prior"] = completeness.get("dead_zone")
    series = {
        "coverage of real images": (BLUE, "o", known([rung.get("coverage") for rung in rungs.values()])),
        "dead zone": (ORANGE, "D", known([dead.get(name) for name in rungs])),
    }
    if not rungs or all(np.isnan(values).all() for _, _, values in series.values()):
        return None
    figure, axes = canvas(height=0.9 + 0.36 * len(rungs))
    rows = np.arange(len(rungs))
    for label, (colour, marker, values) in series.items():
        axes.plot(100 * values, rows, marker, color=colour, markersize=7, label=label, clip_on=False)
    axes.set_xlim(-2, 102)
    axes.set_ylim(len(rungs) - 0.5, -0.5)
    axes.set_yticks(rows, [rung_name(name) for name in rungs], color=INK)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("percent")
    figure.legend(loc="outside upper left", ncols=2, handletextpad=0.2)
    listed = "; ".join(
        f"{rung_name(name)} "
        + " and ".join(
            f"{label} {number(float(values[row]), 'share')}"
            for label, (_, _, values) in series.items()
            if not np.isnan(values[row])
        )
        for row, name in enumerate(rungs)
    )
    return figure, f"Two points per rung, in percent: {listed}."


def eigenvalues(latent):
    """The variance of the posterior means along their principal directions, against the prior's 1."""
    values = known((latent or {}).get("eigenvalues"))
    values = values[values > 0]
    if not len(values):
        return None
    figure, axes = canvas()
    axes.plot(np.arange(1, len(values) + 1), values, color=BLUE, marker="o", markersize=3)
    axes.axhline(1, color=ORANGE, linestyle="--", linewidth=1.5)
    axes.annotate(
        "prior", (1, 1), (4, 0), ("axes fraction", "data"), "offset points", va="center", color=ORANGE
    )
    axes.set_yscale("log")
    axes.set_ylim(max(min(values.min(), 1) * 0.7, values.max() * 1e-6), max(values.max(), 1) * 2)
    pc90 = latent.get("pc90")
    if pc90 and pc90 <= len(values):
        axes.axvline(pc90, color=MUTED, linewidth=1, linestyle=":")
        axes.annotate(
            f"{number(pc90)}: 90%",
            (pc90, 1),
            (-4, -3),
            ("data", "axes fraction"),
            "offset points",
            color=MUTED,
            va="top",
            ha="right",
        )
    axes.set(xlabel="principal direction", ylabel="variance of the posterior means")
    count_axis(axes, len(values))
    plain_ticks(axes.yaxis, log=True)
    above = int((values > 1).sum())
    return figure, (
        f"Eigenvalues on logarithmic axes, falling from {number(float(values[0]))} to"
        f" {number(float(values[-1]))} over the first {len(values)} directions; {above} are above the prior's 1."
    )


def kl_spectrum(latent):
    """The rate of each latent dim, in descending order."""
    values = known((latent or {}).get("kl_spectrum"))
    if not len(values) or np.nanmax(values) <= 0:
        return None
    values = np.maximum(values, np.nanmax(values) * 1e-6)
    figure, axes = canvas()
    axes.plot(np.arange(1, len(values) + 1), values, color=BLUE, marker="o", markersize=3)
    axes.axhline(0.01, color=MUTED, linestyle=":", linewidth=1)
    axes.annotate(
        "0.01 nats", (1, 0.01), (-2, 4), ("axes fraction", "data"), "offset points", ha="right", color=MUTED
    )
    axes.set_yscale("log")
    axes.set_ylim(min(values.min(), 0.01) * 0.6, max(values.max(), 0.01) * 2)
    axes.set(xlabel="latent dim, by rate", ylabel="rate, nats")
    count_axis(axes, len(values))
    plain_ticks(axes.yaxis, log=True)
    return figure, (
        f"Rate of each latent dim on logarithmic axes, from {number(float(values[0]))} nats down to"
        f" {number(float(values[-1]))} at dim {len(values)} of {number(latent.get('size'))}."
    )


def mismatch(section):
    """L_r against the rank r."""
    section = section or {}
    curve = section.get("curve") or {}
    ranks, nats = known(curve.get("rank")), known(curve.get("nats"))
    if not len(ranks) or len(ranks) != len(nats):
        return None
    figure, axes = canvas()
    axes.plot(ranks, nats, color=BLUE, marker="o", markersize=3, label="held-out codes")
    if section.get("in_sample_nats") is not None:
        axes.axhline(
            section["in_sample_nats"],
            color=MUTED,
            linestyle=":",
            linewidth=1.2,
            label="fitted codes",
        )
    if section.get("rank") is not None and section.get("nats") is not None:
        axes.plot(section["rank"], section["nats"], "o", color=ORANGE, markersize=8, label="the largest")
    axes.set_xscale("symlog", linthresh=1)
    axes.set_ylim(bottom=min(0, np.nanmin(nats) * 1.1))
    axes.margins(y=0.12)
    axes.set(xlabel="rank r of the fitted Gaussian", ylabel="mismatch, nats")
    powers = [0, 1, 10, 100, 1000, 10_000]
    axes.set_xticks([power for power in powers if power <= max(ranks.max(), 1)])
    axes.set_xlim(left=0)
    plain_ticks(axes.xaxis)
    plain_ticks(axes.yaxis)
    figure.legend(loc="outside upper left", ncols=3, columnspacing=1.0, handlelength=1.2, handletextpad=0.4)
    return figure, (
        f"Prior mismatch against the rank of the fitted Gaussian: {number(float(nats[0]))} nats at rank"
        f" {number(int(ranks[0]))}, at most {number(float(np.nanmax(nats)))} nats,"
        f" {number(float(nats[-1]))} at rank {number(int(ranks[-1]))}."
    )


def norms(section):
    """Histograms of the lengths of codes and of prior draws."""
    histogram = ((section or {}).get("norms") or {}).get("histogram") or {}
    edges, prior, posterior = (known(histogram.get(key)) for key in ("edges", "prior", "posterior"))
    if len(edges) < 2 or len(prior) != len(edges) - 1 or len(posterior) != len(prior):
        return None
    figure, axes = canvas()
    for values, colour, label in (
        (prior, ORANGE, "draws of the prior"),
        (posterior, BLUE, "codes"),
    ):
        axes.stairs(
            100 * values / max(np.nansum(values), 1e-12), edges, color=colour, linewidth=2, label=label
        )
        axes.stairs(
            100 * values / max(np.nansum(values), 1e-12),
            edges,
            color=colour,
            fill=True,
            alpha=0.15,
            linewidth=0,
        )
    axes.set(xlabel="length of the code", ylabel="percent")
    axes.set_ylim(bottom=0)
    axes.margins(y=0.25)
    figure.legend(loc="outside upper left", ncols=2)
    plain_ticks(axes.xaxis)
    centres = (edges[1:] + edges[:-1]) / 2
    mean = [float((centres * values).sum() / max(values.sum(), 1e-12)) for values in (prior, posterior)]
    return figure, (
        f"Two histograms of lengths: draws of the prior around {number(mean[0])},"
        f" codes around {number(mean[1])}."
    )


def signal_radius(section):
    """Two circles: the radius of prior draws and of codes in the directions that carry the signal."""
    radius = (section or {}).get("signal_radius") or {}
    prior, posterior = radius.get("prior"), radius.get("posterior")
    if not prior or not posterior:
        return None
    figure, axes = canvas()
    angles = np.linspace(0, 2 * np.pi, 361)
    for size, colour, label, angle in (
        (posterior, BLUE, "codes", 0.22),
        (prior, ORANGE, "the prior", -0.22),
    ):
        axes.plot(size * np.cos(angles), size * np.sin(angles), color=colour, linewidth=2.5)
        axes.fill(size * np.cos(angles), size * np.sin(angles), color=colour, alpha=0.08, linewidth=0)
        tip = size * math.cos(angle), size * math.sin(angle)
        axes.annotate(
            f"{label}: {number(float(size))}",
            tip,
            (max(prior, posterior) * 1.25, tip[1]),
            color=colour,
            va="center",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8},
        )
    axes.plot(0, 0, "+", color=MUTED)
    reach = max(prior, posterior) * 1.06
    axes.set_aspect("equal")
    axes.set_xlim(-reach, reach * 2.1)
    axes.set_ylim(-reach, reach)
    axes.set_axis_off()
    return figure, (
        f"Two circles around the origin: prior draws at radius {number(float(prior))}, codes at radius"
        f" {number(float(posterior))}, in {number(radius.get('dims'))} directions."
    )


def code_map(shown, ax=None):
    """The codes in two dimensions, coloured by class, with the prior's draws over them."""
    shown = shown or {}
    codes = np.asarray(shown.get("codes", np.empty((0, 2))), "float64")
    if codes.ndim != 2 or len(codes) < 2 or codes.shape[1] < 2:
        return None
    prior = np.asarray(shown["prior"] if shown.get("prior") is not None else np.empty((0, 2)), "float64")
    labels = None if shown.get("labels") is None else np.asarray(shown["labels"])
    figure, axes = canvas(height=3.6, ax=ax)
    kept = (
        np.arange(len(codes))
        if len(codes) <= MOST_POINTS
        else np.linspace(0, len(codes) - 1, MOST_POINTS, dtype=int)
    )
    names = [] if labels is None else list(np.unique(labels))
    colours = BLUE if labels is None else [class_colour(label, names) for label in labels[kept]]
    axes.scatter(*codes[kept, :2].T, c=colours, s=9, alpha=0.75, linewidths=0, rasterized=labels is not None)
    if len(prior):
        axes.scatter(*prior[:500, :2].T, marker="x", s=11, linewidths=0.8, color=INK, alpha=0.6)
        angles = np.linspace(0, 2 * np.pi, 121)
        centre, spread = prior[:, :2].mean(0), prior[:, :2].std(0)
        for count in (1, 2, 3):
            axes.plot(
                centre[0] + count * spread[0] * np.cos(angles),
                centre[1] + count * spread[1] * np.sin(angles),
                color=INK,
                linewidth=0.9,
            )
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xlabel=axis_name(shown, 0), ylabel=axis_name(shown, 1))
    plain_ticks(axes.xaxis)
    plain_ticks(axes.yaxis)
    if 1 < len(names) <= 2 * len(CLASSES):
        class_names(figure, axes, {label: np.median(codes[labels == label, :2], axis=0) for label in names})
    spread = codes[:, :2].std(0)
    return figure, (
        f"Scatter plot of {len(kept)} codes"
        + (f" in {len(names)} classes" if names else "")
        + f" with standard deviations {number(float(spread[0]))} and {number(float(spread[1]))} along the two axes"
        + (
            f"; prior draws are in the middle, with {number(float(prior[:, 0].std()))} and"
            f" {number(float(prior[:, 1].std()))}."
            if len(prior)
            else "."
        )
    )


def axis_name(shown, number):
    """Returns the title of an axis of the map, in the explorer's words."""
    if shown.get("axes") == "latent":
        return f"latent dim {number + 1}"
    shares = shown.get("shares")
    share = "" if shares is None else f": {100 * shares[number]:.0f}% of the variance"
    return f"principal direction {number + 1}{share}"


def class_colour(label, names):
    """Returns the colour of a class, that of the explorer.

    Args:
        label: The class, whose number is its place among the colours; other names are numbered in their order.
        names: All classes.
    """
    numbered = np.issubdtype(np.asarray(label).dtype, np.integer) and min(names) >= 0
    number, count = (int(label), int(max(names)) + 1) if numbered else (list(names).index(label), len(names))
    if count <= len(CLASSES):
        return CLASSES[number]
    rgb = colorsys.hls_to_rgb(number * 137.508 % 360 / 360, 0.55, 0.55)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def class_names(figure, axes, places):
    """Writes the names of classes near their `places`, `[2]` in data coordinates by class, none upon another."""
    names = list(places)
    figure.draw_without_rendering()  # fixes the layout, and so the map to pixels
    points = figure.dpi / 72
    shown = [clean(label, 14) for label in names]
    sizes = np.array([[7 * len(words) + 12, 19] for words in shown]) * points * 0.9
    placed = apart(axes.transData.transform(np.array(list(places.values()))), sizes)
    for label, words, at in zip(names, shown, axes.transData.inverted().transform(placed)):
        axes.annotate(
            words,
            at,
            ha="center",
            va="center",
            fontsize=9,
            fontweight="bold",
            color="black",
            bbox={"boxstyle": "round,pad=0.2", "facecolor": class_colour(label, names), "linewidth": 0},
        )


def apart(centres, sizes, rounds=300):
    """Returns the centres, `[n, 2]`, of boxes of the given sizes, `[n, 2]`, moved as little as is needed to part them."""
    centres = np.array(centres, "float64")
    centres += 1e-3 * np.arange(len(centres))[:, None]  # two boxes at one place have a direction to part in
    first, second = np.triu_indices(len(centres), 1)
    least = (sizes[first] + sizes[second]) / 2
    for _ in range(rounds):
        gaps = centres[second] - centres[first]
        overlaps = least - np.abs(gaps)
        for pair in np.flatnonzero((overlaps > 0.5).all(axis=1)):
            axis = int(np.argmin(overlaps[pair]))
            move = 0.5 * overlaps[pair, axis] * (1 if gaps[pair, axis] >= 0 else -1)
            centres[first[pair], axis] -= move / 2
            centres[second[pair], axis] += move / 2
        if not (overlaps > 0.5).all(axis=1).any():
            break
    return centres


def path(section):
    """Confidence and class agreement on the path from a code to a prior draw."""
    section = section or {}
    angles = known(section.get("angles"))
    series = [
        (known(section.get("class_agreement")), BLUE, "o", "same class as the start"),
        (known(section.get("confidence")), GREEN, "s", "confidence of the classifier"),
    ]
    series = [entry for entry in series if len(entry[0]) == len(angles) and np.isfinite(entry[0]).any()]
    if not len(angles) or not series:
        return None
    figure, axes = canvas()
    for values, colour, marker, label in series:
        axes.plot(angles, 100 * values, color=colour, marker=marker, markersize=5, label=label)
    axes.set_ylim(0, 104)
    axes.set_xticks(angles, [f"{angle:.0f}°" for angle in angles])
    axes.set(xlabel="from the image's code (0°) to a draw of the prior (90°)", ylabel="percent")
    figure.legend(loc="outside upper left", ncols=2, columnspacing=1.2)
    listed = "; ".join(
        f"{label} falls from {number(float(values[0]), 'share')} to {number(float(values[-1]), 'share')}"
        for values, _, _, label in series
    )
    return figure, f"Curves against the angle: {listed}."


def history(curves, term, ax=None):
    """A term of the loss by epoch.

    Args:
        curves: By label, the values of each epoch, or None.
        term: The name of the term.
        ax: The axes to draw into; those of a new figure by default.
    """
    curves = {label: known(values) for label, values in curves.items() if values}
    if not curves:
        return None
    figure, axes = canvas(ax=ax)
    for (label, values), colour in zip(curves.items(), (BLUE, ORANGE)):
        axes.plot(np.arange(1, len(values) + 1), values, color=colour, label=label)
    # The first epochs are far above the others, which would become a flat line.
    settled = np.concatenate([values[len(values) // 10 :] for values in curves.values()])
    low, high = np.nanmin(settled), np.nanmax(settled)
    axes.set_ylim(low - 0.05 * (high - low) - 1e-9, high + 0.05 * (high - low) + 1e-9)
    best = int(np.nanargmin(values))
    axes.plot(best + 1, values[best], "o", color=colour, markersize=7, label=f"lowest, epoch {best + 1}")
    axes.set(xlabel="epoch", ylabel=f"{term}, nats per image")
    axes.legend()
    plain_ticks(axes.yaxis)
    listed = ", ".join(
        f"{label} from {number(float(values[0]))} to {number(float(values[-1]))}"
        for label, values in curves.items()
    )
    return figure, f"{term} by epoch: {listed}, lowest in epoch {best + 1}."


def strips(title, rows):
    """Grids of images, each with a label above it.

    Args:
        title: The title of the figure.
        rows: Pairs of a label and a list of arrays `[n, height, width, channels]`, the rows of one grid.
    """
    grids = [(label, figures.grid([as_pictures(row) for row in images])) for label, images in rows]
    if not grids:
        return None
    width = 8.0
    heights = [width * image.shape[0] / image.shape[1] for _, image in grids]
    scale = min(1.0, 14 / sum(heights))
    figure, axes = canvas(
        width * scale + 0.2,
        sum(heights) * scale + 0.3 * len(grids) + 0.3,
        nrows=len(grids),
        squeeze=False,
        height_ratios=heights,
    )
    for cell, (label, image) in zip(axes[:, 0], grids):
        figures.show(cell, image, clean(label, 90))
        cell.title.set_fontsize(9)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return figure, title


def against_size(title, unit, lines, log=False):
    """Numbers of several runs against latent size, one line per kind of number.

    Args:
        title: The title of the plot.
        unit: The unit of all numbers.
        lines: By name, a list of triples: latent size, value or None, letter of the run.
        log: Whether the vertical axis is logarithmic; used only if all values are positive.
    """
    lines = {
        label: sorted(point for point in points if point[1] is not None and point[0])
        for label, points in lines.items()
    }
    lines = {label: points for label, points in lines.items() if points}
    if len({size for points in lines.values() for size, _, _ in points}) < 2:
        return None  # a single size has no trend
    figure, axes = canvas()
    letters = {(size, letter) for points in lines.values() for size, _, letter in points}
    shared = len({size for size, _ in letters}) < len(letters)  # some runs have the same size
    log = log and all(point[1] > 0 for points in lines.values() for point in points)
    for (label, points), colour, marker in zip(lines.items(), (BLUE, ORANGE, GREEN, PURPLE), "osD^"):
        sizes, values, _ = zip(*points)
        line = "none" if shared else "-"
        axes.plot(
            sizes,
            values,
            linestyle=line,
            color=colour,
            marker=marker,
            markersize=6,
            linewidth=1.5,
            label=label,
        )
    tops = {}
    for points in lines.values():
        for size, value, letter in points:
            tops[letter, size] = max(tops.get((letter, size), value), value)
    for (letter, size), value in tops.items():
        axes.annotate(
            letter,
            (size, value),
            (7, 0) if shared else (0, 6),
            textcoords="offset points",
            ha="left" if shared else "center",
            va="center" if shared else "bottom",
            color=INK,
            fontweight="bold",
        )
    axes.margins(x=0.12, y=0.18)
    axes.set_xscale("log")
    if log:
        axes.set_yscale("log")
    else:
        lowest = min(point[1] for points in lines.values() for point in points)
        axes.set_ylim(min(0, lowest), axes.get_ylim()[1])
    axes.set(xlabel="latent size, dims", ylabel=unit)
    axes.set_title(title)
    plain_ticks(axes.xaxis, log=True)
    plain_ticks(axes.yaxis, log=log)
    if len(lines) > 1:
        figure.legend(
            loc="outside lower left", ncols=len(lines), columnspacing=1.0, handlelength=1.2, handletextpad=0.4
        )
    listed = "; ".join(
        f"{label}: "
        + ", ".join(
            f"{number(float(value))} at {number(int(size))} dims (run {letter})"
            for size, value, letter in points
        )
        for label, points in lines.items()
    )
    return figure, f"{title} against latent size. {listed}."

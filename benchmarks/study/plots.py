"""What the study's figures share: the style of the reports, points with error bars, blocks of pictures."""

import warnings

from keras_vae.report.figures import BLUE, CLASSES, GREEN, MUTED, ORANGE, PURPLE, canvas, plain_ticks, style
from keras_vae.runtime import figures
from keras_vae.runtime.files import whole

__all__ = [
    "BLUE",
    "CLASSES",
    "GREEN",
    "MUTED",
    "ORANGE",
    "PURPLE",
    "blocks",
    "canvas",
    "errors",
    "log_axis",
    "save",
]

DOTS = 110  # an inch


def save(path, plot, *arguments):
    """Writes the PNG of `plot(*arguments)`, a figure or None where there is nothing to show; returns whether it did."""
    with style(path.stem), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(Attempt to set non-positive|No artists with labels).*")
        figure = plot(*arguments)
        if figure is None:
            return False
        with whole(path) as temporary:
            figure.savefig(
                temporary, dpi=DOTS, facecolor="white", bbox_inches="tight", metadata={"Software": None}
            )
    return True


def log_axis(axis):
    """Makes an axis logarithmic, with few numbers as people write them, of what is drawn already."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    plain_ticks(axis, log=True)


def errors(axes, points, colour, marker="o", line="-", label=None):
    """Draws triples of a place, a mean and its standard error or None; those without a mean are left out."""
    points = [(place, mean, error or 0) for place, mean, error in points if mean is not None]
    if points:
        places, means, bars = zip(*points)
        axes.errorbar(
            places,
            means,
            bars,
            color=colour,
            marker=marker,
            linestyle=line,
            label=label,
            markersize=5,
            linewidth=1.4,
            elinewidth=1.2,
            capsize=2,
        )


def blocks(columns, rows, pictures, size=0.32, across=8):
    """Returns a figure of blocks of pictures, or None where there are none.

    Args:
        columns: Titles of the columns.
        rows: Titles of the rows.
        pictures: By (column, row), images `[n, height, width, channels]`; a missing one leaves a blank.
        size: Inches that a picture takes.
        across: Pictures side by side in a block.
    """
    if not pictures:
        return None
    figure, axes = canvas(
        len(columns) * (across * size + 0.15) + 1.6,
        len(rows) * (size + 0.1) + 0.3,
        nrows=len(rows),
        ncols=len(columns),
        squeeze=False,
    )
    for (place, row), line in zip(enumerate(rows), axes):
        for cell, column in zip(line, columns):
            cell.set_axis_off()
            if (column, row) in pictures:
                figures.show(
                    cell, figures.grid([pictures[column, row][:across]]), column if place == 0 else ""
                )
        line[0].text(-0.02, 0.5, row, transform=line[0].transAxes, ha="right", va="center", fontsize=9)
    return figure

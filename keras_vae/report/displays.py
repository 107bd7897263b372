"""Plots in scikit-learn's manner: `LadderDisplay.from_results(results).plot()`.

The plots of results are those of the report (`figures`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from keras_vae.report import figures
from keras_vae.report.page import as_pictures
from keras_vae.runtime.figures import grid, show
from keras_vae.training.run_folder import Run

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import keras
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from keras_vae.model.autoencoder import Autoencoder
    from keras_vae.report.shown import EvaluationResults

MOST_COLUMNS = 16  # images in a row


class Display:
    """A plot of stored values.

    Attributes:
        figure_: The figure of the last `plot`.
        ax_: Its axes.
        alt_: The plot in words, as an alternative text.
    """

    figure_: Figure
    ax_: Axes
    alt_: str
    size = (6.0, 4.0)  # width and height of a new figure in inches

    def draw(self, ax: Axes) -> tuple[Any, str] | None:
        """Draws into `ax`; returns its figure and the plot in words, or None if there is nothing to show."""
        raise NotImplementedError

    def plot(self, ax: Axes | None = None) -> Self:
        """Draws into `ax`, by default into a new figure, and returns this display.

        Raises:
            ValueError: There is nothing to show.
        """
        from matplotlib import pyplot

        # Outside of the style, which also restores what a notebook's backend sets with its first figure.
        figure = pyplot.figure(figsize=self.size, layout="constrained") if ax is None else None
        with figures.style(type(self).__name__):
            axes = ax or pyplot.axes()
            made = self.draw(axes)
        if made is None:
            if figure is not None:
                pyplot.close(figure)
            raise ValueError(f"{type(self).__name__} has nothing to show: the values were not measured")
        (self.figure_, self.alt_), self.ax_ = made, axes
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__}{': ' + self.alt_ if hasattr(self, 'alt_') else ''}>"


class LadderDisplay(Display):
    """The Fréchet distance of each rung, from reconstructions to samples of the prior.

    Args:
        rungs: `results["generation_gap"]`.
    """

    def __init__(self, rungs: Mapping[str, Any]) -> None:
        self.rungs = rungs

    @classmethod
    def from_results(cls, results: Mapping[str, Any]) -> Self:
        """Returns the display of what `evaluate` returned, or of a results.json."""
        return cls(results.get("generation_gap") or {})

    def draw(self, ax: Axes) -> tuple[Any, str] | None:
        return figures.distances(self.rungs, ax)


class CodesDisplay(Display):
    """The codes of the test images in two dimensions, coloured by class, with draws of the prior over them.

    Args:
        codes: `[n, 2]`.
        prior: `[n, 2]`, or None.
        labels: `[n]`, or None.
        shares: The share of the codes' variance along each of the two axes, or None.
        axes: "latent" if the axes are the two numbers of the codes, else "principal".
    """

    size = (6.0, 5.0)

    def __init__(
        self,
        codes: ArrayLike,
        prior: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        shares: Sequence[float] | None = None,
        axes: str = "principal",
    ) -> None:
        self.codes, self.prior, self.labels = codes, prior, labels
        self.shares, self.axes = shares, axes

    @classmethod
    def from_results(cls, results: EvaluationResults) -> Self:
        """Returns the display of what `evaluate` returned. A results.json has no codes."""
        shown = getattr(results, "pictures", {}).get("map") or {}
        return cls(
            shown.get("codes", np.empty((0, 2))),
            shown.get("prior"),
            shown.get("labels"),
            shown.get("shares"),
            shown.get("axes", "principal"),
        )

    def draw(self, ax: Axes) -> tuple[Any, str] | None:
        return figures.code_map(vars(self), ax)


class HistoryDisplay(Display):
    """The loss by epoch, on training and on held-out images.

    Args:
        history: A list of numbers for each term.
        term: The term to plot: `loss`, `distortion`, `rate`, ...
    """

    def __init__(self, history: Mapping[str, Sequence[float]], term: str = "loss") -> None:
        self.history, self.term = history, term

    @classmethod
    def from_run(cls, run: Run | str | os.PathLike[str], term: str = "loss") -> Self:
        """Returns the display of a run, as `train` returns it, or of a run's folder."""
        run = run if isinstance(run, Run) else Run.open(run)
        rows = run.read_history()
        columns = rows[0] if rows else ()
        return cls({name: np.array([row[name] for row in rows], float).tolist() for name in columns}, term)

    @classmethod
    def from_history(cls, history: keras.callbacks.History, term: str = "loss") -> Self:
        """Returns the display of what `model.fit` returned."""
        return cls(history.history, term)

    def draw(self, ax: Axes) -> tuple[Any, str] | None:
        names = {f"{prefix}{self.term}": label for prefix, label in (("", "training"), ("val_", "held-out"))}
        return figures.history(
            {label: self.history.get(name) for name, label in names.items()}, self.term, ax
        )


class ReconstructionsDisplay(Display):
    """Images, each above its reconstruction.

    Args:
        images, reconstructions: `[n, height, width, channels]` in [0, 1]; at most 16 are shown.
    """

    size = (8.0, 1.8)

    def __init__(self, images: ArrayLike, reconstructions: ArrayLike) -> None:
        rows = (np.asarray(images), np.asarray(reconstructions))
        self.images, self.reconstructions = (as_pictures(row[:MOST_COLUMNS]) for row in rows)

    @classmethod
    def from_model(cls, model: Autoencoder, images: ArrayLike) -> Self:
        """Returns the display of a model's reconstructions of `images`, `[n, height, width, channels]` in [0, 1]."""
        images = np.asarray(images)[:MOST_COLUMNS]
        return cls(images, model.predict(images, verbose=0))

    def draw(self, ax: Axes) -> tuple[Any, str] | None:
        title = f"{len(self.images)} images, each above its reconstruction"
        show(ax, grid([self.images, self.reconstructions]), title)
        return ax.figure, title

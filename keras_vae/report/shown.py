"""What notebooks and consoles show: results as a verdict card, and images as pictures."""

from __future__ import annotations

import atexit
import functools
import html
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import webbrowser
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_vae.errors import UsageError
from keras_vae.evaluation import measured_and_concluded
from keras_vae.report import write_report
from keras_vae.report.page import as_pictures, asset
from keras_vae.report.verdict import plain_words, verdict_card
from keras_vae.runtime import figures
from keras_vae.runtime.progress import in_notebook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

    from keras_vae.training.run_folder import Run

    Path = str | os.PathLike[str]

FRAME = 640  # pixels of the height of the verdict card
COLUMNS, MOST_SHOWN, SMALLEST = 8, 64, 32  # images in a row, images, and pixels of a side on the screen


def evaluate(model: object, dataset: object = None, **settings: Any) -> EvaluationResults:
    """Measures a model and returns the `EvaluationResults`; arguments as in `keras_vae.evaluation.evaluate`."""
    return EvaluationResults(*measured_and_concluded(model, dataset, **settings))


class EvaluationResults(dict[str, Any]):
    """The results of an evaluation: the dict of results.json, shown as its verdict.

    Attributes:
        pictures: Images by name, for the report.
        run: The `Run` that was evaluated, or None.
    """

    def __init__(
        self, results: Mapping[str, Any], pictures: dict[str, Any] | None = None, run: Run | None = None
    ) -> None:
        super().__init__(results)
        self.pictures, self.run = pictures or {}, run

    def __repr__(self) -> str:
        verdict = self["verdict"]
        finding = verdict["findings"][0]
        return (
            f"{self['run']}: {plain_words(self)} (confidence: {verdict['confidence']})\n{finding['evidence']}"
        )

    def _repr_html_(self) -> str:
        # A frame of its own keeps the page's styles from the notebook's.
        body = f"<style>{asset('report.css')}</style>{verdict_card(self, self.pictures)}"
        return f'<iframe srcdoc="{html.escape(body)}" style="width: 100%; height: {FRAME}px; border: 0"></iframe>'

    def report(self, folder: Path | None = None) -> pathlib.Path:
        """Writes the report into `folder`, a new temporary folder by default, and returns the path of its page."""
        return write_report(folder or tempfile.mkdtemp(prefix="keras_vae-"), dict(self), self.pictures)

    def open(self, folder: Path | None = None) -> pathlib.Path:
        """Writes the report and opens it in a browser; returns the path of the page."""
        path = pathlib.Path(self.report(folder)).resolve()
        webbrowser.open(path.as_uri())
        return path

    def explore(self) -> Address:
        """Opens the latent explorer of the run and returns its `Address`. The server ends with this process.

        Raises:
            UsageError: The results are not those of a run, or the run cannot be served.
        """
        if self.run is None:
            raise UsageError(
                "the explorer shows runs, and these results are of another model: evaluate what keras_vae.train returned"
                " or the path of a run"
            )
        address = Address(served(self.run.path.resolve()))
        if not in_notebook():
            webbrowser.open(address)
        return address


class Address(str):
    """The address of a page, which notebooks display as a link and a frame."""

    def _repr_html_(self) -> str:
        link = f'<a href="{self}" target="_blank">{self}</a>'
        return f'{link}<iframe src="{self}" style="width: 100%; height: {FRAME}px; border: 0"></iframe>'


@functools.cache
def served(path: pathlib.Path) -> str:
    """Starts a server for the run at `path` and returns the address of its explorer, once it listens."""
    # A child imports what this process imports, and leaves the GPU, whose memory this process has taken, alone.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "CUDA_VISIBLE_DEVICES": "-1"}
    words = [sys.executable, "-m", "keras_vae.serving", "run", str(path), "--port", "0"]
    with tempfile.TemporaryFile("w+") as errors:
        server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        atexit.register(server.terminate)
        for line in server.stdout or ():
            if found := re.search(r"explorer: (http\S+)", line):
                return found[1]
        errors.seek(0)
        raise UsageError(f"{path} cannot be served: {errors.read().strip()}")


class Picture:
    """A grid of images, which notebooks display.

    Attributes:
        pixels: float32 `[height, width, 1 or 3]` in [0, 1].
        count: The number of images.
    """

    def __init__(self, images: ArrayLike, most: int = MOST_SHOWN) -> None:
        images = np.asarray(images)
        if images.ndim != 4 or not len(images):
            raise ValueError(
                f"images have the shape {list(images.shape)}: expected [n, height, width, channels]"
            )
        shown = as_pictures(images[:most])
        rows = -(-len(shown) // COLUMNS)
        blank = np.ones((rows * COLUMNS - len(shown), *shown.shape[1:]), "float32") if rows > 1 else shown[:0]
        grid = np.concatenate([shown, blank]).reshape(rows, -1, *shown.shape[1:])
        joined = figures.grid(list(grid))
        factor = max(1, SMALLEST // images.shape[1])
        self.pixels = joined.repeat(factor, 0).repeat(factor, 1)
        self.count, self.most = len(images), most

    def __repr__(self) -> str:
        more = f", the first {self.most} shown" if self.count > self.most else ""
        return f"<{self.count} images{more}>"

    def _repr_png_(self) -> bytes:
        return figures.png(self.pixels)

    def save(self, path: Path) -> None:
        """Writes the grid as a PNG file."""
        pathlib.Path(path).write_bytes(self._repr_png_())


def show(images: ArrayLike) -> Picture:
    """Returns images, `[n, height, width, channels]` in [0, 1], as a `Picture`, which a notebook displays as a grid."""
    return Picture(images)

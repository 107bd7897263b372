"""What notebooks and consoles show: results as a verdict card, and images as pictures."""

import html
import io
import pathlib
import tempfile
import webbrowser

import numpy as np

from keras_vae.evaluation import measured_and_concluded
from keras_vae.report import write_report
from keras_vae.report.page import as_pictures, asset
from keras_vae.report.verdict import plain_words, verdict_card
from keras_vae.runtime import figures

FRAME = 640  # pixels of the height of the verdict card
COLUMNS, MOST_SHOWN, SMALLEST = 8, 64, 32  # images in a row, images, and pixels of a side on the screen


def evaluate(model, dataset=None, **settings):
    """Measures a model and returns the `EvaluationResults`; arguments as in `keras_vae.evaluation.evaluate`."""
    return EvaluationResults(*measured_and_concluded(model, dataset, **settings))


class EvaluationResults(dict):
    """The results of an evaluation: the dict of results.json, shown as its verdict.

    Attributes:
        pictures: Images by name, for the report.
    """

    def __init__(self, results, pictures=None):
        super().__init__(results)
        self.pictures = pictures or {}

    def __repr__(self):
        verdict = self["verdict"]
        finding = verdict["findings"][0]
        return (
            f"{self['run']}: {plain_words(self)} (confidence: {verdict['confidence']})\n{finding['evidence']}"
        )

    def _repr_html_(self):
        # A frame of its own keeps the page's styles from the notebook's.
        body = f"<style>{asset('report.css')}</style>{verdict_card(self, self.pictures)}"
        return f'<iframe srcdoc="{html.escape(body)}" style="width: 100%; height: {FRAME}px; border: 0"></iframe>'

    def report(self, folder=None):
        """Writes the report into `folder`, a new temporary folder by default, and returns the path of its page."""
        return write_report(folder or tempfile.mkdtemp(prefix="keras_vae-"), dict(self), self.pictures)

    def open(self, folder=None):
        """Writes the report and opens it in a browser; returns the path of the page."""
        path = pathlib.Path(self.report(folder)).resolve()
        webbrowser.open(path.as_uri())
        return path


class Picture:
    """A grid of images, which notebooks display.

    Attributes:
        pixels: uint8 `[height, width, 1 or 3]`.
        count: The number of images.
    """

    def __init__(self, images, most=MOST_SHOWN):
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
        self.pixels = np.round(255 * joined).astype("uint8").repeat(factor, 0).repeat(factor, 1)
        self.count, self.most = len(images), most

    def __repr__(self):
        more = f", the first {self.most} shown" if self.count > self.most else ""
        return f"<{self.count} images{more}>"

    def _repr_png_(self):
        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(self.pixels.squeeze()).save(file, "PNG")
        return file.getvalue()

    def save(self, path):
        """Writes the grid as a PNG file."""
        pathlib.Path(path).write_bytes(self._repr_png_())


def show(images):
    """Returns images, `[n, height, width, channels]` in [0, 1], as a `Picture`, which a notebook displays as a grid."""
    return Picture(images)

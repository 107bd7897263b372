"""Extracts the images of a run's ladder, small PNGs, from the page of its report."""

import html
import re

from keras_vae.report.tables import rung_title

STRIP = re.compile(
    r'<td class="pictures"[^>]*><img class="(?P<class>\w+)" src="(?P<source>data:image/png;base64,[\w+/=]+)"'
    r' alt="(?P<alt>[^"]*)" width="(?P<width>\d+)" height="(?P<height>\d+)"'
)


def read_ladder(run, best_sampler):
    """Returns strips of images by rung: real, reconstruction, prior, and best, the rung of `best_sampler`.

    Args:
        run: A `Run` that has been evaluated.
        best_sampler: Name of the best sampler in its results.

    Returns:
        A dict of dicts with the attributes of an `img`, without rungs that the report does not show.
    """
    try:
        page = (run.report / "index.html").read_text(encoding="utf-8")
    except OSError:
        return {}
    strips = {
        html.unescape(found["alt"]).partition(": ")[0]: found.groupdict() for found in STRIP.finditer(page)
    }
    rungs = {name: name for name in ("real", "reconstruction", "prior")} | {"best": best_sampler}
    return {
        name: strips[rung_title(rung)]
        for name, rung in rungs.items()
        if rung is not None and rung_title(rung) in strips
    }

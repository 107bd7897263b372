"""The pictures of a run's ladder, taken from the page of its report, which holds them as small PNGs."""

import html
import re

from keras_vae.report.tables import rung_title

STRIP = re.compile(
    r'<td class="pictures"[^>]*><img class="(?P<class>\w+)" src="(?P<source>data:image/png;base64,[\w+/=]+)"'
    r' alt="(?P<alt>[^"]*)" width="(?P<width>\d+)" height="(?P<height>\d+)"'
)


def read_ladder(run, best_sampler):
    """Returns strips of images by rung: real, reconstruction, prior, and best, which is that of `best_sampler`.

    Args:
        run: A `Run` that has been evaluated.
        best_sampler: As in its results.

    Returns:
        A dict of dicts that hold what an `img` needs; rungs that the report does not show are missing.
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

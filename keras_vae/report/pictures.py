"""Images and plots: strips for the page, and the figures of a run."""

import numpy as np

from keras_vae.report import curves, figures
from keras_vae.report.page import NAME, clean, image_attributes, number, plot, scrolling, strip, tag, text
from keras_vae.report.tables import at, entry_title, get, rung_title

LADDER = "ladder.json"  # the file of a report that holds the ladder's images for other pages
LADDER_SIZE = 40  # height of an image on the screen
PATHS = ("linear", "slerp", "variance_preserving", "pixel_blend")


def in_order(ladder):
    """Returns pairs of a rung and its images in the order of the ladder, with further samplers before the prior."""
    order = list(figures.RUNGS)
    further = [rung for rung in ladder if rung not in order]
    return [(rung, ladder[rung]) for rung in [*order[:-1], *further, "prior"] if rung in ladder]


def present(pictures, path):
    """Returns the images at a dotted path as an array, or None."""
    found = at(pictures, path)
    return None if found is None or not np.size(found) else np.asarray(found)


def rows_of(labelled, size=40):
    """Returns labelled strips of images, one below the other.

    Args:
        labelled: Triples of a label, a note below it, and images `[n, height, width, channels]`.
        size: Height of an image on the screen.
    """
    cells = []
    for label, note, images in labelled:
        small = tag("small", text(note)) if note else ""
        cells.append(tag("div", text(label, NAME), small, class_="label"))
        cells.append(
            tag("div", strip([images], f"{clean(label, NAME)}: {len(images)} images in a row", size))
        )
    return tag("div", *cells, class_="rows")


def picture_card(rows, alt, words, ends="", size=46):
    """Returns rows of images in a card, with a caption (HTML)."""
    image = scrolling(tag("div", strip(rows, alt, size), ends, class_="fit"), clean(alt, 120))
    return tag("div", tag("figure", image, tag("figcaption", words)), class_="card")


def cards(drawn, wanted):
    """Returns the wanted plots that were drawn side by side, each in a card with its caption (HTML)."""
    made = [tag("div", plot(drawn[key], words), class_="card") for key, words in wanted if key in drawn]
    return tag("div", *made, class_="two") if made else ""


def neighbour_rows(pictures):
    """Returns labelled rows: samples and their nearest training images."""
    samples, nearest = present(pictures, "neighbours.samples"), present(pictures, "neighbours.nearest")
    if samples is None or nearest is None:
        return []
    ordinal = ("nearest", "second", "third")
    rows = [("sample", [samples])]
    for index in range(nearest.shape[1]):
        label = ordinal[index] if index < len(ordinal) else f"{index + 1}th"
        rows.append((f"{label} training image" if index == 0 else label, [nearest[:, index]]))
    return rows


def ladder_strips(results, pictures):
    """Returns the images of the ladder for other pages, by rung: attributes of an `img`, as `LADDER` holds them."""
    ladder, best = pictures.get("ladder") or {}, get(results, "generation_gap.best_sampler")
    rungs = {"real": "real", "reconstruction": "reconstruction", "prior": "prior", "best": best}
    return {
        name: image_attributes([np.asarray(ladder[rung])], rung_title(rung), LADDER_SIZE)
        for name, rung in rungs.items()
        if rung in ladder and np.size(ladder[rung])
    }


def draw_all(folder, wanted):
    """Draws figures and removes those of an earlier report that have nothing to show now.

    Args:
        folder: The folder of the PNGs.
        wanted: By name, a function of `figures` or `curves` and its arguments.

    Returns:
        {name: `Drawn`} of the figures that were drawn.
    """
    drawn = {key: figures.draw(folder / f"{key}.png", *call) for key, call in wanted.items()}
    for key in [key for key, made in drawn.items() if made is None]:
        (folder / f"{key}.png").unlink(missing_ok=True)
    return {key: made for key, made in drawn.items() if made}


def run_plots(results, pictures):
    """Returns the plots of one run, as {name: (function, *arguments)}."""
    latent, section = results.get("latent"), results.get("prior_mismatch")
    gap = results.get("generation_gap") or {}
    ladder = {rung: images for rung, images in (pictures.get("ladder") or {}).items() if np.size(images)}
    ladder_rows = [
        (f"{rung_title(rung)}   {fidelity(gap.get(rung))}", [images[: len(images)]])
        for rung, images in in_order(ladder)
    ]
    interpolations = [
        (entry_title("interpolation", kind), list(present(pictures, f"interpolation.{kind}")))
        for kind in PATHS
        if present(pictures, f"interpolation.{kind}") is not None
    ]
    noise = [
        (label, [present(pictures, f"noise_around_mean.{key}")])
        for key, label in (("real", "test images"), ("decoded", "N(mu(x), I) decoded"))
        if present(pictures, f"noise_around_mean.{key}") is not None
    ]
    rows = present(pictures, "posterior_to_prior")
    plane = present(pictures, "plane")
    return {
        "distances": (figures.distances, gap),
        "shares": (figures.shares, gap, results.get("completeness")),
        "eigenvalues": (figures.eigenvalues, latent),
        "kl_spectrum": (figures.kl_spectrum, latent),
        "mismatch": (figures.mismatch, section),
        "norms": (figures.norms, section),
        "signal_radius": (figures.signal_radius, section),
        "map": (figures.code_map, pictures.get("map")),
        "path": (figures.path, get(results, "interpolation.posterior_to_prior")),
        "ladder": (figures.strips, "The ladder, from real images to the prior", ladder_rows),
        "interpolation": (figures.strips, "Paths between two test images", interpolations),
        "posterior_to_prior": (
            figures.strips,
            "From an image's code (left) to a draw of the prior (right)",
            [] if rows is None else [("", list(rows))],
        ),
        "noise_around_mean": (figures.strips, "Unit noise around the mean", noise),
        "neighbours": (
            figures.strips,
            "Samples, each above its nearest training images",
            neighbour_rows(pictures),
        ),
        "frechet_by_n": (curves.frechet_by_n, get(results, "extended.frechet_by_n")),
        "kid_by_n": (curves.kid_by_n, get(results, "extended.kid_by_n")),
        "survival": (curves.survival, get(results, "extended.class_survival")),
        "cells": (curves.cells, get(results, "extended.cell_z")),
        "importance": (curves.importance, get(results, "extended.importance")),
        "plane": (
            figures.strips,
            "The latent plane, decoded",
            [] if plane is None else [("[-3, 3] in both directions", list(plane))],
        ),
    }


def fidelity(rung):
    """Returns the distance of a rung for the label above its images."""
    if not rung or rung.get("frechet") is None:
        return ""
    return f"Fréchet {number(float(rung['frechet']))}"

"""The report of one run, or of several runs side by side: from results and pictures to an HTML page.

Imports: `evaluation`. Begin with `runs.py` (measure, repair, report) and `sections.py`.
"""

import pathlib

from keras_vae.evaluation.results.file import check
from keras_vae.report.comparison import (
    compared_facts,
    compared_ladders,
    compared_plots,
    compared_table,
    compared_verdicts,
    comparison_plots,
    csv_of,
    differing,
    download,
)
from keras_vae.report.page import NAME, page, tag, text
from keras_vae.report.pictures import LADDER, draw_all, ladder_strips, run_plots
from keras_vae.report.sections import SECTIONS
from keras_vae.report.tables import glossary, plain
from keras_vae.report.verdict import header, navigation, plain_words, tiles, verdict_card
from keras_vae.runtime.files import whole, write_json

__all__ = ["write_comparison", "write_report"]


def write_report(folder, results, pictures):
    """Writes `results.json`, `figures/*.png` and `index.html` into `folder` and returns the path of the page.

    Args:
        folder: The folder, created if it does not exist.
        results: As described by `keras_vae.evaluation.results.Results`. May contain NumPy numbers; NaN and infinity
            become null. Entries may be missing.
        pictures: Images and codes by name. Entries may be missing or None.

    Raises:
        ValueError: An entry of `results` has a name or a type that `Results` does not have.
    """
    folder, results, pictures = pathlib.Path(folder), plain(results), pictures or {}
    check(results)
    write_json(folder / "results.json", results)
    write_json(folder / LADDER, ladder_strips(results, pictures))
    drawn = draw_all(folder / "figures", run_plots(results, pictures))
    sections = [section(results, pictures, drawn) for section in SECTIONS]
    sections = [section for section in sections if section]
    title = f"{results.get('run')}: {plain_words(results)}"
    body = frame(
        header(results),
        verdict_card(results, pictures),
        tiles(results),
        navigation(sections),
        *(tag("section", tag("h2", heading), content, id=key) for key, heading, content in sections),
        tag(
            "footer",
            f"Made by keras_vae {text(results.get('keras_vae'), NAME)}. All numbers are in results.json next to this page.",
        ),
    )
    path = folder / "index.html"
    with whole(path) as temporary:
        temporary.write_text(page(title, body), encoding="utf-8")
    return path


def write_comparison(folder, results_list, pictures_list):
    """Writes `comparison.csv`, `figures/*.png` and `index.html` into `folder` and returns the path of the page.

    Args:
        folder: The folder, created if it does not exist.
        results_list: The results of each run, as in `write_report`. Sections may be missing.
        pictures_list: The pictures of each run.
    """
    folder = pathlib.Path(folder)
    runs = [plain(results) for results in results_list]
    pictures_list = [pictures or {} for pictures in pictures_list]
    table = csv_of(runs)
    with whole(folder / "comparison.csv") as temporary:
        temporary.write_text(table, encoding="utf-8")
    drawn = draw_all(folder / "figures", comparison_plots(runs))
    body = frame(
        tag("header", tag("h1", f"{len(runs)} runs side by side"), compared_facts(runs)),
        differing(runs),
        compared_verdicts(runs),
        tag("section", tag("h2", "The ladders"), compared_ladders(runs, pictures_list), id="ladders"),
        compared_plots(drawn),
        tag("section", tag("h2", "All numbers"), compared_table(runs), download(table), id="numbers"),
        tag("section", tag("h2", "What the numbers mean"), glossary({}), id="glossary"),
    )
    path = folder / "index.html"
    with whole(path) as temporary:
        temporary.write_text(page(f"{len(runs)} runs side by side", body), encoding="utf-8")
    return path


def frame(*content):
    """Returns the body of the page."""
    skip = tag("a", "Skip to the content", class_="skip", href="#content")
    return skip + tag("main", *content, class_="page", id="content")

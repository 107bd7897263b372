"""The report of one run, or of several runs side by side: from results and pictures to an HTML page.

Imports: `evaluation`. Begin with `runs.py` (measure, repair, report) and `sections.py`.
"""

import json
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
)
from keras_vae.report.page import NAME, command, download, page, tag, text
from keras_vae.report.pictures import LADDER, draw_all, ladder_strips, run_plots
from keras_vae.report.public import presentable, without_paths
from keras_vae.report.sections import SECTIONS
from keras_vae.report.tables import notes, plain
from keras_vae.report.verdict import header, plain_words, verdict_card
from keras_vae.report.winner import winner_card
from keras_vae.runtime.files import whole, write_json
from keras_vae.runtime.programs import command_line, explorer_command

__all__ = ["write_comparison", "write_report"]

PRINTING = '<span class="printed"> Open sections before printing to print them too.</span>'


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
    results = presentable(results)
    sections = [section(results, pictures, drawn) for section in SECTIONS]
    sections = [section for section in sections if section]
    title = f"{results.get('run')}: {plain_words(results)}"
    body = frame(
        header(results),
        verdict_card(results, pictures),
        onwards(folder, results),
        *(folded(*section) for section in sections),
        tag("footer", f"Made by keras_vae {text(results.get('keras_vae'), NAME)}.{PRINTING}"),
        results=results,
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
    runs = [presentable(plain(results)) for results in results_list]
    pictures_list = [pictures or {} for pictures in pictures_list]
    table = csv_of(runs)
    with whole(folder / "comparison.csv") as temporary:
        temporary.write_text(table, encoding="utf-8")
    drawn = draw_all(folder / "figures", comparison_plots(runs))
    csv = download(table, "text/csv", "comparison.csv", "Download all numbers as CSV")
    body = frame(
        tag("header", tag("h1", f"{len(runs)} runs side by side"), compared_facts(runs)),
        winner_card(runs),
        compared_verdicts(runs),
        tag("section", tag("h2", "The ladders"), compared_ladders(runs, pictures_list), id="ladders"),
        compared_plots(drawn),
        tag("section", tag("h2", "All numbers"), compared_table(runs), tag("p", csv), id="numbers"),
    )
    path = folder / "index.html"
    with whole(path) as temporary:
        temporary.write_text(page(f"{len(runs)} runs side by side", body), encoding="utf-8")
    return path


def onwards(folder, results):
    """Returns what comes after the verdict: the explorer and the file of the numbers."""
    table = download(
        json.dumps(results, indent=1), "application/json", "results.json", "Download results.json"
    )
    links = [tag("a", "Open the explorer", id="explorer", hidden="", href="#content"), table]
    run = folder.parent
    if not (run / "config.json").is_file():
        return tag("p", *links, class_="onwards")
    line = without_paths(explorer_command(run, command_line), results.get("run"))
    words = tag("p", "Explore the latent space of this run in a browser:", class_="muted")
    return tag("div", words, command(line), tag("p", *links, class_="onwards"), class_="card explore")


def folded(key, heading, content):
    """Returns a section that opens at a click on its heading or on a link to it."""
    return tag("details", tag("summary", tag("h2", heading)), content, id=key, class_="part")


def frame(*content, results=None):
    """Returns the body of the page, with the notes on its terms."""
    skip = tag("a", "Skip to the content", class_="skip", href="#content")
    main = tag("main", *content, class_="page", id="content")
    return skip + main + notes(results or {}, main)

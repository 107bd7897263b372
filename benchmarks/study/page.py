"""Fills the page with the tables of what is measured, and draws its figures."""

import re

from benchmarks.study.found import Found, table
from benchmarks.study.plots import save
from benchmarks.study.scheduling import hours
from benchmarks.study.sections import SECTIONS, trials_of
from keras_vae.runtime.files import whole

MARK = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)
FIGURE = "latent_size_{}.png"
NOT_YET = "Not measured yet."


def write_page(place, source, page, figures):
    """Writes `page`: the words of `source`, and between its marks the tables; and the figures into a folder.

    Returns:
        The names of the tables that the page has no place for: none, as it should be.
    """
    made = {"costs": costs(place)}
    for section in SECTIONS.values():
        found = Found(section.TRIALS, place)
        if not found.done:
            continue
        made |= {name: tabulate(found) for name, tabulate in section.TABLES.items()}
        for name, plot in section.FIGURES.items():
            save(figures / FIGURE.format(name), plot, found)
    text = source.read_text(encoding="utf-8")
    missing = set(made) - {match.group(2) for match in MARK.finditer(text)}
    with whole(page) as temporary:
        temporary.write_text(filled(text, made), encoding="utf-8")
    return sorted(missing)


def filled(text, made):
    """Returns a page with what is `made` between its marks; what is not made is said to be missing."""

    def fill(match):
        return f"{match.group(1)}\n{made.get(match.group(2), NOT_YET)}\n\n{match.group(3)}"

    return MARK.sub(fill, text)


def costs(place):
    """Returns, section by section, how many runs there are, what they were expected to take, and took, of one core."""
    rows, known = [], {}
    for number, section in sorted(SECTIONS.items()):
        own = [trial for name, trial in trials_of([number]).items() if name not in known]
        known |= dict.fromkeys(trial.name for trial in own)
        found = Found(own, place)
        seconds = [
            sum(part["core"] for part in found.value(trial, "seconds").values()) for trial in found.done
        ]
        expected = sum(trial.cost for trial in own)
        rows.append(
            (f"{number}. {section.TITLE}", len(own), hours(expected), len(found.done), hours(sum(seconds)))
        )
    return table(
        ("section", "runs, not counting those of sections before", "estimated", "done", "measured"), rows
    )

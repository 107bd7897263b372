"""Several runs side by side: a column each, plots against latent size, and all numbers as CSV."""

import csv
import io
import math

from keras_vae.report import figures
from keras_vae.report.page import (
    DASH,
    NAME,
    clean,
    name,
    number,
    scrolling,
    shape,
    strip,
    tag,
    text,
)
from keras_vae.report.pictures import cards, in_order
from keras_vae.report.tables import best_distance_path, get, link, reason, rung_title, value_of
from keras_vae.report.verdict import VERDICTS

# The numbers of each run in the comparison, by section.
COMPARED = """
    rate_distortion: rate rate_per_dim distortion elbo bits_per_dim effective_beta
    reconstruction.test: mse psnr ssim
    latent: active_units participation_ratio pc95 recommended_size
    prior_mismatch: nats marginal_nats fraction_of_rate auc
    prior_mismatch.signal_radius: ratio
    generation_gap: gap gap_ratio repaired_fraction best_sampler
    completeness: dead_zone dead_zone_confidence
    continuity: jump
    interpolation.noise_around_mean: same_class
    memorisation: mse_ratio elbo_gap copies
    cost: seconds peak_memory_bytes
"""


def letter(index):
    """Returns the label of a run: A to Z, then its number."""
    return chr(ord("A") + index) if index < 26 else str(index + 1)


def compared_facts(runs):
    """Returns the list of datasets."""
    datasets = list(dict.fromkeys(clean(run.get("dataset"), NAME) for run in runs))
    return tag("ul", *(tag("li", text(dataset, NAME)) for dataset in datasets), class_="facts")


def differing(runs):
    """Returns what distances of the runs differ in besides the models, and are therefore not comparable: a list."""
    paths = {
        "dataset": "datasets",
        "generation_gap.features.metric_name": "features",
        "generation_gap.n": "numbers of images",
    }
    return [
        words
        for path, words in paths.items()
        if len({str(get(run, path)) for run in runs if get(run, path) is not None}) > 1
    ]


def run_heads(runs):
    """Returns a column heading for each run."""
    return "".join(
        tag("th", tag("strong", letter(index)), " ", name(clean(run.get("run"), 40)), scope="col")
        for index, run in enumerate(runs)
    )


def compared_table(runs):
    """Returns the table of numbers, one column per run."""
    rows = []
    for line in COMPARED.strip().splitlines():
        section, _, names = line.strip().partition(": ")
        rows.append(
            tag("tr", tag("th", link(section), scope="rowgroup", colspan=len(runs) + 1), class_="group")
        )
        rows += [compared_row(runs, f"{section}.{key}") for key in names.split()]
    rows.append(
        tag(
            "tr",
            tag("th", "Fréchet distance by rung", scope="rowgroup", colspan=len(runs) + 1),
            class_="group",
        )
    )
    for rung in all_rungs(runs):
        cells = (tag("td", number(get(run, ("generation_gap", rung, "frechet")))) for run in runs)
        rows.append(tag("tr", tag("th", text(rung_title(rung), NAME), scope="row"), *cells))
    head = tag("thead", tag("tr", tag("th", "Quantity", scope="col"), run_heads(runs)))
    made = tag("table", tag("caption", "One column per run"), head, tag("tbody", *rows), class_="compare")
    return tag("div", scrolling(made, "Numbers of all runs"), class_="card")


def compared_verdicts(runs):
    """Returns the table of verdicts, one row per run."""
    rows = (
        tag(
            "tr",
            tag(
                "th",
                tag("strong", letter(index)),
                " ",
                name(clean(run.get("run"), 60)),
                scope="row",
                role="rowheader",
            ),
            tag("td", shape(run.get("latent_shape")), role="cell", data_label="Latent"),
            tag("td", text(run.get("objective") or DASH, 40), role="cell", data_label="Objective"),
            tag("td", verdict_word(run), role="cell", data_label="Verdict"),
            tag("td", text(get(run, "verdict.remedy") or DASH, 700), role="cell", data_label="What to do"),
            role="row",
        )
        for index, run in enumerate(runs)
    )
    titles = ("Run", "Latent", "Objective", "Verdict", "What to do")
    head = tag(
        "thead",
        tag("tr", *(tag("th", title, scope="col", role="columnheader") for title in titles), role="row"),
        role="rowgroup",
    )
    body = tag("tbody", *rows, role="rowgroup")  # the roles stay where a phone shows rows as blocks
    made = tag("table", tag("caption", "The runs"), head, body, class_="verdicts", role="table")
    return tag("div", scrolling(made, "The runs"), class_="card")


def verdict_word(run):
    """Returns the verdict of a run in its colour."""
    key = get(run, "verdict.name")
    _, kind, tone = VERDICTS.get(key, (None, clean(key or DASH, NAME), "none"))
    findings = get(run, "verdict.findings") or [{}]
    sub = findings[0].get("sub_verdict")
    of = tag("span", f" ({text(sub, NAME).replace('_', ' ')})") if sub else ""
    return tag("span", text(kind), class_=f"state tone-{tone}") + of


def compared_row(runs, path):
    """Returns the table row of one number."""
    cells = []
    for run in runs:
        value = get(run, path)
        why = None if value is not None else reason(run, path)
        shown = DASH if value is None else value_of(run, path)
        cells.append(
            tag(
                "td",
                shown,
                class_="none" if value is None else "value",
                title=f"not computed: {clean(why, 200)}" if why else None,
            )
        )
    return tag("tr", tag("th", link(path), scope="row"), *cells)


def all_rungs(runs):
    """Returns the rungs of all runs, in the order of the ladder."""
    merged = {}
    for run in runs:
        merged.update(figures.rungs_of(run.get("generation_gap")))
    return [rung for rung, _ in in_order(merged)]


def comparison_plots(runs):
    """Returns the plots against latent size, as {name: (function, *arguments)}."""

    def points(path):
        return [(latent_size(run), get(run, path), letter(index)) for index, run in enumerate(runs)]

    repaired = [
        (latent_size(run), get(run, best_distance_path(run)), letter(index)) for index, run in enumerate(runs)
    ]
    distances = {
        "the prior": points("generation_gap.prior.frechet"),
        "best sampler": repaired,
        "reconstructions": points("generation_gap.reconstruction.frechet"),
    }
    nats = {"rate": points("rate_distortion.rate"), "prior mismatch": points("prior_mismatch.nats")}
    dims = {"participation ratio": points("latent.participation_ratio"), "PC95": points("latent.pc95")}
    dead = [
        (size, None if value is None else 100 * value, key)
        for size, value, key in points("completeness.dead_zone")
    ]
    # In this order the prior is orange, as in all plots.
    order = ("reconstructions", "the prior", "best sampler")
    return {
        "distances": (
            figures.against_size,
            "Fréchet distance",
            "Fréchet distance",
            {key: distances[key] for key in order},
            True,
        ),
        "nats": (figures.against_size, "Rate and prior mismatch", "nats per image", nats, True),
        "dead_zone": (figures.against_size, "Dead zone of prior samples", "percent", {"dead zone": dead}),
        "directions": (figures.against_size, "Directions that the codes use", "directions", dims, True),
        "error": (
            figures.against_size,
            "Squared error on test images",
            "mean squared error",
            {"error": points("reconstruction.test.mse")},
        ),
    }


def latent_size(run):
    """Returns the number of latent dims of a run, or None if unknown."""
    return get(run, "latent.size") or (math.prod(run["latent_shape"]) if run.get("latent_shape") else None)


def compared_plots(drawn):
    """Returns the section with the plots against latent size."""
    made = cards(
        drawn,
        [
            (
                "distances",
                "The gap between the prior and the best sampler is what fitting a sampler gains. No sampler can close the gap between the best sampler and the reconstructions.",
            ),
            (
                "nats",
                "If the mismatch is close to the rate, nearly all of the rate is spent on distance from the prior.",
            ),
            ("dead_zone", "Share of prior samples that resemble no real image. Above 50% there is a hole."),
            (
                "directions",
                "If these stay constant while the latent grows, the latent is larger than the data needs.",
            ),
            ("error", "How much a larger latent improves the reconstructions."),
        ],
    )
    if not made:
        return ""
    lead = "Letters refer to the runs in the table above."
    return tag("section", tag("h2", "Against latent size"), tag("p", lead), made, id="size")


def compared_ladders(runs, pictures_list):
    """Returns the table of ladders, one column per run."""
    rows = []
    merged = {}
    for pictures in pictures_list:
        merged.update(pictures.get("ladder") or {})
    for rung in [rung for rung, _ in in_order({**dict.fromkeys(all_rungs(runs)), **merged})]:
        cells = []
        for index, (run, pictures) in enumerate(zip(runs, pictures_list)):
            images = (pictures.get("ladder") or {}).get(rung)
            distance = get(run, ("generation_gap", rung, "frechet"))
            shown = tag("span", DASH, class_="none")
            if images is not None and len(images) >= 8:
                shown = strip(
                    [images[:4], images[4:8]], f"Run {letter(index)}, {rung_title(rung)}: 8 images", 38
                )
            elif images is not None and len(images):
                shown = strip([images], f"Run {letter(index)}, {rung_title(rung)}: {len(images)} images", 38)
            under = f"Fréchet {number(distance)}" if distance is not None else ""
            cells.append(tag("td", shown, tag("small", under, class_="muted"), class_="cell"))
        rows.append(tag("tr", tag("th", text(rung_title(rung), NAME), scope="row"), *cells))
    head = tag("thead", tag("tr", tag("th", "Rung", scope="col"), run_heads(runs)))
    made = tag(
        "table",
        tag("caption", "Eight images of each rung"),
        head,
        tag("tbody", *rows),
        class_="compare ladders",
    )
    return tag("div", scrolling(made, "Ladders of all runs"), class_="card")


def csv_of(runs):
    """Returns all scalars as CSV, one row per run. Texts that a spreadsheet would take for formulas are escaped."""
    flat = [dict(scalars(run)) for run in runs]
    columns = list(dict.fromkeys(key for run in flat for key in run))
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
    writer.writerow({key: harmless(key) for key in columns})
    for run in flat:
        writer.writerow({key: harmless(value) for key, value in run.items()})
    return file.getvalue()


def harmless(value):
    """Returns `value`, escaped if a spreadsheet would take it for a formula."""
    return (
        f"'{value}"
        if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
        else value
    )


def scalars(section, prefix=""):
    """Yields the dotted path and the value of each scalar of a run, without reasons, findings and settings."""
    for key, value in section.items():
        if key in ("reasons", "findings", "steps", "settings"):
            continue
        if isinstance(value, dict):
            yield from scalars(value, f"{prefix}{key}.")
        elif key.endswith("_shape") and value:
            yield f"{prefix}{key}", "x".join(map(str, value))
        elif not isinstance(value, list):
            yield f"{prefix}{key}", "" if value is None else value

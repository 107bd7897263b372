"""The sections of a report.

Each is a function of results, pictures and drawn plots that returns an id, a heading and HTML, or None if there is
nothing to show.
"""

import numpy as np

from keras_vae.report import figures
from keras_vae.report.page import (
    DASH,
    NAME,
    clean,
    measured,
    name,
    number,
    plot,
    scrolling,
    shape,
    strip,
    tag,
    text,
)
from keras_vae.report.pictures import PATHS, cards, in_order, neighbour_rows, picture_card, present, rows_of
from keras_vae.report.tables import (
    at,
    caption,
    column_head,
    described,
    entry_title,
    get,
    get_error,
    get_limits,
    link,
    matrix,
    not_computed_list,
    rung_title,
    schema,
    table,
    value_of,
    written,
)
from keras_vae.report.verdict import VERDICTS, steps, told_look


def card(*content):
    """Returns a card, or `""` if it would be empty."""
    return tag("div", *content, class_="card") if any(content) else ""


def beside(*contents):
    """Returns cards side by side, or below each other on narrow screens; without the empty ones."""
    full = [card(content) for content in contents if content]
    return tag("div", *full, class_="two") if full else ""


def filled_section(key, title, introduction, *parts):
    """Returns a section, or None if there is nothing to introduce."""
    return (key, title, introduction + "".join(parts)) if any(parts) else None


def lead(*words):
    """Returns the introduction of a section. `words` are HTML."""
    return tag("p", *words)


def findings(results, pictures, drawn):
    """The findings, each from symptom to remedy."""
    found = get(results, "verdict.findings") or []
    if not found:
        return None
    words = "All findings, the main verdict first: what one sees, the numbers, why it happens and what helps."
    return "findings", "Findings", lead(words) + "".join(map(finding_card, found))


def finding_card(finding):
    """Returns the card of a finding."""
    words = VERDICTS.get(finding.get("name"), (None, clean(finding.get("name"), NAME)))[1]
    title = text(words[:1].upper() + words[1:])
    if finding.get("sub_verdict"):
        title += tag("span", f": {text(finding['sub_verdict'], NAME).replace('_', ' ')}", class_="sub")
    lines = (
        tag("dt", key.capitalize()) + tag("dd", text(finding[key]))
        for key in ("symptom", "evidence", "cause")
        if finding.get(key)
    )
    remedy = tag("dt", "Remedy") + tag("dd", steps(finding)) if steps(finding) else ""
    return tag("article", tag("h3", title), tag("dl", *lines, remedy), class_="card finding")


def ladder(results, pictures, drawn):
    """The ladder: images and numbers of each rung, and two plots."""
    from keras_vae.evaluation.verdict import Facts  # only now: commands import this for --help

    gap = results.get("generation_gap") or {}
    images = {rung: shown for rung, shown in (pictures.get("ladder") or {}).items() if shown is not None}
    rungs = [rung for rung, _ in in_order({**figures.rungs_of(gap), **images})]
    if not rungs:
        return None
    metric, blind = get(results, "generation_gap.features.metric_name"), Facts(results).is_blind
    words = (
        "From real images at the top to samples of the prior at the bottom, one thing changes at each rung: generation"
        " fails at the rung where the images break down. Every rung is compared with the same real images"
        + (f" ({text(metric, NAME)})." if metric else ".")
        + (
            " But these features are blind on these images (see below): their distances decide nothing."
            if blind
            else ""
        )
    )
    title = "The gap, in blind features" if blind else "The gap"
    gaps = table(results, "generation_gap", title, skip=(*figures.RUNGS, "features"))
    dead = table(results, "completeness", "Completeness", skip=("by_rung",))
    shown = (
        (
            "distances",
            "<strong>Fréchet distance by rung.</strong> Look for the rung where the distance grows. If it grows between"
            " reconstructions and the prior, the prior fails; if between real images and reconstructions, the decoder.",
        ),
        (
            "shares",
            "<strong>Coverage and dead zone by rung.</strong> Coverage: share of real images with a sample near them."
            " Dead zone: share of samples without a real image near them.",
        ),
    )
    made = card(scrolling(ladder_table(results, rungs, images), "The ladder"))
    return (
        "ladder",
        "The ladder",
        lead(words)
        + made
        + cards(drawn, [one for one in shown if not (blind and one[0] == "distances")])
        + beside(gaps, dead)
        + spaces(results, pictures),
    )


SAMPLED = (
    "shuffled",
    "gaussian",
    "mixture",
    "flow_matching",
    "flow",
    "two_stage",
    "vamp",
    "pixel_cnn",
    "prior",
)
CONTROLS = ("posterior", "planted", "training")
AGAINST_REAL = ("reconstruction", "decoded", "real")


def told(results, pictures, drawn):
    """How well a classifier distinguishes the rungs from what they should look like: samplers, controls and decoder."""
    entries = results.get("told_apart")
    if not entries:
        return None
    words = (
        "A small classifier learns to distinguish two sets of images and is scored on unseen images. An AUC of 0.5 means"
        " that it cannot, 1 that it always can. Samples are compared with decoded codes of held-out images: both are"
        " blurred, so blur does not count. Reconstructions are compared with real images."
    )
    samplers = [name for name in SAMPLED if entries.get(name)]
    samplers += [name for name in entries if name.endswith("_training")]
    decoder = [f"{name}{scale}" for scale in ("", "_half", "_quarter") for name in AGAINST_REAL]
    groups = (
        ("Samples against decoded codes", samplers),
        ("Controls", CONTROLS),
        ("Decoder against real images", [name for name in decoder if entries.get(name)]),
    )
    made = [
        card(matrix(results, "told_apart", "two_sample", title, names)) for title, names in groups if names
    ]
    rest = table(
        results, "told_apart", "Repaired share", skip=tuple(entry for _, group in groups for entry in group)
    )
    if results.get("forecast"):
        rest += table(results, "forecast", "Forecast for a learned sampler, made before one is fitted")
    look = told_look(results, pictures)
    return filled_section("told", "Told apart", lead(words), card(look), *made, card(rest))


def spaces(results, pictures):
    """Returns which features are reliable on these images: planted sets, their distances and the conclusion."""
    found = {name: space for name, space in (results.get("spaces") or {}).items() if isinstance(space, dict)}
    if not found:
        return ""
    words = (
        "Each feature space is tested on planted sets of images of known quality. A space that places fog or shuffled"
        " blocks near real images is blind: its distances are ignored."
    )
    planted = pictures.get("planted") or {}
    shown = [
        (entry_title(("spaces", "classifier"), name), None, np.asarray(images)[:8])
        for name, images in planted.items()
        if images is not None and len(images)
    ]
    notes = "".join(
        tag("p", tag("strong", text(name, NAME)), f": {STATE_OF_SPACE[space.get('blind')]}", because(space))
        for name, space in found.items()
    )
    made = tag("h3", "Which features are reliable on these images") + tag("p", words, class_="muted")
    made += rows_of(shown) if shown else ""
    return card(made, notes, matrix(results, "spaces", "space", "Distances of planted sets", list(found)))


STATE_OF_SPACE = {True: "blind", False: "sees the difference", None: "undecided"}


def because(space):
    """Returns the reason for a space's state as the end of a sentence."""
    return text(f" ({space['reason']}).") if space.get("reason") else "."


def ladder_table(results, rungs, images):
    """Returns the ladder as a table, one row per rung, with the columns that are not empty."""
    paths = dict.fromkeys(("frechet", "kid", "density", "coverage", "confidence"), ("generation_gap", "rung"))
    paths["dead_zone"] = ("completeness.by_rung", "dead_zone")
    columns = {
        key: (where, kind)
        for key, (where, kind) in paths.items()
        if any(get(results, (*where.split("."), rung, key)) is not None for rung in rungs)
    }
    head = tag("th", "Rung", scope="col", role="columnheader")
    head += tag("th", "Images", scope="col", role="columnheader")
    head += "".join(column_head(kind, key, role="columnheader") for key, (_, kind) in columns.items())
    body = (ladder_row(results, rung, images.get(rung), columns) for rung in rungs)
    return tag(
        "table",
        caption(results, "generation_gap", "Seven rungs" if len(rungs) == 7 else "The rungs"),
        tag("thead", tag("tr", head, role="row"), role="rowgroup"),
        tag("tbody", *body, role="rowgroup"),
        class_="ladder",
        role="table",  # on phones CSS lays it out as cards, which would remove the role
    )


def ladder_row(results, rung, images, columns):
    """Returns the row of a rung: name, images, numbers."""
    node = schema()["properties"]["generation_gap"]["properties"].get(rung) or {}
    note = text(node.get("description", "A further sampler, fitted after training."))
    if rung == get(results, "generation_gap.best_sampler"):
        note += " <b>The best sampler.</b>"
    shown = DASH
    if images is not None and len(images):
        half = min(8, len(images))
        rows = [images[:half]] if len(images) < 2 * half else [images[:half], images[half : 2 * half]]
        shown = strip(rows, f"{rung_title(rung)}: {half * len(rows)} images", 36)
    cells = [
        tag(
            "th",
            tag("strong", text(rung_title(rung), NAME)),
            tag("span", note),
            scope="row",
            role="rowheader",
        ),
        tag("td", shown, class_="pictures", role="cell"),
    ]
    for key, (where, kind) in columns.items():
        found = (get(results, where) or {}).get(rung) or {}
        node = schema()["$defs"][kind]["properties"][key]
        value = found.get(key)
        cell = DASH
        if value is not None:
            cell = written(value, get_error(found, key), node, limits=get_limits(found, key))
        cells.append(tag("td", cell, class_="num", role="cell", data_label=node["title"]))
    return tag("tr", *cells, role="row")


def rate_distortion(results, pictures, drawn):
    """The numbers on reconstruction, rate and distortion."""
    words = (
        "The two terms of the loss in nats per image. They are summed over pixels and dims: an average would hide how large"
        " the sum is."
    )
    made = card(table(results, "rate_distortion", "On test images"))
    made += card(matrix(results, "reconstruction", "split", "Reconstruction", ("train", "test")))
    return filled_section("rate", "Rate and distortion", lead(words), made)


def latent(results, pictures, drawn):
    """How many directions of the latent the codes use."""
    shown = (
        (
            "eigenvalues",
            "<strong>Spread of the codes.</strong> Variance of the posterior means along each principal direction."
            " Above the dashed line, codes spread farther than draws of N(0, I).",
        ),
        (
            "kl_spectrum",
            "<strong>Rate of each latent dim.</strong> Healthy: a knee within tens of dims and a tail near 0."
            " Flat over thousands of dims: the code is spread so thinly that no single dim appears to be used.",
        ),
    )
    words = lead("How many directions the codes use, and how far they spread along them.")
    numbers = card(table(results, "latent", "Latent space"))
    return filled_section("latent", "Spectrum of the codes", words, cards(drawn, shown), numbers)


def prior(results, pictures, drawn):
    """How far the codes are from the prior."""
    words = (
        "Samples are drawn from the prior, but the codes of images follow the aggregated posterior. The larger the mismatch"
        " between the two, the worse the samples."
    )
    explained = at(pictures, "map.explained")
    share = (
        "" if explained is None else f" The two explain {number(float(explained), 'share')} of the variance."
    )
    shown = (
        (
            "signal_radius",
            "<strong>Radius along the signal.</strong> Mean radius of codes and of prior draws in the directions that hold"
            " 90% of the variance of the posterior means. If the circles have the same size, the prior reaches the codes.",
        ),
        (
            "norms",
            "<strong>Length.</strong> The classic test compares the lengths of codes and of prior draws. It shows only"
            " codes of the wrong scale. In a converged model mu² + sigma² is 1 per number, so both lie on the same shell,"
            " however different their directions are: equal lengths do not rule out a hole.",
        ),
        (
            "mismatch",
            "<strong>Prior mismatch by rank.</strong> The gain in log density on held-out codes of a Gaussian with r"
            " principal directions, fitted to training codes, over the prior. It levels off at the number of directions"
            " that matter; where it falls again, the fit has learned noise.",
        ),
        (
            "map",
            "<strong>Map of the codes.</strong> Posterior means along their first two principal directions, coloured by"
            " class if there are labels. Crosses are draws of the prior: regions without crosses are never sampled. Rings"
            f" are one, two and three standard deviations of the prior.{share}",
        ),
    )
    numbers = card(table(results, "prior_mismatch", "Prior mismatch"))
    return filled_section("prior", "Codes against the prior", lead(words), cards(drawn, shown), numbers)


def between(results, pictures, drawn):
    """Interpolation, the path to the prior, unit noise and continuity."""
    words = lead(
        "What the decoder makes of codes between two images, between an image and the prior, and around an image."
    )
    made = interpolations(pictures)
    made += card(matrix(results, "interpolation", "path", "Halfway between two test images", PATHS))
    made += way_to_prior(pictures, drawn)
    made += card(unit_noise(results, pictures))
    points = ("posterior", "prior", "midpoint")
    made += beside(
        matrix(results, "continuity.jacobian", "jacobian", "Steepness of the decoder", points),
        table(results, "continuity", "Continuity of paths", skip=("jacobian",)),
    )
    plane = present(pictures, "plane")
    if plane is not None:
        words = "<strong>The latent plane.</strong> Both dims from -3 to 3, decoded."
        made += picture_card(
            list(plane), "The two-dimensional latent, decoded on a grid from -3 to 3", words, size=28
        )
    return filled_section("between", "Between the codes", words, made)


def interpolations(pictures):
    """Returns a card for each path between two images."""
    made = []
    for kind in PATHS:
        rows = present(pictures, f"interpolation.{kind}")
        if rows is None:
            continue
        title, meaning = (described(f"interpolation.{kind}")[0][key] for key in ("title", "description"))
        alt = f"{title}: {len(rows)} rows of {rows.shape[1]} images from one test image to another"
        made.append(picture_card(list(rows), alt, f"<strong>{text(title)}.</strong> {text(meaning)}"))
    return tag("div", *made, class_="two") if made else ""


def way_to_prior(pictures, drawn):
    """Returns the images and curves on the path from a code to a draw of the prior."""
    made = []
    rows = present(pictures, "posterior_to_prior")
    if rows is not None:
        words = (
            "<strong>From a code to the prior.</strong> The code of a test image (left) becomes a draw of the prior"
            " (right) step by step. If the image breaks down on the way, the codes are islands."
        )
        ends = tag(
            "div", tag("span", "0°, the image's code"), tag("span", "90°, a prior draw"), class_="ends"
        )
        alt = (
            f"{len(rows)} rows of {rows.shape[1]} images from the code of a test image to a draw of the prior"
        )
        made.append(picture_card(list(rows), alt, words, ends))
    if "path" in drawn:
        words = "<strong>Where the image breaks down.</strong> The same path, measured over many images."
        made.append(card(plot(drawn["path"], words)))
    return tag("div", *made, class_="two") if made else ""


def unit_noise(results, pictures):
    """Returns the test of N(mu(x), I): images and numbers."""
    title = "Unit noise around the mean"
    shown = [
        (label, None, present(pictures, f"noise_around_mean.{key}"))
        for key, label in (("real", "Test images"), ("decoded", "N(mu(x), I), decoded"))
        if present(pictures, f"noise_around_mean.{key}") is not None
    ]
    words = (
        "The code of each test image plus unit noise in every dim. If the image stays the same although draws of the prior"
        " decode to garbage, the code is spread over many dims."
    )
    images = tag("h3", title) + tag("p", words, class_="muted") + rows_of(shown) if shown else ""
    return images + table(
        results, "interpolation.noise_around_mean", title if not shown else "Over many images"
    )


def memory(results, pictures, drawn):
    """Nearest training images, and the tests of copying."""
    words = (
        "Whether the model reconstructs training images better than new ones, and whether samples are copies. No known test"
        " distinguishes copies from blur with certainty, so look at the images as well."
    )
    made = ""
    rows = neighbour_rows(pictures)
    if rows:
        sampler = at(pictures, "neighbours.sampler")
        source = (
            f" of the {text(rung_title(sampler)[:1].lower() + rung_title(sampler)[1:], NAME)}"
            if sampler
            else ""
        )
        note = (
            f"Samples{source}, each above its nearest training images. A copy stands out. A good sample only resembles its"
            " nearest images."
        )
        labelled = [(label.capitalize(), None, images) for label, (images,) in rows]
        made += card(tag("h3", "Nearest training images"), tag("p", note, class_="muted"), rows_of(labelled))
    made += beside(
        table(results, "memorisation", "Training images against new ones", skip=("rungs",)),
        matrix(results, "memorisation.rungs", "copying", "Tests of copying"),
    )
    return filled_section("memory", "Memorisation", lead(words), made)


def further(results, pictures, drawn):
    """Likelihood and disentanglement."""
    words = "Likelihood is measured on request, disentanglement if the factors of the images are known."
    made = [
        table(results, path, schema()["properties"][path]["title"])
        for path in ("likelihood", "disentanglement")
    ]
    return filled_section(
        "further", "Likelihood and disentanglement", lead(words), beside(*made), scores(results)
    )


def scores(results):
    """Returns the table of scores, or `""` if there are none."""
    entries = get(results, "scores.entries") or {}
    rows = [
        tag(
            "tr",
            tag("th", text(entry["title"]), scope="row", title=text(entry["description"])),
            tag("td", measured(entry["value"], entry["se"], entry["unit"])),
            tag("td", text(entry["healthy"] or "")),
            tag("td", text(entry["description"]), class_="muted"),
        )
        for entry in entries.values()
        if entry["value"] is not None
    ]
    return (
        card(tag("h3", "Scores"), scrolling(tag("table", tag("tbody", *rows), class_="numbers"), "Scores"))
        if rows
        else ""
    )


def extended(results, pictures, drawn):
    """The `--extended` measurements: curves, then numbers."""
    measured = get(results, "extended")
    if not measured:
        return None
    shown = (
        (
            "frechet_by_n",
            "<strong>Fréchet distance by n.</strong> With n images it is too large by about a constant over n. The hollow"
            " points extrapolate the lines to infinite n: the distance that remains is not due to few images.",
        ),
        (
            "kid_by_n",
            "<strong>Kernel distance by n.</strong> It is unbiased, so it is constant within its error. A rung whose error bar crosses"
            " 0 cannot be distinguished from real images.",
        ),
        (
            "survival",
            "<strong>Survival of the class.</strong> The share of images that have kept their class so far, on the path"
            " from their codes to prior draws. A class that is lost early is an island. The band is two standard errors.",
        ),
        (
            "cells",
            "<strong>Copying by cells.</strong> Comparison with real test images in each of ten neighbourhoods of the"
            " training images. Far to the left: copies or blur. Far to the right: unrealistic images.",
        ),
        (
            "importance",
            "<strong>Importance-weighted bound.</strong> It falls towards the negative log-likelihood. As long as one"
            " sample outweighs all others, it is far above it.",
        ),
    )
    names = schema()["properties"]["extended"]["properties"]
    drawn_too = ("frechet_by_n", "kid_by_n", "cell_z", "class_survival", "importance")
    numbers = [
        table(results, f"extended.{key}", node["title"])
        for key, node in names.items()
        if "properties" in node and key not in drawn_too
    ]
    classes = matrix(results, "extended.class_survival.classes", "survival", "Survival by class")
    words = lead("Measurements that take minutes and are made on request.")
    parts = (cards(drawn, shown), card(limits(results)), beside(*numbers, classes))
    return filled_section("extended", "Extended", words, *parts)


def limits(results):
    """Returns the distances at infinite n and the copying scores as a table, one row per rung."""
    rungs = get(results, "extended.frechet_by_n.limit") or get(results, "extended.cell_z.rungs") or {}
    columns = ("frechet_by_n.limit", "cell_z.rungs")
    heads = (tag("th", link(f"extended.{path}"), scope="col", class_="num") for path in columns)
    rows = []
    for rung in rungs:
        cells = []
        for path in columns:
            value = get(results, ("extended", *path.split("."), rung))
            error = (get_error(results, f"extended.{path}") or {}).get(rung)
            shown = DASH if value is None else written(value, error, described(f"extended.{path}")[0])
            cells.append(tag("td", shown, class_="num"))
        rows.append(tag("tr", tag("th", text(rung_title(rung), NAME), scope="row"), *cells))
    if not rows:
        return ""
    head = tag("thead", tag("tr", tag("td", ""), *heads))
    words = "Distances without the bias of few images, and copying"
    return scrolling(tag("table", tag("caption", words), head, tag("tbody", *rows)), words)


def costs(results, pictures, drawn):
    """The cost of the evaluation, one row per step."""
    steps = get(results, "cost.steps") or []
    if not steps:
        return None
    longest = max(step.get("seconds") or 0 for step in steps) or 1
    rows = (
        tag(
            "tr",
            tag("th", text(step.get("name"), NAME).replace("_", " "), scope="row"),
            tag("td", f"{step.get('seconds') or 0:,.1f} s", class_="num"),
            tag("td", bar((step.get("seconds") or 0) / longest), class_="bars", aria_hidden="true"),
        )
        for step in steps
    )
    head = tag("th", "Step", scope="col") + tag("th", "Time", scope="col", class_="num") + tag("td", "")
    words = f"{value_of(results, 'cost.seconds')} in total, at most {value_of(results, 'cost.peak_memory_bytes')} of memory."
    made = tag("table", tag("caption", "Time by step"), tag("thead", tag("tr", head)), tag("tbody", *rows))
    return "cost", "Cost", lead(words) + card(scrolling(made, "Time by step"))


def bar(share):
    """Returns a bar that fills a share of the cell's width."""
    return tag("span", "", class_="bar", style=f"width:{100 * share:.1f}%")


IDENTITY = (
    "run",
    "dataset",
    "image_shape",
    "latent_shape",
    "objective",
    "decoder_likelihood",
    "num_train",
    "num_test",
    "num_held_out",
    "seed",
    "created",
    "keras_vae",
    "exported",
)


def making(results, pictures, drawn):
    """How the report was made."""
    rows = (
        tag("tr", tag("th", link(path), scope="row"), tag("td", fact(results, path)))
        for path in IDENTITY
        if results.get(path) is not None
    )
    made = tag("table", tag("caption", "The run"), tag("tbody", *rows))
    words = lead(
        "The same run, seed and version give the same report, except for flow matching: it trains for a fixed time, and the"
        " number of updates in that time varies. The run records this number."
    )
    features = table(results, "generation_gap.features", "Features for comparing images")
    if results.get("ranges"):
        features += table(results, "ranges", "Value ranges of the model")
    fitted = fitted_samplers(results.get("samplers") or {})
    return (
        "making",
        "How it was made",
        words + card(scrolling(made, "The run")) + card(features) + card(fitted),
    )


def fact(results, path):
    """Returns a property of the run as HTML."""
    value = results.get(path)
    if isinstance(value, list):
        return shape(value)
    # A seed is a name, not an amount: it has no commas.
    return name(value) if isinstance(value, str) or path == "seed" else value_of(results, path)


def fitted_samplers(samplers):
    """Returns a table of the fitted samplers, or `""` if there are none."""
    titles = ("Sampler", "File", "Settings", "Fréchet distance")
    rows = [
        tag(
            "tr",
            tag("th", text(rung_title(key), NAME), scope="row"),
            tag("td", tag("code", text(entry["file"], NAME)) if entry.get("file") else DASH),
            tag("td", text(settings_of(entry) or DASH, 300)),
            tag("td", number(entry.get("frechet")), class_="num"),
        )
        for key, entry in samplers.items()
    ]
    if not rows:
        return ""
    head = "".join(
        tag("th", title, scope="col", class_="num" if title == titles[-1] else None) for title in titles
    )
    made = tag("table", tag("caption", "Fitted samplers"), tag("thead", tag("tr", head)), tag("tbody", *rows))
    return scrolling(made, "Fitted samplers")


def settings_of(sampler):
    """Returns the settings of a sampler as text."""
    settings = sampler.get("settings") or {}
    return ", ".join(
        f"{key.replace('_', ' ')} {shape(value) if isinstance(value, list) else number(value)}"
        for key, value in settings.items()
    )


def missing(results, pictures, drawn):
    """The numbers that were not computed, and why."""
    words = lead("Numbers of results.json that are null.")
    return filled_section("missing", "Not computed", words, card(not_computed_list(results)))


SECTIONS = (
    findings,
    told,
    ladder,
    rate_distortion,
    latent,
    prior,
    between,
    memory,
    further,
    extended,
    costs,
    making,
    missing,
)

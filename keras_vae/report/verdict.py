"""The top of a report: the verdict in plain words, images that show it, and the most important numbers."""

import re

import numpy as np

from keras_vae.report.page import NAME, as_pictures, clean, command, name, number, shape, strip, tag, text
from keras_vae.report.pictures import rows_of
from keras_vae.report.tables import best_distance_path, get, link, rung_title, value_of

# By name of the verdict: plain words, technical term and tone.
VERDICTS = {
    "insufficient_data": ("Too few held-out images to tell", "insufficient data", "none"),
    "collapsed": ("The decoder ignores the code", "posterior collapse", "bad"),
    "overfitted": ("It has memorised training images", "overfitted", "bad"),
    "blurry": ("Reconstructions are blurred, and so are samples", "blurry", "fair"),
    "prior_hole": ("It reconstructs, but it cannot generate", "prior hole", "bad"),
    "patchy": ("It generates, but not all samples are good", "patchy", "fair"),
    "discontinuous": ("Small steps of the code make the image jump", "discontinuous", "fair"),
    "healthy": ("It reconstructs and generates", "healthy", "good"),
}


# Of the first rows of images: pixels of a side, samples drawn at random and samples of each kind that the classifier is sure
# of, and images in the rows without these.
TILE, AT_RANDOM, EXTREMES, ACROSS = 40, 5, 2, 11
STATES = {"ok": "good", "good": "good", "patchy": "fair", "bad": "bad", "not measured": "none"}


def header(results):
    """Returns the name of the run and its main properties."""
    facts = [
        get(results, "dataset"),
        f"latent {shape(results.get('latent_shape'))}" if results.get("latent_shape") else None,
        results.get("objective"),
        f"prior: {results['prior']}" if results.get("prior") else None,
        f"{number(results['num_held_out'])} held-out images" if results.get("num_held_out") else None,
        str(results.get("created") or "")[:10] or None,
    ]
    listed = (tag("li", text(fact, NAME)) for fact in facts if fact)
    return tag("header", tag("h1", name(results.get("run"))), tag("ul", *listed, class_="facts"))


def state_line(word, sentence):
    """Returns a line of the verdict. The prefix `continuity: ok` of the sentence becomes a coloured state."""
    sentence = "not measured" if sentence is None else str(sentence).strip()
    rest = re.sub(rf"^{word}\s*:\s*", "", sentence, flags=re.I)
    found = re.match(rf"({'|'.join(STATES)})\b[\s:,;.]*", rest, flags=re.I)
    if not found:
        return tag("div", tag("dt", word), tag("dd", text(rest)))
    tone, rest = STATES[found[1].lower()], rest[found.end() :]
    rest = unwrapped(rest)
    state = tag("span", text(found[1].lower()), class_=f"state tone-{tone}")
    return tag(
        "div", tag("dt", word), tag("dd", state, tag("span", text(rest), class_="rest") if rest else "")
    )


def unwrapped(sentence):
    """Returns `(a) b` as `a b`; brackets within `a` are kept."""
    depth = 0
    for end, character in enumerate(sentence if sentence.startswith("(") else ""):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return sentence[1:end] + sentence[end + 1 :]
    return sentence


def plain_words(results):
    """Returns the verdict in plain words."""
    key = get(results, "verdict.name")
    blurred = any(found.get("name") == "blurry" for found in get(results, "verdict.findings") or [])
    if key == "prior_hole" and blurred:
        return "It cannot generate, and it reconstructs poorly"
    return VERDICTS.get(key, (clean(key, NAME),))[0]


def verdict_card(results, pictures):
    """Returns the card of the verdict: name, cause, continuity, completeness, images, three numbers and the steps."""
    verdict = results.get("verdict") or {}
    findings = verdict.get("findings") or [{}]
    _, kind, tone = VERDICTS.get(verdict.get("name"), ("", "verdict", "none"))
    sub = findings[0].get("sub_verdict")
    kind = f"Verdict: {kind}" + (f", {clean(sub, NAME).replace('_', ' ')}" if sub else "")
    remedy = steps(verdict)
    if remedy:
        remedy = tag("p", tag("strong", "What to do")) + remedy
    sure, doubt = verdict.get("confidence"), verdict.get("confidence_reason")
    because = f", because {text(doubt)}" if doubt else ""
    remedy += (
        tag("p", f"Confidence of this verdict: {text(sure, NAME)}{because}.", class_="muted") if sure else ""
    )
    words = tag("p", text(findings[0].get("cause")), class_="cause") if findings[0].get("cause") else ""
    states = tag(
        "dl",
        state_line("Continuity", verdict.get("continuity")),
        state_line("Completeness", verdict.get("completeness")),
        class_="lines",
    )
    return tag(
        "div",
        tag("p", text(kind), class_="kind"),
        tag("h2", text(plain_words(results))),
        tag("div", words, first_look(results, pictures), class_="look"),
        states,
        tiles(results),
        tag("div", remedy, class_="remedy") if remedy else "",
        class_=f"card verdict tone-{tone}",
    )


def steps(found):
    """Returns the steps of a verdict or a finding: each sentence with its command below it."""
    known = found.get("steps")
    if known is None:  # results of an older version
        known = [{"sentence": found.get("remedy"), "command": found.get("command")}]
    made = [
        tag("p", text(step["sentence"])) + (command(step["command"]) if step.get("command") else "")
        for step in known
        if step.get("sentence")
    ]
    return "".join(made) if len(made) < 2 else tag("ol", *(tag("li", step) for step in made), class_="steps")


def first_look(results, pictures):
    """Returns up to four rows of images: real, reconstructed, from the prior and from the best sampler.

    Beside samples drawn at random stand those that the classifier is most and least sure of.
    """
    best = get(results, "generation_gap.best_sampler")
    chosen = ["real", "reconstruction", "prior"] + ([best] if best not in (None, "prior") else [])
    notes = {best: "the best sampler"} if best != "prior" else {}
    images = pictures.get("ladder") or {}
    found = [
        (rung, notes.get(rung), np.asarray(images[rung]))
        for rung in chosen
        if images.get(rung) is not None and len(images[rung])
    ]
    told = pictures.get("told_apart") or {}
    judged = [rung for rung, *_ in found if told.get(rung) and len(told[rung]["most"])]
    if not judged:
        return rows_of([(rung_title(rung), note, row[:8]) for rung, note, row in found], 48) if found else ""
    cells = []
    for rung, note, row in found:
        title = rung_title(rung)
        strips = sure_strips(row, told[rung]) if rung in judged else {"": row[:ACROSS]}
        if rung == judged[0]:
            cells += [tag("small", head) for head in ("", *strips)]
        cells.append(tag("div", text(title, NAME), tag("small", text(note)) if note else "", class_="label"))
        for head, part in strips.items():
            shown = strip([part], clean(f"{title} {head}", NAME).strip(), TILE)
            cells.append(tag("div", shown, class_=None if head else "across", data_head=head or None))
    return tag("div", *cells, class_="rows sure")


def sure_strips(row, told):
    """Returns images of a rung by what they are: drawn at random, easiest to tell beside their maps, and hardest."""
    most = np.asarray(told["most"])[:EXTREMES]
    where = marked(most, told["maps"][:EXTREMES])
    pairs = np.stack([np.broadcast_to(as_pictures(most), where.shape), where], axis=1)
    return {
        "drawn at random": row[:AT_RANDOM],
        "easiest to tell, and where": pairs.reshape(-1, *pairs.shape[2:]),
        "hardest": np.asarray(told["least"])[:EXTREMES],
    }


def told_look(results, pictures):
    """Returns, for each shown rung, the samples that are easiest to recognise, where, and those hardest to recognise."""
    found = []
    for rung, shown in (pictures.get("told_apart") or {}).items():
        if not shown or not len(shown["most"]):
            continue
        title = rung_title(rung)
        found += [
            (f"{title}: easiest to recognise", "least like decoded codes", np.asarray(shown["most"])),
            (
                f"{title}: recognised by",
                "red: what the classifier uses",
                marked(shown["most"], shown["maps"]),
            ),
            (f"{title}: hardest to recognise", "most like decoded codes", np.asarray(shown["least"])),
        ]
    return rows_of(found, 44) if found else ""


def marked(images, maps):
    """Returns images in grey, with the pixels that the classifier relies on in red, `[n, height, width, 3]`."""
    grey = np.asarray(images, "float32").mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    heat = np.clip(np.asarray(maps, "float32"), 0, None)[..., None]
    heat = heat / np.maximum(heat.max(axis=(1, 2), keepdims=True), 1e-9)
    return grey * (1 - 0.7 * heat) + 0.7 * heat * np.array([1, 0, 0], "float32")


def numbers_on_top(results):
    """Yields the candidates for the three numbers, most important first: path, title (or None) and a note."""
    best = get(results, "generation_gap.best_sampler")
    fitted = rung_title(best) if best not in (None, "prior") else None
    if get(results, ("told_apart", "prior", "auc")) is not None:
        yield (
            "told_apart.prior.auc",
            "AUC, samples of the prior",
            "A classifier distinguishes them from decoded codes: 0.5 is chance, 1 always.",
        )
        if fitted:
            # On images that did not choose the sampler, like the number in the verdict's sentence.
            crossed = get(results, "told_apart.best_auc") is not None
            yield (
                "told_apart.best_auc" if crossed else ("told_apart", best, "auc"),
                f"AUC, {fitted.lower()}",
                "The same for the best fitted sampler.",
            )
    else:
        yield (
            "generation_gap.prior.frechet",
            "Fréchet distance, prior",
            "Distance of the prior's samples from real images.",
        )
        if fitted:
            title = f"Fréchet distance, {fitted.lower()}"
            yield best_distance_path(results), title, "The same for the best fitted sampler."
    unexplained = get(results, "reconstruction.test.unexplained")
    share = "" if unexplained is None else f", {number(unexplained, 'share')} of their variance"
    yield "reconstruction.test.mse", "Error of reconstructions", f"Mean squared, on held-out images{share}."
    yield "rate_distortion.elbo", None, "Of held-out images; higher is better."
    yield "completeness.dead_zone", None, "Share of the prior's samples that resemble no real image."


def tiles(results):
    """Returns the three most important numbers with their errors, or `""`."""
    found = [one for one in numbers_on_top(results) if get(results, one[0]) is not None][:3]
    cells = (
        tag(
            "div",
            tag("dt", link(path, words)),
            tag("dd", tag("span", value_of(results, path), class_="value")),
            tag("dd", text(note, 200), class_="note"),
        )
        for path, words, note in found
    )
    return tag("dl", *cells, class_="tiles") if found else ""

"""The model card of a preset, README.md: Markdown with the front matter of the Hugging Face Hub."""

import pathlib

TEMPLATE = pathlib.Path(__file__).parent / "card.jinja"
# Rows of the table: words, unit, and the path of an estimate in results.json.
NUMBERS = (
    ("distortion, -log p(x\\|z)", "nats", "rate_distortion.distortion"),
    ("rate, KL(q(z\\|x) \\|\\| p(z))", "nats", "rate_distortion.rate"),
    ("ELBO", "nats", "rate_distortion.elbo"),
    ("log-likelihood, importance-weighted", "nats", "likelihood.nats"),
    ("squared error of reconstructions", "per pixel value", "reconstruction.test.mse"),
)
RUNG = "a classifier distinguishes samples of {} from decoded codes of held-out images"
DECODER = "a classifier distinguishes reconstructions from real images"


def card(name, model, results, about):
    """Returns the card.

    Args:
        name: The preset's name.
        model: The `Autoencoder`.
        results: Its results, as in results.json; entries may be missing.
        about: Its `keras_vae.presets.About`.
    """
    import jinja2

    templates = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True)
    templates.filters |= {"line": line, "size": lambda shape: "x".join(map(str, shape))}
    verdict = results.get("verdict")
    return templates.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        name=name,
        model=model,
        results=results,
        about=about,
        verdict=verdict,
        prior=prior_in_words(results),
        title=verdict and verdict_in_words(verdict),
        license=about.license or "other",
        tags=["keras_vae", "variational-autoencoder", *filter(None, [results.get("objective")])],
        numbers=list(numbers(results, about)),
        limits=list(limits(model, results, about)),
    )


def verdict_in_words(verdict):
    """Returns the verdict's name in words, such as "Prior hole: spread code"."""
    names = (verdict["name"], verdict["sub_verdict"])
    return ": ".join(name.replace("_", " ") for name in names if name).capitalize()


def prior_in_words(results):
    """Returns "N(0, I)", or "the prior" for another prior."""
    return "N(0, I)" if results.get("prior") == "standard" else "the prior"


def numbers(results, about):
    """Yields the rows of the table: words and the number with its standard error."""
    for words, unit, path in NUMBERS:
        *sections, name = path.split(".")
        value, error = (entry(results, *sections, key) for key in (name, f"{name}_se"))
        if value is not None:
            yield words, f"{with_error(value, error)} {unit}"
    told = [(RUNG.format(prior_in_words(results)), "prior")]
    told += [(RUNG.format(f"`{about.sampler}`"), about.sampler)] if about.sampler else []
    for words, rung in (*told, (DECODER, "reconstruction")):
        auc, error, n = (entry(results, "told_apart", rung, key) for key in ("auc", "auc_se", "n"))
        if auc is not None:
            of = f", {n:,} images each" if n else ""
            yield f"{words} in", f"{auc:.1%} ± {error:.1%} of pairs (chance: 50%{of})"


def limits(model, results, about):
    """Yields sentences about what the model cannot do."""
    kind = "grey" if model.image_shape[-1] == 1 else "colour"
    size = "x".join(map(str, model.image_shape[:2]))
    yield f"It knows only images like those it was trained on: {size}, {kind}, scaled to [0, 1]."
    blurred = entry(results, "told_apart", "reconstruction", "auc")
    if blurred is not None and blurred > 0.75:
        yield "Its decoded images are not mistaken for real ones: compare the last row of the table."
    if about.sampler and (auc := entry(results, "told_apart", about.sampler, "auc")):
        apart = f"A classifier still distinguishes samples of `{about.sampler}` from decoded codes in {auc:.0%} of pairs."
        yield apart if auc > 0.6 else apart.replace("still distinguishes", "distinguishes")
    for other in (results.get("verdict") or {}).get("findings", [])[1:]:
        yield line(other["symptom"])
    if about.half:
        yield "Large arrays are stored in half precision, which changes pixel values by about 0.001."


def entry(results, *names):
    """Returns an entry of nested dicts, or None."""
    for name in names:
        results = results.get(name) if isinstance(results, dict) else None
    return results


def with_error(value, error):
    """Returns a number with its standard error, to two digits of the error."""
    if not error:
        return f"{value:.4g}"
    decimals = max(0, 1 - int(f"{error:e}".partition("e")[2]))
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def line(text):
    """Returns text on one line, without HTML elements, for names that come from files."""
    return " ".join(str(text).split()).replace("<", "&lt;")

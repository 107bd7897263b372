"""HTML for reports: escaping, formatted numbers, strips of images, and the page around them.

The page is self-contained. Its content security policy forbids all requests, and all scripts except `assets/report.js`
(allowed by its hash). Even a name that was not escaped could therefore do nothing.
"""

import base64
import hashlib
import html
import io
import math
import pathlib
import re
import unicodedata

import numpy as np

from keras_vae.runtime import figures

HERE = pathlib.Path(__file__).parent
MOST_PIXELS = 96  # largest side of an image in the page; the files in figures/ are not reduced
PLUS_MINUS, TIMES, MINUS, DASH, RAISED = (
    "\u00b1",
    "\u00d7",
    "\u2212",
    "\u2013",
    "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079",
)
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # marks that change the writing direction
SMALL, LARGE = 1e-4, 1e7  # beyond these a number is written with a power of ten
NAME, SENTENCE = 80, 1500  # most characters shown of a name and of a sentence


def text(value, limit=SENTENCE):
    """Returns `value` escaped for HTML, cut to `limit` characters, without control characters."""
    return html.escape(clean(value, limit), quote=True)


def clean(value, limit=SENTENCE):
    """Returns `value` as text that is valid in UTF-8, HTML and SVG, cut to `limit` characters."""
    kept = str(value).encode("utf-8", "replace").decode()
    kept = "".join(
        " " if letter in "\n\t\r" else letter
        for letter in kept[: limit + 1]
        if letter in "\n\t\r"
        or (unicodedata.category(letter) not in ("Cc", "Cs", "Co", "Cn") and letter not in TURNING)
    )
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def name(value):
    """Returns an external name for HTML: shortened, and with its writing direction isolated."""
    return f"<bdi>{text(value, NAME)}</bdi>"


def tag(kind, *content, **attributes):
    """Returns an element. `content` is HTML; attributes are escaped here, and `class_` becomes `class`."""
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{kind}{pairs}>{''.join(content)}</{kind}>"


def number(value, unit=None):
    """Returns a number with three significant digits, shares in percent and bytes in GiB or MiB. Texts stay as they are."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return clean(value, NAME)
    if unit == "share":
        decimals = min(max(decimals_of(100 * value, 3), 0), 1)
        return minus(f"{100 * value:,.{decimals}f}") + "%"
    if unit == "bytes":
        return f"{number(value / 2**30)} GiB" if value >= 2**30 else f"{number(value / 2**20)} MiB"
    if isinstance(value, int):
        return minus(f"{value:,}")
    return fixed(value, decimals_of(value, 3))


def measured(value, error, unit=None):
    """Returns a value with its standard error: the error with one digit (two after a 1), the value to the same decimal."""
    if value is None or not error or unit == "bytes":
        return number(value, unit)
    scale, percent = (100, "%") if unit == "share" else (1, "")
    value, error = scale * value, scale * error
    if 0 < abs(value) < SMALL:
        return f"{number(float(value))}{percent} {PLUS_MINUS} {number(float(error))}{percent}"
    digits = 2 if f"{error:.1e}".startswith("1") else 1
    decimals = max(min(decimals_of(error, digits), decimals_of(value, 5) if value else 9), 0)
    return f"{minus(f'{value:,.{decimals}f}')}{percent} {PLUS_MINUS} {error:,.{decimals}f}{percent}"


def decimals_of(value, digits):
    """Returns the number of decimals that show `value` with `digits` significant digits."""
    if not value or not math.isfinite(value):
        return 0
    return digits - 1 - math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))


def fixed(value, decimals):
    """Returns `value` with `decimals` decimals and commas, or with a power of ten if very small or large."""
    if value and (abs(value) < SMALL or abs(value) >= LARGE):
        mantissa, exponent = f"{value:.2e}".split("e")
        raised = str(int(exponent)).translate(str.maketrans("-0123456789", RAISED))
        return minus(f"{mantissa} {TIMES} 10{raised}")
    return minus(f"{value:,.{max(decimals, 0)}f}")


def minus(written):
    """Returns a formatted number with a true minus sign, without a sign for zero."""
    if not written.strip("-0.,"):
        written = written.lstrip("-")
    return written.replace("-", MINUS)


def shape(sizes):
    """Returns a shape in the form 8x8x1024."""
    return TIMES.join(f"{size}" for size in sizes) if sizes else DASH


def as_pictures(images):
    """Returns images with any number of channels as float32 `[n, height, width, 1 or 3]` in [0, 1]."""
    images = np.clip(np.nan_to_num(np.asarray(images, "float32"), nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
    return images[..., :3] if images.shape[-1] >= 3 else images[..., :1]


def png(rows, gap=1):
    """Returns a PNG of rows of images, with transparent gaps, as a data URI; and its size.

    Args:
        rows: Arrays `[n, height, width, channels]` in [0, 1], of equal shape.
        gap: Pixels between images.
    """
    from PIL import Image

    rows = [shrink(as_pictures(row)) for row in rows]
    grey = rows[0].shape[-1] == 1
    rows = [row.repeat(3, axis=-1) if grey else row for row in rows]
    marked = [np.concatenate([row, np.zeros_like(row[..., :1])], axis=-1) for row in rows]
    joined = figures.grid(marked, gap)  # the padding is 1 in every channel, so the fourth marks it
    joined[..., 3] = 1 - joined[..., 3]
    image = Image.fromarray(np.round(255 * joined).astype("uint8"))
    if grey:
        image = image.convert("LA")
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode(), image.size


def shrink(images):
    """Returns images reduced to sides of at most `MOST_PIXELS` by averaging blocks of pixels."""
    factor = -(-max(images.shape[1:3]) // MOST_PIXELS)
    if factor == 1:
        return images
    count, height, width, channels = images.shape
    height, width = max(height // factor, 1), max(width // factor, 1)
    kept = images[:, : height * factor, : width * factor]
    return kept.reshape(count, height, -1, width, kept.shape[2] // width, channels).mean(axis=(2, 4))


def strip(rows, alt, size=40, gap=1):
    """Returns rows of images as one `img`.

    Args:
        rows: Arrays `[n, height, width, channels]` of equal shape.
        alt: The alternative text.
        size: Height of an image on the screen.
        gap: Pixels between images.
    """
    return tag("img", **image_attributes(rows, alt, size, gap), decoding="async").removesuffix("</img>")


def image_attributes(rows, alt, size=40, gap=1):
    """Returns the attributes of the `img` of `strip`, a dict."""
    source, (width, height) = png(rows, gap)
    side = min(np.shape(rows[0])[1], MOST_PIXELS)
    scale = size / side
    return {
        "class_": "crisp" if side < 24 else "smooth",
        "src": source,
        "alt": alt,
        "width": round(width * scale),
        "height": round(height * scale),
    }


def inline(svg, alt):
    """Returns an SVG of matplotlib as an element of the page, without prolog, metadata, ids and fonts."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.S)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r"font-family:[^;\"]*;?", "", svg)
    opening = re.match(r'<svg[^>]*?width="([\d.]+)pt"[^>]*?viewBox="([^"]*)"[^>]*>', svg)
    width = round(float(opening[1]) * 4 / 3)  # points to CSS pixels
    return (
        f'<svg role="img" aria-label="{text(alt)}" viewBox="{opening[2]}" style="max-width:{width}px">'
        + svg[opening.end() :]
    )


def plot(drawn, caption):
    """Returns a drawn plot with a caption (HTML)."""
    return tag("figure", inline(drawn.svg, drawn.alt), tag("figcaption", caption), class_="plot")


def command(line):
    """Returns a box with a command line to copy."""
    whole = html.escape("".join(c for c in str(line).encode("utf-8", "replace").decode() if c.isprintable()))
    return f'<div class="command"><pre tabindex="0"><code>{whole}</code></pre></div>'


def scrolling(content, label):
    """Returns wide content in a box that scrolls, also by keyboard."""
    return tag("div", content, class_="scroll", role="region", tabindex="0", aria_label=label)


def data_uri(content, kind):
    """Returns `content` as a data URI of the type `kind`."""
    return f"data:{kind};charset=utf-8;base64,{base64.b64encode(content.encode()).decode()}"


def download(content, kind, name, words):
    """Returns a link that downloads a text as a file; the content is in the page itself."""
    return tag("a", text(words), href=data_uri(content, kind), download=name, class_="download")


def page(title, body):
    """Returns the whole page. `body` is HTML."""
    import jinja2

    templates = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True)
    script = asset("report.js")
    return templates.get_template("page.html").render(
        title=clean(title, NAME),
        hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=asset("report.css"),
        script=script,
        body=body,
    )


def asset(name):
    """Returns the text of a file in `assets/`."""
    return (HERE / "assets" / name).read_text(encoding="utf-8")

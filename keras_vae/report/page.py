"""HTML for reports: escaping, formatted numbers, strips of images, and the page around them.

The page is self-contained. Its content security policy forbids all requests, and all scripts except the one below
(allowed by its hash). Even a name that was not escaped could therefore do nothing.
"""

import base64
import hashlib
import html
import io
import math
import re
import unicodedata

import numpy as np

from keras_vae.runtime import figures

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
    source, (width, height) = png(rows, gap)
    side = min(np.shape(rows[0])[1], MOST_PIXELS)
    scale = size / side
    return (
        f'<img class="{"crisp" if side < 24 else "smooth"}" src="{source}" alt="{text(alt)}"'
        f' width="{round(width * scale)}" height="{round(height * scale)}" decoding="async">'
    )


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


def page(title, body):
    """Returns the whole page. `body` is HTML."""
    allowed = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="generator" content="keras_vae">\n'
        f"<title>{text(title, NAME)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n"
        f"<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


# Adds a button that copies a command. Without scripts, the command can still be selected.
SCRIPT = """
for (const box of document.querySelectorAll(".command")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button"; button.textContent = "Copy";
  button.onclick = () => navigator.clipboard.writeText(box.querySelector("code").textContent).then(() => {
    button.textContent = "Copied"; setTimeout(() => button.textContent = "Copy", 1500); });
  box.append(button);
}
"""

STYLE = """
:root {
  --paper: #f6f5f1; --card: #ffffff; --sunk: #f1efe9; --ink: #1b1f24; --muted: #59616b; --line: #dedbd3;
  --blue: #1f5fa8; --orange: #b8470b; --green: #1a7350; --purple: #7a3fa0;
  --good: #1a7350; --fair: #8a5a00; --bad: #b3261e; color-scheme: light;
}
@media screen and (prefers-color-scheme: dark) { :root {
  --paper: #121417; --card: #1a1d21; --sunk: #22262b; --ink: #e9e7e2; --muted: #a3abb5; --line: #343a41;
  --blue: #84b8f2; --orange: #ff9d66; --green: #63cfa4; --purple: #cba3f0;
  --good: #63cfa4; --fair: #e5b454; --bad: #ff8a80; color-scheme: dark;
} }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; scroll-padding-top: 1rem; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", sans-serif; }
.page { max-width: 68rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1, h2, h3, h4 { line-height: 1.25; margin: 0; text-wrap: balance; overflow-wrap: anywhere; }
h1 { font-size: 1.15rem; font-weight: 600; }
h2 { font-size: 1.5rem; letter-spacing: -.012em; }
h3 { font-size: 1.05rem; }
h4 { font-size: .95rem; }
p { margin: .5rem 0 0; max-width: 44rem; }
a { color: var(--blue); text-underline-offset: .18em; text-decoration-thickness: .06em; }
:focus-visible { outline: 3px solid var(--blue); outline-offset: 2px; border-radius: 3px; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; font-size: .875em; }
img { display: block; max-width: 100%; height: auto; }
.crisp { image-rendering: pixelated; }
.muted, figcaption, .facts { color: var(--muted); }
.skip { position: absolute; left: -99rem; } .skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem; }
header .facts { margin: .25rem 0 0; padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: 0 1.25rem; font-size: .9rem; }
section { margin-top: 3.5rem; }
section > p:first-of-type { color: var(--muted); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.25rem; margin-top: 1.25rem; min-width: 0; }

.verdict { margin-top: 1.25rem; padding: 1.75rem; border-left: 6px solid var(--tone); }
.tone-good { --tone: var(--good); } .tone-fair { --tone: var(--fair); } .tone-bad { --tone: var(--bad); } .tone-none { --tone: var(--muted); }
.verdict .kind { color: var(--tone); font-weight: 650; font-size: .9rem; margin: 0 0 .35rem; }
.verdict h2 { font-size: clamp(1.5rem, 1.1rem + 2vw, 2.15rem); letter-spacing: -.02em; }
.verdict .cause { font-size: 1.1rem; margin-top: .75rem; max-width: 46rem; }
.lines { margin: 1.25rem 0 0; display: grid; gap: .5rem; }
.lines div { display: grid; grid-template-columns: 8.5rem minmax(0, 1fr); gap: 0 1rem; }
.lines dt { font-weight: 600; } .lines dd { margin: 0; }
.state { color: var(--tone); font-weight: 650; } .state + .rest::before { content: " · "; color: var(--muted); }
.remedy { margin-top: 1.5rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
.command { position: relative; margin-top: .75rem; max-width: 100%; }
.command pre { margin: 0; padding: .75rem 5.25rem .75rem 1rem; background: var(--sunk); border: 1px solid var(--line); border-radius: 7px;
  white-space: pre-wrap; overflow-wrap: anywhere; max-height: 11rem; overflow-y: auto; }
.command code::before { content: "$ "; color: var(--muted); }
.command button { position: absolute; top: .45rem; right: .5rem; font: inherit; font-size: .8rem; padding: .2rem .7rem; color: var(--ink);
  background: var(--card); border: 1px solid var(--line); border-radius: 5px; cursor: pointer; }
.command button:hover { border-color: var(--muted); }

.rows { margin: 1.1rem 0 0; display: grid; grid-template-columns: minmax(8.5rem, max-content) minmax(0, 1fr); gap: .55rem 1.25rem; align-items: center; }
.rows + .scroll { margin-top: 1.5rem; }
.rows .label { font-size: .9rem; } .rows .label small { display: block; color: var(--muted); }
.tiles { display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 1px; background: var(--line); border: 1px solid var(--line);
  border-radius: 10px; overflow: hidden; margin: 1.25rem 0 0; padding: 0; }
.tiles div { background: var(--card); padding: .9rem 1rem; display: flex; flex-direction: column; }
.tiles dt { font-size: .85rem; color: var(--muted); } .tiles dd { margin: 0; }
.tiles .value { font-size: 1.45rem; font-weight: 600; letter-spacing: -.015em; line-height: 1.35; font-variant-numeric: tabular-nums; }
.tiles .unit, .tiles .se { font-size: .85rem; font-weight: 400; color: var(--muted); letter-spacing: 0; }
.tiles .note { font-size: .8rem; color: var(--muted); }
nav { margin-top: 1.5rem; font-size: .9rem; } nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: 0; padding: 0; }

.finding dl { margin: .75rem 0 0; display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); gap: .5rem 1rem; }
.finding dt { color: var(--muted); } .finding dd { margin: 0; max-width: 44rem; }
.finding .sub { font-weight: 400; color: var(--muted); }

.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .92rem; }
caption { text-align: left; font-weight: 600; padding-bottom: .5rem; caption-side: top; }
caption small { font-weight: 400; color: var(--muted); margin-left: .5rem; }
th, td { text-align: left; vertical-align: baseline; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); font-weight: 400; }
thead th { color: var(--muted); font-size: .82rem; vertical-align: bottom; } tr:last-child > * { border-bottom: 0; }
th a { color: inherit; text-decoration-color: var(--line); } th a:hover { text-decoration-color: currentColor; }
.numbers tbody > tr > th { width: 42%; } .numbers .group th { width: auto; } td.value { white-space: nowrap; width: 26%; } td .unit, th .unit { color: var(--muted); font-size: .85em; } td .se { color: var(--muted); }
td.bars { width: 50%; padding: 0 0 0 1rem; vertical-align: middle; }
tr.group th { font-weight: 600; padding-top: .9rem; }
.none { color: var(--muted); font-style: italic; } .healthy { color: var(--muted); font-size: .86rem; min-width: 8rem; }
.num { text-align: right; white-space: nowrap; padding-right: 0; padding-left: .9rem; }
.best { font-weight: 650; }

.ladder td, .ladder th { vertical-align: middle; } .ladder tbody th { min-width: 11rem; max-width: 15rem; overflow-wrap: anywhere; padding: .7rem .9rem .7rem 0; }
.ladder .num { padding-left: .6rem; } .ladder .se { display: block; font-size: .82em; color: var(--muted); }
.ladder tbody th strong { display: block; font-weight: 600; } .ladder tbody th span { font-size: .82rem; color: var(--muted); line-height: 1.35; display: block; }
.ladder .pictures { min-width: 296px; padding-right: 0; } .ladder .pictures img + img { margin-top: 1px; }

.compare th[scope=row] { position: sticky; left: 0; background: var(--card); min-width: 9rem; } .compare td, .compare th[scope=col] { min-width: 7rem; }
.compare thead strong { color: var(--ink); font-size: 1rem; } .compare .cell { min-width: 10.5rem; } .compare .cell small { display: block; margin-top: .2rem; }
.verdicts td:last-child { min-width: 18rem; } .ladders td, .ladders th { vertical-align: middle; }
table { overflow-wrap: break-word; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1.25rem; margin-top: 1.25rem; }
.two > .card { margin-top: 0; }
figure { margin: 0; min-width: 0; } figure + figure { margin-top: 1.5rem; }
.plot svg { display: block; width: 100%; height: auto; margin: 0 auto; font-family: inherit; }
figcaption { font-size: .88rem; line-height: 1.45; margin-top: .6rem; }
figcaption strong { color: var(--ink); font-weight: 600; }
.ends { display: flex; justify-content: space-between; font-size: .82rem; color: var(--muted); margin-top: .3rem; gap: 1rem; }
.fit { width: fit-content; max-width: 100%; }
.bar { display: block; height: .55rem; border-radius: 2px; background: var(--blue); min-width: 2px; }

.glossary { columns: 2 22rem; column-gap: 2.5rem; margin-top: 1rem; }
.glossary .group { margin-top: 1.5rem; } .glossary .group:first-child { margin-top: 0; }
.glossary p { margin: .2rem 0 0; font-size: .9rem; line-height: 1.45; }
.glossary dl { margin: .35rem 0 0; font-size: .88rem; line-height: 1.45; } .glossary dl > div { break-inside: avoid; padding: .3rem 0; }
.glossary dt { font-weight: 600; } .glossary dd { margin: 0; color: var(--muted); } .glossary dd b { color: var(--ink); font-weight: 500; }
.glossary code { font-weight: 400; color: var(--muted); overflow-wrap: anywhere; } :target { background: var(--sunk); }
footer { margin-top: 3rem; color: var(--muted); font-size: .85rem; }

@media (max-width: 62rem) { .tiles { grid-template-columns: repeat(3, minmax(0, 1fr)); } }
@media (max-width: 46rem) {
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .page { padding: 1.25rem .9rem 3rem; } .card { padding: 1rem .9rem; } .verdict { padding: 1.25rem 1rem; }
  section { margin-top: 2.5rem; }
  .lines div, .finding dl, .rows { grid-template-columns: minmax(0, 1fr); } .finding dt { margin-top: .35rem; }
  .rows .label { margin-top: .5rem; }
  .ladder, .ladder tbody, .ladder tr, .ladder td, .ladder tbody th { display: block; } .ladder thead { display: none; }
  .ladder tr { display: grid; grid-template-columns: 1fr 1fr; padding: .9rem 0; border-bottom: 1px solid var(--line); } .ladder tr:last-child { border: 0; }
  .ladder tbody th, .ladder td.pictures { grid-column: 1 / -1; max-width: none; } .ladder .pictures { min-width: 0; padding: .4rem 0; }
  .ladder td, .ladder tbody th { border: 0; padding: .1rem 0; text-align: left; white-space: normal; }
  .ladder td[data-label]::before { content: attr(data-label) " "; color: var(--muted); font-size: .85rem; }
  .ladder caption { display: block; } .ladder .num { padding: .1rem 0; } .ladder .se { display: inline; } .healthy { min-width: 4.5rem; }
  .command pre { padding-right: 1rem; } .command button { position: static; margin-top: .4rem; }
}
@media print {
  :root { --paper: #fff; } body { font-size: 10pt; } .page { max-width: none; padding: 0; }
  nav, .skip, .command button { display: none; } a { color: inherit; text-decoration: none; }
  .card, .tiles { border-color: #bbb; } .card.verdict, .finding, figure, tr, .tiles, .rows, .two > .card { break-inside: avoid; }
  section > p:first-of-type { break-after: avoid; break-inside: avoid; } .ladder tbody th { min-width: 9rem; }
  .tiles { grid-template-columns: repeat(3, 1fr); } .ladder tbody th span { font-size: .75rem; }
  h2, h3, caption { break-after: avoid; } section { margin-top: 1.75rem; } .scroll { overflow: visible; }
  .command pre { max-height: none; } img, .bar { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""

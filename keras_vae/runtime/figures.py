"""Image grids as arrays, and figures as PNG files."""

import base64
import html
import io

import numpy as np

# Limits of the images in a figure, in inches: a column of single images, or of tall ones, would become too high.
WIDTH, MOST_HEIGHT = 9.0, 12.0


def grid(rows, gap=1):
    """Returns images side by side in one image, `[grid height, grid width, channels]`.

    Args:
        rows: The rows of the grid, a list of arrays `[n, height, width, channels]` in [0, 1], all of the same shape.
        gap: Width of the white gaps in pixels.
    """
    padded = np.pad(np.stack(rows), ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)), constant_values=1.0)
    num_rows, num_columns, height, width, channels = padded.shape
    joined = padded.transpose(0, 2, 1, 3, 4).reshape(num_rows * height, num_columns * width, channels)
    return joined[: -gap or None, : -gap or None]


def png(image):
    """Returns the PNG of an image, `[height, width, channels]` in [0, 1]. Channels after grey or RGB are left out."""
    from PIL import Image

    image = image[..., :3] if image.shape[-1] >= 3 else image[..., 0]
    file = io.BytesIO()
    Image.fromarray(np.round(255 * np.clip(image, 0, 1)).astype("uint8")).save(file, "PNG")
    return file.getvalue()


def captioned(words, content):
    """Returns a line of text above a PNG, given as bytes, for notebooks (HTML)."""
    source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    style = "width: 720px; max-width: 100%; image-rendering: pixelated"
    return f'{html.escape(words)}<br><img src="{source}" alt="" style="{style}">'


def preview(path, originals, reconstructions, samples, title):
    """Writes a PNG with originals above their reconstructions, and samples.

    Args:
        path: Path of the file.
        originals, reconstructions: `[n, height, width, channels]`.
        samples: `[rows * n, height, width, channels]`.
        title: Title of the figure.
    """
    from matplotlib.figure import Figure  # drawn without a display and without pyplot's global state

    count = len(originals)
    pairs = grid([originals, reconstructions])
    sampled = grid(list(samples.reshape(-1, count, *samples.shape[1:])))
    heights = pairs.shape[0], sampled.shape[0]
    scale = min(WIDTH / pairs.shape[1], MOST_HEIGHT / sum(heights))
    figure = Figure(figsize=(WIDTH + 0.6, sum(heights) * scale + 1.5), layout="constrained")
    figure.suptitle(title, fontsize=10, parse_math=False)
    upper, lower = figure.subplots(2, 1, height_ratios=heights)
    show(upper, pairs, "held-out images, each above its reconstruction")
    show(lower, sampled, "samples: decoded codes from the prior")
    figure.savefig(path, dpi=150)


def show(axes, image, title):
    """Draws `image`, `[height, width, channels]`, without axes. One channel, or grey with alpha, is shown in grey."""
    axes.imshow(
        image[..., 0] if image.shape[-1] <= 2 else image,
        cmap="gray",
        vmin=0,
        vmax=1,
        interpolation="nearest",
    )
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_axis_off()

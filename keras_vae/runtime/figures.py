"""Pictures: a grid of images as an array, and figures as PNG files."""

import numpy as np

# Of the images in a figure, in inches. A column of single images, or of tall ones, would else be a tower.
WIDTH, MOST_HEIGHT = 9.0, 12.0


def grid(rows, gap=1):
    """Returns images side by side, a row of the grid for each row of `rows`.

    Args:
        rows: A list of arrays `[n, height, width, channels]` in [0, 1], of one shape.
        gap: Pixels of white between images.

    Returns:
        One image, `[grid height, grid width, channels]`.
    """
    padded = np.pad(np.stack(rows), ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)), constant_values=1.0)
    num_rows, num_columns, height, width, channels = padded.shape
    joined = padded.transpose(0, 2, 1, 3, 4).reshape(num_rows * height, num_columns * width, channels)
    return joined[: -gap or None, : -gap or None]


def preview(path, originals, reconstructions, samples, title):
    """Writes a PNG of originals above their reconstructions, and of samples.

    Args:
        path: Where to.
        originals: `[n, height, width, channels]`, `reconstructions` of the same.
        samples: `[rows * n, height, width, channels]`.
        title: A line above it.
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
    show(upper, pairs, "held-out images, and below each its reconstruction")
    show(lower, sampled, "samples: codes of the prior, decoded")
    figure.savefig(path, dpi=150)


def show(axes, image, title):
    """Draws `image`, `[height, width, channels]`, without axes; one channel is shown grey, of two (grey, alpha) the first."""
    axes.imshow(
        image[..., 0] if image.shape[-1] <= 2 else image,
        cmap="gray",
        vmin=0,
        vmax=1,
        interpolation="nearest",
    )
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_axis_off()

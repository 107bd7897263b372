"""Parses, prints and checks the shapes of latents."""

import operator


def parse_shape(text):
    """Parses the shape of a latent: `32` is `(32,)`, `8x8x1024` is `(8, 8, 1024)`."""
    try:
        shape = tuple(int(size) for size in text.lower().split("x"))
    except ValueError:
        raise ValueError(
            f"{text!r} is not a shape: expected one size or three, such as 32 or 8x8x1024"
        ) from None
    return check_shape(shape)


def show_shape(shape):
    """Returns `(8, 8, 1024)` as `8x8x1024`."""
    return "x".join(map(str, shape))


def check_shape(shape):
    """Returns `shape`; raises a ValueError unless it has one or three sizes, all above 0."""
    if len(shape) not in (1, 3):
        raise ValueError(
            f"latent is {show_shape(shape)}: expected one size or three, height x width x channels"
            " (try --latent 32 or --latent 8x8x16)"
        )
    if min(shape) < 1:
        close = show_shape(max(size, 1) if index < 2 else size or 16 for index, size in enumerate(shape))
        raise ValueError(
            f"latent is {show_shape(shape)}: every size must be at least 1 (try --latent {close})"
        )
    return shape


def latent_shape(latent, image_shape):
    """Returns the shape of `latent` (`32`, `"8x8x16"` or a tuple), checked for images of `image_shape`."""
    if isinstance(latent, str):
        latent = parse_shape(latent)
    shape = check_shape(whole(latent if isinstance(latent, tuple | list) else [latent], "latent"))
    if len(shape) == 3 and (shape[0] > image_shape[0] or shape[1] > image_shape[1]):
        raise ValueError(
            f"latent is {show_shape(shape)}, larger than the images, {show_shape(image_shape)}: a spatial latent has at"
            f" most their height and width (try --latent {show_shape((*map(halve, image_shape[:2]), shape[2]))})"
        )
    return shape


def whole(sizes, name):
    """Returns `sizes` as a tuple of `int`; `name` is for the error message."""
    try:
        return tuple(map(operator.index, sizes))
    except TypeError:
        raise ValueError(f"{name} is {sizes}: expected whole numbers (try 32, or 8, 8, 16)") from None


def halve(size):
    """Returns half of `size`, at least 1."""
    return max(1, size // 2)

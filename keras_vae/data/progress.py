"""Progress while data are prepared: shown on standard error, and removed at the end."""

import sys


def progress(items, total, what):
    """Yields `items`, with a bar after two seconds."""
    from tqdm import tqdm

    watched = sys.stderr.isatty()
    yield from tqdm(
        items,
        desc=what,
        total=total,
        delay=2,
        leave=False,
        file=sys.stderr,
        dynamic_ncols=True,
        disable=not watched,
    )


def notice(text):
    """Shows `text` for as long as the context that it returns is open."""
    from tqdm import tqdm

    watched = sys.stderr.isatty()
    return tqdm(desc=text, bar_format="{desc}", leave=False, file=sys.stderr, disable=not watched)

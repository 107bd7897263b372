"""Progress of data preparation, shown on standard error and removed at the end."""

import sys


def progress(items, total, what):
    """Yields `items` and shows a progress bar after two seconds."""
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
    """Returns a context that shows `text` while it is open."""
    from tqdm import tqdm

    watched = sys.stderr.isatty()
    return tqdm(desc=text, bar_format="{desc}", leave=False, file=sys.stderr, disable=not watched)

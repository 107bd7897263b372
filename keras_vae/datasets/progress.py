"""A progress bar for what turns out to take long."""

import sys


def progress(items, total, what):
    """Yields `items`, with a bar on standard error after two seconds that is gone at the end."""
    from tqdm import tqdm

    yield from tqdm(items, desc=what, total=total, delay=2, leave=False, file=sys.stderr, dynamic_ncols=True)

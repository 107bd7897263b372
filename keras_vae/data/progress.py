"""Progress of data preparation, shown on standard error and removed at the end."""

import time

from keras_vae.runtime.progress import Progress, clock, notice

__all__ = ["notice", "progress"]


def progress(items, total, what):
    """Yields `items` and shows after two seconds how many there were, of `total`, and the time left."""
    begun = time.monotonic()
    with Progress(what) as shown:
        for done, item in enumerate(items, start=1):
            yield item
            left = (time.monotonic() - begun) / done * max(0, total - done)
            shown.show(f"{done:,} of {total:,}, {clock(left)} left")

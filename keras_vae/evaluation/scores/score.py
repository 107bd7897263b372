"""The type of a score."""

from collections.abc import Callable
from typing import NamedTuple


class Score(NamedTuple):
    """A number about a model.

    Attributes:
        title: What tables call it.
        description: What it means and how to read it, in full sentences.
        measure: (`Evidence`) -> `Estimate`, or None if it cannot be measured.
        unit: Of the number, or None.
        healthy: How a healthy model reads, or None.
    """

    title: str
    description: str
    measure: Callable
    unit: str | None = None
    healthy: str | None = None

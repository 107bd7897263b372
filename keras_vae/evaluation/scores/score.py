"""The type of a score."""

from collections.abc import Callable
from typing import NamedTuple


class Score(NamedTuple):
    """A number about a model.

    Attributes:
        title: What tables call it.
        description: What it means and how to read it, in full sentences.
        measure: (`Evidence`) -> `Estimate`, or None if it cannot be measured.
        unit: The unit of the number, if it has one.
        healthy: How a healthy model reads, if that is known.
    """

    title: str
    description: str
    measure: Callable
    unit: str = ""
    healthy: str = ""

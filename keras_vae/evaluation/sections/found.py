"""The result of a section."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Found:
    """The result of a section.

    Attributes:
        values: Its numbers, as they are written to results.json; None if it has no numbers.
        reasons: Why a number is null, by the dotted path of the number in results.json.
        kept: Intermediate results for later sections, not for readers: images, features, codes, fitted samplers.
        pictures: Pictures for the report, by name.
    """

    values: dict | None = None
    reasons: dict = dataclasses.field(default_factory=dict)
    kept: object = None
    pictures: dict = dataclasses.field(default_factory=dict)


def missing(section, names, reason):
    """Returns the same `reason` for the fields `names` of a section, by their dotted paths."""
    return {f"{section}.{name}": reason for name in names}

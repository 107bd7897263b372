"""The result of a section."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Found:
    """The result of a section.

    Attributes:
        values: Its numbers, as written to results.json, or None.
        reasons: Why a number is null, by its dotted path in results.json.
        kept: Intermediate results for later sections: images, features, codes, fitted samplers.
        pictures: Pictures for the report, by name.
    """

    values: dict | None = None
    reasons: dict = dataclasses.field(default_factory=dict)
    kept: object = None
    pictures: dict = dataclasses.field(default_factory=dict)


def missing(section, names, reason):
    """Returns `reason` for each of the fields `names` of a section, by dotted path."""
    return {f"{section}.{name}": reason for name in names}

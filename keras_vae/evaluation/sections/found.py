"""What a section hands on."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Found:
    """What a section found.

    Attributes:
        values: Its numbers, as they are written to results.json; None where it has none.
        reasons: Why a number is null, by the dotted path of the number in results.json.
        kept: What later sections need of it and no reader does: images, features, codes, fitted samplers.
        pictures: What the report shows beside numbers, by name.
    """

    values: dict | None = None
    reasons: dict = dataclasses.field(default_factory=dict)
    kept: object = None
    pictures: dict = dataclasses.field(default_factory=dict)


def missing(section, names, reason):
    """Returns one `reason` for the fields `names` of a section, by their dotted paths."""
    return {f"{section}.{name}": reason for name in names}

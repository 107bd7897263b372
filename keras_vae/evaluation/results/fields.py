"""Functions that declare the entries of the results, with title, meaning, unit and healthy range."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

CHANCE = "How much the number varies by chance with other images of the same kind; shown after its ± sign."
SHARE = {"unit": "share", "minimum": 0, "maximum": 1}  # from 0 to 1, shown in per cent


class Section(BaseModel):
    """A part of the results.

    Pydantic checks names and types. Ranges (`minimum`, `maximum`) are only written to the JSON schema, with which the
    tests validate: a share of 1.0000001 must not make a finished evaluation fail.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=(), defer_build=True
    )


def representable(value):
    """Returns the integer `value`; raises ValueError if it is too large for a float."""
    if abs(value) > 2**1023:
        raise ValueError("the integer is too large")
    return value


Whole = Annotated[int, AfterValidator(representable)]


def measure(title, description, unit=None, healthy=None, *, optional=False, **schema):
    """Declares an entry.

    Args:
        title: The name in tables and glossary.
        description: What it means and how to read it, in full sentences.
        unit: Shown after the number; "share" is shown in per cent, "bytes" in GiB.
        healthy: The range of a healthy model (docs/thresholds.md).
        optional: Whether results may lack it. An entry that is not optional may still be null.
        **schema: Further keywords of JSON schema, such as `minimum`.
    """
    extra = {"x-unit": unit, "x-healthy": healthy, **schema}
    return Field(
        default=None if optional else ...,
        title=title,
        description=description,
        json_schema_extra={key: value for key, value in extra.items() if value is not None},
    )


def standard_error(of, description=CHANCE):
    """Declares the standard error of the entry whose title is `of`."""
    return measure(f"{of}, standard error", description, optional=True, minimum=0)


def limit(of, which):
    """Declares the `which`, "lower" or "upper", end of the 95% interval of the entry whose title is `of`."""
    return measure(
        f"{of}, {which} limit",
        f"The {which} end of its 95% interval: how much it varies by chance with other images and other draws.",
        optional=True,
    )


def count(unit, description=None, title="n", optional=False):
    """Declares the number of images, codes or other things from which a section's numbers were computed."""
    description = description or f"The number of {unit} from which these numbers were computed."
    return measure(title, description, unit, optional=optional, minimum=0)


def seconds(description="How long this measurement took.", title="Time", optional=True):
    """Declares a duration."""
    return measure(title, description, "s", optional=optional, minimum=0)

"""Numbers and lists in words."""


def number(value, digits=3):
    """Returns `value` with `digits` significant digits, from 100 on as a whole number with commas."""
    if value is None:
        return "?"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"


def measured(estimate):
    """Returns an `Estimate` with its standard error if it has one."""
    if estimate is None:
        return "?"
    return number(estimate.value) + (f" ± {number(estimate.se, 2)}" if estimate.se else "")


def share(estimate, of):
    """Returns an `Estimate` of a share in percent with its error; "all" if it is above 100% within its error."""
    if estimate.value > 1 and not estimate.beyond(1.0):
        return f"all {of}, within the error of {percent(estimate.se)}"
    return f"{share_with_error(estimate)} {of}"


def share_with_error(estimate):
    """Returns an `Estimate` of a share in percent with its error, unless this rounds to 0%."""
    error = percent(estimate.se or 0)
    return percent(estimate.value) + ("" if error == "0%" else f" ± {error}")


def percent(value):
    """Returns a share as a percentage. Estimates slightly below 0 become 0%."""
    return "?" if value is None else f"{100 * max(value, 0):.0f}%"


def listed(phrases, last="and"):
    """Returns the phrases joined by commas, with the word `last` before the last one."""
    *first, final = phrases
    return f"{', '.join(first)} {last} {final}" if first else final

"""Numbers and names as people write them."""


def number(value, digits=3):
    """Returns `value` with three significant digits, thousands with commas."""
    if value is None:
        return "?"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"


def measured(estimate):
    """Returns an `Estimate` with its standard error, where it has one."""
    if estimate is None:
        return "?"
    return number(estimate.value) + (f" ± {number(estimate.se, 2)}" if estimate.se else "")


def share(estimate, of):
    """Returns a share, an `Estimate`, in per cent with its error; one that is over 100% within its error is all."""
    if estimate.value > 1 and not estimate.beyond(1.0):
        return f"all {of}, within the error of {percent(estimate.se)}"
    error = f" ± {percent(estimate.se)}" if estimate.se else ""
    return f"{percent(estimate.value)}{error} {of}"


def percent(value):
    """Returns a share as a percentage; estimates of shares may come out a little below 0."""
    return "?" if value is None else f"{100 * max(value, 0):.0f}%"


def listed(phrases, last="and"):
    """Returns phrases as one, with commas and a word before the last."""
    *first, final = phrases
    return f"{', '.join(first)} {last} {final}" if first else final

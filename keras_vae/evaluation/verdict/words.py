"""Numbers and names as people write them."""


def number(value, digits=3):
    """Returns `value` with three significant digits, thousands with commas."""
    if value is None:
        return "?"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"


def percent(value):
    """Returns a share as a percentage; estimates of shares may come out a little below 0."""
    return "?" if value is None else f"{100 * max(value, 0):.0f}%"


def listed(phrases, last="and"):
    """Returns phrases as one, with commas and a word before the last."""
    *first, final = phrases
    return f"{', '.join(first)} {last} {final}" if first else final

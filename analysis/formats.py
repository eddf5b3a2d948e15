"""Numbers as people read them."""

import math
from typing import Any


def number(value: Any, digits: int = 3) -> str:
    """A number with `digits` significant digits; whole numbers with thousands apart; '–' for none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, str):
        return value
    if float(value).is_integer() and abs(value) < 1e12 and (abs(value) >= 10 ** (digits - 1) or value == 0):
        return f"{int(value):,}"
    if 1e-3 <= abs(value) < 10**digits:
        decimals = digits - 1 - math.floor(math.log10(abs(value)))
        return f"{value:.{max(decimals, 0)}f}"
    if abs(value) >= 10**digits and abs(value) < 1e7:
        return f"{value:,.0f}"
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def rate(value: Any) -> str:
    """A learning rate, without zeros that say nothing."""
    text = number(value, 3)
    mantissa, mark, exponent = text.partition("e")
    return (mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa) + mark + exponent


def percent(value: Any) -> str:
    """A share as a percentage."""
    return "–" if value is None or not math.isfinite(value) else f"{100 * value:.0f}%"


def points(value: float) -> str:
    """A difference of two shares in percentage points, with its sign."""
    return "–" if not math.isfinite(value) else f"{100 * value:+.0f}"


def p_value(value: float) -> str:
    """A p value; below 0.001 only that."""
    return "–" if not math.isfinite(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def interval(value: float, low: float, high: float, form: Any = number) -> str:
    """An estimate with its interval."""
    if not math.isfinite(value):
        return "–"
    return (
        f"{form(value)} [{form(low)}, {form(high)}]"
        if math.isfinite(low) and math.isfinite(high)
        else form(value)
    )

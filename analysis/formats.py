"""Human-readable numbers."""

import math
from collections.abc import Callable
from typing import Any


def plain(text: str) -> str:
    """The text on one line, with invisible characters and those that change its direction escaped."""
    return "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in text)


def number(value: Any, digits: int = 3) -> str:
    """A number with `digits` significant digits; whole numbers with thousands separators; '–' for none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, str):
        return value
    if float(value).is_integer() and abs(value) < 1e12 and (abs(value) >= 10 ** (digits - 1) or value == 0):
        return _minus(f"{int(value):,}")
    if 1e-3 <= abs(value) < 10**digits:
        decimals = digits - 1 - math.floor(math.log10(abs(value)))
        return _minus(f"{value:.{max(decimals, 0)}f}")
    if abs(value) >= 10**digits and abs(value) < 1e7:
        return _minus(f"{value:,.0f}")
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    return f"{_minus(mantissa)}e{int(exponent)}"


def rate(value: Any) -> str:
    """A learning rate with two significant digits, as one types it: 1e-3, 3.2e-2, 1; '–' for none."""
    if value is None or not math.isfinite(value):
        return "–"
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    power = int(exponent)
    return f"{value:.2g}" if value == 0 or power in (0, 1) else f"{mantissa.removesuffix('.0')}e{power}"


def percent(value: Any) -> str:
    """A share as a percentage; only a share of 0 or 1 is shown as 0% or 100%."""
    if value is None or not math.isfinite(value):
        return "–"
    return "<1%" if 0 < value < 0.005 else ">99%" if 0.995 < value < 1 else f"{100 * value:.0f}%"


def points(value: float) -> str:
    """A difference of two shares in percentage points, with its sign."""
    return "–" if not math.isfinite(value) else _minus(f"{100 * value:+.0f}")


def p_value(value: float) -> str:
    """A p value; '<0.001' if below that."""
    return "–" if not math.isfinite(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def interval(value: float, low: float, high: float, form: Callable[[float], str] | None = None) -> str:
    """An estimate with its interval, formatted by `form`, or with the decimals that the interval's width supports."""
    if not math.isfinite(value):
        return "–"
    if not (math.isfinite(low) and math.isfinite(high)):
        return (form or number)(value)
    texts = (
        [form(each) for each in (value, low, high)] if form else alike([value, low, high], (high - low) / 2)
    )
    return "{} [{}, {}]".format(*texts)


def mean_and_sd(mean: float, sd: float) -> str:
    """A mean with its standard deviation, to the same decimals; the mean alone if there is only one value."""
    return " ± ".join(alike([mean, sd], sd)) if math.isfinite(sd) else number(mean)


def alike(values: list[float], spread: float) -> list[str]:
    """Numbers with the same decimals, as many as give `spread` two significant digits."""
    if not 1e-6 < spread < 1e6:
        return [number(value) for value in values]
    decimals = max(0, 1 - math.floor(math.log10(spread)))
    return [_minus(f"{round(value, decimals) + 0.0:,.{decimals}f}") for value in values]


def metric(name: str) -> str:
    """The human-readable name of a metric."""
    return " ".join(word.upper() if word in ("mse", "mae") else word for word in name.split("_"))


UNITS = {("forces", "force_mae"): "meV/Å", ("forces", "energy_mae"): "meV", ("mocap", "mse"): "length²"}
UNITS |= {("nbody", name): "length²" for name in ("mse", "position_mse")}


def metric_unit(name: str, task: str) -> str:
    """The unit of a metric of a built-in task (see `trainables.tasks`); '' for shares and metrics of other tasks."""
    return UNITS.get((task, name), "")


def _minus(text: str) -> str:
    return text.replace("-", "−")

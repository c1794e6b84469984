"""Numbers as a reader sees them: decimals follow the interval, and no mean stands without one."""

from __future__ import annotations

import math
from collections.abc import Iterable

from search.results.intervals import Interval

MOST = 6  # decimals
DIGITS = 2  # of the interval's half-width
USUAL = 3  # decimals where there is no interval
NO_INTERVAL = "no interval: one seed"
NOTHING = "-"


def decimals(value: Interval, *, otherwise: int = USUAL) -> int:
    """Return the decimals that show two digits of the half-width; ``otherwise`` where there is none."""
    half = (value.high - value.low) / 2
    if not math.isfinite(half) or half <= 0:
        return otherwise
    return min(MOST, max(0, DIGITS - 1 - math.floor(math.log10(half))))


def shared_decimals(values: Iterable[Interval]) -> int:
    """Return the decimals of a column of intervals: what the narrowest one needs, so that all can be compared."""
    return max((decimals(value, otherwise=0) for value in values), default=0) or USUAL


def number(value: float, places: int = USUAL, sign: str = "") -> str:
    """Return ``value``, or a dash where there is none."""
    return f"{value:{sign}.{places}f}" if math.isfinite(value) else NOTHING


def plain(value: Interval, places: int | None = None) -> str:
    """Return ``0.912 [0.901, 0.923]``; a dash where there is no number."""
    return _with_ends(value, places, "")


def signed(value: Interval, places: int | None = None) -> str:
    """Return ``+0.019 [+0.004, +0.034]``."""
    return _with_ends(value, places, "+")


def percent(value: Interval) -> str:
    """Return ``91.2 % (95 % interval 90.1 to 92.3)``, of a score between 0 and 1."""
    whole = hundredfold(value)
    places = decimals(whole)
    if not whole.known:
        return f"{whole.mean:.1f} % ({NO_INTERVAL})"
    return f"{whole.mean:.{places}f} % (95 % interval {whole.low:.{places}f} to {whole.high:.{places}f})"


def points(value: Interval) -> str:
    """Return ``+1.9 points [+0.4, +3.4]``, of a difference of scores between 0 and 1."""
    whole = hundredfold(value)
    places = decimals(whole)
    if not whole.known:
        return f"{whole.mean:+.1f} points ({NO_INTERVAL})"
    return f"{whole.mean:+.{places}f} points [{whole.low:+.{places}f}, {whole.high:+.{places}f}]"


def share(value: float) -> str:
    """Return a share in per cent, with one decimal below ten, and one digit that is no 0 however small it is."""
    if not math.isfinite(value):
        return NOTHING
    places = 0 if value >= 0.1 else 1 if value >= 0.001 or value <= 0 else math.ceil(-math.log10(value)) - 2
    return f"{value:.{places}%}"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    if not math.isfinite(seconds):
        return NOTHING
    if seconds < 90:
        return f"{seconds:.{1 if seconds < 10 else 0}f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def hundredfold(value: Interval) -> Interval:
    """Return a share as percent, a difference of shares as points."""
    return Interval(100 * value.mean, 100 * value.low, 100 * value.high)


def _with_ends(value: Interval, places: int | None, sign: str) -> str:
    places = decimals(value) if places is None else places
    if math.isnan(value.mean):
        return NOTHING
    if not value.known:
        return f"{number(value.mean, places, sign)} (1 seed)"
    return f"{number(value.mean, places, sign)} [{number(value.low, places, sign)}, {number(value.high, places, sign)}]"

"""Numbers as a reader sees them: decimals follow the interval, and no mean stands without one."""

from __future__ import annotations

import math

from search.results.intervals import Interval

MOST = 6  # decimals
DIGITS = 2  # of the interval's half-width
NO_INTERVAL = "no interval: one seed"


def decimals(value: Interval) -> int:
    """Return the decimals that show two digits of the half-width; 3 where there is none."""
    half = (value.high - value.low) / 2
    if not math.isfinite(half) or half <= 0:
        return 3
    return min(MOST, max(0, DIGITS - 1 - math.floor(math.log10(half))))


def plain(value: Interval) -> str:
    """Return ``0.912 [0.901, 0.923]``; a dash where there is no number."""
    return _with_ends(value, decimals(value), "")


def signed(value: Interval) -> str:
    """Return ``+0.019 [+0.004, +0.034]``."""
    return _with_ends(value, decimals(value), "+")


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


def hundredfold(value: Interval) -> Interval:
    """Return a share as percent, a difference of shares as points."""
    return Interval(100 * value.mean, 100 * value.low, 100 * value.high)


def _with_ends(value: Interval, places: int, sign: str) -> str:
    if math.isnan(value.mean):
        return "-"
    mean = f"{value.mean:{sign}.{places}f}"
    return (
        f"{mean} [{value.low:{sign}.{places}f}, {value.high:{sign}.{places}f}]" if value.known else f"{mean} (1 seed)"
    )

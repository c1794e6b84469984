"""Numbers as the cells of a table: as many decimals as their uncertainty allows, one unit a column."""

from __future__ import annotations

import math
from collections.abc import Iterable

MOST = 4  # decimals
NOTHING = "-"


def decimals(low: float, high: float, *, otherwise: int = 3) -> int:
    """Return the decimals that leave two significant digits of the interval's half-width."""
    half = (high - low) / 2
    if not math.isfinite(half) or half <= 0:
        return otherwise
    return min(MOST, max(0, 1 - math.floor(math.log10(half))))


def number(value: float, places: int = 3, sign: str = "") -> str:
    """Return ``value``, or a dash where there is none."""
    return f"{value:{sign}.{places}f}" if math.isfinite(value) else NOTHING


def shared_decimals(ends: Iterable[tuple[float, float]]) -> int:
    """Return the decimals of a column of intervals: what the narrowest one needs, so that all can be compared."""
    return max((decimals(low, high, otherwise=0) for low, high in ends), default=0) or 3


def with_interval(mean: float, low: float, high: float, sign: str = "", places: int | None = None) -> str:
    """Return ``mean [low, high]``; the mean alone where one seed says nothing of the spread."""
    places = decimals(low, high) if places is None else places
    if not (math.isfinite(low) and math.isfinite(high)):
        return number(mean, places, sign)
    return f"{number(mean, places, sign)} [{number(low, places, sign)}, {number(high, places, sign)}]"


def share(value: float) -> str:
    """Return a share in per cent, with one decimal below ten."""
    return f"{value:.{0 if value >= 0.1 else 1}%}" if math.isfinite(value) else NOTHING


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    if not math.isfinite(seconds):
        return NOTHING
    if seconds < 90:
        return f"{seconds:.{1 if seconds < 10 else 0}f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

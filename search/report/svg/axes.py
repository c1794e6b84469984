"""Scales and ticks: from a value to a place in the picture."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from search.report.figures.figure import Axis, Bar, Cell, Figure, Layer, Line, Points, Whisker

TICKS, WHOLE_TICKS = 6, 10  # about so many
DECADE = (1.0, 2.0, 5.0)
ROW_PADDING = 0.5


@dataclass(frozen=True)
class Scale:
    """A range of values laid over a range of places."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of ``value``."""
        low, high, at = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Tell whether ``value`` is a number that has a place."""
        return math.isfinite(value) and (value > 0 or not self.log)


def extent(axis: Axis, values: Iterable[float]) -> tuple[float, float]:
    """Return the ends of an axis that shows ``values`` with some air around them."""
    if axis.names:
        return -ROW_PADDING, len(axis.names) - ROW_PADDING
    seen = [value for value in values if math.isfinite(value) and (value > 0 or not axis.log)]
    if axis.start is not None:
        seen.append(axis.start)
    if not seen:
        return (0.1, 10.0) if axis.log else (0.0, 1.0)
    low, high = min(seen), max(seen)
    if axis.log:
        air = max(0.06 * math.log10(high / low), 0.08)
        return low / 10**air, high * 10**air
    if high == low:
        air = 0.5 if axis.whole else abs(low) * 0.1 or 0.5
    else:
        air = 0.5 if axis.whole and axis.start is None else 0.06 * (high - low)
    return (axis.start if axis.start is not None else low - air), high + air


def values(figure: Figure) -> tuple[list[float], list[float]]:
    """Return every value that the figure's layers have on either axis."""
    x: list[float] = []
    y: list[float] = []
    for layer in figure.layers:
        horizontal, vertical = _values(layer)
        x += horizontal
        y += vertical
    return x, y


def _values(layer: Layer) -> tuple[list[float], list[float]]:
    match layer:
        case Points(points=points):
            return [point.x for point in points], [point.y for point in points]
        case Line(points=corners):
            return [x for x, _ in corners], [y for _, y in corners]
        case Bar(y=y, length=length):
            return [length], [y]
        case Whisker(at=at, low=low, high=high, upright=upright):
            return ([at], [low, high]) if upright else ([low, high], [at])
        case Cell(row=row, column=column):
            return [column], [row]


def ticks(axis: Axis, low: float, high: float) -> list[tuple[float, str]]:
    """Return the values that an axis is marked at, each with its label."""
    if axis.names:
        return [(float(index), name) for index, name in enumerate(axis.names)]
    if axis.log:
        return _log_ticks(low, high)
    step = max(1.0, _step((high - low) / WHOLE_TICKS)) if axis.whole else _step((high - low) / TICKS)
    first = math.ceil(low / step - 1e-9)
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    marks = [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]
    return [(mark, f"{mark + 0.0:,.{places}f}".replace(",", "\u202f")) for mark in marks]


def _step(rough: float) -> float:
    decade = 10 ** math.floor(math.log10(rough))
    return float(next(decade * factor for factor in (1, 2, 5, 10) if decade * factor >= rough * 0.999))


def _log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1.0,) if math.log10(high / low) > 2.5 else DECADE
    marks = [factor * 10.0**power for power in decades for factor in factors]
    return [(mark, f"{mark:g}") for mark in marks if low <= mark <= high]

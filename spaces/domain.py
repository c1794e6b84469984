"""The values a dimension may take: plain data, JSON in and out, and ``in`` to ask."""

from __future__ import annotations

import math
from dataclasses import dataclass

Value = str | int | float

DIGITS = 3  # significant digits of a drawn float: readable in a table, and equal points are seen


@dataclass(frozen=True)
class Choice:
    """One of a few listed values."""

    values: tuple[Value, ...]

    def __contains__(self, value: object) -> bool:
        """Tell whether ``value`` is listed; 1 and 1.0 are the same value, True is not 1."""
        return not isinstance(value, bool) and value in self.values

    def __str__(self) -> str:
        """Return the values as a reader would list them."""
        return "one of " + ", ".join(str(value) for value in self.values)

    def tidy(self, value: Value) -> Value:
        """Return the listed value itself."""
        return next(listed for listed in self.values if listed == value)


@dataclass(frozen=True)
class Int:
    """A whole number from ``low`` to ``high``, both included."""

    low: int
    high: int

    def __contains__(self, value: object) -> bool:
        """Tell whether ``value`` is a whole number within the bounds."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def __str__(self) -> str:
        """Return the bounds in words."""
        return f"a whole number between {self.low} and {self.high}"

    def tidy(self, value: Value) -> Value:
        """Return the value as an int."""
        return int(value)


@dataclass(frozen=True)
class Float:
    """A number from ``low`` to ``high``, both included; ``log`` draws its logarithm uniformly."""

    low: float
    high: float
    log: bool = False

    def __contains__(self, value: object) -> bool:
        """Tell whether ``value`` is a finite number within the bounds."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and math.isfinite(value) and self.low <= value <= self.high  # type: ignore[arg-type, operator]

    def __str__(self) -> str:
        """Return the bounds in words."""
        return f"a number between {self.low:g} and {self.high:g}"

    def tidy(self, value: Value) -> Value:
        """Return the value at three significant digits, still within the bounds."""
        return min(max(float(f"{float(value):.{DIGITS}g}"), self.low), self.high)


Domain = Choice | Int | Float


def extremes(domain: Domain) -> tuple[float, float]:
    """Return the lowest and the highest value of a domain of numbers."""
    match domain:
        case Choice(values=values):
            return min(float(v) for v in values), max(float(v) for v in values)
        case Int(low=low, high=high) | Float(low=low, high=high):
            return low, high


def as_json(domain: Domain) -> dict[str, object]:
    """Return ``domain`` as JSON values; `from_json` reads it back."""
    match domain:
        case Choice(values=values):
            return {"values": list(values)}
        case Int(low=low, high=high):
            return {"low": low, "high": high, "int": True}
        case Float(low=low, high=high, log=log):
            return {"low": low, "high": high, "log": log}


def nearest(domain: Domain, value: Value) -> Value:
    """Return the value of ``domain`` that is nearest to ``value``: itself where it lies inside."""
    if value in domain:
        return value
    match domain:
        case Choice(values=values):
            if isinstance(value, str):
                return values[0]
            return min(values, key=lambda listed: abs(float(listed) - float(value)))
        case Int(low=low, high=high) | Float(low=low, high=high):
            return min(max(low, type(low)(value)), high)

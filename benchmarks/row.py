"""One line of a benchmark's result."""

from __future__ import annotations

from typing import TypedDict


class Row(TypedDict):
    """A measured value and the goal it is held against; ``ok`` is None where there is no goal."""

    metric: str
    value: float
    goal: str
    ok: bool | None
    note: str


def at_most(metric: str, value: float, limit: float, *, unit: str, note: str) -> Row:
    """Return the row of a value that should not exceed ``limit``."""
    return Row(metric=metric, value=value, goal=f"<= {limit:g} {unit}".strip(), ok=value <= limit, note=note)


def at_least(metric: str, value: float, limit: float, *, unit: str, note: str) -> Row:
    """Return the row of a value that should reach ``limit``."""
    return Row(metric=metric, value=value, goal=f">= {limit:g} {unit}".strip(), ok=value >= limit, note=note)

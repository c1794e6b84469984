"""Every strategy of a space that has only so many."""

from __future__ import annotations

from spaces.domain import Choice, Float, Int
from spaces.param import Param, Space
from spaces.strategy import Point, from_point

MOST = 10_000  # points; a space with more is as good as endless to a search


def every(space: Space, *, at_most: int = MOST) -> dict[str, Point] | None:
    """Return a point of each strategy by the strategy's key, in the order of the dimensions.

    None where a dimension is a range of real numbers, or where there are more than ``at_most`` points.
    """
    points: list[Point] = [{}]
    for param in space:
        if isinstance(param.domain, Float):
            return None
        points = [extended for point in points for extended in _extended(point, param)]
        if len(points) > at_most:
            return None
    found: dict[str, Point] = {}
    for point in points:
        found.setdefault(from_point(dict(space.fixed) | point).canonical(space.blocks).key, point)
    return found


def _extended(point: Point, param: Param) -> list[Point]:
    if not param.active(point):
        return [point]
    match param.domain:
        case Choice(values=values):
            return [point | {param.name: value} for value in values]
        case Int(low=low, high=high):
            return [point | {param.name: value} for value in range(low, high + 1)]
        case Float():
            raise AssertionError("a range of real numbers has no every value")

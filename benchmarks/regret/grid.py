"""Every strategy of a space whose dimensions are all lists of values."""

from __future__ import annotations

from spaces.domain import Choice, nearest
from spaces.param import Space
from spaces.strategy import Point, Strategy, from_point, to_point


def grid(space: Space) -> tuple[Strategy, ...]:
    """Return each strategy once, in canonical form and in the order of the dimensions.

    Raises:
        ValueError: a dimension is a range, of which there is no every value.
    """
    points: list[Point] = [{}]
    for param in space:
        if not isinstance(param.domain, Choice):
            raise ValueError(f"space.{param.name} must be a list of values for a grid, got {param.domain}")
        values = param.domain.values
        points = [
            extended
            for point in points
            for extended in ([point | {param.name: value} for value in values] if param.active(point) else [point])
        ]
    return tuple(dict.fromkeys(from_point(dict(space.fixed) | point).canonical(space.blocks) for point in points))


def snapped(strategy: Strategy, space: Space) -> Strategy:
    """Return the strategy of the grid that is nearest to ``strategy``, dimension by dimension."""
    given = to_point(strategy)
    listed = {param.name: param.domain for param in space if param.name in given}
    point = given | {name: nearest(domain, given[name]) for name, domain in listed.items()}
    return from_point(dict(space.fixed) | point).canonical(space.blocks)

"""Every strategy of a space whose dimensions are all lists of values."""

from __future__ import annotations

from spaces.domain import nearest
from spaces.every import every
from spaces.param import Space
from spaces.strategy import Strategy, from_point, to_point


def grid(space: Space) -> tuple[Strategy, ...]:
    """Return each strategy once, in canonical form and in the order of the dimensions.

    Raises:
        ValueError: a dimension is a range of real numbers, of which there is no every value.
    """
    points = every(space)
    if points is None:
        raise ValueError(f"a grid needs lists of values, got a range among {', '.join(space.names)}")
    return tuple(from_point(dict(space.fixed) | point).canonical(space.blocks) for point in points.values())


def snapped(strategy: Strategy, space: Space) -> Strategy:
    """Return the strategy of the grid that is nearest to ``strategy``, dimension by dimension."""
    given = to_point(strategy)
    listed = {param.name: param.domain for param in space if param.name in given}
    point = given | {name: nearest(domain, given[name]) for name, domain in listed.items()}
    return from_point(dict(space.fixed) | point).canonical(space.blocks)

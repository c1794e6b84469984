"""The marker shapes, of about equal area, around the origin."""

from __future__ import annotations

import math


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"


def _star(points: int, outer: float, inner: float) -> list[tuple[float, float]]:
    angles = [math.pi * step / points - math.pi / 2 for step in range(2 * points)]
    radii = [outer if step % 2 == 0 else inner for step in range(2 * points)]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for radius, angle in zip(radii, angles, strict=True)]


def _turned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    half = math.sqrt(0.5)
    return [(half * (x - y), half * (x + y)) for x, y in points]


ARM, TIP = 1.6, 5.0
PLUS = [
    *((-ARM, -TIP), (ARM, -TIP), (ARM, -ARM), (TIP, -ARM), (TIP, ARM), (ARM, ARM)),
    *((ARM, TIP), (-ARM, TIP), (-ARM, ARM), (-TIP, ARM), (-TIP, -ARM), (-ARM, -ARM)),
]
SHAPES = {
    "circle": "M-4.2 0a4.2 4.2 0 1 0 8.4 0a4.2 4.2 0 1 0-8.4 0Z",
    "square": _path([(-3.8, -3.8), (3.8, -3.8), (3.8, 3.8), (-3.8, 3.8)]),
    "diamond": _path([(0, -5.3), (5.3, 0), (0, 5.3), (-5.3, 0)]),
    "triangle": _path([(0, -5.2), (5, 3.8), (-5, 3.8)]),
    "triangle-down": _path([(0, 5.2), (5, -3.8), (-5, -3.8)]),
    "star": _path(_star(5, 6.0, 2.6)),
    "plus": _path(PLUS),
    "cross": _path(_turned(PLUS)),
}
# Short, as a page has thousands of marks.
IDS = {name: f"m{number}" for number, name in enumerate(SHAPES)}


def definitions() -> str:
    """Return the shapes for a ``defs`` element, to be drawn by ``use`` with `ids`."""
    return "".join(f'<path id="{IDS[name]}" d="{path}"/>' for name, path in SHAPES.items())

"""What a figure is, before it is drawn: axes, layers of marks, and the table a reader can check them against."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Axis:
    """One axis: numbers, on a logarithmic scale or not; or names, one a row from the top."""

    label: str
    log: bool = False
    names: tuple[str, ...] = ()
    start: float | None = None  # where the axis begins, whatever the data; bars begin at 0
    whole: bool = False  # whole numbers only: epochs, blocks


@dataclass(frozen=True)
class Point:
    """One mark; ``title`` shows when the pointer rests on it. On an axis of names a value is a row's number."""

    x: float
    y: float
    title: str


@dataclass(frozen=True)
class Points:
    """Marks of one kind."""

    kind: str
    points: tuple[Point, ...]
    hollow: bool = False
    dim: bool = False


@dataclass(frozen=True)
class Line:
    """A line through points, in their order."""

    kind: str
    points: tuple[tuple[float, float], ...]
    title: str
    faint: bool = False


@dataclass(frozen=True)
class Bar:
    """A bar of row ``y`` from 0 to ``length``, with a label at its end."""

    kind: str
    y: float
    length: float
    label: str


@dataclass(frozen=True)
class Whisker:
    """An interval along the x axis, or along the y axis with ``upright``, with a tick at its middle value."""

    at: float
    low: float
    middle: float
    high: float
    title: str
    upright: bool = False


@dataclass(frozen=True)
class Cell:
    """A field of a matrix; ``shade`` from 0 to 1."""

    row: int
    column: int
    shade: float
    text: str
    title: str


Layer = Points | Line | Bar | Whisker | Cell


@dataclass(frozen=True)
class Figure:
    """A figure's data, and the table that says the same in numbers."""

    name: str
    title: str
    caption: str
    x: Axis
    y: Axis
    layers: tuple[Layer, ...]
    table: pd.DataFrame
    legend: tuple[str, ...] = ()  # kinds, in the order of the legend
    hollow: str = ""  # what a hollow mark means, where there are any
    wide: bool = field(default=False)


@dataclass(frozen=True)
class Missing:
    """A figure that cannot be drawn, and why."""

    name: str
    title: str
    why: str


Drawing = Figure | Missing

"""Draw one strategy from a space. The only place that calls ``suggest_*``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from spaces.domain import Choice, Float, Int, Value
from spaces.param import Param, Space
from spaces.strategy import Point, Strategy, from_point


class Suggests(Protocol):
    """Anything that proposes values: an Optuna trial, a fixed trial, a test's stand-in."""

    def suggest_categorical(self, name: str, choices: Sequence[Value]) -> Value:
        """Propose one of ``choices``."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Propose a whole number."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Propose a number."""


def suggest(space: Space, source: Suggests) -> Strategy:
    """Walk ``space`` in order, ask ``source`` where a condition holds, return the canonical strategy."""
    point: Point = {}
    for param in space:
        if param.active(point):
            point[param.name] = param.domain.tidy(_ask(param, source))
    return from_point(dict(space.fixed) | point).canonical(space.blocks)


def suggest_all(space: Space, source: Suggests) -> Strategy:
    """Ask ``source`` for every dimension, whatever holds, and return the canonical strategy of those that apply.

    To a source that learns, the space has the same dimensions at every point.
    """
    drawn = {param.name: param.domain.tidy(_ask(param, source)) for param in space}
    point: Point = {}
    for param in space:
        if param.active(point):
            point[param.name] = drawn[param.name]
    return from_point(dict(space.fixed) | point).canonical(space.blocks)


def _ask(param: Param, source: Suggests) -> Value:
    match param.domain:
        case Choice(values=values):
            return source.suggest_categorical(param.name, values)
        case Int(low=low, high=high):
            return source.suggest_int(param.name, low, high)
        case Float(low=low, high=high, log=log):
            return source.suggest_float(param.name, low, high, log=log)

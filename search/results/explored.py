"""How much of the space the search saw: strategies of how many, and each dimension's values or parts of its range."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from search.results.pruning import searched
from spaces.domain import Choice, Float, Int
from spaces.every import every
from spaces.param import Param, Space
from spaces.strata import STRATA, stratum
from spaces.strategy import Strategy, from_point, to_point

COLUMNS = ("scope", "name", "tried", "of", "unit", "trials")
ALL = "all"
PARTS = 10  # of a range of real numbers, on its own scale
STRATEGIES, VALUES, TENTHS = "strategies", "values", "tenths of the range"
Row = dict[str, Any]


def explored(trials: pd.DataFrame, space: Space | None) -> pd.DataFrame:
    """Return what the search trials of ``trials`` tried of ``space``; no row without a space.

    Columns: scope, ``space`` (name: all, then each stratum) or ``dimension`` (name: its own); tried, how many
    different ones; of, how many there are (missing where they cannot be counted); unit of both; trials that
    belong there, or have the dimension. Repeats that were not trained do not count.
    """
    own = searched(trials)
    rows = [*_of_strata(own, space), *_of_dimensions(own, space)] if space else []
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"of": "Int64"})


def _of_strata(own: pd.DataFrame, space: Space) -> Iterator[Row]:
    there = _strategies(space)
    inside = own if there is None else own[own["key"].isin({strategy.key for strategy in there})]
    counts = None if there is None else Counter(map(stratum, there))
    for name in (ALL, *STRATA):
        rows, tried = ((each if name == ALL else each[each["stratum"] == name]) for each in (own, inside))
        of = None if counts is None else counts.total() if name == ALL else counts[name]
        if of or len(rows):
            yield _row("space", name, tried["key"].nunique(), of, STRATEGIES, len(rows))


def _of_dimensions(own: pd.DataFrame, space: Space) -> Iterator[Row]:
    there = _strategies(space)
    for param in space:
        values = own[param.name].dropna().tolist()
        match param.domain:
            case Float(low=low, high=high) if low < high:
                seen = {_part(float(value), param.domain) for value in values if value in param.domain}
                yield _row("dimension", param.name, len(seen), PARTS, TENTHS, len(values))
            case _:
                known = _values(param, there)
                yield _row("dimension", param.name, len(known & set(values)), len(known), VALUES, len(values))


def _strategies(space: Space) -> Sequence[Strategy] | None:
    """Return every strategy of a space that has only so many."""
    points = every(space)
    if points is None:
        return None
    return [from_point(dict(space.fixed) | point).canonical(space.blocks) for point in points.values()]


def _values(param: Param, there: Sequence[Strategy] | None) -> set[Any]:
    """Return the values a strategy can have; not all of a domain, where two of them are one strategy."""
    if there is not None:
        return {to_point(strategy)[param.name] for strategy in there if param.name in to_point(strategy)}
    match param.domain:
        case Choice(values=values):
            return set(values)
        case Int(low=low, high=high):
            return set(range(low, high + 1))
        case Float(low=low):
            return {low}


def _part(value: float, domain: Float) -> int:
    """Return which part of the range ``value`` lies in, from 0."""
    at, start, end = (math.log(x) if domain.log else x for x in (value, domain.low, domain.high))
    return min(PARTS - 1, int(PARTS * (at - start) / (end - start)))


def _row(scope: str, name: str, tried: int, of: int | None, unit: str, trials: int) -> Row:
    return dict(zip(COLUMNS, (scope, name, tried, of, unit, trials), strict=True))

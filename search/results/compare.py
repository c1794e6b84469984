"""The winner against each of its rivals: which of them it is shown to beat, all comparisons taken together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.results.intervals import LEVEL, Interval, Sample


@dataclass(frozen=True)
class Rival:
    """How far the winner is ahead of one rival on validation; ahead is positive whichever way is better."""

    name: str
    gap: Interval  # 95 %, this comparison alone
    p: float  # two-sided, corrected by Holm
    beaten: bool


def rivals(sample: Sample, winner: str, mode: str) -> tuple[Rival, ...]:
    """Compare ``winner`` with every other strategy of ``sample``, in its order.

    Holm's step-down procedure (1979): the clearest gap is held against 1/m of the error, the next against
    1/(m-1), and once one is not clear, none that is less clear counts as beaten.
    """
    gaps = {name: sample.gap(winner, name) for name in sample.scores if name != winner}
    alone = {name: 1.0 if math.isnan(gap.p) else gap.p for name, gap in gaps.items()}
    found = []
    for name, p in zip(alone, holm(list(alone.values())), strict=True):
        gap = _ahead(gaps[name].interval(), mode)
        found.append(Rival(name, gap, p, beaten=p <= 1 - LEVEL and gap.mean > 0))
    return tuple(found)


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values corrected for having made all these comparisons, in their order."""
    corrected = [1.0] * len(values)
    worst = 0.0
    for step, index in enumerate(sorted(range(len(values)), key=lambda index: values[index])):
        worst = max(worst, min(1.0, (len(values) - step) * values[index]))
        corrected[index] = worst
    return corrected


def within_reach(sample: Sample, mode: str, level: float) -> tuple[str, ...]:
    """Return the leader and the strategies that are not shown to be behind it at ``level``, best first."""
    order = ranked(sample, mode)
    behind = {name: _ahead(sample.difference(order[0], name, level), mode) for name in order[1:]}
    return (order[0], *(name for name, gap in behind.items() if not gap.low > 0))


def ranked(sample: Sample, mode: str) -> tuple[str, ...]:
    """Return the strategies by their mean score, best first."""
    sign = 1 if mode == "max" else -1
    means = sample.means
    return tuple(sorted(means, key=lambda name: -sign * means[name]))


def _ahead(gap: Interval, mode: str) -> Interval:
    return gap if mode == "max" else gap.flipped

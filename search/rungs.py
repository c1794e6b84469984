"""Early stopping: successive halving within strata. Pure; rebuilt from what Optuna holds; no Ray.

Asynchronous successive halving (Li et al. 2020, algorithm 2), in its stopping form: at a milestone a
trial goes on while it is among the best 1/reduction of its own stratum that have come this far. In the second
half of the epochs a slow start is over: there, all strata are one race.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol

Mode = Literal["min", "max"]
DELAYED = "delayed"  # the stratum of gradual unfreezing and of probing first
ALL = "all"  # the race of late rungs


class Stopping(Protocol):
    """What decides which trials are stopped early."""

    def milestones(self, stratum: str) -> tuple[int, ...]:
        """Return the epochs at which trials of ``stratum`` are compared."""

    def rung(self, stratum: str, epoch: int) -> int | None:
        """Return the number of the rung at ``epoch``, from 1, or None between rungs."""

    def decide(self, trial: int, stratum: str, epoch: int, score: float) -> bool:
        """Record the score and tell whether the trial goes on."""

    def rebuild(self, records: Iterable[tuple[int, str, int, float]]) -> None:
        """Enter (trial, stratum, epoch, score) records without deciding anything."""


@dataclass
class Rungs:
    """The scores seen at each milestone of each race, by trial."""

    epochs: int
    grace: int = 1
    reduction: int = 3
    mode: Mode = "max"
    probe: int = 0  # epochs in which trials of the delayed stratum train their head alone
    scores: dict[tuple[str, int], dict[int, float]] = field(default_factory=lambda: defaultdict(dict))

    def milestones(self, stratum: str) -> tuple[int, ...]:
        """Return the epochs at which trials are compared: grace, times reduction, and so on.

        Delayed strategies begin to show what they can do only after their probe phase and half of grace.
        """
        waited = self.probe + max(1, self.grace // 2) if stratum == DELAYED else 0
        found, milestone = set(), self.grace
        while max(milestone, waited) < self.epochs:
            found.add(max(milestone, waited))
            milestone *= self.reduction
        return tuple(sorted(found))

    def rung(self, stratum: str, epoch: int) -> int | None:
        """Return the number of the rung at ``epoch``, from 1, or None between rungs."""
        milestones = self.milestones(stratum)
        return milestones.index(epoch) + 1 if epoch in milestones else None

    def race(self, stratum: str, epoch: int) -> str:
        """Return among whom a trial is compared: its stratum, or all in the second half of the epochs."""
        return ALL if 2 * epoch >= self.epochs else stratum

    def decide(self, trial: int, stratum: str, epoch: int, score: float) -> bool:
        """Record the score and tell whether the trial goes on. A score that is no number never does."""
        if not math.isfinite(score):
            return False
        if epoch not in self.milestones(stratum):
            return True
        seen = self.scores[self.race(stratum, epoch), epoch]
        seen.setdefault(trial, score)  # an epoch told twice is compared, never overwritten
        better = sum(self._sign * other > self._sign * seen[trial] for other in seen.values())
        return better < max(1, len(seen) // self.reduction)

    def rebuild(self, records: Iterable[tuple[int, str, int, float]]) -> None:
        """Enter (trial, stratum, epoch, score) records without deciding anything."""
        for trial, stratum, epoch, score in records:
            if epoch in self.milestones(stratum) and math.isfinite(score):
                self.scores[self.race(stratum, epoch), epoch][trial] = score

    @property
    def _sign(self) -> int:
        return 1 if self.mode == "max" else -1

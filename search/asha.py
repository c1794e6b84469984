"""Ray Tune's own ASHA in the place of `Rungs`, to compare with: all strategies in one race, whatever their stratum."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from search.rungs import Mode, Rungs


class RayAsha:
    """`AsyncHyperBandScheduler` at the rungs that a study of ``grace`` and ``reduction`` has without strata."""

    def __init__(self, epochs: int, grace: int = 1, reduction: int = 3, mode: Mode = "max") -> None:
        self._places = Rungs(epochs, grace, reduction, mode)
        self._scheduler = AsyncHyperBandScheduler(
            time_attr="epoch",
            metric="score",
            mode=mode,
            max_t=epochs,
            grace_period=grace,
            reduction_factor=reduction,
        )
        self._trials: dict[int, Any] = {}

    def milestones(self, stratum: str) -> tuple[int, ...]:
        """Return the epochs at which trials are compared, the same in every stratum."""
        return self._places.milestones(stratum)

    def rung(self, stratum: str, epoch: int) -> int | None:
        """Return the number of the rung at ``epoch``, from 1, or None between rungs."""
        return self._places.rung(stratum, epoch)

    def decide(self, trial: int, stratum: str, epoch: int, score: float) -> bool:
        """Ask Ray's scheduler. A score that is no number it lets go on."""
        if trial not in self._trials:
            self._trials[trial] = SimpleNamespace(trial_id=str(trial))
            self._scheduler.on_trial_add(None, self._trials[trial])
        result = {"epoch": epoch, "score": score}
        on = self._scheduler.on_trial_result(None, self._trials[trial], result) == TrialScheduler.CONTINUE
        return bool(on) or epoch >= self._places.epochs

    def rebuild(self, records: Iterable[tuple[int, str, int, float]]) -> None:
        """Enter (trial, stratum, epoch, score) records, which Ray's own restore would have lost."""
        for record in records:
            self.decide(*record)

"""The searches that are compared on recorded curves: random ones, Ray's stock combination, and ours."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from optuna.trial import Trial
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from benchmarks.regret.grid import snapped
from benchmarks.regret.replay import Handle
from search.proposals import Proposal
from search.rungs import Rungs
from search.sampler import StudySearcher
from search.sampling import Sampling
from spaces.domain import Value
from spaces.param import Space
from spaces.quadrants import Quadrant, advice
from spaces.strategy import Strategy, from_point
from spaces.suggest import suggest
from trainables.config import TrialConfig

ONE_STRATUM = "all"
FULL_EPOCH = 3.25  # forward passes: one forward, two backward, a quarter as many samples to validate on
PATIENCE = 1000  # draws in a row that are known already, before a random search gives up


class OneRace(Rungs):
    """Rungs in which all strategies compete with one another, whatever their stratum."""

    def milestones(self, _stratum: str) -> tuple[int, ...]:
        """Return the epochs of the one race."""
        return super().milestones(ONE_STRATUM)

    def decide(self, trial: int, _stratum: str, epoch: int, score: float) -> bool:
        """Compare with all trials."""
        return super().decide(trial, ONE_STRATUM, epoch, score)


@dataclass
class ComputeRungs(Rungs):
    """One race with rungs in compute: a trial is compared after the epoch with which it has spent a rung's worth.

    A rung is an epoch's number of full fine-tuning's, three forward passes an epoch.
    """

    spent: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    passed: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def charge(self, trial: int, cost: float) -> None:
        """Take note of an epoch's cost, in forward passes, before it is decided on."""
        self.spent[trial] += cost / FULL_EPOCH

    def decide(self, trial: int, _stratum: str, epoch: int, score: float) -> bool:
        """Compare at each rung that the trial has come to."""
        reached = sum(rung <= self.spent[trial] for rung in self.milestones(ONE_STRATUM))
        before, self.passed[trial] = self.passed[trial], reached
        if reached == before or epoch == self.epochs:
            return math.isfinite(score)
        return super().decide(trial, ONE_STRATUM, self.milestones(ONE_STRATUM)[reached - 1], score)


class Draw:
    """Draws each dimension uniformly from its list."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def suggest_categorical(self, _name: str, choices: Sequence[Value]) -> Value:
        """Return any of ``choices``."""
        return self._random.choice(choices)

    def suggest_int(self, _name: str, low: int, high: int) -> int:
        """Return any whole number in the bounds."""
        return self._random.randint(low, high)

    def suggest_float(self, _name: str, low: float, high: float, *, log: bool = False) -> float:
        """Refuse: a table has no ranges."""
        raise NotImplementedError(f"a replay draws from lists, not from {low} to {high} (log {log})")


class RandomSearch:
    """Given strategies first, then random ones, none twice; stopped early where rungs are given."""

    def __init__(self, space: Space, seed: int, first: Sequence[Strategy] = (), rungs: Rungs | None = None) -> None:
        self._order = self._draws(space, seed, first)
        self._rungs = rungs
        self._count = 0

    def propose(self) -> tuple[Handle, str] | None:
        """Return the next strategy that was not tried."""
        key = next(self._order, None)
        self._count += 1
        return None if key is None else (self._count, key)

    def report(self, handle: Handle, epoch: int, score: float, cost: float) -> bool:
        """Ask the rungs, in which all strategies compete with one another."""
        return self._rungs is None or self._rungs.decide(int(handle), ONE_STRATUM, epoch, score)

    def end(self, handle: Handle) -> None:
        """Learn nothing."""

    @staticmethod
    def _draws(space: Space, seed: int, first: Sequence[Strategy]) -> Iterator[str]:
        tried = dict.fromkeys(strategy.key for strategy in first)
        yield from list(tried)
        source, known = Draw(seed), 0
        while known < PATIENCE:
            key = suggest(space, source).key
            known = known + 1 if key in tried else 0
            if not known:
                tried[key] = None
                yield key


class StockSearch:
    """Ray's OptunaSearch with Ray's ASHA, both as the documentation uses them."""

    def __init__(self, space: Space, seed: int, epochs: int, grace: int) -> None:
        self._space = space
        self._search = OptunaSearch(space=self._define, metric="score", mode="max", seed=seed)
        self._scheduler = AsyncHyperBandScheduler(
            time_attr="epoch", metric="score", mode="max", max_t=epochs, grace_period=grace, reduction_factor=3
        )
        self._trials: dict[str, tuple[Any, dict[str, Any]]] = {}

    def propose(self) -> tuple[Handle, str] | None:
        """Return what Optuna suggests, a strategy that was tried before included."""
        handle = f"t{len(self._trials)}"
        point = self._search.suggest(handle)
        trial = SimpleNamespace(trial_id=handle)
        self._trials[handle] = (trial, {})
        self._scheduler.on_trial_add(None, trial)
        strategy = from_point(dict(self._space.fixed) | dict(point or {})).canonical(self._space.blocks)
        return handle, strategy.key

    def report(self, handle: Handle, epoch: int, score: float, cost: float) -> bool:
        """Hand the result to the searcher and ask the scheduler, as Tune does."""
        trial, _ = self._trials[str(handle)]
        result = {"epoch": epoch, "score": score, "training_iteration": epoch, "trial_id": handle}
        self._trials[str(handle)] = (trial, result)
        decision = self._scheduler.on_trial_result(None, trial, result)
        if decision == TrialScheduler.CONTINUE:
            self._search.on_trial_result(str(handle), result)
        return bool(decision == TrialScheduler.CONTINUE)

    def end(self, handle: Handle) -> None:
        """Tell both that the trial is complete, with its last score."""
        trial, result = self._trials[str(handle)]
        self._scheduler.on_trial_complete(None, trial, result)
        self._search.on_trial_complete(str(handle), result)

    def _define(self, trial: Trial) -> None:
        suggest(self._space, trial)  # type: ignore[arg-type]


class OurSearch:
    """The study's own searcher and rungs, driven without Ray."""

    def __init__(
        self,
        folder: Path,
        template: TrialConfig,
        queue: Sequence[Proposal],
        sampling: Sampling,
        rungs: Rungs | None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self._facts = dict(facts or {})  # what a worker tells with every epoch
        self._searcher = StudySearcher(folder, "search", template, queue, sampling, rungs)
        self._rungs = rungs
        self._blocks = sampling.space.blocks
        self._last: dict[str, dict[str, Any]] = {}

    def propose(self) -> tuple[Handle, str] | None:
        """Return what the searcher hands out."""
        handle = f"t{len(self._last)}"
        order = self._searcher.suggest(handle)
        if not isinstance(order, dict):
            assert order in (None, Searcher.FINISHED)
            return None
        self._last[handle] = {}
        return handle, from_point(order["config"]["strategy"]).canonical(self._blocks).key

    def report(self, handle: Handle, epoch: int, score: float, cost: float) -> bool:
        """Decide by the rungs, and record the epoch as the scheduler's adapter has it recorded."""
        result = {"epoch": epoch, "score": score, "train_loss": 0.0, "val_loss": 0.0, "seconds": 0.0, "cost": cost}
        result |= self._facts
        self._last[str(handle)] = result
        number, stratum = self._searcher.place(str(handle))
        if isinstance(self._rungs, ComputeRungs):
            self._rungs.charge(number, cost)
        goes_on = self._rungs is None or stratum is None or self._rungs.decide(number, stratum, epoch, score)
        if goes_on:
            self._searcher.on_trial_result(str(handle), result)
        return goes_on

    def end(self, handle: Handle) -> None:
        """Tell the searcher with what the trial ended."""
        self._searcher.on_trial_complete(str(handle), self._last[str(handle)])


def rule_points(measured: Sequence[Quadrant], space: Space) -> list[Strategy]:
    """Return the rule's strategies in the order it tries them, each at the grid's nearest point."""
    return list(dict.fromkeys(snapped(point.strategy, space) for point in advice(measured, space)))

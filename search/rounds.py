"""Confirmation seed by seed: the floor first, then a round at a time for those that may still be the best.

Who is in a round follows from what the journal holds of the earlier seeds alone, so that a run that was killed
in the middle of one goes on with the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
import pandas as pd

from search.clock import Clock
from search.mirror import Mirror
from search.progress import Tell
from search.proposals import Proposal, Wanted, for_confirmation, fresh_seed, seed_number
from search.results import load
from search.results.allocation import next_seeds
from search.results.evidence import measured_on
from search.sampler import StudySearcher
from search.storage import CONFIRM, load_studies
from trainables.config import TrialConfig


@dataclass
class SeedRounds:
    """The rounds of one confirmation; ``following`` is to be called when all that was handed out has ended."""

    run_dir: Path
    wanted: Sequence[Wanted]  # with the floor's seeds
    search_seed: int
    seeds: int  # the most that a strategy gets
    metric: str
    mode: str

    @property
    def floor(self) -> list[Proposal]:
        """What is trained whatever comes out."""
        return for_confirmation(self.wanted, seed=self.search_seed)

    @cached_property
    def _studies(self) -> Mapping[str, optuna.Study]:
        return load_studies(self.run_dir)  # kept open: a journal is long, and little is new from round to round

    @cached_property
    def _search_cost(self) -> float:
        trials = load.trials_of(self._studies)
        return float(trials.loc[trials["stage"] != "confirm", "cost"].sum())

    def following(self) -> list[Proposal]:
        """Return the next round's trials, those that were asked for before left out; none when all is done."""
        trials = load.trials_of({CONFIRM: self._studies[CONFIRM]})
        asked = set(zip(trials["key"], trials["seed"], strict=True))
        for number in range(min(first for *_, first in self.wanted), self.seeds):
            chosen = self._round(trials, number)
            if not chosen:
                break
            new = [each for each in chosen if (each.strategy.key, each.seed) not in asked]
            if new:
                return new
        return []

    def _round(self, trials: pd.DataFrame, number: int) -> list[Proposal]:
        """Return the trials of the round with seed ``number``, decided on the earlier seeds."""
        strategies = {strategy.key: (strategy, role) for strategy, role, _ in self.wanted}
        numbers = trials["seed"].map(lambda seed: seed_number(seed, self.search_seed))
        earlier = trials[numbers < number]
        ended = earlier[(earlier["state"] == "complete") & earlier["key"].isin(strategies)]
        if ended.empty:
            return []
        each = {str(key): float(cost) for key, cost in ended.groupby("key")["cost"].mean().items()}
        due = {strategy.key: max(0, first - number) for strategy, _, first in self.wanted}  # of the floor
        spent = float(earlier["cost"].sum()) + sum(cost * due[key] for key, cost in each.items())
        chosen = next_seeds(
            measured_on(self.run_dir, "val", self.metric, ended),
            {key: 0.0 if due[key] else cost for key, cost in each.items()},
            done=number,
            seeds=self.seeds,
            left=self._search_cost - spent,
            mode=self.mode,
        )
        seed = fresh_seed(self.search_seed, number)
        return [Proposal(strategies[key][0], "confirm", seed, strategies[key][1]) for key in chosen]


class RoundSearcher(StudySearcher):
    """Hands out the floor, then round after round, each when the one before has ended."""

    def __init__(
        self,
        rounds: SeedRounds,
        template: TrialConfig,
        tell: Tell,
        clock: Clock,
        began: Callable[[int], None],
        mirror: Mirror | None = None,
    ) -> None:
        super().__init__(rounds.run_dir, CONFIRM, template, rounds.floor, tell=tell, clock=clock, mirror=mirror)
        self._rounds = rounds
        self._began = began

    @property
    def has_work(self) -> bool:
        """Tell whether there is a trial to be handed out: of this round, or else of the next."""
        self._go_on()
        return super().has_work

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the next trial's order; between two rounds, none before the last trial of the earlier one ended."""
        with self._guarded():
            self._go_on()
        return super().suggest(trial_id)

    def _go_on(self) -> None:
        if not (self._queue or self._again or self._live or self.fault):
            following = self._rounds.following()
            self._queue.extend(following)
            if following:
                self._began(len(following))

"""A replay spends compute as the searches ask for it and judges them by what they would choose."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.experiments.regret import OURS, SEARCHES
from benchmarks.regret.build import names
from benchmarks.regret.grid import grid, snapped
from benchmarks.regret.replay import Search, Table, regrets
from benchmarks.regret.searches import RandomSearch
from benchmarks.regret.subject import Subject
from search.rungs import Rungs
from spaces.strategy import Full, Probe, Strategy

SHARES = (0.02, 0.08)
SLOW = {f"{OURS}, sampler {name}" for name in ("tpe", "tpe_flat", "random")} | {f"{OURS}, first rung 1"}
RUNS = [
    pytest.param(search, workers, marks=pytest.mark.slow if search in SLOW else ())
    for search, entrant in SEARCHES.items()
    for workers in entrant.workers[-1:]
]


@pytest.fixture(scope="module")
def subject() -> Subject:
    return Subject.of("digits", 6, [("small", "dissimilar")])


@pytest.fixture(scope="module")
def table(subject: Subject) -> Table:
    """Curves that rise towards a level of each strategy's own; the last one of the grid is the best."""
    keys = [strategy.key for strategy in grid(subject.space)]
    levels = np.linspace(0.5, 0.9, len(keys))[:, None, None]
    rise = 1 - np.exp(-np.arange(1, subject.epochs + 1) / 4)
    noise = np.random.default_rng(0).normal(0, 0.01, (len(keys), 3, subject.epochs))
    cost = np.linspace(1, 3, len(keys))[:, None, None] * np.ones((1, 3, subject.epochs))
    return Table("made up", tuple(keys), levels * rise + noise, levels * rise + 0 * noise, cost)


def test_a_grid_holds_every_strategy_once_and_canonical(subject: Subject) -> None:
    strategies = grid(subject.space)
    assert len({strategy.key for strategy in strategies}) == len(strategies) == 237
    assert all(strategy.canonical(subject.space.blocks) == strategy for strategy in strategies)
    assert sum(isinstance(strategy.freezing, Probe) for strategy in strategies) == 3


def test_any_strategy_has_a_nearest_one_on_the_grid(subject: Subject) -> None:
    keys = {strategy.key for strategy in grid(subject.space)}
    decay = float(subject.space.fixed["weight_decay"])
    near = snapped(Strategy(Full(), head_lr=0.0042, lr_ratio=0.3, weight_decay=decay), subject.space)
    assert near.key in keys
    assert (near.head_lr, near.lr_ratio) == (0.003, 0.1)


@pytest.mark.parametrize("name", names())
def test_each_study_of_the_benchmark_is_a_grid_that_its_controls_lie_on(name: str) -> None:
    subject = Subject.of(name, 9, [("small", "similar")])
    keys = {strategy.key for strategy in grid(subject.space)}
    assert {control.key for control in subject.controls} <= keys


@pytest.mark.parametrize(("search", "workers"), RUNS)
def test_every_search_gets_nearer_to_the_best_and_repeats_itself(
    subject: Subject, table: Table, tmp_path: Path, search: str, workers: int
) -> None:
    found = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        entrant = SEARCHES[search]
        found.append(regrets(table, entrant.make(subject, 3, tmp_path / folder), 0, workers, SHARES, entrant.choose))
    assert found[0] == found[1]
    assert all(math.isfinite(regret) for regret in found[0])
    assert found[0][1] < 1  # better than the median strategy
    assert found[0][1] <= found[0][0] + 0.1


def test_a_random_search_without_rungs_trains_everything_in_one_pass(subject: Subject, table: Table) -> None:
    spent = _spent(lambda: RandomSearch(subject.space, 0), table)
    assert spent == pytest.approx(table.full_pass, rel=0.02)
    assert regrets(table, RandomSearch(subject.space, 0), 0, 1, [1.0])[0] == pytest.approx(0, abs=0.1)


def test_rungs_spend_a_part_of_it(subject: Subject, table: Table) -> None:
    rungs = Rungs(subject.epochs, subject.grace, 3, "max")
    assert _spent(lambda: RandomSearch(subject.space, 0, rungs=rungs), table) < 0.6 * table.full_pass


def test_the_median_strategy_has_regret_1_and_the_best_0(table: Table) -> None:
    regret = [table.regret(row, table.epochs) for row in range(len(table.keys))]
    assert min(regret) == 0
    assert float(np.median(regret)) == pytest.approx(1)


class Counting:
    """Passes everything on, and adds up what was spent."""

    def __init__(self, inner: Search) -> None:
        self._inner = inner
        self.spent = 0.0

    def propose(self):
        return self._inner.propose()

    def report(self, handle, epoch, score, cost) -> bool:
        self.spent += cost
        return self._inner.report(handle, epoch, score, cost)

    def end(self, handle) -> None:
        self._inner.end(handle)


def _spent(make: Callable[[], Search], table: Table) -> float:
    counting = Counting(make())
    regrets(table, counting, 0, 1, [10.0])
    return counting.spent


def test_a_strategy_may_be_tried_twice_at_once(table: Table) -> None:
    class Twice:
        left = 2

        def propose(self) -> tuple[int, str] | None:
            self.left -= 1
            return (self.left, table.keys[0]) if self.left >= 0 else None

        def report(self, handle: int, epoch: int, score: float, cost: float) -> bool:
            return True

        def end(self, handle: int) -> None:
            pass

    assert regrets(table, Twice(), 0, 2, [1.0]) == [table.regret(0, table.epochs)]

"""Let a search spend simulated compute on recorded curves. Pure: no training, no clock, no Ray.

The search sees the validation scores of one random seed. What it would choose after each epoch is judged
by the test score at the epoch it has come to, averaged over all seeds.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from search.results.settled import settled

Handle = int | str
Curves = Mapping[int, Sequence[float]]  # validation scores so far, by training
Choose = Callable[[Curves, int], int]  # which training, the full budget given


@dataclass(frozen=True)
class Table:
    """Curves of every strategy: arrays of shape (strategies, seeds, epochs); a diverged one ends in NaN."""

    name: str
    keys: tuple[str, ...]
    val: NDArray[np.float64]
    test: NDArray[np.float64]
    cost: NDArray[np.float64]  # of one epoch, in forward passes

    @property
    def epochs(self) -> int:
        """The full budget of a training."""
        return int(self.val.shape[2])

    @property
    def seeds(self) -> range:
        """The seeds that every strategy was trained with."""
        return range(self.val.shape[1])

    @property
    def full_pass(self) -> float:
        """The compute of training every strategy once, to the end."""
        return float(self.cost[:, 0].sum())

    def regret(self, row: int, epoch: int) -> float:
        """Return how far a choice is from the best one, as a share of how far the median is. From 1 = median to 0."""
        mean = self.test.mean(axis=1)  # over seeds
        last = mean[:, -1]
        best, median = np.nanmax(last), np.nanmedian(last)
        return float((best - mean[row, epoch - 1]) / (best - median))


class Search(Protocol):
    """What a replay asks of a search."""

    def propose(self) -> tuple[Handle, str] | None:
        """Return a handle and the key of the strategy to train next, or None where nothing is left."""

    def report(self, handle: Handle, epoch: int, score: float, cost: float) -> bool:
        """Take an epoch's validation score and tell whether the training goes on."""

    def end(self, handle: Handle) -> None:
        """Take note that a training has ended, stopped or at its last epoch."""


def read(path: Path) -> Table:
    """Read a table that `build` wrote."""
    frame = pd.read_parquet(path)
    shape = [frame[name].nunique() for name in ("key", "seed", "epoch")]
    full = frame.set_index(["key", "seed", "epoch"])[["val", "test", "cost"]].unstack(["seed", "epoch"])
    val, test, cost = (full[name].to_numpy().reshape(shape) for name in ("val", "test", "cost"))
    return Table(path.stem, tuple(full.index), val, test, np.nan_to_num(cost))


def best_last(curves: Curves, _epochs: int) -> int:
    """Choose as Ray's `ResultGrid.get_best_result` does: by the last score of each training, stopped or not."""
    return max(curves, key=lambda training: curves[training][-1])


def best_settled(curves: Curves, epochs: int) -> int:
    """Choose as our finalists are: by what the trainings of full budget settled at; before the first of them, the last.

    Finalists are several, over fresh seeds: this is the first of them.
    """
    full = {training: scores for training, scores in curves.items() if len(scores) == epochs}
    return max(full, key=lambda training: settled(full[training])) if full else best_last(curves, epochs)


def regrets(
    table: Table, search: Search, seed: int, workers: int, shares: Sequence[float], choose: Choose = best_last
) -> list[float]:
    """Return the normalised regret when each share of one full pass has been spent."""
    found, reached = [np.nan] * len(shares), 0
    for spent, regret in _incumbents(table, search, seed, workers, choose):
        while reached < len(shares) and spent > shares[reached] * table.full_pass:
            reached += 1
        if reached == len(shares):
            break
        found[reached:] = [regret] * (len(shares) - reached)
    return found


def _incumbents(table: Table, search: Search, seed: int, workers: int, choose: Choose) -> Iterator[tuple[float, float]]:
    """Yield (compute spent, regret of the choice) after every epoch of every training, in simulated time."""
    row_of = {key: row for row, key in enumerate(table.keys)}
    running: list[tuple[float, int, int]] = []  # (when, training, epoch that ends then)
    rows: list[int] = []  # by training: a strategy may be tried again, even at the same time
    handles: list[Handle] = []
    curves: dict[int, list[float]] = {}
    spent = 0.0

    def start(now: float) -> None:
        proposed = search.propose()
        if proposed is not None:
            handles.append(proposed[0])
            rows.append(row_of[proposed[1]])
            heapq.heappush(running, (now + table.cost[rows[-1], seed, 0], len(rows) - 1, 1))

    for _ in range(workers):
        start(0.0)
    while running:
        now, training, epoch = heapq.heappop(running)
        row, handle = rows[training], handles[training]
        score, cost = float(table.val[row, seed, epoch - 1]), float(table.cost[row, seed, epoch - 1])
        spent += cost
        if np.isfinite(score):
            curves.setdefault(training, []).append(score)
        chosen = choose(curves, table.epochs) if curves else training
        yield spent, table.regret(rows[chosen], len(curves.get(chosen, [score])))
        if search.report(handle, epoch, score, cost) and epoch < table.epochs and np.isfinite(score):
            heapq.heappush(running, (now + table.cost[row, seed, epoch], training, epoch + 1))
        else:
            search.end(handle)
            start(now)

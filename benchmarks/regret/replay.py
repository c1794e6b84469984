"""Let a search spend simulated compute on recorded curves. Pure: no training, no clock, no Ray.

The search sees the validation scores of one random seed. What it would choose, the best score seen so
far, is judged by the test score at that epoch, averaged over all seeds.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Handle = int | str


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
        return self.val.shape[2]

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


def regrets(table: Table, search: Search, seed: int, workers: int, shares: Sequence[float]) -> list[float]:
    """Return the normalised regret when each share of one full pass has been spent."""
    found, reached = [np.nan] * len(shares), 0
    for spent, regret in _incumbents(table, search, seed, workers):
        while reached < len(shares) and spent > shares[reached] * table.full_pass:
            reached += 1
        if reached == len(shares):
            break
        found[reached:] = [regret] * (len(shares) - reached)
    return found


def _incumbents(table: Table, search: Search, seed: int, workers: int) -> Iterator[tuple[float, float]]:
    """Yield (compute spent, regret of the choice) after every epoch of every training, in simulated time."""
    row_of = {key: row for row, key in enumerate(table.keys)}
    running: list[tuple[float, int, Handle, int, int]] = []  # (when, order, handle, row, epoch that ends then)
    spent, order, best, regret = 0.0, 0, -np.inf, np.nan

    def start(now: float) -> None:
        nonlocal order
        proposed = search.propose()
        if proposed is not None:
            row = row_of[proposed[1]]
            order += 1
            heapq.heappush(running, (now + table.cost[row, seed, 0], order, proposed[0], row, 1))

    for _ in range(workers):
        start(0.0)
    while running:
        now, _, handle, row, epoch = heapq.heappop(running)
        score, cost = float(table.val[row, seed, epoch - 1]), float(table.cost[row, seed, epoch - 1])
        spent += cost
        if score > best:
            best, regret = score, table.regret(row, epoch)
        yield spent, regret
        if search.report(handle, epoch, score, cost) and epoch < table.epochs and np.isfinite(score):
            order += 1
            heapq.heappush(running, (now + table.cost[row, seed, epoch], order, handle, row, epoch + 1))
        else:
            search.end(handle)
            start(now)

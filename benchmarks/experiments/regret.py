"""Does the search find a good strategy for less? Searches replayed on recorded trainings (see `benchmarks.regret`).

A row's value is the normalised regret on test (0 = the best strategy, 1 = the median one) when 40 % of
the compute of one full pass over the table is spent; its note has the other shares. Everything a
search trains counts, our controls included. Each search chooses as its own users do: Ray's by the best
last score of any training (`get_best_result`), ours as its finalists are chosen. A row that names
another way to choose shows how much of the difference is due to that.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import geometric_mean

import numpy as np
from numpy.typing import NDArray

from benchmarks.kept import Kept
from benchmarks.regret.build import TABLES, names
from benchmarks.regret.replay import Choose, Search, Table, best_last, best_settled, read, regrets
from benchmarks.regret.searches import OurSearch, RandomSearch, StockSearch, rule_points
from benchmarks.regret.subject import Subject
from benchmarks.row import Row
from search.proposals import for_control
from search.rungs import Rungs
from search.sampling import Sampling

REPLAYS = 200
SHARES = (0.05, 0.1, 0.2, 0.4, 0.8)
DECISIVE = SHARES.index(0.4)
WORKERS = (1, 8)
UNTOUCHED = "trec"  # nothing was tuned on it
GOAL = 0.7
UNLIMITED = 10**6
KEPT = Kept.of("regret")
Make = Callable[[Subject, int, Path], Search]


def _rungs(subject: Subject) -> Rungs:
    return Rungs(subject.epochs, subject.grace, 3, "max", subject.longest_probe)


def _random(subject: Subject, seed: int, _folder: Path) -> Search:
    return RandomSearch(subject.space, seed)


def _rule_then_random(subject: Subject, seed: int, _folder: Path) -> Search:
    return RandomSearch(subject.space, seed, first=rule_points(subject.quadrants, subject.space))


def _random_with_rungs(subject: Subject, seed: int, _folder: Path) -> Search:
    return RandomSearch(subject.space, seed, rungs=Rungs(subject.epochs, subject.grace, 3, "max"))


def _stock(subject: Subject, seed: int, _folder: Path) -> Search:
    return StockSearch(subject.space, seed, subject.epochs, subject.grace)


def _ours(subject: Subject, seed: int, folder: Path) -> Search:
    rule = rule_points(subject.quadrants, subject.space)
    queue = [*for_control(subject.controls, seed), *subject.first(rule, seed)]
    sampling = Sampling(subject.space, UNLIMITED, seed)
    return OurSearch(folder, subject.template, queue, sampling, _rungs(subject))


RANDOM_WITH_RUNGS, STOCK, OURS = "random + rungs in epochs", "OptunaSearch + ASHA", "thawline"
SETTLED = ", our choice"
SEARCHES: Mapping[str, tuple[Make, Choose]] = {
    "random": (_random, best_last),
    "rule, then random": (_rule_then_random, best_last),
    RANDOM_WITH_RUNGS: (_random_with_rungs, best_last),
    RANDOM_WITH_RUNGS + SETTLED: (_random_with_rungs, best_settled),
    STOCK: (_stock, best_last),
    OURS: (_ours, best_settled),
}


def rows() -> list[Row]:
    """Replay every table that is built; one row per table, search and number of workers, then the goals."""
    built = [name for name in names() if (TABLES / f"{name}.parquet").exists()]
    found = {
        (name, search, workers): _kept(name, search, workers)
        for name in built
        for search in SEARCHES
        for workers in WORKERS
    }
    measured = [_row(*key, values) for key, values in found.items()]
    missing = [
        Row(metric=name, value=0.0, goal="a table", ok=False, note=f"python -m benchmarks.regret.build {name}")
        for name in names()
        if name not in built
    ]
    if not missing:
        KEPT.forget()
    return [*measured, *missing, *(_goals(found, built) if built else [])]


def _kept(name: str, search: str, workers: int) -> NDArray[np.float64]:
    table = hashlib.sha256((TABLES / f"{name}.parquet").read_bytes()).hexdigest()
    key = f"{search} on {name} ({table}), {workers} workers, {REPLAYS} replays"
    return np.array(KEPT.get(key, lambda: _replayed(name, search, workers).tolist()))


def _replayed(name: str, search: str, workers: int) -> NDArray[np.float64]:
    """Return the regrets of all replays, of shape (replays, shares)."""
    parts = os.cpu_count() or 1
    with ProcessPoolExecutor(parts) as pool:
        found = pool.map(_some, *zip(*[(name, search, workers, part, parts) for part in range(parts)], strict=True))
        return np.concatenate(list(found))


def _some(name: str, search: str, workers: int, part: int, parts: int) -> NDArray[np.float64]:
    logging.getLogger("ray").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    subject, table = Subject.read(name), read(TABLES / f"{name}.parquet")
    return np.array([_one(subject, table, search, workers, seed) for seed in range(part, REPLAYS, parts)])


def _one(subject: Subject, table: Table, search: str, workers: int, seed: int) -> list[float]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        make, choose = SEARCHES[search]
        made = make(subject, seed, Path(folder))
        return regrets(table, made, seed % table.val.shape[1], workers, SHARES, choose)


def _row(name: str, search: str, workers: int, values: NDArray[np.float64]) -> Row:
    mean, error = np.nanmean(values, axis=0), _error(values)
    told = ", ".join(f"{s:.0%}: {m:.3f} ± {e:.3f}" for s, m, e in zip(SHARES, mean, error, strict=True))
    return Row(
        metric=f"{name}, {search}, {workers} worker{'s' if workers > 1 else ''}",
        value=round(float(mean[DECISIVE]), 4),
        goal="",
        ok=None,
        note=f"regret ± standard error of {len(values)} replays at {told}",
    )


def _error(values: NDArray[np.float64]) -> NDArray[np.float64]:
    error: NDArray[np.float64] = np.nanstd(values, axis=0, ddof=1) / math.sqrt(len(values))
    return error


def _goals(found: Mapping[tuple[str, str, int], NDArray[np.float64]], tables: list[str]) -> list[Row]:
    return [row for workers in WORKERS for row in _goals_with(found, tables, workers)]


def _goals_with(
    found: Mapping[tuple[str, str, int], NDArray[np.float64]], tables: list[str], workers: int
) -> list[Row]:
    at = {
        (table, search): found[table, search, workers][:, DECISIVE]
        for table in tables
        for search in (OURS, RANDOM_WITH_RUNGS, STOCK)
    }
    of = {key: float(np.nanmean(values)) for key, values in at.items()}
    ratios = [max(of[t, OURS], 1e-6) / max(of[t, RANDOM_WITH_RUNGS], 1e-6) for t in tables]
    stock = [max(of[t, OURS], 1e-6) / max(of[t, STOCK], 1e-6) for t in tables]
    mean = f"geometric mean of {len(tables)} tables"
    untouched = f"{UNTOUCHED} untouched by tuning" if UNTOUCHED in tables else f"without {UNTOUCHED}"
    suffix = f"at 40 %, {workers} worker{'s' if workers > 1 else ''}"
    worse = [
        table
        for table in tables
        if (gap := at[table, OURS] - at[table, RANDOM_WITH_RUNGS]).mean() > 2 * _error(gap[:, None])[0]
    ]
    return [
        _ratio(f"{OURS} over {RANDOM_WITH_RUNGS}, {suffix}", ratios, GOAL, f"{mean}; {untouched}"),
        _ratio(f"{OURS} over {STOCK}, {suffix}", stock, 1.0, mean),
        Row(
            metric=f"tables on which {OURS} is worse, {suffix}",
            value=float(len(worse)),
            goal="0, beyond two standard errors of the paired difference",
            ok=not worse,
            note=", ".join(worse) or "none",
        ),
    ]


def _ratio(metric: str, ratios: list[float], goal: float, note: str) -> Row:
    value = geometric_mean(ratios)
    return Row(metric=metric, value=round(value, 3), goal=f"<= {goal:g}", ok=value <= goal, note=note)

"""Does the search find a good strategy for less? Searches replayed on recorded trainings (see `benchmarks.regret`).

A row's value is the normalised regret on test (0 = the best strategy, 1 = the median one) when 40 % of
the compute of one full pass over the table is spent; its note has the other shares. Everything a
search trains counts, our controls included. Each search chooses as its own users do: Ray's by the best
last score of any training (`get_best_result`), ours as its finalists are chosen. A row that names
another way to choose shows how much of the difference is due to that. What our own choices were tuned
by, other samplers and rungs, has rows with fewer replays, on the tables that were tuned on.
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
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean, geometric_mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.kept import Kept
from benchmarks.regret.build import TABLES, names
from benchmarks.regret.replay import Choose, Search, Table, best_last, best_settled, read, regrets
from benchmarks.regret.searches import ComputeRungs, OneRace, OurSearch, RandomSearch, StockSearch, rule_points
from benchmarks.regret.subject import Subject
from benchmarks.row import Row
from search.proposals import to_search
from search.rungs import Rungs
from search.sampling import Sampling

REPLAYS, FEWER = 200, 16
SHARES = (0.05, 0.1, 0.2, 0.4, 0.8)
DECISIVE = SHARES.index(0.4)
WORKERS = (1, 8)
UNTOUCHED = "trec"  # nothing was tuned on it
GOAL = 0.7
FIRST_RUNGS = {"a third": 1 / 3, "half": 1 / 2, "two thirds": 2 / 3}
UNLIMITED = 10**6
KEPT = Kept.of("regret")
Make = Callable[[Subject, int, Path], Search]


def _random(subject: Subject, seed: int, _folder: Path) -> Search:
    return RandomSearch(subject.space, seed)


def _rule_then_random(subject: Subject, seed: int, _folder: Path) -> Search:
    return RandomSearch(subject.space, seed, first=rule_points(subject.quadrants, subject.space))


def _random_with_rungs(subject: Subject, seed: int, _folder: Path) -> Search:
    return RandomSearch(subject.space, seed, rungs=Rungs(subject.epochs, subject.grace, 3, "max"))


def _stock(subject: Subject, seed: int, _folder: Path) -> Search:
    return StockSearch(subject.space, seed, subject.epochs, subject.grace)


def _ours(
    subject: Subject, seed: int, folder: Path, *, sampler: str = "", grace: float = 0, rungs: type[Rungs] = Rungs
) -> Search:
    """Return the study's own search; ``sampler`` and the first rung are the defaults where they are not given.

    A ``grace`` below 1 is a share of the epochs.
    """
    queue = to_search(subject.untried(rule_points(subject.quadrants, subject.space)), subject.controls, seed)
    sampling = Sampling(subject.space, UNLIMITED, seed)
    sampling = replace(sampling, sampler=sampler or sampling.sampler)
    first = round(grace * subject.epochs if grace < 1 else grace) or subject.grace
    stopping = rungs(subject.epochs, first, 3, "max", subject.longest_probe)
    return OurSearch(folder, subject.template, queue, sampling, stopping)


@dataclass(frozen=True)
class Entrant:
    """A search, how its user chooses, and how often it is replayed: on which tables, with how many workers."""

    make: Make
    choose: Choose = best_settled
    replays: int = REPLAYS
    workers: tuple[int, ...] = WORKERS
    tuned_only: bool = False


def _variant(**values: Any) -> Entrant:
    return Entrant(partial(_ours, **values), replays=FEWER, workers=(1,), tuned_only=True)


RANDOM_WITH_RUNGS, STOCK, OURS = "random + rungs in epochs", "OptunaSearch + ASHA", "thawline"
SEARCHES: Mapping[str, Entrant] = {
    "random": Entrant(_random, best_last),
    "rule, then random": Entrant(_rule_then_random, best_last),
    RANDOM_WITH_RUNGS: Entrant(_random_with_rungs, best_last),
    f"{RANDOM_WITH_RUNGS}, our choice": Entrant(_random_with_rungs),
    STOCK: Entrant(_stock, best_last),
    OURS: Entrant(_ours),
    **{f"{OURS}, sampler {name}": _variant(sampler=name) for name in ("tpe", "tpe_flat", "random")},
    **{f"{OURS}, first rung at {name} of the epochs": _variant(grace=share) for name, share in FIRST_RUNGS.items()},
    f"{OURS}, one race": _variant(rungs=OneRace),
    f"{OURS}, one race with rungs in compute": _variant(rungs=ComputeRungs),
}


def rows() -> list[Row]:
    """Replay every table that is built; one row per table, search and number of workers, then the goals."""
    built = [name for name in names() if (TABLES / f"{name}.parquet").exists()]
    found = {
        (name, search, workers): _kept(name, search, workers)
        for search, entrant in SEARCHES.items()
        for name in built
        if not (entrant.tuned_only and name == UNTOUCHED)
        for workers in entrant.workers
    }
    measured = [_row(*key, found[key]) for key in sorted(found, key=lambda key: built.index(key[0]))]
    limits = [_limit(read(TABLES / f"{name}.parquet")) for name in built]
    missing = [
        Row(metric=name, value=0.0, goal="a table", ok=False, note=f"python -m benchmarks.regret.build {name}")
        for name in names()
        if name not in built
    ]
    if not missing:
        KEPT.forget()
    return [*measured, *limits, *missing, *(_goals(found, built) if built else [])]


def _kept(name: str, search: str, workers: int) -> NDArray[np.float64]:
    table = hashlib.sha256((TABLES / f"{name}.parquet").read_bytes()).hexdigest()
    key = f"{search} on {name} ({table}), {workers} workers, {SEARCHES[search].replays} replays"
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
    return np.array(
        [_one(subject, table, search, workers, seed) for seed in range(part, SEARCHES[search].replays, parts)]
    )


def _one(subject: Subject, table: Table, search: str, workers: int, seed: int) -> list[float]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        entrant = SEARCHES[search]
        made = entrant.make(subject, seed, Path(folder))
        return regrets(table, made, seed % table.val.shape[1], workers, SHARES, entrant.choose)


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


def _limit(table: Table) -> Row:
    """Return the regret of the strategy that one seed's validation puts first when all are trained to the end."""
    curves = [dict(enumerate(table.val[:, seed].tolist())) for seed in table.seeds]
    whole = [{row: scores for row, scores in each.items() if np.isfinite(scores).all()} for each in curves]
    by_seed = [table.regret(best_settled(each, table.epochs), table.epochs) for each in whole]
    told = ", ".join(f"{regret:.3f}" for regret in by_seed)
    return Row(
        metric=f"{table.name}, all trained, one seed's best",
        value=round(fmean(by_seed), 4),
        goal="",
        ok=None,
        note=f"by seed: {told}; what a search comes to that finds whatever validation puts first",
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

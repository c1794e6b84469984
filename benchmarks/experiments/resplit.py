"""How honest intervals are where every seed deals train and validation anew (`finalists.resplit`).

Each row draws a pool of samples and a test set, deals the pool into train and validation once per seed, and trains
small classifiers for real: regularised least squares on features, two strategies on a part of them that each seed
draws at random (equals by construction), one on all. The truth is each strategy's accuracy over new pools of this
size. Goals hold for the differences, on which a verdict is built, and for intervals where validation is a quarter of
the pool; where it is half of a small pool, the one pool that there is counts for more than its splits show: the last
rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.row import Row
from search.results.intervals import Sample, sample

DRAWS = 600
POOLS = 2000  # for the truth
FEATURES, TELLING, SHIFT = 12, 4, 0.3
EQUALS, OTHER = ("a", "b"), "c"
TRUTH_TEST = 4000
Array = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Study:
    """How many samples there are, and how many seeds; ``part`` is the share of the features that equals see."""

    seeds: int
    train: int
    val: int
    test: int
    part: float = 0.5


def drawn(random: np.random.Generator, count: int) -> tuple[Array, Labels]:
    """Draw samples of two classes."""
    labels = random.integers(0, 2, count)
    features = random.normal(size=(count, FEATURES))
    features[:, :TELLING] += SHIFT * (2 * labels[:, None] - 1)
    return features, labels


def classifier(features: Array, labels: Labels, seen: NDArray[np.intp]) -> Callable[[Array], Labels]:
    """Train on the columns ``seen``."""
    rows = np.c_[features[:, seen], np.ones(len(features))]
    weights = np.linalg.solve(rows.T @ rows + np.eye(rows.shape[1]), rows.T @ (2.0 * labels - 1))
    return lambda others: (np.c_[others[:, seen], np.ones(len(others))] @ weights > 0).astype(np.int64)


def columns(random: np.random.Generator, name: str, part: float) -> NDArray[np.intp]:
    """Return what a strategy sees in one training."""
    every = random.permutation(FEATURES)
    return every if name == OTHER else every[: round(part * FEATURES)]


def confirm(study: Study, random: np.random.Generator) -> tuple[Sample, Sample]:
    """Return the scores on validation, dealt anew by each seed, and on the one test set."""
    size = study.train + study.val
    features, labels = drawn(random, size)
    test, test_labels = drawn(random, study.test)
    held = {seed: np.sort(random.permutation(size)[: study.val]) for seed in range(study.seeds)}
    said: dict[str, dict[int, Labels]] = {}
    tested: dict[str, dict[int, Labels]] = {}
    for name in (*EQUALS, OTHER):
        for seed, val in held.items():
            train = np.setdiff1d(np.arange(size), val)
            trained = classifier(features[train], labels[train], columns(random, name, study.part))
            said.setdefault(name, {})[seed] = trained(features[val])
            tested.setdefault(name, {})[seed] = trained(test)
    ever = np.unique(np.concatenate(list(held.values())))
    own = {seed: np.searchsorted(ever, val) for seed, val in held.items()}
    return sample(labels[ever], said, "accuracy", own), sample(test_labels, tested, "accuracy")


def truth(study: Study) -> dict[str, float]:
    """Return each strategy's accuracy over pools of this size."""
    random = np.random.default_rng(99)
    test, labels = drawn(random, TRUTH_TEST)
    found: dict[str, list[float]] = {EQUALS[0]: [], OTHER: []}
    for _ in range(POOLS):
        pool = drawn(random, study.train)
        for name, right in found.items():
            right.append(float(np.mean(classifier(*pool, columns(random, name, study.part))(test) == labels)))
    means = {name: float(np.mean(right)) for name, right in found.items()}
    return means | {EQUALS[1]: means[EQUALS[0]]}


@dataclass(frozen=True)
class Outcome:
    """Shares of many draws: intervals that hold the truth, on either split; equals said to differ on validation."""

    val: float
    test: float
    differ: float


def simulate(study: Study, draws: int, *, start: int = 0) -> Outcome:
    """Confirm many times."""
    true = truth(study)
    held: dict[str, list[bool]] = {"val": [], "test": []}
    differ = []
    for draw in range(draws):
        measured = dict(zip(held, confirm(study, np.random.default_rng([start, draw])), strict=True))
        for split, own in measured.items():
            for name, accuracy in true.items():
                interval = own.interval(name)
                held[split].append(interval.low <= accuracy <= interval.high)
        gap = measured["val"].difference(*EQUALS)
        differ.append(not gap.low <= 0 <= gap.high)
    return Outcome(float(np.mean(held["val"])), float(np.mean(held["test"])), float(np.mean(differ)))


STUDIES: Sequence[Study] = (
    Study(seeds=2, train=120, val=40, test=100),
    Study(seeds=3, train=120, val=40, test=100),
    Study(seeds=5, train=120, val=40, test=100),
    Study(seeds=10, train=120, val=40, test=100),
    Study(seeds=5, train=600, val=200, test=200),
)
BEYOND: Sequence[Study] = (
    Study(seeds=3, train=60, val=60, test=100, part=0.8),
    Study(seeds=10, train=60, val=60, test=300, part=0.8),
)


def rows() -> list[Row]:
    """Simulate every study; a minute on one core."""
    found = []
    for study, goal in [*((each, True) for each in STUDIES), *((each, False) for each in BEYOND)]:
        outcome = simulate(study, DRAWS)
        words = f"{study.seeds} seeds, {study.train} train, {study.val} val, {study.test} test"
        for name, value in (("validation", outcome.val), ("test", outcome.test)):
            found.append(
                Row(
                    metric=f"truth held on {name}: {words}",
                    value=round(value, 4),
                    goal="0.93 to 0.97" if goal else "",
                    ok=0.93 <= value <= 0.97 if goal else None,
                    note=f"{3 * DRAWS} intervals",
                )
            )
        limit = "<= 0.05" if goal else ""
        ok = outcome.differ <= 0.05 if goal else None
        metric = f"equals said to differ on validation: {words}"
        found.append(Row(metric=metric, value=round(outcome.differ, 4), goal=limit, ok=ok, note=f"{DRAWS} differences"))
    return found

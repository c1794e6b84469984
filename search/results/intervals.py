"""How sure a score is: plain 95 % intervals over seeds and examples.

The variance of a strategy's mean score has two parts: the examples, by a bootstrap in which every
strategy sees the same resampled examples (so differences are paired), and the seeds, by the sample
variance between them, pooled over strategies, over the number of seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from trainables.metrics import METRICS, PER_EXAMPLE, Labels

RESAMPLES = 200
LEVEL = 0.95
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its interval; the ends are NaN where a single seed says nothing of the spread."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Sample:
    """Scores of several strategies on one split, and what their spread is made of."""

    means: Mapping[str, float]  # over seeds
    seeds: Mapping[str, int]
    resampled: Mapping[str, Array]  # mean over seeds, for every resample of the examples
    seed_variance: float  # pooled over strategies; NaN with one seed each

    def interval(self, name: str) -> Interval:
        """Return the mean score of a strategy with its interval."""
        variance = float(np.var(self.resampled[name], ddof=1)) + self.seed_variance / self.seeds[name]
        found = _normal(self.means[name], variance, LEVEL)
        return Interval(found.mean, max(found.low, 0.0), min(found.high, 1.0))  # NaN stays NaN

    def difference(self, name: str, other: str, *, comparisons: int = 1) -> Interval:
        """Return ``name`` minus ``other``, paired; Bonferroni-corrected for ``comparisons`` of them."""
        spread = float(np.var(self.resampled[name] - self.resampled[other], ddof=1))
        variance = spread + self.seed_variance * (1 / self.seeds[name] + 1 / self.seeds[other])
        return _normal(self.means[name] - self.means[other], variance, 1 - (1 - LEVEL) / comparisons)

    def best_probability(self, mode: str) -> dict[str, float]:
        """Return how often each strategy comes first when examples and seeds are drawn again."""
        names = list(self.means)
        random = np.random.default_rng(0)
        deviation = [np.sqrt(self.seed_variance / self.seeds[name]) for name in names]
        noise = random.normal(0.0, 1.0, (len(names), RESAMPLES)) * np.nan_to_num(np.array(deviation))[:, None]
        drawn = np.stack([self.resampled[name] for name in names]) + noise
        first = (drawn if mode == "max" else -drawn).argmax(axis=0)
        return {name: float(np.mean(first == index)) for index, name in enumerate(names)}


def sample(labels: Labels, predictions: Mapping[str, list[Labels]], metric: str) -> Sample:
    """Measure every strategy's predictions, one array per seed, on the examples with ``labels``."""
    count = len(labels)
    weights = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(np.float64)
    scores = {name: [METRICS[metric](labels, row) for row in rows] for name, rows in predictions.items()}
    resampled = {name: _resampled(labels, rows, metric, weights) for name, rows in predictions.items()}
    return Sample(
        means={name: float(np.mean(row)) for name, row in scores.items()},
        seeds={name: len(row) for name, row in scores.items()},
        resampled=resampled,
        seed_variance=pooled_variance(list(scores.values())),
    )


def _resampled(labels: Labels, rows: list[Labels], metric: str, weights: Array) -> Array:
    """Return the mean score over seeds for every row of ``weights``, shape (RESAMPLES,)."""
    if metric in PER_EXAMPLE:
        mean: Array = weights @ PER_EXAMPLE[metric](labels, np.stack(rows)).mean(axis=0) / len(labels)
        return mean
    return np.array([np.mean([METRICS[metric](labels, row, weight) for row in rows]) for weight in weights])


def pooled_variance(scores: list[list[float]]) -> float:
    """Return the variance between seeds, pooled over strategies; NaN if none has two seeds."""
    freedom = sum(len(row) - 1 for row in scores)
    squares = sum(float(np.sum((np.array(row) - np.mean(row)) ** 2)) for row in scores)
    return squares / freedom if freedom else float("nan")


def _normal(mean: float, variance: float, level: float) -> Interval:
    half = NormalDist().inv_cdf(0.5 + level / 2) * variance**0.5
    return Interval(mean, mean - half, mean + half)

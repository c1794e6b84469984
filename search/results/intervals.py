"""How sure a score is: 95 % t-intervals over seeds and examples, which are crossed.

A strategy's score varies with the seed it was trained on, with the examples it was measured on, and with
both together. Where the metric is a mean over examples, the parts of its variance are those of a two-way
layout (Searle, Casella & McCulloch 1992, chapter 4); elsewhere examples are resampled by a bootstrap in which
every strategy and every seed sees the same resamples, and take the same way. The degrees of freedom are
Satterthwaite's (1946).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from trainables.metrics import PER_EXAMPLE, RESAMPLED, Labels

RESAMPLES = 400
LEVEL = 0.95
DRAWS = 10_000
# With one degree of freedom pairing over seeds costs more than it gains: see docs/decisions/0006.
PAIRED_FROM = 5  # seeds
Array = NDArray[np.float64]
Indices = NDArray[np.intp]
_Measure = Callable[[Labels, int], Array]  # of predictions and their seed


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its interval; the ends are NaN where a single seed says nothing of the spread."""

    mean: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Tell whether there is an interval."""
        return not math.isnan(self.low)

    @property
    def flipped(self) -> Interval:
        """The same interval of the opposite difference."""
        return Interval(-self.mean, -self.high, -self.low)


@dataclass(frozen=True)
class Estimate:
    """A mean, the variance of that mean, and the degrees of freedom with which the variance is known."""

    mean: float
    variance: float
    freedom: float

    def interval(self, level: float = LEVEL) -> Interval:
        """Return the t-interval."""
        half = float(special.stdtrit(self.freedom, 0.5 + level / 2)) * self.variance**0.5
        return Interval(self.mean, self.mean - half, self.mean + half)

    @property
    def p(self) -> float:
        """The two-sided p-value of the mean being 0; NaN where the variance is not known."""
        return float(2 * special.stdtr(self.freedom, -abs(self.mean) / self.variance**0.5))


@dataclass(frozen=True)
class Part:
    """A part of a variance, and how uncertain it is: its mean square, squared, over its degrees of freedom."""

    variance: float
    uncertainty: float


@dataclass(frozen=True)
class Scores:
    """What one strategy scored, seed by seed."""

    seeds: tuple[int, ...]  # sorted
    by_seed: Array  # shape (seeds,): on all examples
    replicates: Array  # shape (seeds, examples): what each contributes; or (seeds, RESAMPLES): each resample's score

    def minus(self, other: Scores) -> Scores:
        """Return the differences seed by seed; both must have the same seeds."""
        return Scores(self.seeds, self.by_seed - other.by_seed, self.replicates - other.replicates)


@dataclass(frozen=True)
class Sample:
    """Scores between 0 and 1 of several strategies on one split, by name."""

    scores: Mapping[str, Scores]
    examples: int
    scale: float  # times the variance over replicates: the variance of a score over examples
    paired_from: int = PAIRED_FROM

    @property
    def means(self) -> dict[str, float]:
        """The mean score over seeds."""
        return {name: float(scores.by_seed.mean()) for name, scores in self.scores.items()}

    @property
    def seeds(self) -> dict[str, int]:
        """The number of seeds."""
        return {name: len(scores.seeds) for name, scores in self.scores.items()}

    def interval(self, name: str, level: float = LEVEL) -> Interval:
        """Return the mean score of a strategy with its interval."""
        own = self.scores[name]
        found = self._estimate(float(own.by_seed.mean()), own.replicates.mean(axis=0), own).interval(level)
        return Interval(found.mean, max(found.low, 0.0), min(found.high, 1.0))  # NaN stays NaN

    def gap(self, name: str, other: str) -> Estimate:
        """Return ``name`` minus ``other``, paired over examples, and over seeds where both have the same."""
        one, two = self.scores[name], self.scores[other]
        mean = float(one.by_seed.mean() - two.by_seed.mean())
        examples = one.replicates.mean(axis=0) - two.replicates.mean(axis=0)
        if one.seeds == two.seeds and len(one.seeds) >= self.paired_from:
            return self._estimate(mean, examples, one.minus(two))
        return self._estimate(mean, examples, one, two)

    def difference(self, name: str, other: str, level: float = LEVEL) -> Interval:
        """Return ``name`` minus ``other`` with its interval."""
        found = self.gap(name, other).interval(level)
        return Interval(found.mean, max(found.low, -1.0), min(found.high, 1.0))

    def best_probability(self, mode: str) -> dict[str, float]:
        """Return how often each strategy comes first when examples and seeds are drawn again.

        NaN where no strategy has a second seed; one that has none itself is given the others' mean spread.
        """
        names = list(self.scores)
        spread = np.array([over_seeds(self.scores[name], self.scale).variance for name in names])
        if np.isnan(spread).all():
            return dict.fromkeys(names, math.nan)
        spread = np.where(np.isnan(spread), np.nanmean(spread), spread)
        freedom = np.array([max(1, len(self.scores[name].seeds) - 1) for name in names])
        means = np.array([self.means[name] for name in names])
        together = np.stack([self.scores[name].replicates.mean(axis=0) for name in names])
        covariance = np.atleast_2d(np.cov(together)) * self.scale
        random = np.random.default_rng(0)
        drawn = random.multivariate_normal(means, covariance, DRAWS, check_valid="ignore", method="eigh")
        drawn = drawn + spread**0.5 * random.standard_t(freedom, (DRAWS, len(names)))
        first = (drawn if mode == "max" else -drawn).argmax(axis=1)
        return {name: float(np.mean(first == index)) for index, name in enumerate(names)}

    def _estimate(self, mean: float, examples: Array, *seeds: Scores) -> Estimate:
        parts = [over_examples(examples, self.scale, self.examples), *(over_seeds(each, self.scale) for each in seeds)]
        variance = sum(part.variance for part in parts)
        return Estimate(mean, variance, variance**2 / sum(part.uncertainty for part in parts))


def over_seeds(scores: Scores, scale: float) -> Part:
    """Return the part of the mean's variance that the seeds have; NaN with a single one.

    What seeds differ by for the finite number of examples alone is taken off: `over_examples` counts it.
    """
    count = len(scores.seeds)
    if count < 2:
        return Part(math.nan, math.nan)
    between = float(scores.by_seed.var(ddof=1)) / count
    together = float(scores.replicates.mean(axis=0).var(ddof=1)) * scale
    each = float(scores.replicates.var(axis=1, ddof=1).mean()) * scale
    own = between - (each - together) / (count - 1)
    return Part(own, between**2 / (count - 1)) if own > 0 else Part(0.0, 0.0)


def over_examples(replicates: Array, scale: float, examples: int) -> Part:
    """Return the part of the mean's variance that the examples have, their interaction with the seeds included.

    It is never 0: as if one more example had been decided otherwise. All right is no proof of always right.
    """
    variance = float(replicates.var(ddof=1)) * scale + 1 / examples**2
    return Part(variance, variance**2 / max(1, examples - 1))


def sample(
    labels: Labels,
    predictions: Mapping[str, Mapping[int, Labels]],
    metric: str,
    measured: Mapping[int, Indices] | None = None,
) -> Sample:
    """Measure every strategy's predictions, by name and seed, on the examples with ``labels``.

    Where each seed has a validation split of its own, ``measured`` says by seed which of the examples it
    holds; the predictions are those of these examples alone.
    """
    count = len(labels)
    own = measured or {}
    if metric in PER_EXAMPLE:
        worth = PER_EXAMPLE[metric]

        def contributed(row: Labels, seed: int) -> Array:
            return spread_out(worth(labels[own[seed]], row), own[seed], count) if own else worth(labels, row)

        return Sample({name: _scores(rows, contributed) for name, rows in predictions.items()}, count, 1 / count)
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    weights = np.vstack([np.ones(count), drawn])  # the first row is the split itself
    scored = RESAMPLED[metric]

    def resampled(row: Labels, seed: int) -> Array:
        return scored(labels[own[seed]], row, weights[:, own[seed]]) if own else scored(labels, row, weights)

    return Sample({name: _resampled(rows, resampled) for name, rows in predictions.items()}, count, 1.0)


def spread_out(worth: Array, indices: Indices, count: int) -> Array:
    """Return what some of ``count`` examples contribute as if all had been measured.

    The others contribute the mean, and the deviations of those that were measured weigh ``count / n``: the mean
    stays, the variance of the mean is that over n examples, and one that several seeds measured counts as one.
    """
    mean = float(worth.mean())
    whole = np.full(count, mean)
    whole[indices] += (worth - mean) * (count / len(indices))
    return whole


def _scores(rows: Mapping[int, Labels], measure: _Measure) -> Scores:
    seeds = tuple(sorted(rows))
    replicates = np.stack([measure(rows[seed], seed) for seed in seeds])
    return Scores(seeds, replicates.mean(axis=1), replicates)


def _resampled(rows: Mapping[int, Labels], measure: _Measure) -> Scores:
    whole = _scores(rows, measure)
    return Scores(whole.seeds, whole.replicates[:, 0], whole.replicates[:, 1:])

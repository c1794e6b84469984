"""What a prediction is worth: metrics by name, as scikit-learn has them. A literal table.

Not scikit-learn's own: every worker would import all of it, two seconds of a processor, to count equal labels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Weights = NDArray[np.float64]


class Metric(Protocol):
    """Labels and predictions, shape (n,), to a score; ``weights`` count samples more than once, or not at all."""

    def __call__(self, labels: Labels, predictions: Labels, weights: Weights | None = None) -> float:
        """Return the score."""


def _accuracy(labels: Labels, predictions: Labels, weights: Weights | None = None) -> float:
    return float(np.average(labels == predictions, weights=weights))


def _macro_f1(labels: Labels, predictions: Labels, weights: Weights | None = None) -> float:
    counted = np.ones(len(labels)) if weights is None else weights
    return float(_macro_f1_of_resamples(labels, predictions, counted[np.newaxis])[0])


METRICS: dict[str, Metric] = {"accuracy": _accuracy, "macro_f1": _macro_f1}

# Metrics that are a mean over examples, by what each example contributes: shape (..., n).
PER_EXAMPLE: dict[str, Callable[[Labels, Labels], Weights]] = {
    "accuracy": lambda labels, predictions: (labels == predictions).astype(np.float64),
}


def _macro_f1_of_resamples(labels: Labels, predictions: Labels, weights: Weights) -> Weights:
    classes = np.union1d(labels, predictions)
    actual, said = ((row[:, None] == classes).astype(np.float64) for row in (labels, predictions))
    right = weights @ (actual * said)
    all_ = weights @ (actual + said)
    f1: Weights = np.divide(2 * right, all_, out=np.zeros_like(right), where=all_ > 0).mean(axis=1)
    return f1


# The others, for many ``weights`` at once: shape (resamples, n) to scores of shape (resamples,).
RESAMPLED: dict[str, Callable[[Labels, Labels, Weights], Weights]] = {"macro_f1": _macro_f1_of_resamples}

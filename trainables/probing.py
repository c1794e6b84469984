"""What a linear probe can read from features: cross-validated predictions, and LogME. NumPy in, numbers out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from spaces.quadrants import Estimate

Labels = NDArray[np.int64]
Truths = NDArray[np.bool_]  # was the sample predicted rightly, shape (n,)
FOLDS = 5
# The penalty is chosen within each training part by its own leave-one-out error: one decomposition serves them all.
PENALTIES = np.logspace(-1, 5, 7)
RESAMPLES = 1000
TINY = 1e-12
LEVEL = 0.95


def probed(features: NDArray[Any], labels: Labels, seed: int = 0) -> Truths:
    """Return which samples a linear probe predicts rightly when it was fitted without them.

    Stratified folds, as many as the rarest class allows, from 2 to 5.
    """
    rarest = int(np.bincount(labels)[np.unique(labels)].min())
    folds = StratifiedKFold(min(FOLDS, max(2, rarest)), shuffle=True, random_state=seed)
    probe = make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=PENALTIES))
    finite = np.nan_to_num(features.astype(np.float64), posinf=0.0, neginf=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of a single sample is in one fold only: so it is
        predictions = cross_val_predict(probe, finite, labels, cv=folds)
    right: Truths = predictions == labels
    return right


def transfer_gain(pretrained: Truths, random: Sequence[Truths]) -> Estimate:
    """Return how much of what random networks leave open the pretrained one supplies: 1 all of it, 0 nothing.

    The interval is a bootstrap over samples and initialisations.
    """
    count, draws = len(pretrained), np.random.default_rng(0)
    chances = np.stack(random).astype(np.float64)
    times = draws.multinomial(count, np.full(count, 1 / count), RESAMPLES)  # whole numbers: their sums are exact
    chosen = draws.integers(len(chances), size=(RESAMPLES, len(chances)))
    by_network = times @ chances.T / count
    resampled = _share(times @ pretrained / count, np.take_along_axis(by_network, chosen, axis=1).mean(axis=1), count)
    mean = _share(np.array(pretrained.mean()), np.array(chances.mean()), count)
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(mean), float(low), float(high))


def profile_lead(profile: Sequence[Truths]) -> Estimate | None:
    """Return how far the best boundary before the last is ahead of the last; None where there is none before it.

    Paired over samples, and corrected for having picked the best of several (Bonferroni).
    """
    *before, last = profile
    if not before:
        return None
    best = max(before, key=lambda right: float(right.mean()))
    gaps = best.astype(np.float64) - last
    half = NormalDist().inv_cdf(1 - (1 - LEVEL) / 2 / len(before)) * float(gaps.std(ddof=1)) / len(gaps) ** 0.5
    mean = float(gaps.mean())
    return Estimate(mean, mean - half, mean + half)


def logme(features: NDArray[Any], labels: Labels) -> float:
    """Return the log of the maximum evidence a sample and class (You et al. 2021, algorithm 1); higher is better."""
    inputs = np.nan_to_num(features.astype(np.float64), posinf=0.0, neginf=0.0)
    count, width = inputs.shape
    left, values, _ = np.linalg.svd(inputs, full_matrices=False)
    left, squares = left[:, values > TINY * values.max()], values[values > TINY * values.max()] ** 2
    targets = [(labels == each).astype(np.float64) for each in np.unique(labels)]
    return float(np.mean([_evidence(left, squares, target, count, width) for target in targets]))


def _evidence(left: NDArray[Any], squares: NDArray[Any], target: NDArray[Any], count: int, width: int) -> float:
    """Maximise the evidence over the weights' precision alpha and the noise's precision beta."""
    along = (left.T @ target) ** 2
    beyond = max(float(target @ target - along.sum()), 0.0)
    alpha = beta = 1.0
    for _ in range(100):
        before = alpha / beta
        shrunk = before / (before + squares)
        effective = float((squares / (before + squares)).sum())
        weights = float((squares * along / (before + squares) ** 2).sum())
        residual = float((along * shrunk**2).sum()) + beyond
        alpha, beta = max(effective / max(weights, TINY), TINY), (count - effective) / max(residual, TINY)
        if abs(alpha / beta - before) <= 1e-4 * before:
            break
    ratio = alpha / beta
    weights = float((squares * along / (ratio + squares) ** 2).sum())
    residual = float((along * (ratio / (ratio + squares)) ** 2).sum()) + beyond
    determinant = float(np.log(alpha + beta * squares).sum()) + (width - len(squares)) * np.log(alpha)
    total = width * np.log(alpha) + count * np.log(beta) - determinant
    return float(0.5 * (total - beta * residual - alpha * weights - count * np.log(2 * np.pi)) / count)


def _share(reached: NDArray[Any], by_chance: NDArray[Any], count: int) -> NDArray[Any]:
    # One sample is the least that can be gained: where random networks are right everywhere, nothing is divided by 0.
    share: NDArray[Any] = (reached - by_chance) / np.maximum(1 - by_chance, 1 / count)
    return share

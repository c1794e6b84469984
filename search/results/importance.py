"""Which dimensions mattered: permutation importance at equal budget, over all trials and within a kind of freezing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance
from sklearn.model_selection import KFold

from search.results.pruning import searched

COLUMNS = ("scope", "dimension", "epoch", "n", "importance", "explained", "enough")
ALL = "all"
ENOUGH = 20  # trials; with fewer, an importance is a hint
FEWEST = 8  # trials; with fewer, nothing is computed
FOLDS, TREES, REPEATS = 4, 40, 3
Array = NDArray[np.float64]


def importance(trials: pd.DataFrame, epochs: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """Return how much the score depends on each of the searched dimensions ``names``, in two views.

    A forest (Breiman 2001) is fitted to the scores that trials had after the same epoch: the last one that
    `ENOUGH` of them reached, or else most. A dimension's importance is what held-out predictions lose
    when its values are shuffled, as a share of all such losses.

    Columns: scope, ``all`` or the kind of freezing within which was compared; dimension; epoch; n trials;
    importance; explained, the held-out share of the variance (at 0 and below, importances mean nothing);
    enough, whether n is.
    """
    found = []
    for scope, rows, scores, epoch in _views(trials, epochs):
        dimensions = [name for name in names if rows[name].nunique(dropna=False) > 1]
        if not dimensions or len(rows) < FEWEST or scores.nunique() < 2:
            continue
        losses, explained = _losses(_encoded(rows[dimensions]), np.asarray(scores, dtype=np.float64))
        shares = losses / losses.sum() if losses.sum() > 0 else losses
        found += [
            (scope, name, epoch, len(rows), float(share), explained, len(rows) >= ENOUGH)
            for name, share in sorted(zip(dimensions, shares, strict=True), key=lambda pair: -pair[1])
        ]
    return pd.DataFrame(found, columns=list(COLUMNS))


def _views(trials: pd.DataFrame, epochs: pd.DataFrame) -> list[tuple[str, pd.DataFrame, pd.Series[float], int]]:
    own = searched(trials).set_index("trial")
    views = []
    for scope in (ALL, *own["freezing"].drop_duplicates()):
        rows = own if scope == ALL else own[own["freezing"] == scope]
        there = epochs[epochs["trial"].isin(rows.index)].dropna(subset=["score"])
        counts = there["epoch"].value_counts()
        if counts.empty:
            continue
        wanted = min(ENOUGH, int(counts.max()))
        epoch = int(max(counts[counts >= wanted].index))
        scores = there[there["epoch"] == epoch].set_index("trial")["score"]
        views.append((str(scope), rows.loc[scores.index], scores, epoch))
    return views


def _encoded(rows: pd.DataFrame) -> Array:
    """Return words as numbers, rates by their logarithm's order, and what a strategy lacks as a value of its own."""
    columns = []
    for name in rows.columns:
        column = rows[name]
        if isinstance(column.dtype, pd.StringDtype) or column.dtype == object:
            columns.append(np.asarray(pd.factorize(column, sort=True)[0], dtype=np.float64))
        else:
            ranks = column.astype("float64").rank(method="dense").fillna(-1.0)
            columns.append(np.asarray(ranks, dtype=np.float64))
    return np.stack(columns, axis=1)


def _losses(features: Array, scores: Array) -> tuple[Array, float]:
    losses = np.zeros(features.shape[1])
    errors = 0.0
    for seen, held in KFold(FOLDS, shuffle=True, random_state=0).split(features):
        forest = RandomForestRegressor(TREES, min_samples_leaf=2, random_state=0).fit(features[seen], scores[seen])
        told = permutation_importance(
            forest, features[held], scores[held], scoring="neg_mean_squared_error", n_repeats=REPEATS, random_state=0
        )
        losses += told.importances_mean * len(held)
        errors += float(np.sum((forest.predict(features[held]) - scores[held]) ** 2))
    return losses.clip(min=0), 1 - errors / float(np.sum((scores - scores.mean()) ** 2))

"""A strategy from close by: what it takes for what, and what the search had promised of it."""

from __future__ import annotations

import pandas as pd

from search.results.settled import settled_by_trial

CONFUSION = ("label", "prediction", "count")
PROMISED = ("rank", "key", "strategy", "role", "searched", "val_mean", "test_mean", "optimism_val", "optimism_test")


def confusion(predictions: pd.DataFrame, trials: list[str], classes: list[str]) -> pd.DataFrame:
    """Count what ``trials`` predicted for the test examples of each class, all seeds together.

    Columns: label, prediction, count; one row per pair of classes, in their order.
    """
    own = predictions[(predictions["split"] == "test") & predictions["trial"].isin(trials)]
    counted = own.groupby(["label", "prediction"]).size()
    numbers = range(len(classes))
    rows = [(classes[i], classes[j], int(counted.get((i, j), 0))) for i in numbers for j in numbers]
    return pd.DataFrame(rows, columns=list(CONFUSION))


def promised(trials: pd.DataFrame, epochs: pd.DataFrame, board: pd.DataFrame) -> pd.DataFrame:
    """Return what the search promised of each confirmed strategy and what came of it.

    Columns: rank, key, strategy, role; searched, what it settled at in the search, for which it was taken;
    val_mean, test_mean; optimism_val and optimism_test, the former less the latter ones.
    """
    full = trials[(trials["stage"] != "confirm") & (trials["state"] == "complete")]
    first = full.drop_duplicates("key")
    scores = first["trial"].map(settled_by_trial(epochs)).set_axis(first["key"])
    rows = board[["rank", "key", "strategy", "role", "val_mean", "test_mean"]].copy()
    rows["searched"] = rows["key"].map(scores).astype("float64")
    rows = rows.assign(
        optimism_val=rows["searched"] - rows["val_mean"], optimism_test=rows["searched"] - rows["test_mean"]
    )
    return rows[list(PROMISED)]

"""The recommended strategy from close by: which of its blocks moved, and what it takes for what."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from search.storage import CONFIRM, load_study

CHANGE = ("trial", "seed", "block", "change")
CONFUSION = ("label", "prediction", "count")
PROMISED = ("rank", "key", "strategy", "role", "searched", "val_mean", "test_mean", "optimism_val", "optimism_test")


def weight_change(run_dir: Path, key: str) -> pd.DataFrame:
    """Return how far each block of a confirmed strategy moved, relative to its norm, in the network's order.

    Columns: trial, seed, block, change; blocks that never trained are not among them.
    """
    study = load_study(run_dir, CONFIRM)
    trials = study.get_trials(deepcopy=False) if study else []
    rows = [
        (f"c{trial.number}", trial.user_attrs["seed"], block, float(change))
        for trial in trials
        if trial.user_attrs.get("key") == key
        for block, change in trial.user_attrs.get("weight_change", {}).items()
    ]
    return pd.DataFrame(rows, columns=list(CHANGE))


def confusion(predictions: pd.DataFrame, trials: list[str], classes: list[str]) -> pd.DataFrame:
    """Count what ``trials`` predicted for the test examples of each class, all seeds together.

    Columns: label, prediction, count; one row per pair of classes, in their order.
    """
    own = predictions[(predictions["split"] == "test") & predictions["trial"].isin(trials)]
    counted = own.groupby(["label", "prediction"]).size()
    numbers = range(len(classes))
    rows = [(classes[i], classes[j], int(counted.get((i, j), 0))) for i in numbers for j in numbers]
    return pd.DataFrame(rows, columns=list(CONFUSION))


def promised(trials: pd.DataFrame, board: pd.DataFrame) -> pd.DataFrame:
    """Return what the search promised of each confirmed strategy and what came of it.

    Columns: rank, key, strategy, role; searched, the score for which it was taken (at the search's own seed);
    val_mean, test_mean; optimism_val and optimism_test, the former less the latter ones.
    """
    full = trials[(trials["stage"] != "confirm") & (trials["state"] == "complete")]
    scores = full.drop_duplicates("key").set_index("key")["score"]
    rows = board[["rank", "key", "strategy", "role", "val_mean", "test_mean"]].copy()
    rows["searched"] = rows["key"].map(scores).astype("float64")
    rows = rows.assign(
        optimism_val=rows["searched"] - rows["val_mean"], optimism_test=rows["searched"] - rows["test_mean"]
    )
    return rows[list(PROMISED)]

"""Strategies that lost, and by how much: the confirmed ones behind the winner, and every kind that was tried."""

from __future__ import annotations

import pandas as pd

from search.report.figures.maps import whole
from search.report.styles import KINDS, families


def behind(board: pd.DataFrame, mode: str) -> pd.DataFrame:
    """Return the confirmed strategies after the winner with their distance to it: validation decided, test reports."""
    sign = 1 if mode == "max" else -1
    best = board.iloc[0]
    rest = board.iloc[1:]
    return rest[["strategy", "role", "test_mean", "test_low", "test_high", "tied_with_best"]].assign(
        behind_val=sign * (best["val_mean"] - rest["val_mean"]),
        behind_test=sign * (best["test_mean"] - rest["test_mean"]),
    )


def kinds_tried(trials: pd.DataFrame, mode: str) -> pd.DataFrame:
    """Return, for each kind in the search and the controls: tried, at the last epoch, best score, behind the best."""
    trained = trials[(trials["stage"] != "confirm") & (trials["state"] != "reused")]
    ended = whole(trained)
    tried, complete = families(trained).value_counts(), families(ended)
    sign = 1 if mode == "max" else -1
    best = (sign * ended["score"].astype(float)).groupby(complete).max()
    rows = [
        {
            "kind": kind,
            "tried": int(tried[kind]),
            "complete": int((complete == kind).sum()),
            "best": sign * best[kind] if kind in best else float("nan"),
            "behind": best.max() - best[kind] if kind in best else float("nan"),
        }
        for kind in KINDS
        if kind in tried
    ]
    return pd.DataFrame(rows, columns=["kind", "tried", "complete", "best", "behind"]).sort_values(
        "behind", kind="stable", ignore_index=True
    )

"""Every kind of strategy that was tried, and how far its best trial was behind the best of all."""

from __future__ import annotations

import pandas as pd

from search.report.figures.maps import whole
from search.report.styles import KINDS, families

COLUMNS = ("kind", "tried", "complete", "best", "behind")


def kinds_tried(trials: pd.DataFrame, mode: str) -> pd.DataFrame:
    """Return the kinds of search and controls, the best first. Scores of one seed each: a description, no evidence.

    Columns: kind, tried; complete, how many came to the last epoch; best, the best score there; behind.
    """
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
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("behind", kind="stable", ignore_index=True)

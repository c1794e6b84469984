"""One row per confirmed strategy, best first: what goes into a paper's table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from search.results.intervals import Interval, Sample
from search.results.load import typed
from search.results.verdict import Decision
from spaces.presets import DIMENSION_NAMES

COLUMNS = (
    *("rank", "strategy", "role", *DIMENSION_NAMES, "seeds", "val_mean", "test_mean", "test_low", "test_high"),
    *("delta_full", "delta_full_low", "delta_full_high", "delta_best_full", "delta_best_full_low"),
    *("delta_best_full_high", "delta_probe", "p_best", "trainable_share", "peak_memory_mb", "seconds"),
    *("tied_with_best", "key"),
)


def leaderboard(
    confirmed: pd.DataFrame, decision: Decision, val: Sample, test: Sample, controls: Mapping[str, str], mode: str
) -> pd.DataFrame:
    """Return the confirmed strategies in the decision's order.

    Args:
        confirmed: The complete rows of stage confirm.
        decision: Made on validation.
        val: The validation scores by key.
        test: The test scores by key.
        controls: Control name -> key.
        mode: Which way is better.
    """
    best_probability = val.best_probability(mode)
    best_full = best_full_key(confirmed, decision)
    rows = []
    for rank, key in enumerate(decision.order, start=1):
        trials = confirmed[confirmed["key"] == key]
        first = trials.iloc[0]
        shown = test.interval(key)
        full, against_best = _against(test, key, controls.get("full")), _against(test, key, best_full)
        rows.append(
            {
                **{name: first[name] for name in ("strategy", "role", "key", *DIMENSION_NAMES)},
                **{"rank": rank, "seeds": len(trials), "val_mean": val.means[key]},
                **{"test_mean": shown.mean, "test_low": shown.low, "test_high": shown.high},
                **{"delta_full": full.mean, "delta_full_low": full.low, "delta_full_high": full.high},
                **{"delta_best_full": against_best.mean, "delta_best_full_low": against_best.low},
                "delta_best_full_high": against_best.high,
                "delta_probe": _against(test, key, controls.get("probe")).mean,
                "p_best": best_probability[key],
                "trainable_share": first["trainable_params"] / first["total_params"],
                "peak_memory_mb": trials["peak_memory_mb"].max(),
                "seconds": trials["seconds"].mean(),
                "tied_with_best": key in decision.tied,
            }
        )
    return typed(pd.DataFrame(rows, columns=list(COLUMNS)))


def best_full_key(confirmed: pd.DataFrame, decision: Decision) -> str | None:
    """Return the best confirmed strategy that trains everything and keeps what was pretrained."""
    full = confirmed[(confirmed["freezing"] == "full") & (confirmed["reinit"] != "all")]
    keys = set(full["key"])
    return next((key for key in decision.order if key in keys), None)


def _against(test: Sample, key: str, other: str | None) -> Interval:
    if other is None or other not in test.means:
        return Interval(math.nan, math.nan, math.nan)
    return Interval(0.0, 0.0, 0.0) if key == other else test.difference(key, other)


def interval_of(row: Mapping[Any, Any], name: str) -> Interval:
    """Return the interval that a table's row holds: ``name`` or ``name_mean``, ``name_low``, ``name_high``."""
    mean = row[f"{name}_mean"] if f"{name}_mean" in row else row[name]
    return Interval(float(mean), float(row[f"{name}_low"]), float(row[f"{name}_high"]))


def plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row as JSON values: NaN becomes null, numbers of numpy become Python's."""
    return {str(name): _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if value is None or (isinstance(value, float) and not math.isfinite(value)) else value


def by_key(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return a table's rows by their key."""
    return {str(row["key"]): {str(name): value for name, value in row.items()} for row in frame.to_dict("records")}

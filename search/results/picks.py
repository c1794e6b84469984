"""If you care about accuracy, cost or size: what to take among the strategies that nothing is shown to beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from search.results.compare import Rival
from search.results.intervals import Interval
from search.results.leaderboard import by_key
from search.results.verdict import Decision

Purpose = Literal["accuracy", "cost", "size"]
PARETO = ("key", "strategy", "role", "seeds", "cost", "cost_share", "score", "on_front")


@dataclass(frozen=True)
class Pick:
    """What to take for one purpose. ``gap`` is how far the winner was ahead of it on validation, None for itself."""

    purpose: Purpose
    key: str
    strategy: str  # in words
    test: Interval
    gap: Interval | None
    seeds: int
    cost: float  # of one training, in forward passes of the whole network
    cost_share: float | None  # of default full fine-tuning's
    trainable_share: float
    peak_memory_mb: float
    dimensions: Mapping[str, Any]  # as a study file's space names them


def picks(
    decision: Decision,
    board: pd.DataFrame,
    pareto: pd.DataFrame,
    rivals: tuple[Rival, ...],
    names: tuple[str, ...],
    *,
    margin: float,
) -> tuple[Pick, ...]:
    """Return a pick for each purpose.

    The best on validation for accuracy; for cost and for size the cheapest to train and the one with the fewest
    trainable parameters among those that the winner is not shown to beat and whose mean lies at most ``margin``
    behind: where intervals are wide, much that is far worse is not shown to be.
    """
    rows, costs = by_key(board), by_key(pareto)
    near = {rival.name for rival in rivals if rival.gap.mean <= margin}
    among = [decision.winner, *(key for key in decision.tied if key in near)]
    wanted: dict[Purpose, str] = {
        "accuracy": decision.winner,
        "cost": min(among, key=lambda key: float(costs[key]["cost"])),
        "size": min(among, key=lambda key: (rows[key]["trainable_share"], rows[key]["peak_memory_mb"])),
    }
    gaps = {rival.name: rival.gap for rival in rivals}
    return tuple(_pick(purpose, key, rows[key], costs[key], gaps.get(key), names) for purpose, key in wanted.items())


def _pick(
    purpose: Purpose,
    key: str,
    row: Mapping[str, Any],
    costs: Mapping[str, Any],
    gap: Interval | None,
    names: tuple[str, ...],
) -> Pick:
    share = costs["cost_share"]
    return Pick(
        purpose=purpose,
        key=key,
        strategy=str(row["strategy"]),
        test=Interval(float(row["test_mean"]), float(row["test_low"]), float(row["test_high"])),
        gap=gap,
        seeds=int(row["seeds"]),
        cost=float(costs["cost"]),
        cost_share=None if pd.isna(share) else float(share),
        trainable_share=float(row["trainable_share"]),
        peak_memory_mb=float(row["peak_memory_mb"]),
        dimensions={name: row[name] for name in names if pd.notna(row[name])},
    )


def pareto(confirmed: pd.DataFrame, board: pd.DataFrame, full: str | None, mode: str) -> pd.DataFrame:
    """Return cost and score of every confirmed strategy, the cheapest first.

    Columns: key, strategy, role, seeds; cost of one training in forward passes of the whole network, and as a
    share of that of the control ``full``; score, the mean on validation; on_front, whether no other is both
    cheaper and better.
    """
    costs = confirmed.groupby("key")["cost"].mean()
    rows = board[["key", "strategy", "role", "seeds"]].assign(
        cost=board["key"].map(costs).astype("float64"), score=board["val_mean"]
    )
    whole = costs.get(full) if full else None
    rows["cost_share"] = rows["cost"] / whole if whole else float("nan")
    rows = rows.sort_values(["cost", "score"], ascending=[True, mode == "min"], kind="stable", ignore_index=True)
    sign = 1 if mode == "max" else -1
    best_before = (sign * rows["score"]).cummax().shift(fill_value=float("-inf"))
    return rows.assign(on_front=sign * rows["score"] > best_before)[list(PARETO)]

"""If you care about accuracy, cost or size: the strategy to take in each case, from the confirmed ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml

from search.report.cells import duration, number, share, shared_decimals, with_interval
from search.report.styles import family
from search.results.load import strategy_of
from spaces.strategy import to_point


@dataclass(frozen=True)
class Card:
    """One strategy to take, and why."""

    title: str
    why: str
    kind: str
    strategy: str
    facts: Mapping[str, str]
    yaml: str


def cards(board: pd.DataFrame, metric: str) -> list[Card]:
    """Return the most accurate confirmed strategy, then the cheapest and the smallest not told apart from it."""
    if board.empty:
        return []
    best = board.iloc[0]
    among = board[board["tied_with_best"].astype(bool) | (board["rank"] == best["rank"])]
    cheap = among.sort_values(["seconds", "rank"], kind="stable").iloc[0]
    small = among.sort_values(["trainable_share", "peak_memory_mb", "rank"], kind="stable").iloc[0]
    rivals = len(among) - 1
    places = shared_decimals(zip(board["test_low"].astype(float), board["test_high"].astype(float), strict=True))
    those = f"of the {len(among)} that the evidence does not tell apart" if rivals else "nothing else is as accurate"
    return [
        _card("Accuracy", f"Best on validation {metric} over {best['seeds']} seeds.", best, metric, places),
        _card("Cost", f"Trains fastest: {those}. {_gap(cheap, best)}", cheap, metric, places),
        _card("Size", f"Fewest weights to train and to store: {those}. {_gap(small, best)}", small, metric, places),
    ]


def _gap(row: pd.Series[Any], best: pd.Series[Any]) -> str:
    if row["rank"] == best["rank"]:
        return ""
    return f"On test it scored {float(row['test_mean'] - best['test_mean']):+.3f} against the most accurate."


def strategy_yaml(row: pd.Series[Any]) -> str:
    """Return the strategy of a leaderboard's row as YAML, the way ``best/strategy.yaml`` holds it."""
    text: str = yaml.safe_dump({"strategy": to_point(strategy_of(row))}, sort_keys=False)
    return text


def _card(title: str, why: str, row: pd.Series[Any], metric: str, places: int) -> Card:
    mean, low, high = (float(row[name]) for name in ("test_mean", "test_low", "test_high"))
    facts = {
        f"test {metric}": with_interval(mean, low, high, places=places),
        "training time": duration(float(row["seconds"])),
        "weights trained": share(float(row["trainable_share"])),
        "peak memory": f"{number(float(row['peak_memory_mb']), 0)} MB",
    }
    return Card(title, why, family(row.to_dict()), str(row["strategy"]), facts, strategy_yaml(row))

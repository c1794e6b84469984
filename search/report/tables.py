"""Write the tables of a run: CSV and parquet for programs, Markdown and LaTeX for papers."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from search.report.content import Report

SHOWN = {
    "rank": "Rank",
    "strategy": "Strategy",
    "role": "Role",
    "seeds": "Seeds",
    "val_mean": "Validation",
    "test": "Test [95 %]",
    "delta_full": "vs. full [95 %]",
    "trainable_share": "Trainable",
    "seconds": "Seconds",
}


def write(content: Report, folder: Path) -> None:
    """Write ``trials``, ``epochs``, ``predictions`` and ``leaderboard``."""
    folder.mkdir(exist_ok=True)
    for name, frame in {"trials": content.trials, "epochs": content.epochs, "leaderboard": content.leaderboard}.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    content.predictions.to_parquet(folder / "predictions.parquet", index=False)
    (folder / "leaderboard.md").write_text(as_markdown(content.leaderboard) + "\n", encoding="utf-8")
    (folder / "leaderboard.tex").write_text(as_latex(content), encoding="utf-8")


def shown(board: pd.DataFrame) -> pd.DataFrame:
    """Return the leaderboard as a reader sees it: numbers with their intervals, as text."""
    rows = board.assign(
        val_mean=[f"{value:.4f}" for value in board["val_mean"]],
        test=_intervals(board, "test_mean", "test_low", "test_high", ".4f"),
        delta_full=_intervals(board, "delta_full", "delta_full_low", "delta_full_high", "+.4f"),
        trainable_share=[f"{value:.1%}" for value in board["trainable_share"]],
        seconds=[f"{value:.1f}" for value in board["seconds"]],
    )
    return rows[list(SHOWN)].rename(columns=SHOWN)


def as_markdown(board: pd.DataFrame) -> str:
    """Return the leaderboard as a Markdown table."""
    return str(shown(board).to_markdown(index=False, disable_numparse=True))


def as_latex(content: Report) -> str:
    """Return the leaderboard as a booktabs table; the caption names n and the method."""
    tested = content.predictions[content.predictions["split"] == "test"]
    count = len(tested) // max(1, tested["trial"].nunique())
    caption = (
        f"Confirmed strategies by mean validation {content.metric} over seeds. "
        f"Test intervals are 95~\\% over seeds and {count} test examples."
    ).replace("_", "\\_")
    escaped = shown(content.leaderboard).map(_escaped).rename(columns=_escaped)
    text = escaped.style.hide(axis="index").to_latex(hrules=True, caption=caption, position_float="centering")
    return str(text)


def _intervals(board: pd.DataFrame, mean: str, low: str, high: str, form: str) -> list[str]:
    ends = zip(board[mean].astype(float), board[low].astype(float), board[high].astype(float), strict=True)
    return [_interval(*three, form) for three in ends]


def _interval(mean: float, low: float, high: float, form: str) -> str:
    if math.isnan(mean):
        return "-"
    return f"{mean:{form}}" if math.isnan(low) else f"{mean:{form}} [{low:{form}}, {high:{form}}]"


def _escaped(value: object) -> object:
    return value.replace("%", r"\%").replace("_", r"\_").replace("&", r"\&") if isinstance(value, str) else value

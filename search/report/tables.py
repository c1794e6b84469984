"""Write the tables of a run: CSV and parquet for programs, Markdown and LaTeX for papers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from search.report.cells import duration, number, share, shared_decimals, with_interval
from search.report.content import Report
from search.report.latex import booktabs

SHOWN = {
    "rank": "Rank",
    "strategy": "Strategy",
    "role": "Role",
    "seeds": "Seeds",
    "val_mean": "Validation",
    "test": "Test [95 %]",
    "delta_full": "vs. full [95 %]",
    "trainable_share": "Trainable",
    "seconds": "Time",
}
# The columns of the HTML page; the others are for a wide screen.
ALL = {
    **{name: words for name, words in SHOWN.items() if name not in ("trainable_share", "seconds")},
    "delta_best_full": "vs. best full [95 %]",
    "delta_probe": "vs. probe",
    "p_best": "P(best)",
    "trainable_share": "Trainable",
    "peak_memory_mb": "Memory, MB",
    "seconds": "Time",
}

NUMBERS = (
    *("val_mean", "test_mean", "test_low", "test_high", "delta_full", "delta_full_low", "delta_full_high"),
    *("delta_best_full", "delta_best_full_low", "delta_best_full_high", "delta_probe", "p_best"),
    *("trainable_share", "peak_memory_mb", "seconds"),
)


def write(content: Report, folder: Path) -> None:
    """Write ``trials``, ``epochs``, ``predictions`` and ``leaderboard``."""
    folder.mkdir(exist_ok=True)
    for name, frame in {"trials": content.trials, "epochs": content.epochs, "leaderboard": content.leaderboard}.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    content.predictions.to_parquet(folder / "predictions.parquet", index=False)
    (folder / "leaderboard.md").write_text(as_markdown(content.leaderboard) + "\n", encoding="utf-8")
    (folder / "leaderboard.tex").write_text(as_latex(content), encoding="utf-8")


def shown(board: pd.DataFrame, columns: dict[str, str] | None = None) -> pd.DataFrame:
    """Return the leaderboard as a reader sees it: numbers with their intervals, as text."""
    wanted = columns or SHOWN
    texts = pd.DataFrame(
        [_texts(row, _places(board)) for row in board.to_dict("records")],
        columns=list(ALL),
        index=board.index,
    )
    return texts[list(wanted)].rename(columns=wanted)


def as_markdown(board: pd.DataFrame) -> str:
    """Return the leaderboard as a Markdown table."""
    return str(shown(board).to_markdown(index=False, disable_numparse=True))


def as_latex(content: Report) -> str:
    """Return the leaderboard as a booktabs table: the winner bold, what ties with it marked, method in the caption."""
    board = content.leaderboard
    tested = content.predictions[content.predictions["split"] == "test"]
    count = len(tested) // max(1, tested["trial"].nunique())
    caption = (
        f"Confirmed strategies of the study {content.name}, by mean validation {content.metric} over n fresh seeds. "
        f"Test {content.metric}, and its difference to default full fine-tuning, with 95 % intervals over seeds and "
        f"{count} test examples. Bold: the winner, decided on validation before the test set was opened."
    )
    table = shown(board).rename(columns={"Seeds": "n"})
    tied = board.index[board["tied_with_best"].astype(bool)].tolist()
    return booktabs(
        table, caption=caption, label="tab:leaderboard", bold=board.index[:1].tolist(), tied=tied, wide="Strategy"
    )


def _places(board: pd.DataFrame) -> int:
    return shared_decimals(zip(board["test_low"].astype(float), board["test_high"].astype(float), strict=True))


def _texts(row: Mapping[Any, Any], places: int) -> dict[str, str]:
    """Return every cell of a row as text."""
    value = {name: float(row[name]) for name in NUMBERS}
    return {
        **{name: str(row[name]) for name in ("rank", "strategy", "role", "seeds")},
        "val_mean": number(value["val_mean"], places),
        "test": with_interval(value["test_mean"], value["test_low"], value["test_high"], places=places),
        "delta_full": _difference(value, "delta_full", places),
        "delta_best_full": _difference(value, "delta_best_full", places),
        "delta_probe": number(value["delta_probe"], places, "+"),
        "p_best": number(value["p_best"], 2),
        "trainable_share": share(value["trainable_share"]),
        "peak_memory_mb": number(value["peak_memory_mb"], 0),
        "seconds": duration(value["seconds"]),
    }


def _difference(value: Mapping[str, float], name: str, places: int) -> str:
    mean, low, high = (value[column] for column in (name, f"{name}_low", f"{name}_high"))
    return "0" if mean == low == high == 0 else with_interval(mean, low, high, "+", places)

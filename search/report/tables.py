"""Write the tables of a run: CSV and parquet for programs, Markdown and LaTeX for papers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from search.report.content import Report
from search.report.latex import booktabs
from search.report.rounding import duration, number, plain, share, shared_decimals, signed
from search.results.intervals import Interval
from search.results.leaderboard import interval_of

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
    anew = ", each of which dealt train and validation anew" if content.resplit else ""
    caption = (
        f"Confirmed strategies of the study {content.name}, by mean validation {content.metric} over n fresh "
        f"seeds{anew}. "
        f"Test {content.metric}, and its difference to default full fine-tuning, with 95 % intervals over seeds and "
        f"{count} test examples. Bold: the winner, decided on validation before the test set was opened."
    )
    table = shown(board).rename(columns={"Seeds": "n"})
    tied = board.index[board["tied_with_best"].astype(bool)].tolist()
    return booktabs(
        table, caption=caption, label="tab:leaderboard", bold=board.index[:1].tolist(), tied=tied, wide="Strategy"
    )


def _places(board: pd.DataFrame) -> int:
    return shared_decimals(interval_of(row, "test") for row in board.to_dict("records"))


def _texts(row: Mapping[Any, Any], places: int) -> dict[str, str]:
    """Return every cell of a row as text."""
    return {
        **{name: str(row[name]) for name in ("rank", "strategy", "role", "seeds")},
        "val_mean": number(float(row["val_mean"]), places),
        "test": plain(interval_of(row, "test"), places),
        **{name: difference(interval_of(row, name), places) for name in ("delta_full", "delta_best_full")},
        "delta_probe": number(float(row["delta_probe"]), places, "+"),
        "p_best": number(float(row["p_best"]), 2),
        "trainable_share": share(float(row["trainable_share"])),
        "peak_memory_mb": number(float(row["peak_memory_mb"]), 0),
        "seconds": duration(float(row["seconds"])),
    }


def difference(value: Interval, places: int | None = None) -> str:
    """Return a difference with its interval; 0 for that of a strategy to itself."""
    return "0" if value.mean == value.low == value.high == 0 else signed(value, places)

"""The confirmed strategies: their seeds, and of the winner which block moved and what it mistook for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from search.report.figures.figure import Axis, Bar, Cell, Drawing, Figure, Missing, Point, Points, Whisker
from search.report.figures.maps import UNCONFIRMED
from search.report.rounding import plain
from search.report.styles import family
from search.results.leaderboard import interval_of

MOST_CLASSES = 20
MOST_WITH_NUMBERS = 12
ACTUAL = "class \\ predicted"  # no folder can have this name


def finalist_seeds(board: pd.DataFrame, trials: pd.DataFrame, metric: str) -> Drawing:
    """The test score of every seed of every confirmed strategy, and the interval of their mean."""
    name, title = "seeds", "Confirmed strategies, seed by seed"
    if board.empty:
        return Missing(name, title, UNCONFIRMED)
    confirmed = trials[(trials["stage"] == "confirm") & trials["test_score"].notna()]
    if confirmed.empty:
        return Missing(name, title, "no test score is recorded")
    layers: list[Points | Whisker] = []
    rows = []
    for index, row in enumerate(board.to_dict("records")):
        own = confirmed[confirmed["key"] == row["key"]]
        test = interval_of(row, "test")
        if test.known:
            layers.append(Whisker(index, test.low, test.mean, test.high, f"{row['strategy']}: {plain(test)}"))
        seeds = zip(own["trial"], own["seed"], own["test_score"].astype(float), strict=True)
        dots = [Point(score, index, f"{trial}, seed {seed}: {score:.4f}") for trial, seed, score in seeds]
        layers.append(Points(family(row), tuple(dots)))
        rows += [{"rank": row["rank"], **each} for each in _seed_rows(own)]
    return Figure(
        name,
        title,
        "Each mark is one fresh seed on the test set; the bar is the 95 % interval of the mean over seeds and "
        "examples. The order is that of validation, on which the decision was taken.",
        Axis(f"test {metric}"),
        Axis("", names=tuple(f"{row['rank']}. {row['strategy']}" for row in board.to_dict("records"))),
        tuple(layers),
        pd.DataFrame(rows, columns=["rank", "strategy", "trial", "seed", "validation", "test"]),
        wide=True,
    )


def _seed_rows(own: pd.DataFrame) -> list[Mapping[str, object]]:
    kept = own[["strategy", "trial", "seed", "score", "test_score"]]
    renamed = kept.rename(columns={"score": "validation", "test_score": "test"})
    return [{str(name): value for name, value in row.items()} for row in renamed.to_dict("records")]


def weight_change(changes: pd.DataFrame, strategy: str) -> Drawing:
    """How far each block of what is recommended moved from where it started, relative to its size.

    ``changes`` has the columns trial, block and change, its blocks from input to output.
    """
    name, title = "weight-change", "Which block wanted to move"
    if changes.empty:
        return Missing(name, title, "no weight change was recorded for it")
    blocks = changes["block"].drop_duplicates()
    table = changes.pivot_table(index="block", columns="trial", values="change", sort=False).loc[blocks]
    table.columns.name = None
    means = table.mean(axis=1)
    bars = [Bar("plain", row, float(mean), f"{mean:.3g}") for row, mean in enumerate(means)]
    return Figure(
        name,
        title,
        f"Norm of the change of each block's trained weights over the norm they started with, the mean of "
        f"{table.shape[1]} seeds ({strategy}). From input to output; what stayed frozen is not listed.",
        Axis("relative change", start=0),
        Axis("", names=tuple(map(str, table.index))),
        tuple(bars),
        table.assign(mean=means).reset_index(),
    )


def confusion(counted: pd.DataFrame, strategy: str) -> Drawing:
    """What was taken for what in the test set, over all seeds; ``counted`` has a row per pair of classes."""
    name, title = "confusion", "What was taken for what"
    if counted.empty or not counted["count"].any():
        return Missing(name, title, "no test predictions of it are kept")
    classes = counted["label"].drop_duplicates().tolist()
    counts = counted["count"].to_numpy(dtype=np.int64).reshape(len(classes), len(classes))
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    shown = np.sort(np.argsort(-wrong, kind="stable")[:MOST_CLASSES])
    part = counts[np.ix_(shown, shown)]
    totals = counts.sum(axis=1)[shown]
    names = [str(classes[index]) for index in shown]
    cells = [
        _cell(row, column, int(part[row, column]), int(totals[row]), names)
        for row in range(len(names))
        for column in range(len(names))
    ]
    fewer = f" Shown: the {len(shown)} classes with most errors of {len(classes)}." if len(shown) < len(classes) else ""
    return Figure(
        name,
        title,
        f"Rows: the class. Columns: what {strategy} said, on the test set, all seeds together. "
        f"Shade and number: share of the row.{fewer}",
        Axis("predicted", names=tuple(names)),
        Axis("class", names=tuple(names)),
        tuple(cells),
        pd.DataFrame(part, columns=names, index=pd.Index(names, name=ACTUAL)).reset_index(),
    )


def _cell(row: int, column: int, count: int, total: int, names: Sequence[str]) -> Cell:
    part = count / total if total else 0.0
    text = f"{part:.0%}".rstrip("%") if len(names) <= MOST_WITH_NUMBERS and count else ""
    return Cell(row, column, part, text, f"{names[row]} taken for {names[column]}: {count} of {total}")

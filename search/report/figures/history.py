"""What the search did: learning curves, how many trials each rung let go on, the best score over time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from search.report.figures.figure import Axis, Bar, Drawing, Figure, Line, Missing, Point, Points
from search.report.figures.maps import UNFINISHED, whole
from search.report.styles import KINDS, families
from search.rungs import ALL

MOST_CURVES = 32
KIND_OF_STRATUM = {"head": "probe", "direct": "top", "delayed": "gradual", "scratch": "scratch"}


def learning_curves(trials: pd.DataFrame, epochs: pd.DataFrame, metric: str, mode: str) -> Drawing:
    """Score by epoch: the trials that got furthest, coloured by kind, over the faint curves of the others."""
    name, title = "learning-curves", "Learning curves"
    seen = trials[(trials["stage"] != "confirm") & (trials["state"] != "reused")]
    seen = seen.sort_values(["epochs", "score"], ascending=[False, mode == "min"], kind="stable")
    drawn = seen["trial"].head(MOST_CURVES).tolist()
    known = epochs[epochs["trial"].isin(drawn) & np.isfinite(epochs["score"].astype(float))]
    if known.empty:
        return Missing(name, title, "no epoch has a score yet")
    wide = known.pivot_table(index="trial", columns="epoch", values="score", aggfunc="last")
    rows = seen[seen["trial"].isin(wide.index)].set_index("trial")
    kinds = families(rows)
    lines = tuple(_curve(wide.loc[trial], str(trial), kinds[trial], rows.loc[trial]) for trial in reversed(rows.index))
    left_out = len(seen) - len(rows)
    more = f" Not drawn: {left_out} trials, which stand in tables/epochs.csv." if left_out else ""
    return Figure(
        name,
        title,
        f"Validation score after each epoch; faint: stopped early or failed.{more}",
        Axis("epoch", whole=True),
        Axis(f"validation {metric}"),
        lines,
        _as_rows(wide.reindex(rows.index)),
        tuple(kind for kind in KINDS if (kinds[rows["state"] == "complete"] == kind).any()),
    )


def _curve(scores: pd.Series[float], trial: str, kind: str, row: pd.Series[Any]) -> Line:
    points = tuple((float(str(epoch)), float(score)) for epoch, score in scores.dropna().items())
    return Line(kind, points, f"{trial}: {row['strategy']}", faint=row["state"] != "complete")


def _as_rows(wide: pd.DataFrame) -> pd.DataFrame:
    renamed = wide.rename(columns={epoch: f"epoch {epoch}" for epoch in wide.columns})
    renamed.columns.name = None
    return renamed.reset_index()


def rung_funnel(funnel: pd.DataFrame) -> Drawing:
    """How many trials of each stratum came how far."""
    name, title = "rungs", "How far trials were let go"
    if funnel.empty:
        return Missing(name, title, "no trial has come to a rung")
    records = funnel.to_dict("records")
    within = "Trials compete within their stratum, in the second half of the epochs with all."
    race = "All compete in one race." if funnel["stratum"].eq(ALL).all() else within
    bars = tuple(
        Bar(KIND_OF_STRATUM.get(str(row["stratum"]), "plain"), index, float(row["reached"]), str(row["reached"]))
        for index, row in enumerate(records)
    )
    return Figure(
        name,
        title,
        f"Search trials that came to each rung, and to the last epoch. {race}",
        Axis("trials", start=0, whole=True),
        Axis("", names=tuple(f"{row['stratum']}: epoch {row['epoch']}" for row in records)),
        bars,
        funnel,
    )


def best_so_far(trials: pd.DataFrame, metric: str, mode: str) -> Drawing:
    """The best score at the last epoch, over the training time spent until then."""
    name, title = "best-so-far", "Best score over the time spent"
    seen = trials[(trials["stage"] == "search") & (trials["state"] != "reused")]
    spent = seen["seconds"].astype(float).fillna(0).cumsum()
    ended = whole(seen)
    if ended.empty:
        return Missing(name, title, UNFINISHED)
    score = ended["score"].astype(float)
    best = score.cummax() if mode == "max" else score.cummin()
    table = pd.DataFrame({"trial": ended["trial"], "seconds": spent[ended.index], "score": score, "best": best})
    steps = _steps(table["seconds"].tolist(), table["best"].tolist())
    dots = zip(table["seconds"], table["score"], table["trial"], strict=True)
    points = tuple(Point(at, value, f"{trial}: {value:.4f}") for at, value, trial in dots)
    return Figure(
        name,
        title,
        "Trials at the last epoch in the order they were proposed, over the training time added up until then.",
        Axis("seconds of training, added up"),
        Axis(f"validation {metric}"),
        (Line("plain", steps, "the best so far"), Points("plain", points, dim=True)),
        table,
    )


def _steps(x: list[float], y: list[float]) -> tuple[tuple[float, float], ...]:
    """Return the corners of a line that keeps its height until the next value."""
    corners = [(x[0], y[0])]
    for at, value in zip(x[1:], y[1:], strict=True):
        corners += [(at, corners[-1][1]), (at, value)]
    return tuple(corners)

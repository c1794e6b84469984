"""Where strategies lie: score by depth, by cost, by the ratio of the learning rates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from search.report.figures.figure import Axis, Drawing, Figure, Line, Missing, Point, Points, Whisker
from search.report.styles import KINDS, depths, families

PRUNED = "hollow: stopped before the last epoch"
UNCONFIRMED = "nothing was confirmed yet"
NOTHING, UNFINISHED = "no trial has a score yet", "no trial has reached the last epoch yet"
DECADE = 10  # from the cheapest to the dearest: a logarithmic axis
SPREAD = 0.22  # how far marks of one depth stand apart, in blocks


def strategy_map(trials: pd.DataFrame, blocks: int, metric: str) -> Drawing:
    """Score by the number of blocks that train, coloured by the kind of freezing."""
    name, title = "strategy-map", "Score by unfrozen depth"
    seen = scored(trials)
    if seen.empty:
        return Missing(name, title, NOTHING)
    seen = seen.assign(depth=depths(seen, blocks))
    return Figure(
        name,
        title,
        "Validation score at the last epoch reached, by how many blocks train. Marks of one depth stand side by side "
        "by kind. Norms and biases are part of every block and stand at the full depth.",
        Axis("blocks that train (0: the head alone)", whole=True),
        Axis(f"validation {metric}"),
        _by_kind(seen, seen["depth"] + _aside(seen)),
        _named(
            seen.assign(depth=seen["depth"].astype(int), stopped=np.where(seen["state"] == "pruned", "yes", "")),
            *("depth", "stopped", "score"),
        ),
        _legend(seen),
        PRUNED,
    )


def cost_map(pareto: pd.DataFrame, board: pd.DataFrame, metric: str) -> Drawing:
    """Score against the cost of a training, of the confirmed strategies, with the front that nothing beats."""
    name, title = "cost", "Cost against score"
    seen = pareto[(pareto["cost"].astype(float) > 0) & np.isfinite(pareto["score"].astype(float))]
    if seen.empty:
        return Missing(name, title, UNCONFIRMED)
    wide = seen["cost"].max() >= DECADE * seen["cost"].min()
    kind = dict(zip(board["key"], families(board), strict=True))
    line = seen[seen["on_front"].astype(bool)]
    marks = [
        Points(
            kind[str(row["key"])],
            (Point(float(row["cost"]), float(row["score"]), f"{row['strategy']}, {row['score']:.4f}"),),
            dim=not row["on_front"],
        )
        for row in seen.to_dict("records")
    ]
    return Figure(
        name,
        title,
        "Cost of one training and mean validation score over seeds of the confirmed strategies. Nothing on the line "
        "is beaten at less cost; what is beaten is pale.",
        Axis("cost of a training, in forward passes of the whole network", log=bool(wide)),
        Axis(f"validation {metric}"),
        (Line("plain", tuple(zip(line["cost"], line["score"], strict=True)), "the Pareto front"), *marks),
        seen.assign(front=np.where(seen["on_front"], "yes", ""))[
            ["strategy", "role", "seeds", "cost", "cost_share", "score", "front"]
        ],
        tuple(each for each in KINDS if each in {kind[str(key)] for key in seen["key"]}),
    )


def ratio_map(trials: pd.DataFrame, metric: str) -> Drawing:
    """Score by the backbone's share of the head's learning rate, with what is usual in each part of the range."""
    name, title = "lr-ratio", "Score by learning-rate ratio"
    seen = whole(trials)
    seen = seen[seen["lr_ratio"].astype(float) > 0]
    seen = seen[seen["reinit"] != "all"]  # nothing pretrained is left for the ratio to protect
    if seen.empty:
        return Missing(name, title, "no trial that trains a pretrained block has reached the last epoch yet")
    return Figure(
        name,
        title,
        "Backbone learning rate over the head's, of the trials that reached the last epoch. The bars are median and "
        "quartiles by half decades: a description of what was tried, no confidence interval.",
        Axis("backbone LR / head LR", log=True),
        Axis(f"validation {metric}"),
        (*_by_kind(seen, seen["lr_ratio"]), *half_decades(seen)),
        _named(seen, "lr_ratio", "score"),
        _legend(seen),
    )


def kind_map(trials: pd.DataFrame, metric: str) -> Drawing:
    """Score at the last epoch by kind of strategy."""
    name, title = "kinds", "Score by kind of strategy"
    seen = whole(trials)
    if seen.empty:
        return Missing(name, title, UNFINISHED)
    own = {kind: seen[families(seen) == kind] for kind in _legend(seen)}
    spreads = [_spread(float(row), rows["score"].astype(float)) for row, rows in enumerate(own.values())]
    marks = [
        Points(kind, tuple(_points(rows["score"], pd.Series(float(row), rows.index), rows)))
        for row, (kind, rows) in enumerate(own.items())
    ]
    ends = [{"lower quartile": each.low, "median": each.middle, "upper quartile": each.high} for each in spreads]
    return Figure(
        name,
        title,
        "Trials that reached the last epoch, how many there were, and median and quartiles of each kind: a "
        "description of what was tried, no confidence interval.",
        Axis(f"validation {metric}"),
        Axis("", names=tuple(f"{KINDS[kind].words}, {len(rows)}" for kind, rows in own.items())),
        (*spreads, *marks),
        pd.DataFrame(ends).assign(kind=list(own), trials=[len(rows) for rows in own.values()]).iloc[:, [3, 4, 0, 1, 2]],
    )


def half_decades(complete: pd.DataFrame) -> tuple[Whisker, ...]:
    """Return quartiles and median of the score in each half decade of the ratio."""
    starts = np.floor(np.log10(complete["lr_ratio"].astype(float)) * 2 + 1e-9) / 2
    score = complete["score"].astype(float)
    return tuple(
        _spread(10 ** (start + 0.25), score[starts == start], upright=True) for start in sorted(set(starts.tolist()))
    )


def _spread(at: float, score: pd.Series[float], *, upright: bool = False) -> Whisker:
    low, middle, high = (float(np.quantile(score, share)) for share in (0.25, 0.5, 0.75))
    told = f"{len(score)} trials, median {middle:.4f}, quartiles {low:.4f} to {high:.4f}"
    return Whisker(at, low, middle, high, told, upright)


def scored(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the trials of search and controls that trained and have a score, the repeats of others left out."""
    kept = trials["state"].isin(["complete", "pruned"]) & (trials["stage"] != "confirm")
    return trials[kept & np.isfinite(trials["score"].astype(float))]


def whole(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the trials of search and controls that have a score at the last epoch."""
    kept = scored(trials)
    return kept[kept["state"] == "complete"]


def in_brief(trials: pd.DataFrame) -> pd.Series[str]:
    """Return each trial's strategy without its numbers, which the table of trials has."""
    return trials["strategy"].astype("str").str.partition(", head LR")[0]


def _by_kind(seen: pd.DataFrame, x: pd.Series[float]) -> tuple[Points, ...]:
    """Return the marks of each kind, the hollow ones of stopped trials first, so that the others lie above."""
    kinds = families(seen)
    found = []
    for state, hollow in (("pruned", True), ("complete", False)):
        for kind in KINDS:
            rows = seen[(seen["state"] == state) & (kinds == kind)]
            if len(rows):
                found.append(Points(kind, tuple(_points(x.loc[rows.index], rows["score"], rows)), hollow))
    return tuple(found)


def _points(x: pd.Series[float], y: pd.Series[float], rows: pd.DataFrame) -> list[Point]:
    named = zip(x.astype(float), y.astype(float), rows["trial"], in_brief(rows), rows["score"], strict=True)
    return [Point(at, height, f"{trial}: {words}, {score:.4f}") for at, height, trial, words, score in named]


def _named(seen: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return seen.assign(strategy=in_brief(seen))[["trial", "strategy", *columns]]


def _aside(seen: pd.DataFrame) -> pd.Series[float]:
    """Return how far aside of its depth each mark stands: kinds that share a depth do not cover each other."""
    there = [kind for kind in KINDS if (families(seen) == kind).any()]
    places = {kind: SPREAD * (2 * index / max(1, len(there) - 1) - 1) for index, kind in enumerate(there)}
    return families(seen).map(places) if len(there) > 1 else pd.Series(0.0, index=seen.index)


def _legend(seen: pd.DataFrame) -> tuple[str, ...]:
    there = set(families(seen))
    return tuple(kind for kind in KINDS if kind in there)

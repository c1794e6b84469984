"""What a finished run folder must hold, and that its page says what its tables say: checks for any run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from search.config import StudyConfig
from search.layering import resolve
from search.report.figures.catalogue import FIGURES
from search.report.figures.winner import ACTUAL
from search.results.load import attributes
from search.storage import load_study
from spaces.presets import DIMENSION_NAMES
from tests.search.report.reading import Element, read, rows

FILES = (
    *("study.yaml", "optuna.journal", "split.csv"),
    *("tables/trials.csv", "tables/trials.parquet", "tables/epochs.csv", "tables/epochs.parquet"),
    *("tables/leaderboard.csv", "tables/leaderboard.parquet", "tables/leaderboard.md", "tables/leaderboard.tex"),
    *("tables/predictions.parquet", "report/report.html", "report/report.md", "report/report.json"),
    *(f"report/figures/{name}.svg" for name in FIGURES),
    *("best/weights.safetensors", "best/strategy.yaml", "best/labels.json"),
)
TABLES = {
    "trials": [
        *("trial", "stage", "state", "reason", "stratum", "key", *DIMENSION_NAMES, "seed", "epochs", "score"),
        *("seconds", "peak_memory_mb", "trainable_params", "total_params", "boundary", "cache", "cache_reason"),
        *("certificate", "host"),
    ],
    "epochs": ["trial", "stage", "epoch", "train_loss", "val_loss", "score", "seconds", "cost"],
    "leaderboard": [
        *("rank", "strategy", "role", *DIMENSION_NAMES, "seeds", "val_mean", "test_mean", "test_low", "test_high"),
        *("delta_full", "delta_full_low", "delta_full_high", "delta_best_full", "delta_best_full_low"),
        *("delta_best_full_high", "delta_probe", "p_best", "trainable_share", "peak_memory_mb", "seconds"),
        "tied_with_best",
    ],
}
FIELDS = {"verdict", "rule", "controls", "optimism", "search", "decided_at", "test_opened_at"}
VERDICT = {"label", "sentence", "strategy", "metric", "test", "tied"}

UNITS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
Row = dict[str, str]
Rows = list[Row]


class Kept:
    """What a run folder says, read from its files alone; scores are such that higher is better."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.trials = self.table("trials").set_index("trial", drop=False).rename_axis(None)
        self.epochs = self.table("epochs")
        self.board = self.table("leaderboard")
        self.predictions = pd.read_parquet(run_dir / "tables" / "predictions.parquet")
        self.report: dict[str, Any] = json.loads((run_dir / "report" / "report.json").read_text())

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.run_dir / "tables" / f"{name}.csv", dtype={"trial": str})

    @property
    def higher_is_better(self) -> bool:
        """Which way the metric goes."""
        return self.study.metric.mode == "max"

    @property
    def study(self) -> StudyConfig:
        """The study file of the run."""
        return resolve(self.run_dir / "study.yaml", look=False).config

    @property
    def scored(self) -> pd.DataFrame:
        """Trials of search and controls that trained and have a score."""
        own = self.trials[self.trials["stage"].isin(["search", "control"])]
        return own[own["state"].isin(["complete", "pruned"]) & own["score"].notna()]

    @property
    def whole(self) -> pd.DataFrame:
        """Those at the last epoch."""
        return self.scored[self.scored["state"] == "complete"]

    @property
    def confirmed(self) -> pd.DataFrame:
        """Trials on fresh seeds that have a test score."""
        return self.trials[(self.trials["stage"] == "confirm") & self.trials["test_score"].notna()]

    @property
    def recommended(self) -> pd.DataFrame:
        """Those of the strategy that the verdict advises."""
        return self.confirmed[self.confirmed["strategy"] == self.report["verdict"]["strategy"]]


def check_contract(run_dir: Path) -> None:
    """Check every file, column and field that others rely on."""
    assert [name for name in FILES if not (run_dir / name).is_file() or not (run_dir / name).stat().st_size] == []
    # Of images their size and colours, of texts the tokenizer as its own library keeps it.
    assert any((run_dir / "best" / name).is_file() for name in ("preprocessing.json", "tokenizer.json"))
    kept = Kept(run_dir)
    for name, columns in TABLES.items():
        there = list(pd.read_csv(run_dir / "tables" / f"{name}.csv", nrows=0).columns)
        assert there[: len(columns)] == columns, name
    assert set(kept.report) >= FIELDS
    assert set(kept.report["verdict"]) >= VERDICT
    assert kept.report["verdict"]["strategy"] in kept.report["verdict"]["sentence"]


def check_page(run_dir: Path) -> None:
    """Check that the page's verdict, tables and ten figures are those of the run's tables."""
    page, kept = read((run_dir / "report" / "report.html").read_text()), Kept(run_dir)
    sentence = page.first("section", id="verdict").first("p", **{"class": "sentence"}).text()
    assert sentence == kept.report["verdict"]["sentence"]
    check_leaderboard(page, kept)
    for name, check in TABLE_CHECKS.items():
        check(rows(page.first("table", data_table=name)), kept)
    for name, check in CHECKS.items():
        shown = rows(page.first("table", data_figure=name))
        assert shown, name
        check(shown, kept)


def check_leaderboard(page: Element, kept: Kept) -> None:
    """Check ranks, seeds, means and intervals, to the decimals that the page shows."""
    shown = rows(page.first("table", data_table="leaderboard"))
    assert [row["Strategy"] for row in shown] == list(kept.board["strategy"])
    for row, own in zip(shown, kept.board.to_dict("records"), strict=True):
        assert int(row["Rank"]) == own["rank"]
        assert int(row["Seeds"]) == own["seeds"]
        mean, low, high = _numbers(row["Test [95 %]"])
        half = _half(row["Validation"])
        assert mean == pytest.approx(own["test_mean"], abs=half)
        assert (low, high) == pytest.approx((own["test_low"], own["test_high"]), abs=half)
        assert float(row["Validation"]) == pytest.approx(own["val_mean"], abs=half)
        for column, name in (("vs. full [95 %]", "delta_full"), ("vs. best full [95 %]", "delta_best_full")):
            told = [own[f"{name}{end}"] for end in ("", "_low", "_high")]
            _hold(row[column], told)
        _hold(row["vs. probe"], [own["delta_probe"]])
        assert float(row["P(best)"]) == pytest.approx(own["p_best"], abs=0.0051)
        percent = row["Trainable"].rstrip("%")
        assert float(percent) == pytest.approx(100 * own["trainable_share"], abs=_half(percent))
        assert float(row["Memory, MB"]) == pytest.approx(own["peak_memory_mb"], abs=0.51)
        value, unit = row["Time"].split()
        assert float(value) * UNITS[unit] == pytest.approx(own["seconds"], abs=UNITS[unit] * _half(value))


def _hold(text: str, values: Sequence[float]) -> None:
    """Check a cell's numbers to the decimals shown: no ends where they are not known, or of a difference to itself."""
    known = [value for value in values if value == value] if any(values) else [0.0]
    assert _numbers(text) == pytest.approx(known, abs=_half(text)), (text, values)


def _lost(shown: Rows, kept: Kept) -> None:
    first, *others = kept.board.to_dict("records")
    assert [row["Strategy"] for row in shown] == [own["strategy"] for own in others]
    sign = 1 if kept.higher_is_better else -1
    for row, own in zip(shown, others, strict=True):
        for column, mean in (("Behind on validation [95 %]", "val_mean"), ("Behind on test [95 %]", "test_mean")):
            gap, low, high = _numbers(row[column]) if "[" in row[column] else _numbers(row[column]) * 3
            assert gap == pytest.approx(100 * sign * (first[mean] - own[mean]), abs=_half(row[column]))
            assert low <= gap <= high
        assert (row["Shown to be behind"] == "yes") == (own["strategy"] not in kept.report["verdict"]["tied"])


def _promised(shown: Rows, kept: Kept) -> None:
    boards = {row["strategy"]: row for row in kept.board.to_dict("records")}
    assert {row["Strategy"] for row in shown} <= set(boards)
    for row in shown:
        own = boards[row["Strategy"]]
        assert float(row["Validation"]) == pytest.approx(own["val_mean"], abs=5.1e-5)
        assert float(row["Test"]) == pytest.approx(own["test_mean"], abs=5.1e-5)
        if _numbers(row["Search score"]):  # what settled scores are, tests/search/results/test_settled.py says
            gap = float(row["Search score"]) - float(row["Test"])
            assert float(row["Optimism on test"]) == pytest.approx(gap, abs=1.6e-4)


def _kinds_tried(shown: Rows, kept: Kept) -> None:
    tried = kept.trials[kept.trials["stage"].isin(["search", "control"]) & (kept.trials["state"] != "reused")]
    whole = tried[tried["state"] == "complete"]
    kind = tried["freezing"].where(tried["reinit"] != "all", "scratch")
    assert sorted(int(row["Tried"]) for row in shown) == sorted(kind.value_counts())
    ended = kind[whole.index].value_counts()
    assert sum(int(row["To the last epoch"]) for row in shown) == ended.sum()
    assert max(_numbers(row[_best(row)])[0] for row in shown if _numbers(row[_best(row)])) == pytest.approx(
        whole["score"].max(), abs=5.1e-4
    )


def _best(row: Row) -> str:
    return next(column for column in row if column.startswith("Best "))


def _numbers(text: str) -> list[float]:
    return [float(part) for part in re.findall(r"[-+]?\d+(?:\.\d+)?", text)]


def _half(text: str) -> float:
    """Return how far a number may be off that has been rounded to the decimals of the first in ``text``."""
    return 0.51 * 10.0 ** -len(text.partition(" ")[0].partition(".")[2])


def _strategy_map(shown: Rows, kept: Kept) -> None:
    assert _trials(shown) == set(kept.scored["trial"])
    blocks = attributes(kept.run_dir)["blocks"]
    for row in shown:
        own = kept.trials.loc[row["trial"]]
        assert _same(row["score"], own["score"])
        assert row["stopped"] == ("yes" if own["state"] == "pruned" else "")
        whole = {"probe": 0, "full": blocks, "norm_bias": blocks}
        partly = own["window_length"] if own["freezing"] == "window" else own["unfrozen_depth"]
        assert int(row["depth"]) == whole.get(own["freezing"], partly)


def _cost(shown: Rows, kept: Kept) -> None:
    assert {row["strategy"] for row in shown} == set(kept.board["strategy"])
    totals = kept.epochs.groupby("trial")["cost"].sum()
    costs = {}
    for row in shown:
        own = kept.board[kept.board["strategy"] == row["strategy"]].iloc[0]
        trained = kept.trials[(kept.trials["stage"] == "confirm") & (kept.trials["key"] == own["key"])]
        costs[row["strategy"]] = totals[trained["trial"]].mean(), own["val_mean"]
        assert _same(row["cost"], costs[row["strategy"]][0])
        assert _same(row["score"], own["val_mean"])
        assert int(row["seeds"]) == own["seeds"]
    for row in shown:
        cost, score = costs[row["strategy"]]
        beaten = any((c < cost and s >= score) or (c <= cost and s > score) for c, s in costs.values())
        # Of two that are equal in both, the first alone stands on the line.
        assert row["front"] == "" if beaten else row["front"] == "yes" or list(costs.values()).count((cost, score)) > 1


def _kinds(shown: Rows, kept: Kept) -> None:
    kind = kept.whole["freezing"].where(kept.whole["reinit"] != "all", "scratch")
    assert {row["kind"] for row in shown} == set(kind)
    for row in shown:
        scores = kept.whole.loc[kind == row["kind"], "score"]
        assert int(row["trials"]) == len(scores)
        for name, share in (("lower quartile", 0.25), ("median", 0.5), ("upper quartile", 0.75)):
            assert _same(row[name], scores.quantile(share))


def _ratio(shown: Rows, kept: Kept) -> None:
    own = kept.whole[(kept.whole["lr_ratio"] > 0) & (kept.whole["reinit"] != "all")]
    assert _trials(shown) == set(own["trial"])
    for row in shown:
        assert _same(row["lr_ratio"], own.loc[row["trial"], "lr_ratio"])
        assert _same(row["score"], own.loc[row["trial"], "score"])


def _curves(shown: Rows, kept: Kept) -> None:
    searched = kept.epochs[(kept.epochs["stage"] != "confirm") & kept.epochs["score"].notna()]
    scores = searched.set_index(["trial", "epoch"])["score"]
    told = {(row["trial"], int(name[6:])): row[name] for row in shown for name in row if name.startswith("epoch ")}
    told = {place: value for place, value in told.items() if value}
    assert all(_same(value, scores[place]) for place, value in told.items())
    of_these = searched["trial"].isin(_trials(shown)).to_numpy()
    assert set(told) == set(scores[of_these].index)
    assert len(_trials(shown)) == min(32, searched["trial"].nunique())


def _rungs(shown: Rows, kept: Kept) -> None:
    own = kept.trials[(kept.trials["stage"] == "search") & (kept.trials["state"] != "reused")]
    for row in shown:
        race = own if row["stratum"] == "all" else own[own["stratum"].isin(row["stratum"].split(", "))]
        at = kept.epochs[(kept.epochs["epoch"] == int(row["epoch"])) & kept.epochs["score"].notna()]
        assert int(row["reached"]) == at["trial"].isin(race["trial"]).sum()
        stopped = race[(race["state"] == "pruned") & (race["epochs"] == int(row["epoch"]))]
        assert int(row["stopped"]) == (~stopped["reason"].fillna("").str.contains("time")).sum()
    study, strata = kept.study, set(own["stratum"])
    asha = study.search.scheduler == "asha"
    (end,) = (row for row in shown if int(row["epoch"]) == study.budget.epochs)
    assert end["stratum"] == ("all" if asha or len(strata) > 1 else next(iter(strata)))
    early = {row["stratum"] for row in shown if 2 * int(row["epoch"]) < study.budget.epochs}
    if asha:
        assert {row["stratum"] for row in shown} == {"all"}
    elif early:  # what thaws later may be compared late alone
        assert strata - {"delayed"} <= early <= strata


def _best_so_far(shown: Rows, kept: Kept) -> None:
    own = kept.trials[(kept.trials["stage"] == "search") & (kept.trials["state"] != "reused")]
    spent, best = own["seconds"].fillna(0).cumsum(), float("-inf")
    assert [row["trial"] for row in shown] == list(own.loc[own["state"] == "complete", "trial"])
    for row in shown:
        best = max(best, own.loc[row["trial"], "score"])
        assert _same(row["score"], own.loc[row["trial"], "score"])
        assert _same(row["best"], best)
        assert _same(row["seconds"], spent[row["trial"]])


def _seeds(shown: Rows, kept: Kept) -> None:
    assert _trials(shown) == set(kept.confirmed["trial"])
    ranks = dict(zip(kept.board["key"], kept.board["rank"], strict=True))
    for row in shown:
        own = kept.confirmed.loc[row["trial"]]
        assert (int(row["rank"]), int(row["seed"])) == (ranks[own["key"]], own["seed"])
        assert _same(row["validation"], own["score"])
        assert _same(row["test"], own["test_score"])


def _weight_change(shown: Rows, kept: Kept) -> None:
    study = load_study(kept.run_dir, "confirm")
    assert study is not None
    names = [name for name in shown[0] if name not in ("block", "mean")]
    assert set(names) == set(kept.recommended["trial"])
    recorded = {f"c{trial.number}": trial.user_attrs.get("weight_change") for trial in study.get_trials()}
    for name in names:
        moved: Mapping[str, float] = recorded[name] or {}
        assert {row["block"] for row in shown} == set(moved)
        assert all(_same(row[name], moved[row["block"]]) for row in shown)
    assert all(_same(row["mean"], sum(float(row[name]) for name in names) / len(names), 2e-3) for row in shown)


def _confusion(shown: Rows, kept: Kept) -> None:
    classes: list[str] = attributes(kept.run_dir)["classes"]
    own = kept.predictions[kept.predictions["trial"].isin(kept.recommended["trial"])]
    own = own[own["split"] == "test"]
    counts = own.groupby(["label", "prediction"]).size()
    assert len(shown) == min(20, len(classes))
    for row in shown:
        for said in (name for name in row if name != ACTUAL):
            assert int(row[said]) == counts.get((classes.index(row[ACTUAL]), classes.index(said)), 0)


TABLE_CHECKS: Mapping[str, Callable[[Rows, Kept], None]] = {
    "lost": _lost,
    "promised": _promised,
    "kinds": _kinds_tried,
}
CHECKS: Mapping[str, Callable[[Rows, Kept], None]] = {
    "strategy-map": _strategy_map,
    "cost": _cost,
    "lr-ratio": _ratio,
    "kinds": _kinds,
    "learning-curves": _curves,
    "rungs": _rungs,
    "best-so-far": _best_so_far,
    "seeds": _seeds,
    "weight-change": _weight_change,
    "confusion": _confusion,
}


def _trials(shown: Rows) -> set[str]:
    found = {row["trial"] for row in shown}
    assert len(found) == len(shown)
    return found


def _same(text: str, value: float, rel: float = 1e-4) -> bool:
    """Tell whether a number as shown, to five digits, is ``value``."""
    return float(text) == pytest.approx(float(value), rel=rel, abs=1e-9)

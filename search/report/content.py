"""Everything the report says, as data. Reads the run folder; draws and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from search.report.hours import Cut, what_was_cut
from search.results import evidence, load
from search.results.intervals import Interval, Sample
from search.results.leaderboard import COLUMNS, leaderboard, plain
from search.results.rule import against_rule, told
from search.results.verdict import Decision, read_decision, sentence

MISSING = "No verdict yet: {}."


@dataclass(frozen=True)
class Report:
    """The report's content; ``verdict`` always has a label and a sentence."""

    name: str
    metric: str
    mode: str
    trials: pd.DataFrame
    epochs: pd.DataFrame
    predictions: pd.DataFrame
    leaderboard: pd.DataFrame
    verdict: Mapping[str, Any]
    controls: Mapping[str, Any]
    rule: Mapping[str, Any] | None
    optimism: Mapping[str, float | None]
    search: Mapping[str, Any]
    cut: Cut
    hours: float | None
    facts: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return ``report.json``."""
        decision = self.facts.get(evidence.DECISION, {})
        openings = self.facts.get(evidence.TEST_OPENED, [])
        return {
            "name": self.name,
            "verdict": dict(self.verdict),
            "rule": dict(self.rule) if self.rule else None,
            "controls": dict(self.controls),
            "optimism": dict(self.optimism),
            "search": dict(self.search),
            "cut": self.cut,
            "decided_at": decision.get("at"),
            "test_opened_at": openings[0]["at"] if openings else None,
            "test_openings": openings,
        }


def gather(run_dir: Path) -> Report:
    """Read a run folder, finished or not."""
    study = yaml.safe_load((run_dir / "study.yaml").read_text(encoding="utf-8"))
    metric, mode = study["metric"]["name"], study["metric"]["mode"]
    trials, epochs = load.load(run_dir)
    facts = load.attributes(run_dir)
    decision = read_decision(facts[evidence.DECISION]) if evidence.DECISION in facts else None
    board, verdict = pd.DataFrame(columns=list(COLUMNS)), _no_verdict(facts, trials)
    optimism: dict[str, float | None] = {"val": None, "test": None}
    gain: Interval | None = None
    tested = facts.get(evidence.TEST_OPENED) and trials["test_score"].notna().any()
    if decision and tested:
        confirmed = trials[(trials["stage"] == "confirm") & (trials["state"] == "complete")]
        val, test = (evidence.measured_on(run_dir, split, metric) for split in ("val", "test"))
        board = leaderboard(confirmed, decision, val, test, facts["controls"], mode)
        verdict = _verdict(decision, board, test, facts["controls"], metric, len(facts[evidence.TEST_OPENED]))
        optimism = _optimism(trials, board.iloc[0])
        gain = against_rule(facts, test, decision.recommended)
    return Report(
        name=study["name"],
        metric=metric,
        mode=mode,
        trials=trials,
        epochs=epochs,
        predictions=evidence.all_predictions(run_dir),
        leaderboard=board,
        verdict=verdict,
        controls=_controls(board, facts.get("controls", {})),
        rule=told(facts, gain, trained=float(trials["seconds"].sum())),
        optimism=optimism,
        search=_search(trials),
        cut=what_was_cut(facts, trials),
        hours=study["budget"]["hours"],
        facts=facts,
    )


def _no_verdict(facts: Mapping[str, Any], trials: pd.DataFrame) -> dict[str, Any]:
    if evidence.DECISION in facts:
        why = "the decision is written down, the test set is not opened"
    elif evidence.FINALISTS in facts:
        why = "confirmation has not ended"
    elif (trials["state"] == "failed").all() and len(trials):
        why = "every trial failed"
    else:
        why = "the search has not ended"
    return {"label": None, "sentence": MISSING.format(why), "strategy": None, "metric": None, "test": None, "tied": []}


def _verdict(
    decision: Decision, board: pd.DataFrame, test: Sample, controls: Mapping[str, str], metric: str, openings: int
) -> dict[str, Any]:
    rows = {row["key"]: row for row in board.to_dict("records")}
    chosen = rows[decision.recommended]
    shown = test.interval(decision.recommended)
    full = controls.get("full")
    compare = full in test.means and full != decision.recommended
    gain: Interval | None = test.difference(decision.recommended, str(full)) if compare else None
    seeds = int(chosen["seeds"])
    told = sentence(decision, str(chosen["strategy"]), metric, shown, seeds, gain)
    if openings > 1:
        told += f" The test set was opened {openings} times: its scores were known when the search was extended."
    return {
        "label": decision.label,
        "sentence": told,
        "strategy": chosen["strategy"],
        "metric": metric,
        "test": plain({"mean": shown.mean, "low": shown.low, "high": shown.high, "seeds": seeds}),
        "tied": [rows[key]["strategy"] for key in decision.tied],
        "winner": rows[decision.winner]["strategy"],
    }


def _controls(board: pd.DataFrame, controls: Mapping[str, str]) -> dict[str, Any]:
    wanted = ["rank", "strategy", "val_mean", "test_mean", "test_low", "test_high", "seeds"]
    rows = board.set_index("key")
    return {name: plain(rows.loc[key, wanted].to_dict()) for name, key in controls.items() if key in rows.index}


def _optimism(trials: pd.DataFrame, winner: pd.Series[Any]) -> dict[str, float | None]:
    """Return how much the winner's search score promised beyond its confirmed scores."""
    complete = trials[(trials["stage"] != "confirm") & (trials["state"] == "complete")]
    searched = complete[complete["key"] == winner["key"]]
    if searched.empty:
        return {"val": None, "test": None}
    score = float(searched.iloc[0]["score"])
    return {"val": score - float(winner["val_mean"]), "test": score - float(winner["test_mean"])}


def _search(trials: pd.DataFrame) -> dict[str, Any]:
    search = trials[trials["stage"] == "search"]
    counted = search["state"].value_counts()
    trained = search[search["state"] != "reused"]
    return {
        "trials": len(trained),
        "complete": int(counted.get("complete", 0)),
        "pruned": int(counted.get("pruned", 0)),
        "failed": int(counted.get("failed", 0)),
        "reused": int(counted.get("reused", 0)),
        "seconds": round(float(pd.to_numeric(trained["seconds"]).sum()), 3),
    }

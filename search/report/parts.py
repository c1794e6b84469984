"""The parts of the report that are read straight off the tables: the verdict, the controls, counts, what is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from search.clock import TIME_UP
from search.report import sentences
from search.results.compare import Rival
from search.results.evidence import DECISION, FINALISTS, TEST_OPENED, tested
from search.results.intervals import Interval, Sample
from search.results.leaderboard import by_key, plain
from search.results.verdict import Decision
from search.storage import SEARCH

LOST = (
    *("key", "strategy", "role", "seeds", "gap", "gap_low", "gap_high", "p_holm", "beaten"),
    *("test_gap", "test_gap_low", "test_gap_high"),
)
MISSING = "No verdict yet: {}."


def no_verdict(facts: Mapping[str, Any], trials: pd.DataFrame) -> dict[str, Any]:
    """Return the verdict of a run that has none, with the reason."""
    sentence = MISSING.format(_why(facts, trials))
    return {"label": None, "sentence": sentence, "strategy": None, "metric": None, "test": None, "tied": []}


def _why(facts: Mapping[str, Any], trials: pd.DataFrame) -> str:
    confirmations = trials[trials["stage"] == "confirm"]
    ended = "running" not in set(trials["state"])
    if DECISION in facts:
        return f"the decision is written down, the test set is {_opening(facts)}"
    if FINALISTS in facts:
        failed = len(confirmations) and (confirmations["state"] == "failed").all()
        return "every confirmation failed" if failed else "confirmation has not ended"
    if (trials["state"] == "failed").all() and len(trials):
        return "every trial failed"
    if ended and facts.get(TIME_UP.format(SEARCH)) and not (trials["state"] == "complete").any():
        return "time was up before a trial had reached its last epoch"
    return "the search has not ended"


def missing(facts: Mapping[str, Any], trials: pd.DataFrame) -> tuple[str, ...]:
    """Return what a run that is still going, or was cut short, has not got to; nothing of one that has ended."""
    told = []
    running = trials[trials["state"] == "running"]
    for stage, rows in running.groupby("stage", sort=False):
        named = ", ".join(rows["trial"].head(5)) + (", …" if len(rows) > 5 else "")
        told.append(f"{len(rows)} trials of the stage {stage} have no end yet ({named}).")
    if FINALISTS not in facts:
        told.append("The finalists are not named: the search has not ended, or left nothing to confirm.")
    elif DECISION not in facts:
        done = int(((trials["stage"] == "confirm") & (trials["state"] == "complete")).sum())
        told.append(f"Nothing is decided: confirmation has {done} runs so far.")
    elif not facts.get(TEST_OPENED):
        told.append("The test set is not opened: there are no test scores.")
    elif not tested(trials, facts):
        told.append(f"The test set is {_opening(facts)}.")
    return tuple(told)


def _opening(facts: Mapping[str, Any]) -> str:
    """Return how far the opening of the test set has got that belongs to the decision."""
    openings = facts.get(TEST_OPENED) or []
    if not openings or facts[DECISION]["at"] > openings[-1]["at"]:
        return "not opened for it yet" if openings else "not opened"
    return f"opened since {openings[-1]['at']}, and not measured to the end"


def verdict(
    decision: Decision,
    board: pd.DataFrame,
    pareto: pd.DataFrame,
    test: Sample,
    controls: Mapping[str, str],
    metric: str,
    openings: int,
) -> dict[str, Any]:
    """Return the verdict of a study that came to its end."""
    rows = by_key(board)
    cost = plain(by_key(pareto)[decision.recommended])["cost_share"]
    chosen = rows[decision.recommended]
    shown = test.interval(decision.recommended)
    gain = against(test, decision.recommended, controls.get("full"))
    seeds = int(chosen["seeds"])
    told = sentences.verdict(decision, str(chosen["strategy"]), metric, shown, seeds, test.examples, gain, cost)
    return {
        "label": decision.label,
        "sentence": told + sentences.opened(openings),
        "strategy": chosen["strategy"],
        "metric": metric,
        "test": plain({"mean": shown.mean, "low": shown.low, "high": shown.high, "seeds": seeds}),
        "examples": test.examples,
        "tied": [rows[key]["strategy"] for key in decision.tied],
        "winner": rows[decision.winner]["strategy"],
        "key": decision.recommended,
    }


def against(test: Sample, key: str, other: str | None) -> Interval | None:
    """Return the difference of two confirmed strategies; None where they are one, or one was not confirmed."""
    return None if other is None or other == key or other not in test.scores else test.difference(key, other)


def lost(board: pd.DataFrame, rivals: tuple[Rival, ...], test: Sample, winner: str, mode: str) -> pd.DataFrame:
    """Return the winner's rivals in the leaderboard's order, and by how much they lost.

    Columns: `LOST`; gap on validation, where it was decided, with its 95 % interval of this comparison
    alone; p_holm, corrected for all of them; beaten, whether that is evidence; test_gap, only reported.
    """
    rows = by_key(board)
    found = []
    for rival in sorted(rivals, key=lambda each: int(rows[each.name]["rank"])):
        on_test = test.difference(winner, rival.name)
        on_test = on_test if mode == "max" else on_test.flipped
        row = rows[rival.name]
        gaps = (rival.gap.mean, rival.gap.low, rival.gap.high, rival.p, rival.beaten)
        ends = (on_test.mean, on_test.low, on_test.high)
        found.append((rival.name, row["strategy"], row["role"], int(row["seeds"]), *gaps, *ends))
    return pd.DataFrame(found, columns=list(LOST))


def gains(board: pd.DataFrame, recommended: str) -> dict[str, Interval]:
    """Return both gains of what is recommended, on test, of searching and of the strategy, as far as they are known."""
    row = by_key(board)[recommended]
    names = {"searching": "delta_full", "strategy": "delta_best_full"}
    ends = {gain: [float(row[f"{name}{end}"]) for end in ("", "_low", "_high")] for gain, name in names.items()}
    return {gain: Interval(*three) for gain, three in ends.items() if not math.isnan(three[0])}


def controls(board: pd.DataFrame, keys: Mapping[str, str]) -> dict[str, Any]:
    """Return the leaderboard's figures of each control, by its name."""
    wanted = ["rank", "strategy", "val_mean", "test_mean", "test_low", "test_high", "seeds"]
    rows = by_key(board)
    return {name: plain({column: rows[key][column] for column in wanted}) for name, key in keys.items() if key in rows}


def optimism(promised: pd.DataFrame) -> dict[str, float | None]:
    """Return how much the search's score of the winner promised beyond its confirmed scores."""
    if promised.empty:
        return {"val": None, "test": None}
    first = plain(promised.to_dict("records")[0])
    return {"val": first["optimism_val"], "test": first["optimism_test"]}


def search_counts(trials: pd.DataFrame) -> dict[str, Any]:
    """Count the search's trials by how they ended."""
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

"""The trust checklist: what a sceptical reader would ask of a study, answered from what it recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from search.commit import in_words
from search.report.hours import Cut, cut_lines
from search.results.compute import Compute
from search.results.evidence import DECISION, TEST_OPENED

Status = Literal["pass", "warn", "fail"]
ENOUGH_SEEDS = 3
ENOUGH_TRIALS = 5  # for a rank correlation
SAFE = 0.5  # rank correlation between a rung and the end
MANY_FAILURES = 0.2  # of the trials that trained


@dataclass(frozen=True)
class Check:
    """One question, its answer as a sentence, and whether that is as it should be."""

    name: str
    status: Status
    text: str


def checks(
    trials: pd.DataFrame,
    board: pd.DataFrame,
    facts: Mapping[str, Any],
    *,
    borders: pd.DataFrame,
    agreement: pd.DataFrame,
    promised: pd.DataFrame,
    compute: Compute,
    cut: Cut,
    hours: float | None,
    mode: str,
    resplit: bool = False,
    computing: Sequence[Mapping[str, Any]] = (),
) -> tuple[Check, ...]:
    """Return the checks that can be made by now; what needs a verdict only where there is one."""
    made = [_frozen(trials), _split(facts, resplit), _duplicates(facts), _failures(trials), _time(cut, hours)]
    made += [_versions(facts), _commit(facts), _determinism(computing)]
    if len(agreement):
        made.append(_pruning(agreement))
    if DECISION in facts:
        made.insert(0, _opened(facts))
    if len(board):
        made += [
            _seeds(board),
            _baselines(board, facts),
            _optimism(promised, board),
            _border(borders),
            _order(board, mode),
        ]
        made.append(_floor(compute))
    return tuple(made)


def _opened(facts: Mapping[str, Any]) -> Check:
    decided, openings = facts[DECISION]["at"], facts.get(TEST_OPENED, [])
    if not openings:
        return Check("test set", "warn", f"The decision was written down at {decided}; the test set is not opened yet.")
    first = openings[0]["at"]
    began = facts[DECISION]["earlier"][0]["at"] if facts[DECISION].get("earlier") else decided
    if began > first:
        return Check("test set", "fail", f"The test set was opened at {first}, before the decision of {began}.")
    if len(openings) > 1:
        text = f"The test set was opened {len(openings)} times: its scores were known when the search was extended."
        return Check("test set", "warn", text)
    return Check("test set", "pass", f"The test set was opened 1 time, at {first}, after the decision of {decided}.")


def _frozen(trials: pd.DataFrame) -> Check:
    trained = trials[trials["state"] != "reused"]
    broken = int((trained["certificate"] == "broken").sum())
    proven = int((trained["certificate"] == "ok").sum())
    if broken:
        return Check("frozen stayed frozen", "fail", f"What was to stay frozen changed in {broken} trials.")
    return Check("frozen stayed frozen", "pass", f"Bit-identical in all {proven} trials that froze anything.")


def _split(facts: Mapping[str, Any], resplit: bool) -> Check:
    hashed = f"(hash {facts.get('split_hash', '-')})"
    if resplit:
        text = (
            f"Every strategy was searched on the same split {hashed}; each fresh seed dealt train and validation anew,"
        )
        return Check("one split", "pass", f"{text} the same for every strategy. The test set is one.")
    return Check("one split", "pass", f"Every strategy saw the same split {hashed}.")


def _duplicates(facts: Mapping[str, Any]) -> Check:
    told = [str(warning) for warning in facts.get("warnings", [])]
    return Check("data", "warn", "; ".join(told)) if told else Check("data", "pass", "No sample is in two splits.")


def _failures(trials: pd.DataFrame) -> Check:
    trained = trials[trials["state"] != "reused"]
    failed = int((trained["state"] == "failed").sum())
    text = f"{failed} of {len(trained)} trials failed."
    return Check("failures", "warn" if failed > MANY_FAILURES * len(trained) else "pass", text)


def _time(cut: Cut, hours: float | None) -> Check:
    lines = cut_lines(cut, hours)
    return Check("time", "warn", " ".join(lines)) if lines else Check("time", "pass", "Nothing was cut for time.")


def _versions(facts: Mapping[str, Any]) -> Check:
    there = facts.get("versions")
    if not there:
        return Check("versions", "warn", "The versions it ran with were not recorded.")
    return Check("versions", "pass", ", ".join(f"{name} {version}" for name, version in there.items()) + ".")


def _commit(facts: Mapping[str, Any]) -> Check:
    line = commit_line(facts)
    if line is None:
        return Check(
            "commit", "pass", "Neither the study's folder nor thawline's own is under git; versions say the rest."
        )
    changed = any(found and found["changed"] for found in facts["commits"].values())
    return Check("commit", "warn" if changed else "pass", f"{line}.")


def commit_line(facts: Mapping[str, Any]) -> str | None:
    """Return at which commits the run began; None where nothing is under git."""
    words = {"study": "the study's folder", "thawline": "thawline"}
    found = {name: in_words(commit) for name, commit in (facts.get("commits") or {}).items()}
    told = [f"{words[name]} at commit {commit}" for name, commit in found.items() if commit]
    return f"Began with {' and '.join(told)}" if told else None


def _determinism(computing: Sequence[Mapping[str, Any]]) -> Check:
    line = computing_line(computing)
    if line is None:
        return Check("determinism", "warn", "What trials computed on was not recorded.")
    return Check("determinism", "pass" if len(computing) == 1 else "warn", f"{line}.")


def computing_line(computing: Sequence[Mapping[str, Any]]) -> str | None:
    """Return what decided the last digits of the trials, each way in which they computed; None where unknown."""
    told = [f"{way['trials']} trials on {_way(way)}" for way in computing]
    return f"Computed: {'; '.join(told)}" if told else None


def _way(way: Mapping[str, Any]) -> str:
    switches = {name.replace("_", " "): way[name] for name in way if name not in ("device", "threads", "trials")}
    words = {True: "on", False: "off"}
    told = (f"{name} {words[value] if isinstance(value, bool) else value}" for name, value in switches.items())
    return f"{way['device']} with {way['threads']} thread{'' if way['threads'] == 1 else 's'} ({', '.join(told)})"


def _pruning(agreement: pd.DataFrame) -> Check:
    judged = agreement[(agreement["n"] >= ENOUGH_TRIALS) & agreement["correlation"].notna()]
    if judged.empty:
        text = (
            f"Too few trials came to their end to say whether early stopping was safe (below {ENOUGH_TRIALS} a rung)."
        )
        return Check("early stopping", "warn", text)
    worst = judged.sort_values("correlation").to_dict("records")[0]
    text = (
        f"The order at a rung foretold that at the end with a rank correlation of {worst['correlation']:.2f} or more "
        f"(lowest: {worst['stratum']}, epoch {worst['epoch']}, n = {worst['n']}, survivors only)."
    )
    return Check("early stopping", "pass" if worst["correlation"] >= SAFE else "warn", text)


def _seeds(board: pd.DataFrame) -> Check:
    winner, fewest = int(board.iloc[0]["seeds"]), int(board["seeds"].min())
    others = f", the others on {fewest} or more" if len(board) > 1 else ""
    text = f"The winner was trained on {winner} fresh seeds{others}."
    return Check("seeds", "pass" if winner >= ENOUGH_SEEDS else "warn", text)


def _baselines(board: pd.DataFrame, facts: Mapping[str, Any]) -> Check:
    missing = [name for name, key in facts.get("controls", {}).items() if key not in set(board["key"])]
    if missing:
        return Check("baselines", "warn", f"Not confirmed: the control {', '.join(missing)}.")
    return Check("baselines", "pass", "Head only, default full fine-tuning and from scratch are in the table.")


def _optimism(promised: pd.DataFrame, board: pd.DataFrame) -> Check:
    row, half = promised.iloc[0], float(board.iloc[0]["test_high"] - board.iloc[0]["test_low"]) / 2
    if pd.isna(row["searched"]):
        return Check("optimism", "warn", "The winner has no score of the search to be held against.")
    text = (
        f"The search promised {row['searched']:.4f} of the winner; confirmed: validation {row['val_mean']:.4f}, test "
        f"{row['test_mean']:.4f}."
    )
    return Check("optimism", "pass" if float(row["optimism_test"]) <= half else "warn", text)  # one seed: no half-width


def _border(borders: pd.DataFrame) -> Check:
    at = borders[(borders["border"] != "") & borders["can_widen"]]
    if at.empty:
        return Check("borders", "pass", "The winner lies inside what was searched.")
    named = "; ".join(
        f"{row['dimension']} {row['value']:g} in {row['low']:g} … {row['high']:g}" for row in at.to_dict("records")
    )
    return Check("borders", "warn", f"The winner lies at the border of what was searched: {named}.")


def _order(board: pd.DataFrame, mode: str) -> Check:
    best = board.sort_values("test_mean", ascending=mode == "min").to_dict("records")[0]
    if int(best["rank"]) == 1:
        return Check("test order", "pass", "The winner on validation is first on test too.")
    text = f"On test, {best['strategy']} is first; that is only reported: choosing by it would spoil the test score."
    return Check("test order", "warn", text)


def _floor(compute: Compute) -> Check:
    text = f"Confirmation took {compute.share:.0%} of the compute"
    if compute.floor_exceeded:
        more = f"its floor alone {compute.floor_share:.0%}, more than half: the search was short"
        return Check("compute", "warn", f"{text}; {more}.")
    return Check("compute", "pass", f"{text}.")

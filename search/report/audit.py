"""What the search did, as sentences and tables of text, the same for every page: what mattered, was pruning safe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from search.errors import again
from search.report import trust
from search.report.content import Report
from search.report.hours import cut_lines
from search.report.rounding import number, share
from search.report.styles import LOOKS
from search.results.explored import ALL
from spaces.every import MOST

SHOWN = 5  # names in a list
FEW = "few trials: a hint at most"
WEAK = "not foretold from the dimensions: means little"
GLOSSARY: Mapping[str, str] = {
    "block": "the unit of freezing; a network is stem, blocks and head, in the order of the forward call",
    "unfrozen depth": "how many blocks next to the head train; 0 is the probe, all of them is full fine-tuning",
    "LR ratio": "the backbone's learning rate over the head's",
    "control": "what one would have done without a search: probe, default full fine-tuning, from scratch",
    "finalist": "the best of each stratum among trials that reached the last epoch, then the best of the rest",
    "confirmation": "finalists, controls and the rule's choice trained anew on fresh seeds",
    "stratum": "the family in which a trial competes for early stopping in the first half of its epochs",
    "rung": "an epoch after which the worse trials are stopped: of a stratum, in the second half of all",
    "optimism": "the score that made a strategy a finalist less what it scored afterwards",
    "certificate": "a hash of everything frozen before and after a training: equal where frozen stayed frozen",
}


def mattered(importance: pd.DataFrame) -> pd.DataFrame:
    """Return each view's dimensions by how much the score depends on them, with n and what is to be doubted."""
    rows = []
    for scope, view in importance.groupby("scope", sort=False):
        first = view.iloc[0]
        doubts = [*([] if first["enough"] else [FEW]), *([WEAK] if first["explained"] <= 0 else [])]
        shares = ", ".join(f"{row['dimension']} {row['importance']:.0%}" for row in view.to_dict("records"))
        rows.append(
            {
                "Trials": "all" if scope == "all" else f"{LOOKS[str(scope)].words} alone",
                "n": str(first["n"]),
                "After epoch": str(first["epoch"]),
                "Share of what the score depends on": shares,
                "Explained": f"{max(0.0, first['explained']):.0%}",
                "Warning": "; ".join(doubts) or "-",
            }
        )
    return pd.DataFrame(rows)


def explored(content: Report) -> pd.DataFrame:
    """Return how much of the space the search tried: of its strategies, by stratum, and of each dimension."""
    rows = [
        {
            "Of the space": _scope(str(row["scope"]), str(row["name"])),
            "Tried": str(row["tried"]),
            "Of": "uncounted" if pd.isna(row["of"]) else str(row["of"]),
            "Counted": row["unit"],
            "Trials": str(row["trials"]),
        }
        for row in content.explored.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _scope(scope: str, name: str) -> str:
    if scope == "dimension":
        return name
    return "all strategies" if name == ALL else f"stratum {name}"


def rungs(content: Report) -> pd.DataFrame:
    """Return for every rung who came this far, who was stopped, and how well it foretold the end."""
    if content.funnel.empty:
        return pd.DataFrame()
    rows = content.funnel.merge(content.agreement, how="left", on=["stratum", "epoch", "reached"])
    correlations = zip(rows["correlation"], rows["n"], strict=True)
    told = {
        "Compared": ["all strata" if race == ALL else race for race in rows["stratum"]],
        "Epoch": rows["epoch"].astype(str),
        "Came this far": rows["reached"].astype(str),
        "Stopped here": rows["stopped"].astype(str),
        "Rank correlation with the end (n)": ["-" if pd.isna(r) else f"{r:.2f} ({n:.0f})" for r, n in correlations],
        "Place of the later best": ["-" if pd.isna(place) else f"{place}" for place in rows["rank_of_best"]],
    }
    return pd.DataFrame(told)


def borders(content: Report) -> pd.DataFrame:
    """Return where in the space the winner lies."""
    rows = [
        {
            "Dimension": row["dimension"],
            "Winner": f"{row['value']:g}",
            "Searched from": f"{row['low']:g}",
            "to": f"{row['high']:g}",
            "At a border": "no" if not row["border"] else f"{row['border']}{'' if row['can_widen'] else ', its end'}",
        }
        for row in content.borders.to_dict("records")
    ]
    return pd.DataFrame(rows)


def promised(content: Report) -> pd.DataFrame:
    """Return what the search promised of each confirmed strategy, and what came of it."""
    rows = [
        {
            "Strategy": row["strategy"],
            "Search score": number(row["searched"], 4),
            "Validation": number(row["val_mean"], 4),
            "Test": number(row["test_mean"], 4),
            "Optimism on test": number(row["optimism_test"], 4, "+"),
        }
        for row in content.promised.to_dict("records")
    ]
    return pd.DataFrame(rows)


def kinds(content: Report) -> pd.DataFrame:
    """Return every kind of strategy that was tried, and the best score that the search saw of it."""
    rows = [
        {
            "Kind": LOOKS[row["kind"]].words,
            "Tried": str(row["tried"]),
            "To the last epoch": str(row["complete"]),
            f"Best {content.metric}": number(row["best"]),
            "Behind the best": number(row["behind"]),
        }
        for row in content.kinds.to_dict("records")
    ]
    return pd.DataFrame(rows)


def search_lines(content: Report) -> list[str]:
    """Return what was trained, what was not, and what the search promised too much."""
    told, optimism = content.search, content.optimism["test"]
    unfinished = told["trials"] - told["complete"] - told["pruned"] - told["failed"]
    running = f", {unfinished} have not ended" if unfinished else ""
    lines = [
        f"{told['trials']} search trials trained: {told['complete']} to the last epoch, "
        f"{told['pruned']} stopped early, {told['failed']} failed{running}; "
        f"{told['reused']} proposals repeated an earlier strategy and were not trained."
    ]
    lines += _share_explored(content.explored)
    if optimism is not None:
        promise = f"The winner's search score less its mean test score is {optimism:+.4f}"
        lines.append(f"{promise} (optimism; of a single score, so that there is no interval).")
    return [*lines, *cut_lines(content.cut, content.hours)]


def _share_explored(explored: pd.DataFrame) -> list[str]:
    if explored.empty:
        return []
    tried, there = explored.iloc[0]["tried"], explored.iloc[0]["of"]
    if pd.isna(there):
        why = f"real numbers, or above {MOST:,}"
        return [f"The space has more strategies than can be counted ({why}); {tried} were tried."]
    return [f"Of the {there} strategies of the space {tried} were tried ({share(tried / there)})."]


def failures(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the reasons for which trials failed, those of one reason together."""
    failed = trials[trials["state"] == "failed"]
    rows = [
        {
            "Trials": str(len(alike)),
            "Stage": stage,
            "Reason": str(reason) if isinstance(reason, str) else "not recorded",
            "Which": _few(alike["trial"].tolist()),
        }
        for (stage, reason), alike in failed.groupby(["stage", "reason"], sort=False, dropna=False)
    ]
    return pd.DataFrame(rows)


def command(run_dir: Path) -> str:
    """Return what runs the study again."""
    return again("run", run_dir / "study.yaml")


def reproduce(content: Report) -> list[str]:
    """Return what else it takes to run the study again."""
    facts = content.facts
    beside = f"The study file belongs in {facts.get('folder')}, where the modules it names are found."
    versions = ", ".join(f"{name} {version}" for name, version in (facts.get("versions") or {}).items())
    return [
        *([beside] if facts.get("own_modules") else []),
        f"Split {facts.get('split_hash', '-')}, space {facts.get('space_hash', '-')}. Every trial's seed stands in "
        "tables/trials.csv; one trial again: thawline trial RUN_DIR TRIAL.",
        *([f"Ran with {versions}."] if versions else []),
        *(f"{line}." for line in (trust.commit_line(facts), trust.computing_line(content.computing)) if line),
    ]


def _few(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")

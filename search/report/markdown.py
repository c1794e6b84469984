"""The report as Markdown, and its summary for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from search.report import sentences
from search.report.content import Report
from search.report.hours import cut_lines
from search.report.rounding import percent, plain, points
from search.report.tables import as_markdown, shown
from search.results.intervals import LEVEL, Interval
from search.results.picks import Pick

METHOD = (
    "Winner, ties and recommendation were decided on the validation scores of the confirmation and written "
    "down before the test set was opened. Intervals are 95 %, over seeds and examples, which are crossed: for a "
    "mean over examples by the variance components of the two-way layout, else by a bootstrap of the examples "
    "beside the variance between seeds; degrees of freedom are Satterthwaite's. Differences are paired over "
    "examples. *clear*, *tie* and *not enough evidence* correct for all rivals by Holm's procedure."
)

SHOWN = 5  # names in a list


def page(content: Report, run_dir: Path) -> str:
    """Return ``report.md``."""
    parts = [
        f"# {content.name}: how far to thaw",
        f"**{content.verdict['sentence']}**",
        f"Label: *{content.verdict['label'] or 'none'}*.",
        *sentences.gains(content.gains.get("searching"), content.gains.get("strategy")),
        f"{content.next_step.sentence} `{content.next_step.command}`",
        *_listed("## What is missing", content.missing),
        *_picks(content.picks),
        "## Leaderboard",
        as_markdown(content.leaderboard) if len(content.leaderboard) else "Nothing was confirmed yet.",
        METHOD,
        *_lost(content),
        *_rule(content.rule),
        *_mattered(content),
        "## What the search did",
        _search_lines(content),
        *cut_lines(content.cut, content.hours),
        *_failures(content.trials),
        *_funnel(content),
        *_listed("## Trust", [f"{check.name}: **{check.status}**. {check.text}" for check in content.checks]),
        "## Reproduce",
        f"`thawline run {run_dir / 'study.yaml'}`{_beside(content.facts)}; split "
        f"{content.facts.get('split_hash', '-')}, space {content.facts.get('space_hash', '-')}. Every trial's seed "
        "stands in `tables/trials.csv`.",
    ]
    return "\n\n".join(parts) + "\n"


def _beside(facts: Mapping[str, Any]) -> str:
    """Return where the study file must lie if it names functions of the user's own."""
    return f", copied to {facts['folder']}, where the modules it names are found" if facts.get("own_modules") else ""


def summary(content: Report, run_dir: Path) -> str:
    """Return the verdict, the leaderboard and where to read on."""
    lines = ["", str(content.verdict["sentence"])]
    if len(content.leaderboard):
        board = shown(content.leaderboard).drop(columns="Trainable")
        lines += ["", str(board.to_markdown(index=False, tablefmt="simple", disable_numparse=True))]
    failed = _failures(content.trials)
    cut = [f"\n{line}" for line in cut_lines(content.cut, content.hours)]
    lacking = [f"\n{sentence}" for sentence in content.missing]
    step = f"\nnext: {content.next_step.sentence}\n  {content.next_step.command}"
    return "\n".join([*lines, *cut, *lacking, *failed, step, f"\nreport: {run_dir / 'report' / 'report.md'}"])


def _listed(title: str, lines: list[str] | tuple[str, ...]) -> list[str]:
    return [title, "\n".join(f"- {line}" for line in lines)] if lines else []


def _picks(picks: tuple[Pick, ...]) -> list[str]:
    if not picks:
        return []
    rows = [
        {
            "If you care about": pick.purpose,
            "take": pick.strategy,
            "test [95 %]": percent(pick.test),
            "behind the winner on validation": points(pick.gap) if pick.gap else "the winner",
            "cost of a training": "-" if pick.cost_share is None else f"{pick.cost_share:.0%} of full fine-tuning",
            "trains": f"{pick.trainable_share:.1%} of the parameters",
        }
        for pick in picks
    ]
    return ["## If you care about accuracy, cost or size", _table(pd.DataFrame(rows))]


def _lost(content: Report) -> list[str]:
    if content.lost.empty:
        return []
    records = content.lost.to_dict("records")
    rows = [
        {
            "Strategy": row["strategy"],
            "Seeds": row["seeds"],
            "behind on validation": points(_interval(row, "gap")),
            "p (Holm)": f"{row['p_holm']:.3f}",
            "shown": "yes" if row["beaten"] else f"no, at {1 - LEVEL:.0%}",
            "behind on test": points(_interval(row, "test_gap")),
        }
        for row in records
    ]
    return ["## Strategies that lost, and by how much", _table(pd.DataFrame(rows))]


def _interval(row: Mapping[Any, Any], name: str) -> Interval:
    return Interval(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _rule(rule: Mapping[str, Any] | None) -> list[str]:
    """Return the section on the textbook rule: what it was told, what it chose, what searching gained over it."""
    if rule is None:
        return []
    gain = rule["measured"].get("gain")
    shown = f"transfer gain {plain(Interval(gain['mean'], gain['low'], gain['high']))}" if gain else "no transfer gain"
    unsure = "; its interval holds the cut-off, so that both quadrants were tried first" if rule["unsure"] else ""
    lines = [
        rule["sentence"],
        f"Data: {rule['size']} ({rule['samples']} training samples, {rule['classes']} classes) and "
        f"{rule['similarity']} to what the network was pretrained on ({shown}{unsure}). "
        f"Measuring took {rule['share']:.1%} of the study's time.",
    ]
    lines += [rule["note"]] if rule["note"] else []
    return ["## The textbook rule", "\n".join(lines)]


def _mattered(content: Report) -> list[str]:
    if content.importance.empty:
        return []
    views = []
    for scope, rows in content.importance.groupby("scope", sort=False):
        first = rows.iloc[0]
        where = "over all trials" if scope == "all" else f"within {scope}"
        few = "" if first["enough"] else "; few trials: a hint at most"
        weak = "; the scores could not be foretold from the dimensions, so that these shares mean little"
        shares = ", ".join(f"{row['dimension']} {row['importance']:.0%}" for row in rows.to_dict("records"))
        told = weak if first["explained"] <= 0 else ""
        views.append(f"{where}, after epoch {first['epoch']} (n = {first['n']}{few}{told}): {shares}")
    return _listed("## What mattered", views)


def _search_lines(content: Report) -> str:
    told = content.search
    optimism = content.optimism["test"]
    lines = [
        f"{told['trials']} search trials trained: {told['complete']} to the last epoch, "
        f"{told['pruned']} stopped early, {told['failed']} failed; "
        f"{told['reused']} proposals repeated an earlier strategy and were not trained."
    ]
    if optimism is not None:
        lines.append(f"The winner's search score was {optimism:+.4f} against its mean test score (optimism).")
    return "\n".join(lines)


def _funnel(content: Report) -> list[str]:
    if content.funnel.empty:
        return []
    rows = content.funnel.merge(content.agreement, how="left", on=["stratum", "epoch", "reached"])
    told = {
        "Stratum": rows["stratum"],
        "Epoch": rows["epoch"],
        "came this far": rows["reached"],
        "stopped here": rows["stopped"],
        "rank correlation with the end (n)": [
            "-" if pd.isna(value) else f"{value:.2f} ({n:.0f})"
            for value, n in zip(rows["correlation"], rows["n"], strict=True)
        ],
        "place of the later best": ["-" if pd.isna(place) else f"{place}" for place in rows["rank_of_best"]],
    }
    return [_table(pd.DataFrame(told))]


def _failures(trials: pd.DataFrame) -> list[str]:
    failed = trials[trials["state"] == "failed"]
    if failed.empty:
        return []
    rows = [
        {"Trials": len(alike), "Stage": stage, "Reason": reason, "Which": _few(alike["trial"].tolist())}
        for (stage, reason), alike in failed.groupby(["stage", "reason"], sort=False, dropna=False)
    ]
    return [f"{len(failed)} trials failed:", _table(pd.DataFrame(rows))]


def _few(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")


def _table(frame: pd.DataFrame) -> str:
    return str(frame.to_markdown(index=False, disable_numparse=True))

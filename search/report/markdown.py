"""The report as Markdown, and its summary for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from search.report.content import Report
from search.report.hours import cut_lines
from search.report.tables import as_markdown, shown

METHOD = (
    "Winner, ties and recommendation were decided on the validation scores of the confirmation and written "
    "down before the test set was opened. Intervals are 95 %, over seeds and examples: the examples by a "
    "bootstrap in which all strategies see the same resamples, the seeds by the variance between them, pooled "
    "over strategies. *clear* corrects for the number of rivals (Bonferroni)."
)


def page(content: Report, run_dir: Path) -> str:
    """Return ``report.md``."""
    facts = content.facts
    parts = [
        f"# {content.name}: how far to thaw",
        f"**{content.verdict['sentence']}**",
        f"Label: *{content.verdict['label'] or 'none'}*.",
        "## Leaderboard",
        as_markdown(content.leaderboard) if len(content.leaderboard) else "Nothing was confirmed yet.",
        METHOD,
        *_rule(content.rule),
        "## What the search did",
        _search_lines(content),
        *cut_lines(content.cut, content.hours),
        *_failures(content.trials),
        "## Trust",
        _trust(content),
        "## Reproduce",
        f"`thawline run {run_dir / 'study.yaml'}`{_beside(facts)}; split {facts.get('split_hash', '-')}, space "
        f"{facts.get('space_hash', '-')}. Every trial's seed stands in `tables/trials.csv`.",
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
    return "\n".join([*lines, *cut, *failed, "", f"report: {run_dir / 'report' / 'report.md'}"])


def _rule(rule: Mapping[str, Any] | None) -> list[str]:
    """Return the section on the textbook rule: what it was told, what it chose, what searching gained over it."""
    if rule is None:
        return []
    gain = rule["measured"].get("gain")
    shown = f"transfer gain {gain['mean']:.2f} [{gain['low']:.2f}, {gain['high']:.2f}]" if gain else "no transfer gain"
    unsure = "; its interval holds the cut-off, so that both quadrants were tried first" if rule["unsure"] else ""
    lines = [
        f"Data: {rule['size']} ({rule['samples']} training samples, {rule['classes']} classes) and "
        f"{rule['similarity']} to what the network was pretrained on ({shown}{unsure}).",
        f"The rule's choice: {rule['strategy'] or 'none that the space holds'}. "
        f"Measuring took {rule['share']:.1%} of the study's time.",
    ]
    if rule["delta"] is not None:
        low, high = rule["delta_low"], rule["delta_high"]
        interval = "no interval: one seed" if low is None else f"95 % interval {low:+.4f} to {high:+.4f}"
        lines.append(f"The recommended strategy is {rule['delta']:+.4f} against it on test ({interval}).")
    lines += [rule["note"]] if rule["note"] else []
    return ["## The textbook rule", "\n".join(lines)]


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


def _failures(trials: pd.DataFrame) -> list[str]:
    failed = trials[trials["state"] == "failed"]
    if failed.empty:
        return []
    rows = failed[["trial", "stage", "reason"]].to_markdown(index=False)
    return [f"{len(failed)} trials failed:", str(rows)]


def _trust(content: Report) -> str:
    trained = content.trials[content.trials["state"] != "reused"]
    broken = int((trained["certificate"] == "broken").sum())
    openings = len(content.facts.get("test_opened", []))
    lines = [
        f"- frozen stayed frozen: {'yes, in every trial' if not broken else f'NO, broken in {broken} trials'}",
        f"- the test set was opened {openings} time{'s' if openings != 1 else ''}",
        f"- every strategy saw the same split ({content.facts.get('split_hash', '-')})",
        *(f"- warning: {warning}" for warning in content.facts.get("warnings", [])),
    ]
    return "\n".join(lines)

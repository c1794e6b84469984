"""The report as Markdown, and its summary for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from search.report import answer, audit
from search.report.content import Report
from search.report.figures.catalogue import SECTION_OF
from search.report.figures.figure import Drawing, Figure
from search.report.hours import cut_lines
from search.report.tables import as_markdown, shown

STRATEGY = 24  # characters of a line on a terminal


def page(content: Report, run_dir: Path, drawings: Mapping[str, Drawing]) -> str:
    """Return ``report.md``."""
    parts = [
        f"# {content.name}: how far to thaw",
        f"**{content.verdict['sentence']}**",
        f"Label: *{content.verdict['label'] or 'none'}*.",
        *answer.tied(content),
        *answer.gains(content),
        f"{content.next_step.sentence} `{content.next_step.command}`",
        *_titled("### What is missing", _list(content.missing)),
        *_titled("### The textbook rule", answer.rule(content.rule)),
        *_titled("## If you care about accuracy, cost or size", _table(answer.picks(content))),
        "## Leaderboard",
        as_markdown(content.leaderboard) if len(content.leaderboard) else "Nothing was confirmed yet.",
        answer.method(content),
        *_figures("leaderboard", drawings),
        *_titled("## Maps", _figures("maps", drawings)),
        "## What mattered",
        *_table(audit.mattered(content.importance)),
        *_table(audit.borders(content)),
        *_figures("mattered", drawings),
        "## What the search did",
        *audit.search_lines(content),
        *_table(audit.explored(content)),
        *_table(audit.rungs(content)),
        *_table(audit.promised(content)),
        *_failures(content.trials),
        *_figures("search", drawings),
        "## Strategies that lost, and by how much",
        *_table(answer.lost(content)),
        *_table(audit.kinds(content)),
        "## Trust checklist",
        *_list([f"{check.name}: **{check.status}**. {check.text}" for check in content.checks]),
        "## Reproduce",
        f"`{audit.command(run_dir)}`",
        *audit.reproduce(content),
        "## Glossary",
        *_list([f"**{word}**: {meaning}" for word, meaning in audit.GLOSSARY.items()]),
    ]
    return "\n\n".join(parts) + "\n"


def summary(content: Report, run_dir: Path) -> str:
    """Return the verdict, the leaderboard and where to read on."""
    lines = ["", str(content.verdict["sentence"])]
    if len(content.leaderboard):
        board = shown(content.leaderboard).drop(columns=["Trainable", "Time"])
        widths = [STRATEGY if column == "Strategy" else None for column in board.columns]
        table = board.to_markdown(index=False, tablefmt="simple", disable_numparse=True, maxcolwidths=widths)
        lines += ["", str(table)]
    cut = [f"\n{line}" for line in cut_lines(content.cut, content.hours)]
    lacking = [f"\n{sentence}" for sentence in content.missing]
    step = f"\nnext: {content.next_step.sentence}\n  {content.next_step.command}"
    place = f"\nreport: {run_dir / 'report' / 'report.html'}"
    return "\n".join([*lines, *cut, *lacking, *_failures(content.trials), step, place])


def _titled(title: str, parts: list[str]) -> list[str]:
    return [title, *parts] if parts else []


def _list(lines: list[str] | tuple[str, ...]) -> list[str]:
    return ["\n".join(f"- {line}" for line in lines)] if lines else []


def _table(frame: pd.DataFrame) -> list[str]:
    return [str(frame.to_markdown(index=False, disable_numparse=True))] if len(frame) else []


def _failures(trials: pd.DataFrame) -> list[str]:
    failed = int((trials["state"] == "failed").sum())
    return [f"{failed} trials failed:", *_table(audit.failures(trials))] if failed else []


def _figures(section: str, drawings: Mapping[str, Drawing]) -> list[str]:
    """Return links to the section's figures, as far as they are drawn."""
    own = [drawings[name] for name, place in SECTION_OF.items() if place == section]
    return [f"![{each.title}](figures/{each.name}.svg)" for each in own if isinstance(each, Figure)]

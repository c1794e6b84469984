"""What stands on the HTML page, as text and tables: the one place that reads the report's fields for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from search.report import answer, audit
from search.report.cards import Card, cards
from search.report.content import Report
from search.report.figures.catalogue import SECTION_OF
from search.report.figures.figure import Drawing, Figure, Missing
from search.report.next_step import NextStep
from search.report.rounding import duration, plain
from search.report.styles import family
from search.report.svg.draw import svg
from search.report.tables import ALL, shown
from search.report.trust import Check
from search.results.intervals import Interval
from search.results.leaderboard import by_key

SECTIONS = {
    "verdict": "Verdict",
    "choose": "Accuracy, cost or size",
    "leaderboard": "Leaderboard",
    "maps": "Maps",
    "mattered": "What mattered",
    "search": "What the search did",
    "lost": "What lost",
    "trust": "Trust",
    "reproduce": "Reproduce",
    "glossary": "Glossary",
}
LABELS = {
    "clear": ("clear", "✓", "Clear"),
    "tie": ("tie", "=", "Tie"),
    "not enough evidence": ("unsure", "?", "Not enough evidence"),
}
NO_LABEL = ("none", "…", "No verdict yet")
MATTERED = {
    "importance": "How much the score after one same epoch depends on each dimension (permutation importance).",
    "borders": "Where the winner lies in what was searched.",
}
DID = {
    "explored": "How much of the space was tried; trials: those that belong there, or have the dimension.",
    "rungs": "Was pruning safe? Each rung's order against that at the end, of the survivors.",
    "promised": "What the search promised of each confirmed strategy, and what came of it.",
    "failures": "Trials that failed, those of one reason together.",
}
LOST = "Confirmed strategies behind the winner, the differences paired; which are shown to be is decided on validation."
KINDS_TRIED = "Every kind of strategy in search and controls: scores of one seed on validation, no evidence."


@dataclass(frozen=True)
class Verdict:
    """The box at the top."""

    state: str
    icon: str
    words: str
    sentence: str
    more: Sequence[str]
    next: NextStep
    missing: Sequence[str]


@dataclass(frozen=True)
class Row:
    """A row of a table; ``kind`` is that of its strategy, if it is about one."""

    cells: Sequence[str]
    kind: str = ""
    best: bool = False


@dataclass(frozen=True)
class Table:
    """A table of text; ``marked`` is the number of the column that shows each row's kind."""

    name: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Row]
    numeric: Sequence[bool]
    marked: int | None = None


@dataclass(frozen=True)
class Drawn:
    """A figure with its table, or why there is none."""

    name: str
    title: str
    caption: str = ""
    svg: Markup | None = None
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    wide: bool = False
    why: str = ""


@dataclass(frozen=True)
class Page:
    """Everything on the page, in its order."""

    name: str
    title: str
    verdict: Verdict
    tiles: Sequence[tuple[str, str]]
    rule: Sequence[str]
    cards: Sequence[Card]
    leaderboard: Table | None
    method: str
    figures: Mapping[str, Sequence[Drawn]]
    mattered: Sequence[Table]
    search: Sequence[str]
    did: Sequence[Table]
    lost: Sequence[Table]
    trust: Sequence[Check]
    command: str
    reproduce: Sequence[str]
    study: str
    glossary: Mapping[str, str]


def page_of(content: Report, run_dir: Path, drawings: Mapping[str, Drawing]) -> Page:
    """Return the page of a run, finished or not."""
    return Page(
        name=content.name,
        title=f"{content.name}: how far to thaw",
        verdict=verdict_of(content),
        tiles=_tiles(content),
        rule=answer.rule(content.rule),
        cards=cards(content),
        leaderboard=_leaderboard(content.leaderboard, content.metric) if len(content.leaderboard) else None,
        method=answer.method(content),
        figures={
            section: [_drawn(drawings[name]) for name, place in SECTION_OF.items() if place == section]
            for section in SECTION_OF.values()
        },
        mattered=_tables(MATTERED, (audit.mattered(content.importance), audit.borders(content))),
        search=audit.search_lines(content),
        did=_tables(
            DID,
            (audit.explored(content), audit.rungs(content), audit.promised(content), audit.failures(content.trials)),
        ),
        lost=_lost(content),
        trust=content.checks,
        command=audit.command(run_dir),
        reproduce=audit.reproduce(content),
        study=(run_dir / "study.yaml").read_text(encoding="utf-8"),
        glossary=audit.GLOSSARY,
    )


def verdict_of(content: Report) -> Verdict:
    """Return the box at the top: the label in words and with a sign, so that colour is not needed to see it."""
    told = content.verdict
    state, icon, words = LABELS.get(str(told["label"]), NO_LABEL)
    more = [*answer.tied(content), *answer.gains(content)]
    return Verdict(state, icon, words, str(told["sentence"]), more, content.next_step, content.missing)


def _tiles(content: Report) -> list[tuple[str, str]]:
    test = content.verdict["test"]
    confirmed = content.trials[content.trials["stage"] == "confirm"]
    tiles = []
    if test:
        ends = (float("nan") if test[name] is None else float(test[name]) for name in ("mean", "low", "high"))
        tiles.append((f"Test {content.metric} [95 %]", plain(Interval(*ends))))
        tiles.append(("Seeds", str(test["seeds"])))
        tiles.append(("Cost of a training", answer.cost_of(content, content.verdict["key"])))
    return [
        *tiles,
        ("Search trials", f"{content.search['trials']}"),
        ("Confirmation runs", f"{len(confirmed)}"),
        ("Training time", duration(float(content.trials["seconds"].astype(float).sum()))),
    ]


def _leaderboard(board: pd.DataFrame, metric: str) -> Table:
    texts = shown(board, ALL)
    caption = f"Confirmed strategies by mean validation {metric} over fresh seeds; test {metric} is only reported."
    return table_of(
        "leaderboard", caption, texts, [family(row) for row in board.to_dict("records")], "Strategy", best=0
    )


def _tables(captions: Mapping[str, str], texts: Sequence[pd.DataFrame]) -> list[Table]:
    """Return those tables that have a row."""
    named = zip(captions.items(), texts, strict=True)
    return [table_of(name, caption, text) for (name, caption), text in named if len(text)]


def _lost(content: Report) -> list[Table]:
    found = []
    if len(content.lost):
        rows = by_key(content.leaderboard)
        own = [family(rows[key]) for key in content.lost["key"]]
        found.append(table_of("lost", LOST, answer.lost(content), own, "Strategy"))
    if len(content.kinds):
        found.append(table_of("kinds", KINDS_TRIED, audit.kinds(content), content.kinds["kind"].tolist(), "Kind"))
    return found


def _drawn(drawing: Drawing) -> Drawn:
    match drawing:
        case Missing(name=name, title=title, why=why):
            return Drawn(name, title, why=why)
        case Figure(name=name, title=title, caption=caption, table=table, wide=wide):
            rows = [[_cell(value) for value in row] for row in table.astype(object).to_numpy().tolist()]
            return Drawn(name, title, caption, Markup(svg(drawing)), list(map(str, table.columns)), rows, wide)


def _cell(value: Any) -> str:
    if value is None or value is pd.NA or value != value:
        return ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def table_of(
    name: str,
    caption: str,
    texts: pd.DataFrame,
    kinds: Sequence[str] = (),
    marked: str | None = None,
    best: int | None = None,
) -> Table:
    """Return a table of text; ``kinds`` are the rows', shown in the column ``marked``; row ``best`` stands out."""
    cells = texts.astype(str).to_numpy().tolist()
    rows = [Row(row, kinds[index] if kinds else "", index == best) for index, row in enumerate(cells)]
    numeric = [bool(texts[column].astype(str).str.match(r"^(-$|[-+]?\d)").all()) for column in texts.columns]
    at = list(texts.columns).index(marked) if marked else None
    return Table(name, caption, list(texts.columns), rows, numeric, at)

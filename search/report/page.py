"""What stands on the HTML page, as text and tables: the one place that reads the report's fields for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from search.report.cards import Card, cards
from search.report.cells import decimals, duration, number, with_interval
from search.report.checklist import Check, checklist
from search.report.content import Report
from search.report.figures.figure import Drawing, Figure, Missing
from search.report.lost import behind, kinds_tried
from search.report.markdown import METHOD, _rule, _search_lines
from search.report.styles import LOOKS, family
from search.report.svg.draw import svg
from search.report.tables import ALL, shown

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
}
FIGURES_OF = {
    "leaderboard": ("seeds", "weight-change", "confusion"),
    "maps": ("strategy-map", "cost"),
    "mattered": ("kinds", "lr-ratio"),
    "search": ("rungs", "learning-curves", "best-so-far"),
}
LABELS = {
    "clear": ("clear", "✓", "Clear"),
    "tie": ("tie", "=", "Tie"),
    "not enough evidence": ("unsure", "?", "Not enough evidence"),
}
NO_LABEL = ("none", "…", "No verdict yet")
MOST_FAILURES = 50


@dataclass(frozen=True)
class Verdict:
    """The box at the top."""

    state: str
    icon: str
    words: str
    sentence: str
    more: Sequence[str]
    next: str


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
    failures: Table | None
    lost: Sequence[Table]
    trust: Sequence[Check]
    command: str
    reproduce: Sequence[str]
    study: str


def page_of(content: Report, run_dir: Path, drawings: Mapping[str, Drawing]) -> Page:
    """Return the page of a run, finished or not."""
    return Page(
        name=content.name,
        title=f"{content.name}: how far to thaw",
        verdict=verdict_of(content),
        tiles=_tiles(content),
        rule=_paragraphs(_rule(content.rule)),
        cards=cards(content.leaderboard, content.metric),
        leaderboard=_leaderboard(content.leaderboard, content.metric) if len(content.leaderboard) else None,
        method=_plain(METHOD),
        figures={name: [_drawn(drawings[each]) for each in wanted] for name, wanted in FIGURES_OF.items()},
        mattered=[],
        search=_paragraphs([_search_lines(content)]),
        failures=_failures(content.trials),
        lost=_lost(content),
        trust=checklist(content),
        command=f"thawline run {run_dir / 'study.yaml'}",
        reproduce=_reproduce(content),
        study=(run_dir / "study.yaml").read_text(encoding="utf-8"),
    )


def verdict_of(content: Report) -> Verdict:
    """Return the box at the top: the label in words and with a sign, so that colour is not needed to see it."""
    told = content.verdict
    state, icon, words = LABELS.get(str(told["label"]), NO_LABEL)
    more = [f"Not told apart from it: {'; '.join(told['tied'])}."] if told["tied"] else []
    return Verdict(state, icon, words, str(told["sentence"]), more, str(told.get("next") or ""))


def _tiles(content: Report) -> list[tuple[str, str]]:
    test = content.verdict["test"]
    tiles = []
    if test:
        mean, low, high = (math.nan if test[name] is None else float(test[name]) for name in ("mean", "low", "high"))
        tiles.append((f"Test {content.metric} [95 %]", with_interval(mean, low, high)))
        tiles.append(("Seeds", str(test["seeds"])))
    told = content.search
    confirmed = content.trials[content.trials["stage"] == "confirm"]
    return [
        *tiles,
        ("Search trials", f"{told['trials']}"),
        ("Stopped early", f"{told['pruned']}"),
        ("Confirmation runs", f"{len(confirmed)}"),
        ("Training time", duration(float(content.trials["seconds"].astype(float).sum()))),
    ]


def _leaderboard(board: pd.DataFrame, metric: str) -> Table:
    texts = shown(board, ALL)
    caption = f"Confirmed strategies by mean validation {metric} over fresh seeds; test {metric} is only reported."
    return table_of(
        "leaderboard", caption, texts, [family(row) for row in board.to_dict("records")], "Strategy", best=0
    )


def _lost(content: Report) -> list[Table]:
    found = []
    if len(content.leaderboard) > 1:
        rows = behind(content.leaderboard, content.mode)
        kinds = [family(row) for row in content.leaderboard.iloc[1:].to_dict("records")]
        places = [decimals(low, high) for low, high in zip(rows["test_low"], rows["test_high"], strict=True)]
        texts = pd.DataFrame(
            {
                "Strategy": rows["strategy"],
                "Role": rows["role"],
                "Behind on validation": [number(v, p) for v, p in zip(rows["behind_val"], places, strict=True)],
                "Behind on test": [number(v, p) for v, p in zip(rows["behind_test"], places, strict=True)],
                "Told apart from the winner": ["no" if tied else "yes" for tied in rows["tied_with_best"]],
            }
        )
        caption = "Confirmed strategies behind the winner; whether they are told apart is decided on validation."
        found.append(table_of("lost", caption, texts, kinds, "Strategy"))
    tried = kinds_tried(content.trials, content.mode)
    if len(tried):
        texts = pd.DataFrame(
            {
                "Kind": [LOOKS[kind].words for kind in tried["kind"]],
                "Tried": tried["tried"].astype(str),
                "To the last epoch": tried["complete"].astype(str),
                f"Best {content.metric}": [number(value) for value in tried["best"]],
                "Behind the best": [number(value) for value in tried["behind"]],
            }
        )
        caption = "Every kind of strategy in search and controls: scores of one seed on validation, no evidence."
        found.append(table_of("kinds", caption, texts, tried["kind"].tolist(), "Kind"))
    return found


def _failures(trials: pd.DataFrame) -> Table | None:
    failed = trials[trials["state"] == "failed"]
    if failed.empty:
        return None
    texts = failed[["trial", "stage", "strategy", "reason"]].head(MOST_FAILURES).fillna("").astype(str)
    texts.columns = pd.Index(["Trial", "Stage", "Strategy", "Reason"])
    return table_of("failures", f"{len(failed)} trials failed; {len(texts)} are shown.", texts)


def _reproduce(content: Report) -> list[str]:
    facts = content.facts
    beside = f"The study file belongs in {facts['folder']}, where the modules it names are found."
    return [
        *([beside] if facts.get("own_modules") else []),
        f"Split {facts.get('split_hash', '-')}, space {facts.get('space_hash', '-')}. Every trial's seed stands in "
        "tables/trials.csv; one trial again: thawline trial RUN_DIR TRIAL.",
    ]


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


def _paragraphs(parts: Sequence[str]) -> list[str]:
    return [line for part in parts for line in part.splitlines() if line and not line.startswith("#")]


def _plain(text: str) -> str:
    return text.replace("*", "")

"""Several studies in one table: for a terminal, a paper, a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from search.report.html import rendered
from search.report.latex import booktabs
from search.report.page import table_of
from search.report.rounding import number, plain, shared_decimals
from search.report.styles import KINDS
from search.report.tables import difference
from search.results.leaderboard import interval_of
from trainables.files import put

if TYPE_CHECKING:
    from search.compare import Comparison

METHOD = (
    "Each cell: the kind's best confirmed strategy on validation, its mean test {metric} with its 95 % interval over "
    "seeds and examples. Ranks are by test score among the kinds that every study confirmed, averaged over studies; a "
    "win is a study's own verdict, decided on validation."
)


def scores_table(comparison: Comparison) -> pd.DataFrame:
    """Return kinds by studies as text, with the average rank and the number of wins."""
    scores = comparison.scores
    places = {
        study: shared_decimals(interval_of(row, "test") for row in rows.to_dict("records"))
        for study, rows in scores.groupby("study")
    }
    cells = {
        (row["study"], row["kind"]): plain(interval_of(row, "test"), places[row["study"]])
        for row in scores.to_dict("records")
    }
    rows = [
        {
            "Strategy": KINDS[row["kind"]].words,
            **{study: cells.get((study, row["kind"]), "-") for study in comparison.studies["study"]},
            "Rank": number(float(row["average_rank"]), 2),
            "Wins": str(row["wins"]),
        }
        for row in comparison.kinds.to_dict("records")
    ]
    return pd.DataFrame(rows)


def studies_table(comparison: Comparison) -> pd.DataFrame:
    """Return one row per study as text: who won, how sure that is, and what searching gained."""
    rows = [
        {
            "Study": row["study"],
            "Winner": row["strategy"],
            "Verdict": str(row["label"]),
            f"Test {comparison.metric} [95 %]": plain(interval_of(row, "test")),
            "vs. full [95 %]": difference(interval_of(row, "delta_full")),
        }
        for row in comparison.studies.to_dict("records")
    ]
    return pd.DataFrame(rows)


def as_text(comparison: Comparison) -> str:
    """Return both tables and where each kind wins, for a terminal."""
    tables = [_plain_table(scores_table(comparison)), _plain_table(studies_table(comparison))]
    won = [
        f"{KINDS[row['kind']].words} wins: {', '.join(row['won'])}"
        for row in comparison.kinds.to_dict("records")
        if row["won"]
    ]
    return "\n\n".join([tables[0], METHOD.format(metric=comparison.metric), tables[1], "\n".join(won)])


def write(comparison: Comparison, folder: Path) -> list[Path]:
    """Write ``compare.csv`` (every number), ``.md``, ``.tex`` and ``.html``; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    forms = {
        "csv": comparison.scores.to_csv(index=False),
        "md": _markdown(comparison),
        "tex": _latex(comparison),
        "html": _html(comparison),
    }
    for form, text in forms.items():
        put(text.encode(), folder / f"compare.{form}")
    return [folder / f"compare.{form}" for form in forms]


def _plain_table(table: pd.DataFrame) -> str:
    return str(table.to_markdown(index=False, tablefmt="simple", disable_numparse=True))


def _markdown(comparison: Comparison) -> str:
    tables = [table.to_markdown(index=False, disable_numparse=True) for table in _both(comparison)]
    return "\n\n".join([tables[0], METHOD.format(metric=comparison.metric), tables[1]]) + "\n"


def _latex(comparison: Comparison) -> str:
    caption = f"{METHOD.format(metric=comparison.metric)} Bold: the best average rank."
    return booktabs(scores_table(comparison), caption=caption, label="tab:compare", bold=[0])


def _html(comparison: Comparison) -> str:
    scores, studies = _both(comparison)
    kinds, winners = comparison.kinds["kind"].tolist(), comparison.studies["winner"].tolist()
    tables = [
        table_of("scores", METHOD.format(metric=comparison.metric), scores, kinds, "Strategy"),
        table_of("studies", "Each study's verdict.", studies, winners, "Winner"),
    ]
    return rendered("compare.html.j2", title="Studies compared", tables=tables)


def _both(comparison: Comparison) -> tuple[pd.DataFrame, pd.DataFrame]:
    return scores_table(comparison), studies_table(comparison)

"""A run folder as an object: its tables and its answer. ``report`` writes them anew from what Optuna holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from search.errors import unwritable
from search.report import markdown, tables
from search.report.content import Report, gather
from search.report.figures import catalogue
from search.report.html import block, html


@dataclass(frozen=True)
class Results:
    """What a study leaves behind; DataFrames with the columns of the run folder's tables."""

    run_dir: Path

    @property
    def trials(self) -> pd.DataFrame:
        """One row per trial of every stage."""
        return self._content.trials

    @property
    def epochs(self) -> pd.DataFrame:
        """One row per epoch of every trial."""
        return self._content.epochs

    @property
    def leaderboard(self) -> pd.DataFrame:
        """One row per confirmed strategy, best first; empty before the test set was opened."""
        return self._content.leaderboard

    @property
    def best(self) -> dict[str, Any]:
        """The leaderboard's first row, or nothing."""
        rows = self.leaderboard.to_dict("records")
        return {str(name): value for name, value in rows[0].items()} if rows else {}

    @property
    def sentence(self) -> str:
        """The verdict."""
        return str(self._content.verdict["sentence"])

    @property
    def summary(self) -> str:
        """The verdict, the leaderboard and where the report is, for a terminal."""
        return markdown.summary(self._content, self.run_dir)

    def report(self) -> Path:
        """Write tables and report anew; return the path of the page."""
        report(self.run_dir)
        return self.run_dir / "report" / "report.html"

    def _repr_html_(self) -> str:
        return block(self._content, self.run_dir)

    @property
    def _content(self) -> Report:
        return gather(self.run_dir)


def report(run_dir: Path) -> str:
    """Write ``tables/`` and ``report/`` of a run folder, also of one cut short; return the summary.

    Raises:
        StudyFailed: the folder cannot be written.
    """
    content = gather(run_dir)
    folder = run_dir / "report"
    try:
        tables.write(content, run_dir / "tables")
        folder.mkdir(exist_ok=True)
        (folder / "report.json").write_text(json.dumps(content.as_json(), indent=2) + "\n", encoding="utf-8")
        drawings = catalogue.draw_all(content)
        catalogue.write(drawings, folder / "figures")
        (folder / "report.md").write_text(markdown.page(content, run_dir, drawings), encoding="utf-8")
        (folder / "report.html").write_text(html(content, run_dir, drawings), encoding="utf-8")
    except OSError as error:
        raise unwritable(run_dir, error) from error
    return markdown.summary(content, run_dir)

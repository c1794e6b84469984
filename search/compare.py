"""``thawline compare``: several finished runs in one table, datasets against kinds of strategies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from search.errors import again, require_run
from search.report.content import Report, gather
from search.report.styles import KINDS, families
from search.results.leaderboard import plain
from spaces.errors import BadInput, Problem


@dataclass(frozen=True)
class Comparison:
    """What several studies say together.

    Attributes:
        metric: What all of them measured.
        studies: One row per study: its winner, the label of its verdict, the gain over default full fine-tuning.
        scores: One row per study and kind: the kind's best confirmed strategy on validation, its test score with
            its interval, its rank among the kinds that every study confirmed.
        kinds: One row per kind, best average rank first, and the studies it won.
    """

    metric: str
    studies: pd.DataFrame
    scores: pd.DataFrame
    kinds: pd.DataFrame

    def as_json(self) -> dict[str, Any]:
        """Return the three tables as rows."""
        tables = {"studies": self.studies, "scores": self.scores, "kinds": self.kinds}
        return {"metric": self.metric, **{name: _rows(table) for name, table in tables.items()}}

    def __str__(self) -> str:
        """Return what ``thawline compare`` prints."""
        from search.report.compare import as_text

        return as_text(self)

    def write(self, folder: Path) -> list[Path]:
        """Write the table into ``folder`` as CSV, Markdown, LaTeX and HTML; return the files."""
        from search.report.compare import write

        return write(self, folder)


def compare(run_dirs: Sequence[str | Path]) -> Comparison:
    """Join finished runs, each a study of its own dataset or network.

    Raises:
        BadInput: fewer than two runs, one named twice, one without a verdict, or metrics that differ.
    """
    folders = [Path(folder) for folder in run_dirs]
    for folder in folders:
        require_run(folder)
    _distinct(folders)
    runs = {folder: gather(folder) for folder in folders}
    _comparable(runs)
    names = _names(runs)
    scores = pd.concat([_scores(names[folder], content) for folder, content in runs.items()], ignore_index=True)
    mode = next(iter(runs.values())).mode
    scores = scores.assign(rank=_ranks(scores, mode))
    studies = pd.DataFrame([_study(names[folder], folder, content) for folder, content in runs.items()])
    metric = next(iter(runs.values())).metric
    return Comparison(metric, studies, scores, _kinds(scores, studies))


def _distinct(folders: Sequence[Path]) -> None:
    if len(folders) < 2:
        raise BadInput.at("RUN_DIR", f"must be two runs or more, got {len(folders)}; thawline ls runs lists them")
    seen: set[Path] = set()
    for folder in folders:
        if folder.resolve() in seen:
            raise BadInput.at(str(folder), "is named twice; a run is compared with others, not with itself")
        seen.add(folder.resolve())


def _comparable(runs: Mapping[Path, Report]) -> None:
    problems = [
        Problem(str(folder), f"has no verdict yet; finish it first: {again('resume', folder)}")
        for folder, content in runs.items()
        if content.leaderboard.empty
    ]
    measured = {folder: f"{content.metric} ({content.mode})" for folder, content in runs.items()}
    if not problems and len(set(measured.values())) > 1:
        told = ", ".join(f"{folder}: {metric}" for folder, metric in measured.items())
        message = f"must be the same in every run to be compared, got {told}; compare those that share one"
        problems = [Problem("metric", message)]
    if problems:
        raise BadInput(problems)


def _names(runs: Mapping[Path, Report]) -> dict[Path, str]:
    """Return each study's name, with as much of its run folder's path as tells it from others of that name."""
    given = [content.name for content in runs.values()]
    ends = {folder: folder.resolve().parts for folder in runs}
    length = 1
    while len({parts[-length:] for parts in ends.values()}) < len(ends):
        length += 1
    place = {folder: "/".join(parts[-length:]) for folder, parts in ends.items()}
    return {
        folder: content.name if given.count(content.name) == 1 else f"{content.name} ({place[folder]})"
        for folder, content in runs.items()
    }


def _scores(name: str, content: Report) -> pd.DataFrame:
    board = content.leaderboard.sort_values("rank")
    first = board.assign(kind=families(board)).drop_duplicates("kind")  # the best of its kind on validation
    wanted = ["kind", "strategy", "role", "seeds", "val_mean", "test_mean", "test_low", "test_high"]
    return first[wanted].assign(study=name)[["study", *wanted]]


def _ranks(scores: pd.DataFrame, mode: str) -> pd.Series[float]:
    """Return each score's rank in its study, among the kinds that every study confirmed; ties share the mean rank."""
    studies = scores["study"].nunique()
    common = scores.groupby("kind")["study"].transform("nunique") == studies
    among = scores["test_mean"].where(common)
    return among.groupby(scores["study"]).rank(ascending=mode == "min", method="average")


def _study(name: str, folder: Path, content: Report) -> dict[str, Any]:
    best = content.leaderboard.sort_values("rank").iloc[0]
    kept = ("strategy", "seeds", "test_mean", "test_low", "test_high")
    gains = ("delta_full", "delta_full_low", "delta_full_high")
    return {
        "study": name,
        "run": str(folder),
        "label": content.verdict["label"],
        "winner": families(best.to_frame().T).iloc[0],
        **{column: best[column] for column in (*kept, *gains)},
    }


def _kinds(scores: pd.DataFrame, studies: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for kind in KINDS:
        own = scores[scores["kind"] == kind]
        if len(own):
            won = studies[studies["winner"] == kind]
            names = [f"{row['study']} ({row['label']})" for row in won.to_dict("records")]
            rows.append(
                {"kind": kind, "studies": len(own), "average_rank": own["rank"].mean(), "wins": len(won), "won": names}
            )
    return pd.DataFrame(rows).sort_values(["average_rank", "wins"], ascending=[True, False], ignore_index=True)


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [plain(row) for row in table.to_dict("records")]

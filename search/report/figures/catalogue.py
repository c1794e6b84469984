"""Every figure of the report, drawn from its content: a literal table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from search.report.content import Report
from search.report.figures import history, maps, winner
from search.report.figures.figure import Drawing, Figure
from search.report.svg.draw import standalone
from search.results.weights import Changes, weight_changes

Draw = Callable[[Report, Changes], Drawing]


def _seeds(content: Report, _: Changes) -> Drawing:
    return winner.finalist_seeds(content.leaderboard, content.trials, content.metric)


def _weight_change(content: Report, changes: Changes) -> Drawing:
    return winner.weight_change(changes, _winner(content).get("strategy", ""))


def _confusion(content: Report, _: Changes) -> Drawing:
    classes = content.facts.get("classes", [])
    first = _winner(content)
    return winner.confusion(content.predictions, _winners_trials(content), classes, first.get("strategy", ""))


FIGURES: Mapping[str, Draw] = {
    "strategy-map": lambda c, _: maps.strategy_map(c.trials, int(c.facts.get("blocks", 0)), c.metric),
    "cost": lambda c, _: maps.cost_map(c.trials, c.metric, c.mode),
    "lr-ratio": lambda c, _: maps.ratio_map(c.trials, c.metric),
    "kinds": lambda c, _: maps.kind_map(c.trials, c.metric),
    "learning-curves": lambda c, _: history.learning_curves(c.trials, c.epochs, c.metric, c.mode),
    "rungs": lambda c, _: history.rung_funnel(c.trials),
    "best-so-far": lambda c, _: history.best_so_far(c.trials, c.metric, c.mode),
    "seeds": _seeds,
    "weight-change": _weight_change,
    "confusion": _confusion,
}


def draw_all(content: Report, run_dir: Path) -> dict[str, Drawing]:
    """Return every figure's data, or why there is none."""
    changes = weight_changes(run_dir, _winners_trials(content))
    return {name: draw(content, changes) for name, draw in FIGURES.items()}


def write(drawings: Mapping[str, Drawing], folder: Path) -> None:
    """Write each figure as an SVG that stands alone; one that an earlier report drew and this cannot is removed."""
    folder.mkdir(exist_ok=True)
    for name, drawing in drawings.items():
        path = folder / f"{name}.svg"
        if isinstance(drawing, Figure):
            path.write_text(standalone(drawing), encoding="utf-8")
        else:
            path.unlink(missing_ok=True)


def _winner(content: Report) -> dict[str, Any]:
    rows = content.leaderboard.to_dict("records")
    return {str(name): value for name, value in rows[0].items()} if rows else {}


def _winners_trials(content: Report) -> list[str]:
    trials = content.trials
    own = trials[(trials["stage"] == "confirm") & (trials["key"] == _winner(content).get("key"))]
    return own["trial"].tolist()

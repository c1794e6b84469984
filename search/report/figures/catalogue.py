"""Every figure of the report, drawn from its content: two literal tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from search.report.content import Report
from search.report.figures import history, maps, winner
from search.report.figures.figure import Drawing, Figure
from search.report.svg.draw import standalone

FIGURES: Mapping[str, Callable[[Report], Drawing]] = {
    "strategy-map": lambda c: maps.strategy_map(c.trials, int(c.facts.get("blocks", 0)), c.metric),
    "cost": lambda c: maps.cost_map(c.pareto, c.leaderboard, c.metric),
    "lr-ratio": lambda c: maps.ratio_map(c.trials, c.metric),
    "kinds": lambda c: maps.kind_map(c.trials, c.metric),
    "learning-curves": lambda c: history.learning_curves(c.trials, c.epochs, c.metric, c.mode),
    "rungs": lambda c: history.rung_funnel(c.funnel),
    "best-so-far": lambda c: history.best_so_far(c.trials, c.metric, c.mode),
    "seeds": lambda c: winner.finalist_seeds(c.leaderboard, c.trials, c.metric),
    "weight-change": lambda c: winner.weight_change(c.weight_change, str(c.verdict["strategy"])),
    "confusion": lambda c: winner.confusion(c.confusion, str(c.verdict["strategy"])),
}
# In the order in which they stand there.
SECTION_OF: Mapping[str, str] = {
    "seeds": "leaderboard",
    "weight-change": "leaderboard",
    "confusion": "leaderboard",
    "strategy-map": "maps",
    "cost": "maps",
    "kinds": "mattered",
    "lr-ratio": "mattered",
    "rungs": "search",
    "learning-curves": "search",
    "best-so-far": "search",
}


def draw_all(content: Report) -> dict[str, Drawing]:
    """Return every figure's data, or why there is none."""
    return {name: draw(content) for name, draw in FIGURES.items()}


def write(drawings: Mapping[str, Drawing], folder: Path) -> None:
    """Write each figure as an SVG that stands alone; one that an earlier report drew and this cannot is removed."""
    folder.mkdir(exist_ok=True)
    for name, drawing in drawings.items():
        path = folder / f"{name}.svg"
        if isinstance(drawing, Figure):
            path.write_text(standalone(drawing), encoding="utf-8")
        else:
            path.unlink(missing_ok=True)

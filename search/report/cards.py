"""If you care about accuracy, cost or size: the picks as cards, each with its strategy as YAML to copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from search.report.answer import pick_facts
from search.report.content import Report
from search.report.styles import family
from search.results.leaderboard import by_key
from search.results.load import strategy_of
from search.results.picks import Purpose
from spaces.strategy import to_point

WHY: Mapping[Purpose, str] = {
    "accuracy": "Best on validation.",
    "cost": "Cheapest to train of those at most the margin behind that the winner is not shown to beat.",
    "size": "Fewest weights to train and to store of those at most the margin behind, not shown to be beaten.",
}


@dataclass(frozen=True)
class Card:
    """One strategy to take, and why."""

    title: str
    why: str
    kind: str
    strategy: str
    facts: Mapping[str, str]
    yaml: str


def cards(content: Report) -> list[Card]:
    """Return a card for each pick."""
    rows = by_key(content.leaderboard)
    return [
        Card(
            pick.purpose.capitalize(),
            f"{WHY[pick.purpose]} {pick.seeds} seeds.",
            family(rows[pick.key]),
            pick.strategy,
            pick_facts(pick, content.metric),
            strategy_yaml(rows[pick.key]),
        )
        for pick in content.picks
    ]


def strategy_yaml(row: Mapping[str, Any]) -> str:
    """Return the strategy of a leaderboard's row as YAML, the way ``best/strategy.yaml`` holds it."""
    text: str = yaml.safe_dump({"strategy": to_point(strategy_of(row))}, sort_keys=False)
    return text

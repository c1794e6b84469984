"""What is to be trained: a strategy, at a seed, in a stage of the study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from spaces.strata import stratum
from spaces.strategy import Strategy, to_point

Stage = Literal["search", "control", "confirm"]
Role = Literal["search", "finalist", "control"]


@dataclass(frozen=True)
class Proposal:
    """One trial to be run."""

    strategy: Strategy
    stage: Stage
    seed: int
    role: Role = "search"

    @property
    def attributes(self) -> dict[str, Any]:
        """What Optuna keeps of it."""
        return {
            "stage": self.stage,
            "role": self.role,
            "key": self.strategy.key,
            "stratum": stratum(self.strategy),
            "seed": self.seed,
            "strategy": to_point(self.strategy),
        }


def for_control(strategies: Sequence[Strategy], seed: int) -> list[Proposal]:
    """Return the controls of the search stage: at the search's own seed, never pruned, outside the budget."""
    return [Proposal(strategy, "control", seed, "control") for strategy in strategies]


def for_confirmation(strategies: Sequence[tuple[Strategy, Role]], *, seeds: int, seed: int) -> list[Proposal]:
    """Return every strategy at ``seeds`` fresh seeds, seed by seed, so that a cut leaves full rounds."""
    fresh = range(seed + 1, seed + 1 + seeds)
    return [Proposal(strategy, "confirm", number, role) for number in fresh for strategy, role in strategies]

"""What is to be trained: a strategy, at a seed, in a stage of the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from spaces.strata import stratum
from spaces.strategy import Strategy, to_point

Stage = Literal["search", "control", "confirm"]
Role = Literal["search", "finalist", "control", "rule"]
Wanted = tuple[Strategy, Role, int]  # to be confirmed, and over how many seeds
COMPARED_SEEDS = 3  # of controls and the rule's choice: they are there to be compared with
FIRST_SEEDS = 2  # of a finalist: without a second seed nothing is known of the spread


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


def for_rule(strategies: Sequence[Strategy], seed: int) -> list[Proposal]:
    """Return the rule's points: search trials like any other, but the first."""
    return [Proposal(strategy, "search", seed, "rule") for strategy in strategies]


def for_confirmation(wanted: Sequence[Wanted], *, seed: int) -> list[Proposal]:
    """Return every strategy at its number of fresh seeds, seed by seed, so that a cut leaves full rounds."""
    rounds = range(max((seeds for *_, seeds in wanted), default=0))
    return [
        Proposal(strategy, "confirm", seed + 1 + number, role)
        for number in rounds
        for strategy, role, seeds in wanted
        if number < seeds
    ]


def to_confirm(
    finalists: Mapping[str, Strategy], controls: Mapping[str, Strategy], rule: Strategy | None, seeds: int
) -> list[Wanted]:
    """Return what is confirmed, each strategy once: controls, the rule's choice, finalists; all by their keys.

    What is there for comparison gets `COMPARED_SEEDS` at the most, a finalist all of them.
    """
    wanted: dict[str, tuple[Strategy, Role]] = {key: (strategy, "control") for key, strategy in controls.items()}
    if rule is not None:
        wanted.setdefault(rule.key, (rule, "rule"))
    for key, strategy in finalists.items():
        wanted.setdefault(key, (strategy, "finalist"))
    few = min(COMPARED_SEEDS, seeds)
    return [(strategy, role, seeds if key in finalists else few) for key, (strategy, role) in wanted.items()]


def floor(compared: Sequence[Wanted], finalists: int, seeds: int) -> int:
    """Return the runs that no budget takes away: what is there for comparison, and each finalist's first seeds."""
    return sum(wanted for *_, wanted in compared) + finalists * min(FIRST_SEEDS, seeds)

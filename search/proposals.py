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


def to_search(rule: Sequence[Strategy], controls: Sequence[Strategy], seed: int) -> list[Proposal]:
    """Return what is tried before anything is drawn: the rule's points, the controls, in this order.

    Default full fine-tuning and training from scratch cost the most of all; the rule's points say more for less.
    """
    return [*for_rule(rule, seed), *for_control(controls, seed)]


def for_confirmation(wanted: Sequence[Wanted], *, seed: int) -> list[Proposal]:
    """Return every strategy at its number of fresh seeds, seed by seed, so that a cut leaves full rounds."""
    rounds = range(max((seeds for *_, seeds in wanted), default=0))
    return [
        Proposal(strategy, "confirm", fresh_seed(seed, number), role)
        for number in rounds
        for strategy, role, seeds in wanted
        if number < seeds
    ]


def fresh_seed(search_seed: int, number: int) -> int:
    """Return the confirmation's seed ``number``, from 0: the same for every strategy, and not the search's own."""
    return search_seed + 1 + number


def seed_number(seed: int, search_seed: int) -> int:
    """Return which of the fresh seeds ``seed`` is, from 0."""
    return seed - search_seed - 1


def to_confirm(
    finalists: Mapping[str, Strategy], controls: Mapping[str, Strategy], rule: Strategy | None, seeds: int
) -> list[Wanted]:
    """Return what is confirmed, each strategy once, with the seeds that no budget takes away.

    Controls, the rule's choice, finalists, in this order; the mappings are by key.
    """
    wanted: dict[str, tuple[Strategy, Role]] = {key: (strategy, "control") for key, strategy in controls.items()}
    if rule is not None:
        wanted.setdefault(rule.key, (rule, "rule"))
    for key, strategy in finalists.items():
        wanted.setdefault(key, (strategy, "finalist"))
    return [(strategy, role, first_seeds(role, seeds)) for strategy, role in wanted.values()]


def first_seeds(role: str, seeds: int) -> int:
    """Return how many seeds a strategy gets whatever comes out: what is there for comparison more than a finalist."""
    return min(FIRST_SEEDS if role == "finalist" else COMPARED_SEEDS, seeds)

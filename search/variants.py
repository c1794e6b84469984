"""How points are drawn from a conditional space: the samplers, and the walks that go with them. A literal table.

Every row is a sampler made anew for each ask, from a seed alone, and the walk that asks it. Which row is the
default is for a benchmark of regret to say; they are kept side by side so that it can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial

from spaces.param import Space
from spaces.strategy import Strategy
from spaces.suggest import Suggests, suggest, suggest_all

Walk = Callable[[Space, Suggests], Strategy]
FIRST = "freezing"  # decided before everything else


@dataclass(frozen=True)
class Variant:
    """One way to draw: the sampler of a seed, and how the space is walked with it."""

    sampler: Callable[[int], BaseSampler]
    walk: Walk


class Among(BaseSampler):
    """TPE that learns from some of the study's trials only: those that ``belongs`` picks for the trial at hand.

    Within them, dimensions are drawn together, not one by one.
    """

    def __init__(self, seed: int, belongs: Callable[[FrozenTrial, FrozenTrial], bool]) -> None:
        self._seed = seed
        self._belongs = belongs
        self._within: dict[tuple[int, Any], Trial] = {}

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return none: what belongs together is known only once the first dimension is drawn."""
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return none, as there is no relative space."""
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw one dimension from a study of the trials that belong."""
        key = (trial.number, trial.params.get(FIRST))
        if key not in self._within:
            self._within[key] = self._open(study, trial)
        return _drawn(self._within[key], param_name, param_distribution)

    def _open(self, study: optuna.Study, trial: FrozenTrial) -> Trial:
        """Ask a study in memory that holds only the trials that belong; those still running count as poor ones."""
        sampler = TPESampler(multivariate=True, group=True, constant_liar=True, seed=self._seed)
        part = optuna.create_study(direction=study.direction, sampler=sampler)
        others = (other for other in study.get_trials(deepcopy=False) if other.number != trial.number)
        part.add_trials([_bare(other) for other in others if other.params and self._belongs(other, trial)])
        return part.ask()


def _bare(trial: FrozenTrial) -> FrozenTrial:
    """Return what a sampler learns from, without the attributes, which are costly to copy."""
    return optuna.trial.create_trial(
        state=trial.state,
        value=trial.value,
        params=trial.params,
        distributions=trial.distributions,
        intermediate_values=trial.intermediate_values,
    )


def _drawn(trial: Trial, name: str, distribution: BaseDistribution) -> Any:
    match distribution:
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
        case IntDistribution(low=low, high=high):
            return trial.suggest_int(name, low, high)
        case FloatDistribution(low=low, high=high, log=log):
            return trial.suggest_float(name, low, high, log=log)
    raise TypeError(f"{name} has a distribution that no space draws: {distribution}")


def _same_freezing(other: FrozenTrial, trial: FrozenTrial) -> bool:
    return FIRST not in trial.params or other.params.get(FIRST) == trial.params[FIRST]


def _grouped(seed: int) -> BaseSampler:
    return TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)


VARIANTS: Mapping[str, Variant] = {
    # Drawn where their condition holds; TPE splits the space into the groups that occur together.
    "tpe": Variant(_grouped, suggest),
    # Every dimension always: one joint space, whose inactive values `canonical` ignores. A trial without values, as
    # a control outside the space has none, would leave nothing joint: it does not belong.
    "tpe_flat": Variant(lambda seed: Among(seed, lambda other, trial: True), suggest_all),
    # The kind of freezing from all trials, the rest from those of the same kind.
    "freezing_first": Variant(lambda seed: Among(seed, _same_freezing), suggest),
    "random": Variant(lambda seed: RandomSampler(seed=seed), suggest),
}

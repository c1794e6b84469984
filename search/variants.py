"""How points are drawn from a conditional space: the samplers, and the walks that go with them. A literal table.

Every row is a sampler made anew for each ask, from a seed alone, and the walk that asks it. Why one of them is the
default stands in docs/decisions/0012; they are kept side by side so that it can be measured again.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from spaces.param import Space
from spaces.strategy import Strategy
from spaces.suggest import Suggests, suggest, suggest_all

Walk = Callable[[Space, Suggests], Strategy]
FIRST = "freezing"  # decided before everything else
LEARNED_FROM = (TrialState.COMPLETE, TrialState.PRUNED)
START = 10  # trials of a kind that are drawn at random before TPE learns from them, as Optuna has it


@dataclass(frozen=True)
class Variant:
    """One way to draw: the sampler of a seed, and how the space is walked with it."""

    sampler: Callable[[int], BaseSampler]
    walk: Walk


class Seen:
    """A study of which only some trials are seen, as far as a sampler looks at it. Copies nothing."""

    def __init__(self, study: optuna.Study, trials: Sequence[FrozenTrial]) -> None:
        self._study = study
        self._trials = trials

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        return [trial for trial in self._trials if states is None or trial.state in states]


class Among(BaseSampler):
    """TPE over dimensions that not every trial has. Those that all trials it learns from have are drawn together.

    With ``kinds`` the kind of freezing comes first and by itself, from all trials; the rest from those of that kind.
    A trial without values, as a control outside the space has none, teaches nothing.
    """

    def __init__(self, seed: int, *, kinds: bool) -> None:
        self._seed = seed
        self._kinds = kinds
        self._parts: dict[tuple[int, Any], tuple[TPESampler, optuna.Study, Mapping[str, Any]]] = {}

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
        """Draw one dimension, learning from the trials that belong."""
        kind = trial.params.get(FIRST) if self._kinds else None
        if (trial.number, kind) not in self._parts:
            self._parts[trial.number, kind] = self._part(study, trial, kind)
        sampler, seen, together = self._parts[trial.number, kind]
        if param_name in together:
            return together[param_name]
        return sampler.sample_independent(seen, trial, param_name, param_distribution)

    def _part(
        self, study: optuna.Study, trial: FrozenTrial, kind: Any
    ) -> tuple[TPESampler, optuna.Study, Mapping[str, Any]]:
        """Return a sampler, what it sees, and the dimensions that were drawn together; running trials count as poor."""
        others = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number and t.params]
        seen = cast(optuna.Study, Seen(study, [t for t in others if kind in (None, t.params.get(FIRST))]))
        single, joint = (
            TPESampler(multivariate=together, constant_liar=True, seed=self._seed, n_startup_trials=START)
            for together in (False, True)
        )
        if self._kinds and kind is None:
            return single, seen, {}
        return single, seen, joint.sample_relative(seen, trial, shared(seen._get_trials(states=LEARNED_FROM)))


def shared(trials: Sequence[FrozenTrial]) -> dict[str, BaseDistribution]:
    """Return the dimensions that all of ``trials`` have, by name, those of one value left out.

    TPE's own way to the same compares all distributions of all trials at every ask; here a name has one in a study.
    """
    if not trials:
        return {}
    last = trials[-1].distributions
    names = set(last).intersection(*(trial.distributions for trial in trials))
    return {name: last[name] for name in sorted(names) if not last[name].single()}


def _grouped(seed: int) -> BaseSampler:
    return TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)


VARIANTS: Mapping[str, Variant] = {
    # Drawn where their condition holds; TPE splits the space into the groups that occur together.
    "tpe": Variant(_grouped, suggest),
    # Every dimension always: one joint space, whose inactive values `canonical` ignores.
    "tpe_flat": Variant(lambda seed: Among(seed, kinds=False), suggest_all),
    "freezing_first": Variant(lambda seed: Among(seed, kinds=True), suggest),
    "random": Variant(lambda seed: RandomSampler(seed=seed), suggest),
}

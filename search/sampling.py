"""Where a study's trials come from: opened at a given strategy, or at one that is drawn.

What is drawn is a function of the study's seed and the trial's number, a fresh sampler for each: a
study that was interrupted, even within a draw, proposes what one that was not would have.
"""

from __future__ import annotations

import hashlib
import random
import warnings
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

import optuna
from optuna.samplers import BaseSampler, PartialFixedSampler, RandomSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from search.variants import VARIANTS
from spaces.check import drawn
from spaces.every import every
from spaces.param import Space
from spaces.strategy import Point, Strategy

DUPLICATES_IN_A_ROW = 5  # then the next point is drawn at random
EXHAUSTED_AFTER = 50
Drawn = tuple[Trial, Strategy]


@dataclass(frozen=True)
class Sampling:
    """What is drawn from once the queue is empty, and how."""

    space: Space
    budget: int
    seed: int
    sampler: str = "freezing_first"

    @cached_property
    def every(self) -> Mapping[str, Point] | None:
        """A point of each strategy by its key, or None where there is no end of them."""
        return every(self.space)


class Openings:
    """Opens the trials of one study; first the one that an earlier session opened and did not get to fill."""

    def __init__(self, study: optuna.Study, torn: Trial | None) -> None:
        self.study = study
        self._torn = torn

    @property
    def number(self) -> int:
        """The number of the trial that is opened next."""
        return self._torn.number if self._torn else len(self.study.get_trials(deepcopy=False))

    @property
    def duplicates(self) -> int:
        """How many duplicates were drawn last, in a row: a session may have ended among them."""
        earlier = (trial for trial in reversed(self.study.get_trials(deepcopy=False)) if not self._is_torn(trial))
        return sum(1 for _ in takewhile(lambda trial: "reused_of" in trial.user_attrs, earlier))

    def plain(self) -> Trial:
        """Open a trial that Optuna knows no values of."""
        torn, self._torn = self._torn, None
        return torn or self.study.ask()

    def at(self, point: Point, sampling: Sampling) -> Drawn:
        """Open a trial at ``point``; what the point leaves open is drawn at random."""
        self.study.sampler = sampler_of("random", sampling.seed, self.number)
        if self._torn:
            self.study._storage.set_trial_system_attr(self._torn._trial_id, "fixed_params", point)
        elif not self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):  # else a session ended right here
            self.study.enqueue_trial(point)
        return self._walked(sampling)

    def drawn(self, sampling: Sampling, sampler: str) -> Drawn:
        """Open a trial at the point that a sampler draws."""
        self.study.sampler = sampler_of(sampler, sampling.seed, self.number)
        if self._torn:
            self._redraw(self._torn, sampling)
        return self._walked(sampling)

    def _walked(self, sampling: Sampling) -> Drawn:
        trial = self.plain()
        return trial, VARIANTS[sampling.sampler].walk(sampling.space, trial)  # type: ignore[arg-type]

    def _is_torn(self, trial: FrozenTrial) -> bool:
        return self._torn is not None and trial.number == self._torn.number

    def _redraw(self, torn: Trial, sampling: Sampling) -> None:
        """Complete a draw that was cut short, with the values it would have had.

        The first values of the draw stand already and would not be drawn again, which would leave other
        random numbers for the rest: so it is drawn anew, whole, on a copy of the study as it was.
        """
        copy = optuna.create_study(direction=self.study.direction, sampler=self.study.sampler)
        copy.add_trials(self.study.get_trials(deepcopy=True)[: torn.number])
        again = copy.ask()
        VARIANTS[sampling.sampler].walk(sampling.space, again)  # type: ignore[arg-type]
        with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
            self.study.sampler = PartialFixedSampler(again.params, RandomSampler(seed=0))


def given(openings: Openings, strategy: Strategy, sampling: Sampling | None) -> Trial:
    """Open the trial of ``strategy``; where it lies in a space that is sampled, the sampler learns from it too."""
    point = drawn(sampling.space, strategy) if sampling else None
    if sampling is None or point is None:
        return openings.plain()
    return openings.at(point, sampling)[0]


def new(openings: Openings, sampling: Sampling, tried: Container[str]) -> Iterator[Drawn]:
    """Draw a strategy after another until the caller has one whose key is not ``tried``.

    After five in a row that are, draws are random. Where the space has only so many strategies, they are among those
    that are left, and after the fewer draws the fewer these are: after three where half of them are left. Ends where
    none is left, or after fifty.
    """
    for attempt in range(openings.duplicates, EXHAUSTED_AFTER):
        known = sampling.every
        left = None if known is None else [point for key, point in known.items() if key not in tried]
        if left == []:
            return
        # The fewer are left, the less a sampler has to choose from, and the surer it draws what is known.
        share = 1.0 if left is None or known is None else len(left) / len(known)
        if attempt < DUPLICATES_IN_A_ROW * share:
            yield openings.drawn(sampling, sampling.sampler)
        elif left:
            yield openings.at(random.Random(_seed(sampling.seed, openings.number)).choice(left), sampling)
        else:
            yield openings.drawn(sampling, "random")


def sampler_of(name: str, seed: int, number: int) -> BaseSampler:
    """Return the sampler of one ask."""
    return VARIANTS[name].sampler(_seed(seed, number))


def _seed(study: int, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{study}/{number}".encode()).digest()[:4], "big")

"""Where search trials come from once the queue is empty, and the sampler of each draw."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import Trial

from search.variants import VARIANTS
from spaces.param import Space

DUPLICATES_IN_A_ROW = 5  # then the next point is drawn at random
EXHAUSTED_AFTER = 50


@dataclass(frozen=True)
class Sampling:
    """Where search trials come from once the queue is empty."""

    space: Space
    budget: int
    seed: int
    sampler: str = "tpe"


def sampler_of(name: str, seed: int, number: int) -> BaseSampler:
    """Return the sampler of one ask: a function of the study's seed and the trial's number.

    So that a study that was interrupted proposes what one that was not would have.
    """
    own = int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4], "big")
    return VARIANTS[name].sampler(own)


def duplicates(study: optuna.Study, torn: Trial | None) -> int:
    """Count the duplicates drawn last, in a row: a session may have ended among them.

    ``torn`` is the draw that it ended in, which is none yet.
    """
    count = 0
    for trial in reversed(study.get_trials(deepcopy=False)):
        if torn is None or trial.number != torn.number:
            if "reused_of" not in trial.user_attrs:
                break
            count += 1
    return count

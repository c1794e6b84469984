"""The time a study has used, over all its sessions, against ``budget.hours``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

SEARCH_SHARE = 2 / 3  # the rest is reserved for confirmation
USED = "seconds_used"  # attribute of both studies; the later one counts
TIME_WAS_UP = "time was up"  # in the reason of what it stopped
TIME_UP = "time_up_in_{}"  # attribute of the study that was cut, with the time


@dataclass
class Clock:
    """Counts from its making on; without ``hours`` time is never up."""

    hours: float | None = None
    before: float = 0.0  # seconds that earlier sessions used
    now: Callable[[], float] = time.monotonic
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.now()

    @property
    def used(self) -> float:
        """Return the seconds used so far."""
        return self.before + self.now() - self.started

    def is_up(self, study: str) -> bool:
        """Tell whether the time of the study ``search`` or ``confirm`` is over."""
        share = SEARCH_SHARE if study == "search" else 1.0
        return self.hours is not None and self.used >= share * self.hours * 3600

"""What a study spent, in the deterministic units of its epochs' cost: forward passes of the whole network."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from search.proposals import first_seeds, seed_number


@dataclass(frozen=True)
class Compute:
    """What search (controls included) and confirmation cost; of the latter, the floor, which always runs."""

    search: float
    confirmation: float
    floor: float

    @property
    def share(self) -> float:
        """Confirmation's share of the whole."""
        return self._of_whole(self.confirmation)

    @property
    def floor_exceeded(self) -> bool:
        """Tell whether the floor alone took more than half."""
        return self.floor > self.search > 0

    @property
    def floor_share(self) -> float:
        """The share that the floor alone would have had."""
        return self.floor / (self.search + self.floor) if self.floor else 0.0

    def as_json(self) -> dict[str, float | bool]:
        """Return the figures by name."""
        names = ("search", "confirmation", "floor", "share", "floor_share", "floor_exceeded")
        return {name: getattr(self, name) for name in names}

    def _of_whole(self, part: float) -> float:
        whole = self.search + self.confirmation
        return part / whole if whole else 0.0


def compute(trials: pd.DataFrame, *, search_seed: int, seeds: int) -> Compute:
    """Add up what the trials of a run cost; ``seeds`` is the study's ``finalists.seeds``."""
    confirmed = trials[trials["stage"] == "confirm"]
    first = [
        seed_number(int(seed), search_seed) < first_seeds(role, seeds)
        for seed, role in zip(confirmed["seed"], confirmed["role"], strict=True)
    ]
    return Compute(
        search=float(trials.loc[trials["stage"] != "confirm", "cost"].sum()),
        confirmation=float(confirmed["cost"].sum()),
        floor=float(confirmed.loc[first, "cost"].sum()),
    )

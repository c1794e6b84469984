"""What a training settled at. One epoch's validation score is noisy; the mean of the last few is less so."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import pandas as pd

SHARE = 4  # one in so many epochs, the last ones: docs/decisions/0010


def settled(scores: Sequence[float]) -> float:
    """Return the mean of the last quarter of a training's validation scores, of one at least."""
    return fmean(scores[-max(1, -(-len(scores) // SHARE)) :])


def settled_by_trial(epochs: pd.DataFrame) -> pd.Series[float]:
    """Return what each trial settled at, by its label; ``epochs`` as `search.results.load` reads them."""
    ordered = epochs.sort_values(["trial", "epoch"], kind="stable")
    return ordered.groupby("trial")["score"].agg(lambda scores: settled(scores.tolist()))

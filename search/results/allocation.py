"""Who gets the next seed of the confirmation: those that may still be the best, as far as the compute reaches."""

from __future__ import annotations

from collections.abc import Mapping

from search.results.compare import within_reach
from search.results.intervals import Sample

# Asked anew in every round, so stricter than the verdict: a rival that chance puts behind once is not lost.
REACH = 0.99


def next_seeds(
    so_far: Sample, costs: Mapping[str, float], *, done: int, seeds: int, left: float, mode: str
) -> tuple[str, ...]:
    """Return the strategies that get seed number ``done``, best first; none where the confirmation is over.

    Args:
        so_far: The validation scores of all earlier seeds, by key.
        costs: What one training of each costs.
        done: How many rounds of seeds there were; also the next seed's number, from 0.
        seeds: The most that a strategy gets.
        left: The compute that may still be spent, in the unit of ``costs``.
        mode: Which way is better.
    """
    if done >= seeds:
        return ()
    chosen = []
    for name in within_reach(so_far, mode, REACH):
        if costs[name] <= left:
            chosen.append(name)
            left -= costs[name]
    return tuple(chosen)

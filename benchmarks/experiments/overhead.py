"""Sixty trials as small as trials get, heads on a frozen network, against the plain function trainable.

Wall from the start of the script to its end, two trials at once. The plain script is timed on twelve trials; what
it takes beyond its start is scaled to sixty.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import legs
from benchmarks.jobs import MINILM, Network
from benchmarks.legs import FUNCTION, OWN, Leg, List
from benchmarks.row import Row, at_least

TRIALS, TIMED = 60, 12
SAMPLES, EPOCHS, SLOTS = 200, 3, 2
GOAL = 10


def rows() -> list[Row]:
    """Measure both, once: the ratio lies far from what chance moves."""
    return measured(MINILM, legs.leg)


def measured(
    network: Network, measure: Callable[[List, str], Leg], trials: int = TRIALS, timed: int = TIMED
) -> list[Row]:
    """Return the ratio, and how many workers trained."""
    theirs, ours = (
        measure(List(network, (0,) * count, SAMPLES, EPOCHS, seed=0), way)
        for count, way in ((timed, FUNCTION), (trials, OWN))
    )
    scaled = theirs.spent.wall + theirs.outcome.seconds * (trials / timed - 1)
    wall = (
        f"{ours.spent.wall:.4g} s against {scaled:.4g} s: (a) took {theirs.spent.wall:.4g} s for {timed} trials, of "
        f"which {theirs.outcome.seconds:.4g} s in Tune are scaled to {trials}; of ours {ours.outcome.seconds:.4g} s "
        f"are in Tune; {theirs.spent.workers:.4g} CPU-s of workers for {timed}, {ours.spent.workers:.4g} for {trials}"
    )
    used = f"{ours.spent.started} worker processes started for {trials} trials"
    return [
        at_least(f"{trials} probes, wall of (a)", round(scaled / ours.spent.wall, 2), GOAL, unit="times", note=wall),
        at_least("workers that trained", ours.outcome.workers, SLOTS, unit=f"of {SLOTS}", note=used),
    ]

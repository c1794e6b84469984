"""The answer: which strategy is best on validation, and whether the evidence is enough to say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from search.results.compare import ranked, rivals
from search.results.intervals import Sample

Label = Literal["clear", "tie", "not enough evidence"]


@dataclass(frozen=True)
class Decision:
    """What confirmation on validation decided, before anything read the test set."""

    winner: str
    label: Label
    tied: tuple[str, ...]  # rivals that could not be told from the winner
    recommended: str  # the winner, or the cheapest of a tie
    order: tuple[str, ...]  # best first


def decide(sample: Sample, costs: Mapping[str, float], *, margin: float, mode: str) -> Decision:
    """Name the winner of the validation scores in ``sample``.

    *clear*: it beats every rival beyond the interval, corrected for the number of rivals by Holm's procedure.
    *tie*: the interval of every rival it does not beat lies within ``margin``; that is a claim about all of
    them at once, so that nothing is to be corrected. Otherwise there is *not enough evidence*.
    """
    order = ranked(sample, mode)
    winner = order[0]
    against = {rival.name: rival for rival in rivals(sample, winner, mode)}
    unresolved = tuple(name for name in order[1:] if not against[name].beaten)
    if not unresolved:
        label: Label = "clear" if against else "not enough evidence"
    elif all(-margin <= against[name].gap.low and against[name].gap.high <= margin for name in unresolved):
        label = "tie"
    else:
        label = "not enough evidence"
    among = (winner, *unresolved) if label == "tie" else (winner,)
    return Decision(winner, label, unresolved, min(among, key=lambda name: costs[name]), order)


def read_decision(kept: Mapping[str, Any]) -> Decision:
    """Read a decision that was written down."""
    return Decision(kept["winner"], kept["label"], tuple(kept["tied"]), kept["recommended"], tuple(kept["order"]))

"""The answer: which strategy is best on validation, and whether the evidence is enough to say so."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from search.results.intervals import Interval, Sample

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

    *clear*: it beats every rival beyond the interval, corrected for the number of rivals. *tie*: every
    rival it does not beat lies within ``margin``. Otherwise there is *not enough evidence*.
    """
    sign = 1 if mode == "max" else -1
    order = tuple(sorted(sample.means, key=lambda name: -sign * sample.means[name]))
    winner, rivals = order[0], order[1:]
    gaps = {rival: _ahead(sample, winner, rival, max(1, len(rivals)), sign) for rival in rivals}
    open_rivals = tuple(rival for rival, gap in gaps.items() if not gap.low > 0)
    if not open_rivals:
        label: Label = "clear" if rivals else "not enough evidence"
    elif all(-margin <= gaps[rival].low and gaps[rival].high <= margin for rival in open_rivals):
        label = "tie"
    else:
        label = "not enough evidence"
    among = (winner, *open_rivals) if label == "tie" else (winner,)
    return Decision(winner, label, open_rivals, min(among, key=lambda name: costs[name]), order)


def read_decision(kept: Mapping[str, Any]) -> Decision:
    """Read a decision that was written down."""
    return Decision(kept["winner"], kept["label"], tuple(kept["tied"]), kept["recommended"], tuple(kept["order"]))


def _ahead(sample: Sample, winner: str, rival: str, comparisons: int, sign: int) -> Interval:
    gap = sample.difference(winner, rival, comparisons=comparisons)
    return gap if sign == 1 else Interval(-gap.mean, -gap.high, -gap.low)


def sentence(decision: Decision, words: str, metric: str, test: Interval, seeds: int, gain: Interval | None) -> str:
    """Return the report's first sentence, from one template, no number without its interval."""
    first = f"Use {words}: test {metric} {_shown(test)}, {seeds} seed{'s' if seeds != 1 else ''}"
    against = f", {_signed(gain)} against default full fine-tuning" if gain else ""
    match decision.label:
        case "clear":
            end = "The validation scores say so clearly."
        case "tie":
            end = f"It ties with {len(decision.tied)} of the others within the margin."
        case "not enough evidence":
            end = f"There is not enough evidence to tell it from {len(decision.tied)} of the others."
    return f"{first}{against}. {end}"


def _shown(value: Interval) -> str:
    if math.isnan(value.low):
        return f"{value.mean:.3f} (no interval: one seed)"
    return f"{value.mean:.3f} (95 % interval {value.low:.3f} to {value.high:.3f})"


def _signed(value: Interval) -> str:
    if math.isnan(value.low):
        return f"{value.mean:+.3f} (no interval: one seed)"
    return f"{value.mean:+.3f} [{value.low:+.3f}, {value.high:+.3f}]"

"""The report's sentences, each from one fixed template; no number stands without its interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search.report.rounding import percent, points
from search.results.intervals import Interval
from search.results.verdict import Decision

ITSELF = Interval(0.0, 0.0, 0.0)  # the difference of a strategy to itself


def verdict(
    decision: Decision,
    strategy: str,
    metric: str,
    test: Interval,
    seeds: int,
    examples: int,
    gain: Interval | None,
    cost: float | None = None,
) -> str:
    """Return the report's first sentences: what to use, how good it is, against what, and how sure that is.

    ``gain`` is to default full fine-tuning; None where that is what is recommended, or was not confirmed. ``cost``
    is that of a training as a share of its own, which is counted and has no uncertainty.
    """
    counted = f"{_count(seeds, 'seed')} x {_count(examples, 'example')}"
    paid = f" at {100 * cost:.{0 if cost >= 0.1 else 1}f} % of its cost" if cost is not None else ""
    against = f", {points(gain)} against default full fine-tuning{paid}" if gain else ""
    return f"Use {strategy}: test {metric} {percent(test)}, {counted}{against}. {certainty(decision)}"


def certainty(decision: Decision) -> str:
    """Return how sure the decision is."""
    others = len(decision.tied)
    match decision.label:
        case "clear":
            return "Clear: on validation it is ahead of every other beyond the uncertainty."
        case "tie":
            same = "the winner and the cheapest of them" if decision.recommended == decision.winner else "the cheapest"
            return f"A tie: {_count(others, 'other')} cannot be told from the winner within the margin; this is {same}."
        case "not enough evidence" if not others:
            return "Not enough evidence: nothing else was confirmed that it could be held against."
        case "not enough evidence":
            return f"Not enough evidence: on validation it cannot be told from {_count(others, 'other')}."


def opened(openings: int) -> str:
    """Return what is to be said of a test set that was opened more than once; else nothing."""
    if openings < 2:
        return ""
    return f" The test set was opened {openings} times: its scores were known when the search was extended."


def rule(told: Mapping[str, Any], found: str | None, delta: Interval | None) -> str:
    """Return what the textbook rule advised, what the search found, and the difference on test."""
    advised = told["strategy"] or "nothing that the space holds"
    first = f"The textbook quadrant ({told['quadrant']}; {_gain(told['measured'].get('gain'))}) advises {advised}"
    if found is None:
        return f"{first}; the search has no answer yet."
    if delta is None:
        return f"{first}; the search found {found}."
    if found == told["strategy"]:
        return f"{first}; the search found the same."
    return f"{first}; the search found {found}; difference {points(delta)} on test."


def gains(searching: Interval | None, strategy: Interval | None) -> list[str]:
    """Return the two gains, never mixed: of having searched, and of the kind of strategy."""
    told = []
    for gain, of, to in (
        (searching, "searching", "default full fine-tuning"),
        (strategy, "the strategy", "the best full fine-tuning found"),
    ):
        if gain == ITSELF:
            told.append(f"Gain of {of}: none, for what is recommended is {to}.")
        elif gain:
            told.append(f"Gain of {of} (to {to}): {points(gain)} on test.")
    return told


def _gain(kept: Mapping[str, float] | None) -> str:
    if not kept:
        return "transfer gain unknown"
    half = (kept["high"] - kept["low"]) / 2
    return f"transfer gain {kept['mean']:.2f} ± {half:.2f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

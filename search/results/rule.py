"""What the report says of the textbook rule: where the data stood, what it chose, what searching gained over it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search.results.intervals import Interval, Sample
from search.results.leaderboard import plain
from search.rule import RULE, read


def against_rule(facts: Mapping[str, Any], test: Sample, recommended: str) -> Interval | None:
    """Return the recommended strategy's test score minus that of the rule's choice; None if that was not confirmed."""
    answer = read(facts[RULE]).answer if RULE in facts else None
    if answer is None or answer.key not in test.means:
        return None
    return Interval(0.0, 0.0, 0.0) if answer.key == recommended else test.difference(recommended, answer.key)


def told(facts: Mapping[str, Any], gain: Interval | None, *, trained: float) -> dict[str, Any] | None:
    """Return the rule's part of ``report.json``; None where the search had not come to it.

    ``trained`` is for how many seconds all trials trained: the measurement's share is of both together.
    """
    if RULE not in facts:
        return None
    rule = read(facts[RULE])
    seconds = float(rule.transfer.get("seconds", 0.0))
    deltas = {"delta": gain.mean, "delta_low": gain.low, "delta_high": gain.high} if gain else {}
    return {
        "quadrant": rule.quadrant,
        "size": rule.size,
        "similarity": rule.similarity,
        "strategy": str(rule.answer) if rule.answer else None,
        **plain({"delta": None, "delta_low": None, "delta_high": None} | deltas),
        "unsure": rule.unsure,
        "samples": rule.samples,
        "classes": rule.classes,
        "measured": dict(rule.transfer),
        "share": seconds / (seconds + trained) if seconds else 0.0,
        "note": rule.note,
        "dropped": list(rule.dropped),
    }

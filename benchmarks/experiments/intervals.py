"""How honest the intervals and labels are where the truth is known.

Each row draws a confirmation many times: examples that are harder or easier for everybody, each strategy with
examples of its own that it likes (the interaction), seeds that differ, a finite set of examples. The first rows
hold the share of 95 % intervals that hold the truth; then come the labels, after seeds were spent in rounds as
`search.rounds` spends them. Goals: 93 to 97 % of the intervals hold the truth, at most 5 % of true equals are
said to differ, at most 5 % of the *clear* labels where no strategy is best. The last rows have no goal: they show
where the method ends, and what pairing over few seeds would do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.row import Row
from benchmarks.truth import Truth, equals
from search.proposals import COMPARED_SEEDS, FIRST_SEEDS
from search.results.allocation import next_seeds
from search.results.intervals import PAIRED_FROM, Sample, Scores
from search.results.verdict import decide

DRAWS = 600
MARGIN = 0.01
COVERED, WRONG = (0.93, 0.97), 0.05
NO_LIMIT = 1e9
NEVER = 10**6  # seeds


@dataclass
class Outcome:
    """What many draws of one truth came to; shares are of draws times strategies, or pairs."""

    held: list[bool] = field(default_factory=list)  # the interval holds the strategy's true accuracy
    wrong: list[bool] = field(default_factory=list)  # the interval of a difference leaves the true one out
    labels: Counter[str] = field(default_factory=Counter)
    false_clear: int = 0
    right_clear: int = 0
    seeds: list[int] = field(default_factory=list)  # spent, all strategies together

    @property
    def coverage(self) -> float:
        """The share of intervals that hold the truth."""
        return float(np.mean(self.held))

    @property
    def differ(self) -> float:
        """The share of differences whose interval leaves the true one out."""
        return float(np.mean(self.wrong))


def simulate(
    truth: Truth,
    draws: int,
    *,
    start: int = 0,
    metric: str = "accuracy",
    rounds: bool = False,
    paired_from: int = PAIRED_FROM,
) -> Outcome:
    """Draw ``truth`` many times; with ``rounds``, seeds are spent as in a confirmation before it is decided.

    From ``paired_from`` common seeds on, differences are paired over them.
    """
    outcome = Outcome()
    top = max(truth.accuracy.values())
    best = [name for name, accuracy in truth.accuracy.items() if accuracy == top]
    costs = dict.fromkeys(truth.accuracy, 1.0)
    for draw in range(draws):
        sample = replace(truth.draw(np.random.default_rng([start, draw]), metric), paired_from=paired_from)
        sample = in_rounds(sample, max(truth.seeds.values())) if rounds else sample
        outcome.seeds.append(sum(sample.seeds.values()))
        decision = decide(sample, costs, margin=MARGIN, mode="max")
        outcome.labels[decision.label] += 1
        right = best == [decision.winner]
        outcome.right_clear += decision.label == "clear" and right
        outcome.false_clear += decision.label == "clear" and not right
        for name, accuracy in truth.accuracy.items():
            interval = sample.interval(name)
            outcome.held.append(interval.low <= accuracy <= interval.high)
        for one, other in _pairs(list(truth.accuracy)):
            gap = sample.difference(one, other)
            true = truth.accuracy[one] - truth.accuracy[other]
            outcome.wrong.append(not gap.low <= true <= gap.high)
    return outcome


def in_rounds(whole: Sample, seeds: int) -> Sample:
    """Return what is left of ``whole`` when its seeds are spent in rounds; the first two strategies are controls."""
    floor = {name: min(seeds, COMPARED_SEEDS if i < 2 else FIRST_SEEDS) for i, name in enumerate(whole.scores)}
    taken = {name: list(range(first)) for name, first in floor.items()}
    for number in range(FIRST_SEEDS, seeds):
        so_far = _of(whole, {name: [seed for seed in own if seed < number] for name, own in taken.items()})
        costs = {name: 0.0 if number < floor[name] else 1.0 for name in floor}
        for name in next_seeds(so_far, costs, done=number, seeds=seeds, left=NO_LIMIT, mode="max"):
            taken[name] = sorted({*taken[name], number})
    return _of(whole, taken)


def _of(whole: Sample, seeds: dict[str, list[int]]) -> Sample:
    scores = {
        name: Scores(tuple(own), whole.scores[name].by_seed[own], whole.scores[name].replicates[own])
        for name, own in seeds.items()
    }
    return replace(whole, scores=scores)


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(one, other) for index, one in enumerate(names) for other in names[index + 1 :]]


def planted(ahead: float, seeds: int, examples: int) -> Truth:
    """Return five strategies, the third of which is ``ahead`` of the others."""
    accuracy = dict.fromkeys("abcde", 0.87 - ahead) | {"c": 0.87}
    return Truth(accuracy, dict.fromkeys("abcde", seeds), spread=0.005, examples=examples)


INTERVALS = {
    "accuracy 0.85, 3 seeds that differ by 0.5 points, 400 examples": equals(3, seeds=3),
    "accuracy 0.85, 5 seeds that differ by 0.5 points, 400 examples": equals(3, seeds=5),
    "accuracy 0.85, 5 seeds that differ by 1 point, 400 examples": equals(3, seeds=5, spread=0.01),
    "accuracy 0.85, 10 seeds that differ by 1 point, 2000 examples": equals(3, seeds=10, spread=0.01, examples=2000),
    "accuracy 0.95, 5 seeds that differ by 0.5 points, 200 examples": equals(3, accuracy=0.95, examples=200),
    "accuracy 0.85, 2, 3 and 5 seeds, 400 examples": Truth(dict.fromkeys("abc", 0.85), {"a": 2, "b": 3, "c": 5}),
}
LABELS = {
    "five equals, up to 5 seeds, 400 examples": equals(5),
    "five equals, up to 10 seeds, 2000 examples": equals(5, seeds=10, examples=2000),
    "two equals ahead of three, up to 5 seeds, 1000 examples": Truth(
        {"a": 0.8, "b": 0.85, "c": 0.85, "d": 0.8, "e": 0.8}, dict.fromkeys("abcde", 5), examples=1000
    ),
}
BEYOND = {
    "2 seeds that differ by 2 points, 2000 examples": equals(3, seeds=2, spread=0.02, examples=2000),
    "3 seeds that differ by 2 points, 2000 examples": equals(3, seeds=3, spread=0.02, examples=2000),
    "5 seeds, half of whose effect is shared, 1 point, 2000 examples": equals(
        3, seeds=5, spread=0.01, examples=2000, alike=0.5
    ),
}
SPREAD_OUT = {
    "five equals, up to 5 seeds that differ by 2 points, 2000 examples": equals(5, spread=0.02, examples=2000),
    "two equals ahead of three, up to 5 seeds that differ by 1 point, 1000 examples": Truth(
        {"a": 0.8, "b": 0.85, "c": 0.85, "d": 0.8, "e": 0.8}, dict.fromkeys("abcde", 5), spread=0.01, examples=1000
    ),
}

PAIRED = {
    f"{seeds} seeds that differ by 1 point, 2000 examples": equals(3, seeds=seeds, spread=0.01, examples=2000)
    for seeds in (2, 3, 5)
}


def rows() -> list[Row]:
    """Simulate every truth; some minutes on one core."""
    found = []
    for name, truth in INTERVALS.items():
        found += _interval_rows(name, simulate(truth, DRAWS), goal=True)
    macro = simulate(equals(3, seeds=5), DRAWS // 4, metric="macro_f1")
    found += _interval_rows("macro-F1 of two classes by the bootstrap, 5 seeds, 400 examples", macro, goal=True)
    for name, truth in LABELS.items():
        outcome = simulate(truth, DRAWS, rounds=True)
        share = outcome.false_clear / DRAWS
        note = f"{_labels(outcome)}; {np.mean(outcome.seeds):.1f} trainings"
        found.append(Row(metric=f"false clear: {name}", value=share, goal="<= 0.05", ok=share <= WRONG, note=note))
    for ahead, seeds, examples in ((0.03, 5, 4000), (0.03, 2, 200)):
        outcome = simulate(planted(ahead, seeds, examples), DRAWS // 4, rounds=True)
        share = outcome.right_clear / (DRAWS // 4)
        metric = f"clear: {100 * ahead:.0f} points ahead of four, up to {seeds} seeds, {examples} examples"
        found.append(Row(metric=metric, value=share, goal="", ok=None, note=_labels(outcome)))
    for name, truth in BEYOND.items():
        found += _interval_rows(name, simulate(truth, DRAWS), goal=False)
    for name, truth in SPREAD_OUT.items():
        outcome = simulate(truth, DRAWS, rounds=True)
        found += _interval_rows(f"in rounds, {name}", outcome, goal=False)
        share = outcome.false_clear / DRAWS
        found.append(Row(metric=f"false clear: {name}", value=share, goal="", ok=None, note=_labels(outcome)))
    for name, truth in PAIRED.items():
        for paired_from, words in ((2, "paired over seeds"), (NEVER, "seeds on their own")):
            share = simulate(truth, DRAWS, paired_from=paired_from).differ
            metric = f"equals said to differ, {words}: {name}"
            found.append(Row(metric=metric, value=round(share, 4), goal="", ok=None, note=f"{3 * DRAWS} differences"))
    return found


def _interval_rows(name: str, outcome: Outcome, *, goal: bool) -> list[Row]:
    low, high = COVERED
    held, differ = outcome.coverage, outcome.differ
    counted = f"{len(outcome.held)} intervals, {len(outcome.wrong)} differences of equals"
    return [
        Row(
            metric=f"truth held: {name}",
            value=round(held, 4),
            goal="0.93 to 0.97" if goal else "",
            ok=low <= held <= high if goal else None,
            note=counted,
        ),
        Row(
            metric=f"equals said to differ: {name}",
            value=round(differ, 4),
            goal="<= 0.05" if goal else "",
            ok=differ <= WRONG if goal else None,
            note=counted,
        ),
    ]


def _labels(outcome: Outcome) -> str:
    whole = sum(outcome.labels.values())
    return ", ".join(f"{label} {count / whole:.0%}" for label, count in sorted(outcome.labels.items()))

"""The report's sentences: fixed templates, decimals that follow the interval, no number without one."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.report import sentences
from search.report.rounding import decimals, percent, plain, points, signed
from search.results.intervals import Interval
from search.results.verdict import Decision, Label

CLEAR = Decision("a", "clear", (), "a", ("a", "b", "c"))
TEST = Interval(0.912, 0.9062, 0.9178)
GAIN = Interval(0.034, 0.021, 0.047)
ALONE = Interval(0.9, math.nan, math.nan)


def labelled(label: Label, tied: tuple[str, ...], recommended: str = "a") -> Decision:
    return Decision("a", label, tied, recommended, ("a", "b", "c"))


def test_the_verdict_names_what_to_use_how_good_it_is_and_how_sure_that_is() -> None:
    told = sentences.verdict(CLEAR, "top 2", "accuracy", TEST, 5, 400, GAIN, 0.42)
    assert told == (
        "Use top 2: test accuracy 91.20 % (95 % interval 90.62 to 91.78), 5 seeds x 400 examples, "
        "+3.4 points [+2.1, +4.7] against default full fine-tuning at 42 % of its cost. "
        "Clear: on validation it is ahead of every other beyond the uncertainty."
    )


@pytest.mark.parametrize(
    ("decision", "certainty"),
    [
        (labelled("tie", ("b",)), "A tie: 1 other cannot be told from the winner within the margin; "),
        (labelled("tie", ("b", "c"), "c"), "A tie: 2 others cannot be told from the winner within the margin; "),
        (labelled("not enough evidence", ("b",)), "Not enough evidence: on validation it cannot be told from 1 other."),
    ],
)
def test_the_verdict_says_who_cannot_be_told_from_it(decision: Decision, certainty: str) -> None:
    assert certainty in sentences.verdict(decision, "top 2", "accuracy", TEST, 5, 400, GAIN)


def test_a_winner_that_has_no_rival_says_so() -> None:
    told = sentences.certainty(Decision("a", "not enough evidence", (), "a", ("a",)))
    assert told == "Not enough evidence: nothing else was confirmed that it could be held against."


@pytest.mark.parametrize(
    ("cost", "said"), [(None, "fine-tuning. "), (0.004, "at 0.4 % of its"), (1.2, "at 120 % of its")]
)
def test_the_cost_is_said_where_there_is_something_to_hold_it_against(cost: float | None, said: str) -> None:
    assert said in sentences.verdict(CLEAR, "top 2", "accuracy", TEST, 5, 400, GAIN, cost)
    assert "cost" not in sentences.verdict(CLEAR, "full", "accuracy", TEST, 5, 400, None, cost)


def test_one_seed_is_said_in_the_place_of_an_interval() -> None:
    told = sentences.verdict(labelled("not enough evidence", ("b",)), "top 2", "accuracy", ALONE, 1, 400, None)
    assert "test accuracy 90.0 % (no interval: one seed), 1 seed x 400 examples." in told
    assert points(ALONE).endswith("(no interval: one seed)")


def test_a_second_opening_is_said() -> None:
    assert sentences.opened(1) == ""
    assert "The test set was opened 2 times" in sentences.opened(2)


RULE = {
    "quadrant": "small, similar",
    "strategy": "probe, head LR 0.01",
    "measured": {"gain": {"mean": 0.81, "low": 0.77, "high": 0.85}},
}


def test_the_rule_s_sentence_holds_its_advice_against_what_was_found() -> None:
    assert sentences.rule(RULE, "top 2", Interval(0.019, 0.004, 0.034)) == (
        "The textbook quadrant (small, similar; transfer gain 0.81 ± 0.04) advises probe, head LR 0.01; "
        "the search found top 2; difference +1.9 points [+0.4, +3.4] on test."
    )
    assert sentences.rule(RULE, "probe, head LR 0.01", Interval(0, 0, 0)).endswith("the search found the same.")
    assert sentences.rule(RULE, None, None).endswith("the search has no answer yet.")
    assert "transfer gain unknown" in sentences.rule({**RULE, "measured": {}}, None, None)


def test_the_two_gains_are_never_mixed() -> None:
    searching, strategy = sentences.gains(GAIN, sentences.ITSELF)
    assert searching == "Gain of searching (to default full fine-tuning): +3.4 points [+2.1, +4.7] on test."
    assert strategy == "Gain of the strategy: none, for what is recommended is the best full fine-tuning found."
    assert sentences.gains(None, None) == []


@pytest.mark.parametrize(("half", "expected"), [(0.6, 2), (1.5, 1), (0.04, 3), (0.0123, 3), (12.0, 0), (250.0, 0)])
def test_decimals_show_two_digits_of_the_half_width(half: float, expected: int) -> None:
    assert decimals(Interval(1.0, 1.0 - half, 1.0 + half)) == expected


@given(st.floats(0, 1), st.floats(1e-4, 0.5))
def test_a_number_is_shown_with_its_interval_at_the_same_decimals(mean: float, half: float) -> None:
    value = Interval(mean, mean - half, mean + half)
    for text in (plain(value), signed(value), percent(value), points(value)):
        numbers = re.findall(r"[-+]?\d+(?:\.(\d+))?", text.replace("(95 % interval", ""))
        assert len(numbers) == 3
        assert len({len(places) for places in numbers}) == 1

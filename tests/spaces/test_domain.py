"""Domains know what lies in them, and what is drawn stays readable and inside."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.domain import DIGITS, Choice, Domain, Float, Int, as_json

bounds = st.tuples(st.floats(1e-9, 1e9), st.floats(1e-9, 1e9)).map(sorted)


@given(bounds, st.floats(0, 1))
def test_a_tidy_number_has_three_significant_digits_or_is_a_bound(pair: list[float], share: float) -> None:
    low, high = pair
    domain = Float(low, high)
    tidy = domain.tidy(min(max(low + share * (high - low), low), high))
    assert tidy in domain
    assert tidy in (low, high, float(f"{tidy:.{DIGITS}g}"))


@given(bounds, st.floats(0, 1))
def test_tidying_twice_changes_nothing(pair: list[float], share: float) -> None:
    domain = Float(*pair)
    once = domain.tidy(pair[0] + share * (pair[1] - pair[0]))
    assert domain.tidy(once) == once


def test_rounding_never_leaves_the_bounds() -> None:
    assert Float(0.12349, 1).tidy(0.12349) == 0.12349
    assert Float(0, 0.98765).tidy(0.98765) == 0.98765
    assert Float(1e-5, 1e-1).tidy(0.0123456) == 0.0123


def test_a_choice_gives_back_the_listed_value_itself() -> None:
    assert isinstance(Choice((1.0, 0.5)).tidy(1), float)
    assert Choice(("probe", "full")).tidy("full") == "full"


@pytest.mark.parametrize(
    ("domain", "inside", "outside"),
    [
        (Choice(("none", "all")), ["none"], ["top", 1, None, ["none"]]),
        (Choice((1.0, 0.5)), [1, 1.0, 0.5], [True, 0.75, "1.0", math.nan]),
        (Int(1, 4), [1, 4], [0, 5, 2.0, True, "2", None]),
        (Float(0.1, 1), [0.1, 1, 0.5], [0.09, 1.01, True, math.nan, math.inf, "0.5"]),
    ],
)
def test_what_lies_in_a_domain(domain: Domain, inside: list[object], outside: list[object]) -> None:
    assert [value for value in inside if value not in domain] == []
    assert [value for value in outside if value in domain] == []


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        (Choice(("none", "top")), "one of none, top"),
        (Int(1, 9), "a whole number between 1 and 9"),
        (Float(1e-5, 0.1), "a number between 1e-05 and 0.1"),
    ],
)
def test_a_domain_reads_as_words(domain: Domain, words: str) -> None:
    assert str(domain) == words


def test_domains_that_differ_differ_as_json() -> None:
    domains = [Choice((1.0, 2.0)), Choice((2.0, 1.0)), Int(1, 2), Float(1, 2), Float(1, 2, log=True), Float(1, 3)]
    assert len({json.dumps(as_json(domain), sort_keys=True) for domain in domains}) == len(domains)

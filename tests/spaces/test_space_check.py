"""What is said of a user's domains and of a whole space: place, value, what is allowed, the way out."""

from __future__ import annotations

import math

import pytest

from spaces.check import check_space, did_you_mean, outside, read_domain
from spaces.domain import Choice, Domain, Float, Int
from spaces.errors import BadInput, Problem
from spaces.param import Param, Space, When
from spaces.presets import Setting, build, widest
from spaces.strategy import FREEZING_KINDS, Full, Keep, Probe, ReinitAll, ReinitTop, Strategy, Top

SETTING = Setting("image", "adamw", blocks=9)
WIDEST = widest(SETTING)

KINDS = ", ".join(FREEZING_KINDS)


def space(**overrides: Domain) -> Space:
    return build("standard", SETTING, overrides)


def said(name: str, given: object) -> list[str]:
    read = read_domain(name, given, WIDEST[name])
    assert isinstance(read, list), f"{given!r} was read as {read}"
    return [str(problem) for problem in read]


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("freezing", ["probe", "full"], Choice(("probe", "full"))),
        ("freezing", "top", Choice(("top",))),
        ("unfrozen_depth", [2, 4], Choice((2, 4))),
        ("unfrozen_depth", {"low": 3}, Int(3, 9)),
        ("head_lr", {"low": 1e-3, "high": 1}, Float(1e-3, 1.0, log=True)),
        ("head_lr", {"high": 2e-3, "log": False}, Float(1e-4, 2e-3)),
        ("head_lr", 0.01, Choice((0.01,))),
        ("lr_ratio", (1, 0), Choice((1.0, 0.0))),
        ("layer_decay", [1, 0.8], Choice((1.0, 0.8))),
        ("layer_decay", {"low": 0.5, "high": 1}, Float(0.5, 1.0)),
        ("batch_size", [8, 128], Choice((8, 128))),
        ("batch_size", {"low": 8, "high": 64}, Int(8, 64)),
        ("label_smoothing", [0, 0.2], Choice((0.0, 0.2))),
    ],
)
def test_what_a_user_may_ask_for(name: str, given: object, expected: Domain) -> None:
    assert read_domain(name, given, WIDEST[name]) == expected


@pytest.mark.parametrize("given", [[1, 2], {"low": 1, "high": 2}])
def test_whole_numbers_given_for_a_real_dimension_are_real(given: object) -> None:
    read = read_domain("head_lr", given, WIDEST["head_lr"])
    values = read.values if isinstance(read, Choice) else (read.low, read.high)
    assert all(isinstance(value, float) for value in values)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        (
            "freezing",
            ["ful"],
            [f"space.freezing: must be one of {KINDS}, got 'ful' (did you mean full?)"],
        ),
        (
            "freezing",
            [3],
            [f"space.freezing: must be one of {KINDS}, got 3"],
        ),
        (
            "freezing",
            ["prob", "ful"],
            [
                f"space.freezing: must be one of {KINDS}, got 'prob' (did you mean probe?)",
                f"space.freezing: must be one of {KINDS}, got 'ful' (did you mean full?)",
            ],
        ),
        (
            "freezing",
            [],
            [f"space.freezing: is an empty list; name at least one value (one of {KINDS})"],
        ),
        (
            "freezing",
            {"low": 1},
            [f"space.freezing: takes a list of values (one of {KINDS}), got a range"],
        ),
        ("unfrozen_depth", 12, ["space.unfrozen_depth: must be a whole number between 1 and 9, got 12"]),
        ("unfrozen_depth", [0], ["space.unfrozen_depth: must be a whole number between 1 and 9, got 0"]),
        ("unfrozen_depth", [True], ["space.unfrozen_depth: must be a whole number between 1 and 9, got True"]),
        (
            "unfrozen_depth",
            {"low": 1.5},
            ["space.unfrozen_depth.low: must be a whole number between 1 and 9, got 1.5"],
        ),
        ("head_lr", ["fast"], ["space.head_lr: must be a finite number of 0 or more, got 'fast'"]),
        ("head_lr", -1, ["space.head_lr: must be a finite number of 0 or more, got -1"]),
        ("head_lr", math.nan, ["space.head_lr: must be a finite number of 0 or more, got nan"]),
        ("head_lr", None, ["space.head_lr: must be a finite number of 0 or more, got None"]),
        ("head_lr", [0.1, 0.1], ["space.head_lr: lists a value twice: [0.1, 0.1]"]),
        (
            "head_lr",
            {"low": 1e-3, "hihg": 1},
            ["space.head_lr.hihg: unknown key; allowed: low, high, log (did you mean high?)"],
        ),
        (
            "head_lr",
            {"low": "a", "high": math.inf},
            [
                "space.head_lr.low: must be a finite number of 0 or more, got 'a'",
                "space.head_lr.high: must be a finite number of 0 or more, got inf",
            ],
        ),
        (
            "head_lr",
            {"low": 1, "high": 0.1},
            ["space.head_lr: low must not be above high, got low 1 and high 0.1"],
        ),
        ("head_lr", {"log": "yes"}, ["space.head_lr.log: must be true or false, got 'yes'"]),
        ("head_lr", {"low": 0}, ["space.head_lr.low: must be above 0 where log is true, got 0"]),
        ("batch_size", [0], ["space.batch_size: must be a whole number of 1 or more, got 0"]),
        ("batch_size", [16.0], ["space.batch_size: must be a whole number of 1 or more, got 16.0"]),
        ("batch_size", {"low": 8}, ["space.batch_size.high: must be a whole number of 1 or more, got None"]),
        ("layer_decay", {"high": 1}, ["space.layer_decay.low: must be a finite number of 0 or more, got None"]),
    ],
)
def test_what_a_user_may_not_ask_for(name: str, given: object, expected: list[str]) -> None:
    assert said(name, given) == expected


def test_only_a_near_word_is_guessed() -> None:
    assert did_you_mean("frezing", ["freezing", "reinit"]) == " (did you mean freezing?)"
    assert did_you_mean("colour", ["freezing", "reinit"]) == ""


@pytest.mark.parametrize(
    ("overrides", "place", "words"),
    [
        ({"head_lr": Choice((0.0, 0.1))}, "space.head_lr", "must be above 0, got one of 0.0, 0.1"),
        ({"head_lr": Float(0, 1)}, "space.head_lr", "must be above 0, got a number between 0 and 1"),
        ({"layer_decay": Choice((1.5,))}, "space.layer_decay", "must be above 0 and at most 1, got one of 1.5"),
        ({"layer_decay": Float(0, 1)}, "space.layer_decay", "must be above 0 and at most 1"),
        ({"probe_share": Choice((0.0, 0.5))}, "space.probe_share", "must be above 0 and below 1, got one of 0.0, 0.5"),
        ({"label_smoothing": Float(0, 1)}, "space.label_smoothing", "must be 0 or more and below 1"),
        ({"reinit": Choice(("all",))}, "space.reinit", "add none, or set space.freezing to [full]"),
        ({"reinit": Choice(("all", "top"))}, "space.reinit", "has all but not none"),
    ],
)
def test_values_that_no_trial_could_use_are_named(overrides, place: str, words: str) -> None:
    (problem,) = check_space(space(**overrides))
    assert problem.place == place
    assert words in problem.message


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"lr_ratio": Choice((0.0, 1.0))},
        {"reinit": Choice(("all",)), "freezing": Choice(("full",))},
        {"reinit": Choice(("all",)), "freezing": Choice(("probe", "full"))},
        {"reinit": Choice(("all", "none"))},
    ],
)
def test_a_space_that_can_be_drawn_from_has_no_problem(overrides) -> None:
    assert check_space(space(**overrides)) == []


def test_a_dimension_may_only_depend_on_an_earlier_one() -> None:
    depth = Param("unfrozen_depth", Int(1, 9), (When("freezing", ("top",)),))
    freezing = Param("freezing", Choice(("top",)))
    fixed = {"reinit": "none"}
    assert check_space(Space((freezing, depth), fixed, 9)) == []
    (problem,) = check_space(Space((depth, freezing), fixed, 9))
    assert str(problem) == "space.unfrozen_depth: depends on freezing, which is not drawn before it"


@pytest.mark.parametrize(
    ("overrides", "strategy", "expected"),
    [
        ({"head_lr": Choice((1e-3,))}, Strategy(Probe(), 2e-3, weight_decay=1e-3), ["space.head_lr"]),
        ({"freezing": Choice(("top",))}, Strategy(Probe(), 1e-3, weight_decay=1e-3), ["space.freezing"]),
        ({"unfrozen_depth": Int(1, 3)}, Strategy(Top(4), 1e-3, weight_decay=1e-3), ["space.unfrozen_depth"]),
        (
            {"unfrozen_depth": Int(1, 3), "freezing": Choice(("top",))},
            Strategy(Full(), 1e-3, weight_decay=1e-3),
            ["space.freezing"],
        ),
        (
            {"reinit": Choice(("none",))},
            Strategy(Full(), 1e-3, reinit=ReinitAll(), weight_decay=1e-3),
            ["space.reinit"],
        ),
        (
            {"reinit_blocks": Int(2, 2)},
            Strategy(Top(4), 1e-3, reinit=ReinitTop(1), weight_decay=1e-3),
            ["space.reinit_blocks"],
        ),
        ({"lr_ratio": Choice((1.0,))}, Strategy(Probe(), 1e-3, weight_decay=1e-3), []),
        ({"batch_size": Choice((8, 16))}, Strategy(Probe(), 1e-3, weight_decay=1e-3), ["space.batch_size"]),
        ({}, Strategy(Probe(), 1e-3, weight_decay=1e-3, label_smoothing=0.1), ["space.label_smoothing"]),
        ({}, Strategy(Full(), 1e-3, lr_ratio=0.0, weight_decay=0.0), ["space.lr_ratio", "space.weight_decay"]),
    ],
)
def test_a_point_outside_the_space_is_told_by_dimension(overrides, strategy: Strategy, expected: list[str]) -> None:
    assert [problem.place for problem in outside(space(**overrides), strategy.canonical(9))] == expected


@pytest.mark.parametrize(
    ("overrides", "strategy"),
    [
        ({"freezing": Choice(("top",))}, Strategy(Full(), 1e-3, weight_decay=1e-3)),  # top 9 of 9
        ({"reinit": Choice(("all",)), "freezing": Choice(("top",))}, Strategy(Top(2), 1e-3, weight_decay=1e-3)),
        ({"reinit_blocks": Choice((2,))}, Strategy(Top(1), 1e-3, reinit=ReinitTop(1), weight_decay=1e-3)),
    ],
)
def test_what_canonical_folds_together_counts_as_inside(overrides, strategy: Strategy) -> None:
    assert outside(space(**overrides), strategy.canonical(9)) == []


def test_a_fixed_dimension_may_not_differ() -> None:
    quick = build("quick", SETTING)
    assert outside(quick, Strategy(Full(), 1e-3, weight_decay=1e-4)) == []
    (problem,) = outside(quick, Strategy(Full(), 1e-3, weight_decay=0.0, reinit=Keep()))
    assert str(problem) == "space.weight_decay: is fixed at 0.0001, got 0.0"


def test_an_error_carries_every_problem_and_survives_a_process() -> None:
    import pickle

    error = BadInput([Problem("space.a", "is wrong"), Problem("", "so is this")])
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == "space.a: is wrong\nso is this"
    assert again.problems == error.problems

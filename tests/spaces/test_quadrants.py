"""The rule is a table: every row is a strategy of some space, and what lies outside the space is told, not tried."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.check import check_space, outside
from spaces.domain import Choice, Float, Int, nearest
from spaces.param import Space
from spaces.presets import Setting, build
from spaces.quadrants import (
    QUADRANTS,
    SIMILAR_GAIN,
    SMALL_IN_ALL,
    SMALL_PER_CLASS,
    Estimate,
    Quadrant,
    Share,
    advice,
    enqueued,
    points,
    similarities,
    size,
)
from spaces.strategy import Full, Gradual, LpFt, Probe, ReinitAll, ReinitTop, Top, Window
from tests.spaces.drawing import any_space, block_counts

QUADRANT = pytest.mark.parametrize("quadrant", QUADRANTS, ids=", ".join)
STANDARD = build("standard", Setting("image", "adamw", 9))


@pytest.mark.parametrize(
    ("samples", "classes", "expected"),
    [
        (SMALL_IN_ALL - 1, 2, "small"),
        (SMALL_IN_ALL, 2, "large"),
        (SMALL_IN_ALL, SMALL_IN_ALL // SMALL_PER_CLASS, "large"),
        (10 * SMALL_IN_ALL, 10 * SMALL_IN_ALL // SMALL_PER_CLASS + 1, "small"),
    ],
)
def test_data_is_small_in_all_or_by_class(samples: int, classes: int, expected: str) -> None:
    assert size(samples, classes) == expected


@given(st.floats(-1, 1), st.floats(0, 0.5))
def test_both_similarities_come_where_the_interval_straddles_the_cut_off(mean: float, half: float) -> None:
    found = similarities(Estimate(mean, mean - half, mean + half), None)
    assert found[0] == ("similar" if mean >= SIMILAR_GAIN else "dissimilar")
    assert (len(found) == 2) == (mean - half < SIMILAR_GAIN <= mean + half)
    assert len(set(found)) == len(found)


def test_an_earlier_boundary_that_clearly_leads_makes_the_data_dissimilar_whatever_the_gain() -> None:
    gain = Estimate(0.9, 0.8, 1.0)
    assert similarities(gain, Estimate(0.05, 0.01, 0.09)) == ("dissimilar",)
    assert similarities(gain, Estimate(0.05, -0.01, 0.11)) == ("similar",)
    assert similarities(None, Estimate(0.05, 0.01, 0.09)) == ("dissimilar",)
    assert set(similarities(None, None)) == {"similar", "dissimilar"}


def test_the_table_has_the_four_quadrants() -> None:
    assert {quadrant[0] for quadrant in QUADRANTS} == {"small", "large"}
    assert {quadrant[1] for quadrant in QUADRANTS} == {"similar", "dissimilar"}
    assert len(QUADRANTS) == 4


def test_the_points_are_those_of_the_table() -> None:
    kinds = {
        quadrant: [(point.strategy.freezing, point.strategy.reinit) for point in points(quadrant, STANDARD)]
        for quadrant in QUADRANTS
    }
    assert [freezing for freezing, _ in kinds["small", "similar"]] == [Probe(), LpFt(1), Top(1)]
    assert [freezing for freezing, _ in kinds["large", "similar"]] == [Top(7), Full(), Full()]
    assert [freezing for freezing, _ in kinds["small", "dissimilar"]] == [Top(5), Window(1, 1), Gradual(5)]
    assert [freezing for freezing, _ in kinds["large", "dissimilar"]] == [Full(), Full(), Full()]
    assert kinds["small", "dissimilar"][0][1] == ReinitTop(1)
    assert kinds["large", "dissimilar"][0][1] == ReinitAll()
    assert kinds["large", "dissimilar"][2][1] == ReinitTop(2)
    rates = [point.strategy.lr_ratio for point in points(("large", "similar"), STANDARD)]
    assert rates == [0.1, 0.1, 0.3]
    assert points(("small", "similar"), STANDARD)[0].strategy.head_lr == 1e-2


@QUADRANT
# The table of dimensions names no range for texts under SGD.
@pytest.mark.parametrize(("modality", "optimizer"), [("image", "adamw"), ("image", "sgd"), ("text", "adamw")])
@pytest.mark.parametrize("blocks", [1, 2, 3, 17])
def test_the_standard_space_holds_every_rule_point(
    quadrant: Quadrant, modality: str, optimizer: str, blocks: int
) -> None:
    space = build("standard", Setting(modality, optimizer, blocks))
    assert [point.problems for point in points(quadrant, space) if point.problems] == []


@QUADRANT
def test_the_quick_space_holds_the_choice_of_every_quadrant(quadrant: Quadrant) -> None:
    assert points(quadrant, build("quick", Setting("image", "adamw", 9)))[0].problems == ()


@pytest.mark.parametrize(("modality", "decay"), [("image", 0.75), ("text", 0.8)])
def test_a_decay_that_is_not_listed_is_the_nearest_that_is(modality: str, decay: float) -> None:
    space = build("standard", Setting(modality, "adamw", 9))
    assert points(("large", "similar"), space)[1].strategy.layer_decay == decay
    flat = build("standard", Setting(modality, "adamw", 9), {"layer_decay": Choice((1.0,))})
    assert points(("large", "similar"), flat)[1].problems[0].place == "space.layer_decay"


@given(st.floats(0.01, 1), block_counts)
def test_a_share_of_the_blocks_is_a_depth(share: float, blocks: int) -> None:
    assert 1 <= Share(share).depth(blocks) <= blocks
    assert Share(0.5).depth(blocks) == -(-blocks // 2)


@given(any_space(), st.sets(st.sampled_from(sorted(QUADRANTS)), min_size=1, max_size=2))
def test_what_is_tried_lies_in_the_space_and_comes_once(space: Space, measured: set[Quadrant]) -> None:
    if check_space(space):
        return
    advised = advice(sorted(measured), space)
    tried = enqueued(advised, [])
    assert [problem for point in tried for problem in outside(space, point.strategy)] == []
    assert len({point.strategy.key for point in tried}) == len(tried)
    assert all(outside(space, point.strategy) == list(point.problems) for point in advised)
    held = {point.strategy.key for point in advised if not point.problems}
    assert len(tried) == len(held)


def test_the_measured_quadrant_comes_first_and_then_the_first_point_of_each_other() -> None:
    order = [point.quadrant for point in advice([("large", "similar")], STANDARD)]
    assert order[:3] == [("large", "similar")] * 3
    assert sorted(order[3:]) == sorted(set(QUADRANTS) - {("large", "similar")})
    both = [point.quadrant for point in advice([("small", "dissimilar"), ("small", "similar")], STANDARD)]
    assert both[:6] == [("small", "dissimilar")] * 3 + [("small", "similar")] * 3
    assert len(both) == 8


def test_what_runs_besides_is_not_tried_again() -> None:
    advised = advice([("large", "dissimilar")], STANDARD)
    first = advised[0].strategy.key
    assert first not in [point.strategy.key for point in enqueued(advised, [first])]


def test_a_point_outside_the_space_says_why() -> None:
    space = build("standard", Setting("image", "adamw", 9), {"freezing": Choice(("probe", "top"))})
    told = [str(point.problems[0]) for point in points(("small", "similar"), space) if point.problems]
    assert told == ["space.freezing: must be one of probe, top, got lp_ft"]


def test_of_what_the_rule_does_not_speak_it_takes_what_the_space_offers() -> None:
    overrides = {"weight_decay": Choice((0.01, 0.5)), "head_lr": Float(2e-3, 1e-2, log=True)}
    space = build("standard", Setting("image", "adamw", 9), overrides)
    top = points(("small", "similar"), space)[2]
    assert top.problems == ()
    assert (top.strategy.weight_decay, top.strategy.head_lr) == (0.01, 2e-3)


@pytest.mark.parametrize(
    ("domain", "value", "expected"),
    [
        (Choice(("probe", "top")), "full", "probe"),
        (Choice((0.0, 0.01, 0.1)), 0.04, 0.01),
        (Choice((8, 16)), 32, 16),
        (Int(2, 4), 9, 4),
        (Int(2, 4), 1, 2),
        (Float(0.1, 1), 0.01, 0.1),
        (Float(0.1, 1), 0.5, 0.5),
    ],
)
def test_the_nearest_value_of_a_domain(domain: Choice | Int | Float, value: str | float, expected: object) -> None:
    assert nearest(domain, value) == expected
    assert nearest(domain, value) in domain

"""What a small space holds, counted."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from spaces.check import outside
from spaces.domain import Choice, Float, Int
from spaces.every import every
from spaces.param import Space
from spaces.presets import Setting, build
from spaces.strategy import from_point
from spaces.suggest import suggest
from tests.spaces.drawing import Source

SETTING = Setting("image", "adamw", 4)
LISTS = {"head_lr": Choice((0.001, 0.01)), "lr_ratio": Choice((0.1, 1.0))}


def small(**domains: object) -> Space:
    return build("quick", SETTING, LISTS | domains)  # type: ignore[arg-type]


def test_every_strategy_is_there_once() -> None:
    space = small(freezing=Choice(("probe", "top", "full")), reinit=Choice(("none", "all")))
    points = every(space)
    assert points is not None
    # Probes by head_lr; tops 1 to 3 by both rates, the top of all four is full; full by both rates and both reinits.
    assert len(points) == 2 + 3 * 4 + 2 * 4
    strategies = {key: from_point(dict(space.fixed) | point).canonical(space.blocks) for key, point in points.items()}
    assert all(strategy.key == key for key, strategy in strategies.items())
    assert not any(outside(space, strategy) for strategy in strategies.values())


@given(st.integers(0, 10**6))
def test_whatever_is_drawn_is_among_them(seed: int) -> None:
    space = small(unfrozen_depth=Int(1, 3))
    source = Random(seed)
    drawn = suggest(space, Source(source.uniform, source.choice))
    assert drawn.key in (every(space) or ())


def test_a_range_has_no_every_value() -> None:
    assert every(small(head_lr=Float(0.001, 0.01))) is None


def test_too_many_are_not_listed() -> None:
    space = small()
    count = len(every(space) or ())
    assert count
    assert every(space, at_most=count - 1) is None

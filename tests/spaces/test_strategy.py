"""A strategy is pure data: it survives being a point, and equivalent ones share one form and one key."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import BadInput
from spaces.strategy import (
    FREEZING_KINDS,
    REINIT_KINDS,
    Full,
    Keep,
    NormBias,
    Probe,
    ReinitAll,
    ReinitTop,
    Strategy,
    Top,
    from_point,
    to_point,
)
from tests.spaces.drawing import any_strategy, block_counts, rates

KINDS = ", ".join(FREEZING_KINDS)


@given(any_strategy, block_counts)
def test_a_canonical_strategy_survives_being_a_point(strategy: Strategy, blocks: int) -> None:
    canonical = strategy.canonical(blocks)
    assert from_point(to_point(canonical)) == canonical


@given(
    any_strategy.filter(lambda s: not isinstance(s.freezing, Probe | NormBias) and not isinstance(s.reinit, ReinitAll))
)
def test_a_strategy_that_trains_a_block_survives_being_a_point(strategy: Strategy) -> None:
    assert from_point(to_point(strategy)) == strategy


@given(any_strategy, block_counts)
def test_canonical_is_idempotent(strategy: Strategy, blocks: int) -> None:
    canonical = strategy.canonical(blocks)
    assert canonical.canonical(blocks) == canonical


@given(any_strategy, any_strategy, block_counts)
def test_a_probe_ignores_everything_about_the_backbone(one: Strategy, other: Strategy, blocks: int) -> None:
    probe = replace(one, freezing=Probe())
    same = replace(one, freezing=Probe(), lr_ratio=other.lr_ratio, layer_decay=other.layer_decay)
    same = replace(same, reinit=other.reinit, l2_sp=other.l2_sp)
    assert probe.canonical(blocks).key == same.canonical(blocks).key


@given(any_strategy, block_counts, st.integers(0, 5))
def test_the_top_of_everything_is_full(strategy: Strategy, blocks: int, beyond: int) -> None:
    top = replace(strategy, freezing=Top(blocks + beyond))
    assert top.canonical(blocks).key == replace(strategy, freezing=Full()).canonical(blocks).key


@given(any_strategy, block_counts)
def test_no_more_blocks_start_anew_than_train(strategy: Strategy, blocks: int) -> None:
    canonical = strategy.canonical(blocks)
    trained = canonical.freezing.depth if isinstance(canonical.freezing, Top) else blocks
    if isinstance(canonical.reinit, ReinitTop):
        assert 1 <= canonical.reinit.blocks <= trained
    greedy = replace(strategy, freezing=Top(1), reinit=ReinitTop(5)).canonical(blocks)
    assert greedy.reinit == ReinitTop(1)


@given(any_strategy, block_counts)
def test_from_scratch_goes_only_with_full(strategy: Strategy, blocks: int) -> None:
    canonical = replace(strategy, reinit=ReinitAll()).canonical(blocks)
    assert isinstance(canonical.reinit, ReinitAll) == isinstance(canonical.freezing, Full)


@given(any_strategy, block_counts, st.data())
def test_strategies_that_differ_in_what_they_do_have_different_keys(
    strategy: Strategy, blocks: int, data: st.DataObject
) -> None:
    canonical = strategy.canonical(blocks)
    other_lr = data.draw(rates.filter(lambda lr: lr != strategy.head_lr))
    assert replace(canonical, head_lr=other_lr).key != canonical.key
    assert replace(canonical, batch_size=canonical.batch_size + 1).key != canonical.key
    assert replace(canonical, label_smoothing=(canonical.label_smoothing + 0.5) % 1).key != canonical.key
    other_freezing = Full() if isinstance(canonical.freezing, Probe) else Probe()
    assert replace(strategy, freezing=other_freezing).canonical(blocks).key != canonical.key


def test_a_whole_number_and_the_same_float_share_a_key() -> None:
    point = {"freezing": "full", "head_lr": 1e-3, "lr_ratio": 1, "layer_decay": 1, "reinit": "none", "weight_decay": 0}
    assert from_point(point).key == Strategy(Full(), 1e-3, lr_ratio=1.0).key


def test_a_point_leaves_out_what_does_not_apply() -> None:
    kept = {"head_lr": 1e-3, "weight_decay": 0.0, "label_smoothing": 0.0, "batch_size": 32}
    assert to_point(Strategy(Probe(), 1e-3)) == {"freezing": "probe"} | kept
    assert "unfrozen_depth" not in to_point(Strategy(Full(), 1e-3))
    assert "reinit_blocks" not in to_point(Strategy(Full(), 1e-3, reinit=Keep()))
    assert to_point(Strategy(Top(2), 1e-3, reinit=ReinitTop(1)))["reinit_blocks"] == 1


@pytest.mark.parametrize("kind", FREEZING_KINDS)
def test_every_freezing_kind_can_be_read(kind: str) -> None:
    strategy = from_point({"freezing": kind, "head_lr": 1e-3, "unfrozen_depth": 2})
    assert to_point(strategy)["freezing"] == kind


@pytest.mark.parametrize("kind", REINIT_KINDS)
def test_every_reinit_kind_can_be_read(kind: str) -> None:
    strategy = from_point({"freezing": "full", "head_lr": 1e-3, "reinit": kind, "reinit_blocks": 2})
    assert to_point(strategy)["reinit"] == kind


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ({"freezing": "full"}, "head_lr: is missing from the point"),
        ({"freezing": "top", "head_lr": 1e-3}, "unfrozen_depth: is missing: freezing top needs it"),
        (
            {"freezing": "half", "head_lr": 1e-3},
            f"freezing: must be one of {KINDS}, got 'half'",
        ),
        ({"head_lr": 1e-3}, f"freezing: must be one of {KINDS}, got None"),
        (
            {"freezing": "full", "head_lr": 1e-3, "reinit": "some"},
            "reinit: must be one of none, top, all, got 'some'",
        ),
    ],
)
def test_a_point_without_meaning_is_refused(point, expected: str) -> None:
    with pytest.raises(BadInput) as caught:
        from_point(point)
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("head_lr", 0.0, "above 0, got 0.0"),
        ("head_lr", math.nan, "got nan"),
        ("head_lr", math.inf, "must be finite and above 0, got inf"),
        ("lr_ratio", -0.1, "0 or more, got -0.1"),
        ("lr_ratio", math.nan, "got nan"),
        ("layer_decay", 0.0, "must be above 0 and at most 1, got 0.0"),
        ("layer_decay", 1.5, "must be above 0 and at most 1, got 1.5"),
        ("weight_decay", -1.0, "0 or more, got -1.0"),
        ("weight_decay", math.nan, "got nan"),
        ("label_smoothing", -0.1, "0 or more and below 1, got -0.1"),
        ("label_smoothing", 1.0, "0 or more and below 1, got 1.0"),
        ("label_smoothing", math.nan, "got nan"),
        ("batch_size", 0, "must be 1 or more, got 0"),
    ],
)
def test_a_value_no_network_could_use_is_refused(field: str, value: float, expected: str) -> None:
    with pytest.raises(BadInput, match=expected) as caught:
        Strategy(**{"freezing": Full(), "head_lr": 1e-3, field: value})
    assert caught.value.problems[0].place == field


@pytest.mark.parametrize(
    ("freezing", "reinit", "place"),
    [(Top(0), Keep(), "unfrozen_depth"), (Full(), ReinitTop(0), "reinit_blocks")],
)
def test_no_block_at_all_is_refused(freezing: Top | Full, reinit: Keep | ReinitTop, place: str) -> None:
    with pytest.raises(BadInput) as caught:
        Strategy(freezing, 1e-3, reinit=reinit)
    assert [problem.place for problem in caught.value.problems] == [place]


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        (Strategy(Probe(), 0.01), "probe, head LR 0.01"),
        (
            Strategy(Probe(), 0.01, label_smoothing=0.1, batch_size=16),
            "probe, head LR 0.01, label smoothing 0.1, batches of 16",
        ),
        (Strategy(Top(3), 1e-3, lr_ratio=0.3), "top 3, head LR 0.001, backbone LR x0.3"),
        (Strategy(Full(), 1e-3, layer_decay=0.9), "full, head LR 0.001, backbone LR x0.1, layer decay 0.9"),
        (Strategy(Full(), 1e-3, lr_ratio=1.0, reinit=ReinitAll()), "from scratch, head LR 0.001, backbone LR x1"),
        (
            Strategy(Top(3), 1e-3, reinit=ReinitTop(2)),
            "top 3, head LR 0.001, backbone LR x0.1, top 2 re-initialised",
        ),
    ],
)
def test_a_strategy_reads_as_words(strategy: Strategy, words: str) -> None:
    assert str(strategy) == words

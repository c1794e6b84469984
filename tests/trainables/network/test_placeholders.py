"""Shapes learnt from two batches hold for a third; halving finds the tensors that matter."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.network.boundary_search import responsible
from trainables.network.placeholders import dense_nan, nan, noise, size, stand_in, template

AXES = {"ids:0": (2, 5), "ids:1": (7, 12)}
THIRD = {"ids:0": 3, "ids:1": 17}


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ((16, 16), 16),  # constant
        ((2, 5), 3),  # batch
        ((7, 12), 17),  # length
        ((8, 20), 12),  # heads x batch
        ((8, 13), 18),  # length + 1
        ((14, 60), 51),  # batch x length
        ((56, 240), 204),  # heads x batch x length
    ],
)
def test_the_rule_of_an_axis_holds_for_a_third_batch(pair, expected):
    rule = size(pair, AXES)
    assert rule is not None
    assert [rule.at({name: sizes[probe] for name, sizes in AXES.items()}) for probe in (0, 1)] == list(pair)
    assert rule.at(THIRD) == expected


def test_an_axis_with_no_rule_is_unresolved():
    assert size((4, 19), AXES) is None


def test_a_part_of_an_axis_is_found():
    rule = size((32, 48), {"image:2": (64, 96)})
    assert rule is not None
    assert rule.at({"image:2": 128}) == 64


@pytest.mark.parametrize("fill", [nan, dense_nan, noise(0), noise(1)])
def test_a_placeholder_has_the_containers_shapes_and_types_of_what_it_stands_for(fill):
    outputs = [
        (torch.zeros(batch, length, 4), {"scores": [torch.zeros(batch, dtype=torch.bfloat16), None, 3], "size": length})
        for batch, length in zip(*AXES.values(), strict=True)
    ]
    form = template(*outputs, AXES)
    assert form is not None
    hidden, rest = stand_in(form, THIRD, {}, fill, torch.device("cpu"))
    assert hidden.shape == (3, 17, 4)
    assert rest["scores"][0].shape == (3,)
    assert rest["scores"][0].dtype == torch.bfloat16
    assert rest["scores"][1:] == [None, 3]
    assert rest["size"] == 17


def test_a_placeholder_of_nan_takes_no_memory_and_a_dense_one_may_be_written():
    shape = (64, 64)
    assert nan(shape, torch.float32, torch.device("cpu")).untyped_storage().nbytes() == 4
    assert dense_nan(shape, torch.float32, torch.device("cpu")).isnan().all()
    assert not dense_nan(shape, torch.float32, torch.device("cpu")).fill_(1.0).isnan().any()


@given(st.sets(st.integers(0, 40)), st.integers(1, 41))
def test_halving_finds_exactly_the_guilty(guilty, count):
    suspects = list(range(count))
    found = responsible(suspects, lambda some: not guilty & set(some))
    assert found == sorted(guilty & set(suspects))

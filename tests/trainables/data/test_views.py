"""A view shows each image in one way, the same to everybody who asks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.config import DataConfig
from trainables.data.views import LEAST, View, seen, view_of

SIZE = 24
IDS = [f"images/{number}.png" for number in range(60)]


def ramps() -> torch.Tensor:
    """Return images that grow brighter to the right, the same for every sample."""
    line = torch.linspace(0, 240, SIZE).round().to(torch.uint8)
    return line.expand(len(IDS), 3, SIZE, SIZE).contiguous()


@pytest.mark.parametrize("policy", ["crop", "flip_crop"])
def test_an_image_looks_the_same_whatever_comes_with_it(policy) -> None:
    view = View(policy, "view 0")
    torch.manual_seed(0)
    whole = seen(ramps(), IDS, view)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    assert torch.equal(seen(ramps()[[7, 3]], [IDS[7], IDS[3]], view), whole[[7, 3]])
    torch.manual_seed(0)
    assert torch.equal(torch.get_rng_state(), state)  # nothing is drawn from it
    assert (whole.shape, whole.dtype) == (ramps().shape, torch.uint8)


def test_every_view_and_every_sample_has_a_crop_of_its_own() -> None:
    one, other = (seen(ramps(), IDS, View("crop", name)) for name in ("view 0", "view 1"))
    assert not torch.equal(one, other)
    assert len({tuple(image[0, 0].tolist()) for image in one}) > 15  # of the 36 ways to cut along one axis


def test_a_crop_keeps_half_of_the_area_at_least_and_mirrors_nothing() -> None:
    rows = seen(ramps(), IDS, View("crop", "view 0"))[:, 0, 0].int()
    spans = rows[:, -1] - rows[:, 0]
    assert float(spans.min()) > (LEAST**0.5 - 2 / SIZE) * 240 * 0.9
    assert float(spans.max()) > 0.9 * 240
    assert float(spans.float().std()) > 5


def test_flip_crop_mirrors_about_one_of_two_and_crops_as_crop_does() -> None:
    plain, mirrored = (seen(ramps(), IDS, View(policy, "view 0")) for policy in ("crop", "flip_crop"))
    flipped = [not torch.equal(one, other) for one, other in zip(plain, mirrored, strict=True)]
    assert 15 < sum(flipped) < 45
    for one, other, turned in zip(plain, mirrored, flipped, strict=True):
        assert torch.equal(other.flip(-1) if turned else other, one)


@settings(deadline=None, max_examples=30)
@given(st.integers(8, 40), st.text(max_size=6))
def test_a_crop_lies_within_the_image(size: int, name: str) -> None:
    image = torch.full((1, 3, size, size), 77, dtype=torch.uint8)
    assert torch.equal(seen(image, [name], View("flip_crop", name)), image)


def test_fixed_views_come_in_turn_and_are_every_seed_s() -> None:
    data = DataConfig(augment="crop", augment_views=3)
    names = [view_of(data, seed=seed, epoch=epoch) for seed in (0, 1) for epoch in range(1, 8)]
    assert names[:7] == names[7:]
    assert names[:7] == [View("crop", f"view {number}") for number in (0, 1, 2, 0, 1, 2, 0)]


def test_fresh_views_never_come_twice_and_are_a_seed_s_own() -> None:
    data = DataConfig(augment="flip_crop", augment_views="fresh")
    names = {view_of(data, seed=seed, epoch=epoch) for seed in (0, 1) for epoch in range(1, 8)}
    assert len(names) == 14
    assert view_of(data, seed=1, epoch=2) == view_of(data, seed=1, epoch=2)


def test_without_augmentation_there_is_no_view() -> None:
    assert view_of(DataConfig(), seed=0, epoch=1) is None

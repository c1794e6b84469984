"""Half the bytes: float16 where what is stored lies in its range, bfloat16 where it may not, else nothing is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support import tiny_trials
from trainables.activations.key import structure
from trainables.activations.prefix import recipe_of, source
from trainables.config import TrialConfig
from trainables.evaluate import whole
from trainables.network.calls import evaluating
from trainables.run import Run, build

pytestmark = pytest.mark.usefixtures("reading_is_free")

TOP = tiny_trials.TOP | {"batch_size": 32}
LARGE = """

class Large(Net):
    def __init__(self, factor):
        super().__init__()
        self.stem = Times(factor)


class Times(nn.Conv2d):
    def __init__(self, factor):
        super().__init__(3, 6, 3, stride=2)
        self.factor = factor

    def forward(self, x):
        return super().forward(x) * self.factor(x)


def large():
    return Large(lambda x: 1e4)


def larger_on_images():  # the probes are noise, which reaches further than any pixel
    return Large(lambda x: torch.where(x.abs().amax((1, 2, 3), keepdim=True) < 2.7, 1e6, 1.0))
"""


def half(write: Callable[..., TrialConfig], path: Path, **values: object) -> TrialConfig:
    return write(path, strategy=TOP, activations="half", **values)


def kept(run: Run) -> set[str]:
    """Return the types in which floats are stored before the block that trains."""
    recipe = recipe_of(run, 3, structure(run))
    return {form.kept for form in recipe.forms if form.dtype == "float32"}


@pytest.mark.parametrize("write", [tiny_trials.images, tiny_trials.texts], ids=["images", "texts"])
def test_logits_from_float16_differ_by_a_thousandth_at_most(tmp_path: Path, write: Callable[..., TrialConfig]) -> None:
    run = build(half(write, tmp_path))
    found = source(run, run.plan.phase(0), 2)
    assert found.caching.cache == "built"
    assert kept(run) == {"float16"}
    rows = torch.arange(18)
    with evaluating(run.network), torch.no_grad():
        exact, rounded = whole(run)("train", rows), found.logits("train", rows)
    assert 0 < float((rounded - exact).abs().max()) <= 1e-3


def test_what_comes_near_the_end_of_float16_is_stored_in_bfloat16(tmp_path: Path) -> None:
    config = tiny_trials.of_function(half(tiny_trials.images, tmp_path, more=LARGE), "large")
    run = build(config)
    assert kept(run) == {"bfloat16"}
    assert source(run, run.plan.phase(0), 2).caching.cache == "built"


def test_a_value_that_float16_cannot_hold_keeps_nothing_and_the_row_says_so(tmp_path: Path) -> None:
    config = tiny_trials.of_function(half(tiny_trials.images, tmp_path, more=LARGE), "larger_on_images")
    run = build(config)
    assert kept(run) == {"float16"}
    caching = source(run, run.plan.phase(0), 2).caching
    assert caching.cache == "off"
    assert "too large for float16; store them exactly" in caching.cache_reason
    exact = build(config.model_copy(update={"activations": "exact"}))
    assert source(exact, exact.plan.phase(0), 2).caching.cache == "built"

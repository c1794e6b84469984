"""On a GPU: what is read is what would be computed, a process keeps to its part, a batch is halved until it fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.support import tiny_trials
from trainables import devices
from trainables.activations import folder, nearness
from trainables.activations.prefix import source
from trainables.config import TrialConfig
from trainables.evaluate import whole
from trainables.loop import train
from trainables.micro_batch import step_bytes, step_fits
from trainables.network.calls import evaluating
from trainables.order import Order, results
from trainables.run import build

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("reading_is_free")]
CUDA = torch.device("cuda")
WRITERS = pytest.mark.parametrize("write", [tiny_trials.images, tiny_trials.texts], ids=["images", "texts"])
ROOM = 2**29  # bytes, of which the batch below takes some three times as much
# Each sample takes 64 MB and more of what the backward pass needs.
HUNGRY = """

class Hungry(Net):
    def forward(self, x):
        seen = super().forward(x)
        if not torch.is_grad_enabled():
            return seen
        large = seen.sum(1, keepdim=True) * torch.ones(1, 2**23, device=x.device) * 1e-3
        return seen + large.exp().mean(1, keepdim=True)


def hungry():
    return Hungry()
"""


@pytest.fixture
def small() -> Iterator[None]:
    """Leave half a gigabyte to the tensors of this process."""
    total = torch.cuda.get_device_properties(CUDA).total_memory
    devices.release(CUDA)
    torch.cuda.set_per_process_memory_fraction(ROOM / total, torch.cuda.current_device())
    yield
    torch.cuda.set_per_process_memory_fraction(1.0, torch.cuda.current_device())
    devices.release(CUDA)


@WRITERS
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_logits_read_from_the_gpu_s_memory_are_those_of_the_whole_network(
    tmp_path: Path, write: Callable[..., TrialConfig], precision: str
) -> None:
    run = build(write(tmp_path, strategy=tiny_trials.TOP | {"batch_size": 32}, precision=precision), CUDA)
    found = source(run, run.plan.phase(0), 2)
    assert found.caching.cache == "built", found.caching.cache_reason
    assert {kept.place.type for kept in nearness._NEAR.values()} == {"cuda"}
    rows = torch.arange(32)
    with torch.no_grad(), evaluating(run.network), devices.autocast(precision, CUDA):
        read, computed = found.logits("train", rows), whole(run)("train", rows)
    assert torch.allclose(read, computed, atol=1e-4 if precision == "fp32" else 5e-2)


@WRITERS
def test_a_cached_training_is_the_uncached_one_but_for_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[..., TrialConfig]
) -> None:
    config = write(tmp_path, strategy=tiny_trials.TOP | {"batch_size": 32}, precision="fp32")
    with monkeypatch.context() as patch:
        patch.setenv(folder.SWITCH, "off")
        expected = list(train(build(config, CUDA)))
    epochs = list(train(build(config, CUDA)))
    assert {epoch.caching.cache for epoch in epochs} == {"built"}
    assert [each.val_loss for each in epochs] == pytest.approx([each.val_loss for each in expected], rel=1e-2)


def test_a_process_takes_no_more_than_its_part() -> None:
    total = torch.cuda.get_device_properties(CUDA).total_memory
    share = devices.share_of_tensors(0.25, total)
    devices.cap_memory(CUDA, 0.25)
    try:
        with pytest.raises(torch.OutOfMemoryError):
            torch.empty(int(share * total) + 2**20, dtype=torch.uint8, device=CUDA)
        assert devices.spare_memory(CUDA) <= share * total
        assert torch.empty(int(share * total) // 2, dtype=torch.uint8, device=CUDA).is_cuda
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, torch.cuda.current_device())
        devices.release(CUDA)


def test_a_batch_is_halved_until_it_fits(tmp_path: Path, small: None) -> None:
    config = tiny_trials.of_function(tiny_trials.images(tmp_path, more=HUNGRY, precision="fp32"), "hungry")
    told = list(results(Order(config, keep=None), CUDA))
    assert {result["micro_batch"] for result in told} <= {2, 4, 8}
    assert all(math.isfinite(result["train_loss"]) for result in told)
    assert step_bytes(config, CUDA) is None


def test_trying_leaves_no_trace_of_the_gpu_s_random_numbers(tmp_path: Path) -> None:
    run = build(tiny_trials.images(tmp_path), CUDA)
    before = torch.cuda.get_rng_state(), {name: each.clone() for name, each in run.network.state_dict().items()}
    assert step_fits(run, torch.arange(16), whole(run), added_up=True)
    assert torch.equal(torch.cuda.get_rng_state(), before[0])
    assert all(torch.equal(each, before[1][name]) for name, each in run.network.state_dict().items())


def test_a_step_has_a_size(tmp_path: Path) -> None:
    needed = step_bytes(tiny_trials.images(tmp_path), CUDA)
    assert needed is not None
    assert 0 < needed < devices.usable_memory(CUDA)

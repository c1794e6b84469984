"""A recording that fits into the device's memory is read there, once; what does not fit stays on the disk."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.support import tiny_trials
from tests.trainables.activations.recorded import fill
from trainables.activations import nearness, prefix
from trainables.activations.files import Form, Kept, Writer
from trainables.activations.nearness import SHARE, fits, near
from trainables.activations.store import Store
from trainables.config import TrialConfig
from trainables.loop import train
from trainables.run import build

CPU, META = torch.device("cpu"), torch.device("meta")


@pytest.fixture
def kept(cache: Path) -> Kept:
    return Store(cache, limit=10**6).open_or_build("k", 100, 1.0, fill)[0]


@pytest.fixture(autouse=True)
def nothing_near() -> None:
    gc.collect()
    assert not nearness._NEAR


@pytest.mark.parametrize(
    ("size", "there", "spare", "expected"),
    [
        (25, 0, 100, True),
        (26, 0, 100, False),
        (1, 0, 0, False),  # a CPU: it is mapped
        (10, 15, 85, True),  # a quarter of what would be spare without recordings
        (11, 15, 85, False),
    ],
)
def test_recordings_take_a_quarter_of_what_is_spare_together(size: int, there: int, spare: int, expected: bool) -> None:
    assert SHARE == 0.25
    assert fits(size, there, spare) == expected


def test_what_does_not_fit_stays_mapped(kept: Kept) -> None:
    assert near(kept, META, 4 * kept.meta.bytes - 1) is kept
    assert near(kept, CPU, 0) is kept


def test_what_fits_is_moved_once_for_all_who_read_it(kept: Kept) -> None:
    spare = 4 * kept.meta.bytes
    one = near(kept, META, spare)
    assert one.place == META
    assert near(replace(kept), META, 0) is one
    del one
    gc.collect()
    assert near(kept, META, 0) is kept  # nobody read it any more


def test_memory_that_runs_out_meanwhile_leaves_it_mapped(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Kept) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Kept, "hold", full)
    assert near(kept, META, 10**9) is kept


@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_batches_are_gathered_where_it_lies_and_lie_in_memory_as_ever(tmp_path: Path, kind: str) -> None:
    form = Form("x", "float32", kind, (4, 2, 3), (2, 3, 1))  # as channels that come last
    source = torch.randn(6, 3, 4, 2).to(memory_format=torch.channels_last)
    with Writer(tmp_path / "entry", (form,), "right") as writer:
        writer.add({"x": source}, None)
    kept = Kept(tmp_path / "entry", writer.meta({}, 1.0))
    there = near(kept, META, 10**9)
    rows = torch.tensor([5, 1, 1])
    mapped, gathered = kept.take(rows, None, CPU)["x"], there.take(rows, None, META)["x"]
    assert gathered.device == META
    assert (gathered.shape, gathered.stride(), gathered.dtype) == (mapped.shape, mapped.stride(), mapped.dtype)
    assert mapped.equal(source[rows].to(getattr(torch, kind)).float())


@pytest.mark.gpu
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_a_gpu_gathers_the_same_bits_as_it_is_sent(tmp_path: Path, kind: str, side: str) -> None:
    cuda = torch.device("cuda")
    forms = (Form("x", "float32", kind, (3,), (1, 2), ragged=True), Form("y", "float32", kind, (2, 4), (2, 1)))
    lengths = torch.tensor([3, 1, 5, 2])
    padded = torch.randn(4, 5, 3)
    with Writer(tmp_path / "entry", forms, side) as writer:  # type: ignore[arg-type]
        writer.add({"x": padded, "y": torch.randn(4, 4, 2)}, lengths)
    kept = Kept(tmp_path / "entry", writer.meta({}, 1.0))
    there = near(kept, cuda, 10**9)
    assert there.place == cuda
    rows = torch.tensor([2, 0, 0, 3])
    sent, gathered = kept.take(rows, 5, cuda), there.take(rows, 5, cuda)
    for name in ("x", "y"):
        assert torch.equal(gathered[name], sent[name])
        assert gathered[name].stride() == sent[name].stride()


@pytest.mark.parametrize("write", [tiny_trials.images, tiny_trials.texts], ids=["images", "texts"])
def test_a_training_that_reads_from_the_device_is_the_same_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reading_is_free: None, write: Callable[..., TrialConfig]
) -> None:
    config = write(tmp_path, strategy=tiny_trials.TOP)
    expected = [(e.train_loss, e.val_loss, e.caching.cache) for e in train(build(config))]
    assert {cache for *_, cache in expected} == {"built"}
    monkeypatch.setattr(prefix, "spare_memory", lambda device: 10**9)
    near_by = []
    for number, epoch in enumerate(train(build(config))):
        assert (epoch.train_loss, epoch.val_loss) == expected[number][:2]
        near_by.append(sorted(kept.meta.about["split"] for kept in nearness._NEAR.values()))
    assert near_by == [["train", "val"]] * 2

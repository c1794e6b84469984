"""A batch that does not fit is halved until it does; one that fits trains as if nothing had been tried."""

from __future__ import annotations

import random
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support import tiny_trials
from tests.support.tiny_trials import FULL, TOP
from trainables import devices, loop, micro_batch
from trainables.activations import folder
from trainables.config import TrialConfig
from trainables.devices import share_of_tensors
from trainables.evaluate import whole
from trainables.loop import Epoch, train
from trainables.micro_batch import divided, fewest_parts, samples_at_once, step_bytes, step_fits
from trainables.order import Order, results
from trainables.run import Run, build

CPU = torch.device("cpu")
GRADUAL = {"freezing": "gradual", "unfrozen_depth": 3, "probe_share": 0.34, "batch_size": 16, "head_lr": 1e-2}
# A network whose device has room for so many images in training, and for fewer where more of it trains.
LIMITED = """

class Limited(Net):
    room = {room}

    def forward(self, x):
        deep = self.stem.weight.requires_grad
        if torch.is_grad_enabled() and len(x) > self.room // (2 if deep else 1):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return super().forward(x)


def limited(pretrained: bool = False):
    with torch.random.fork_rng(enabled=pretrained):
        if pretrained:
            torch.manual_seed(11)
        return Limited()
"""


@pytest.fixture
def own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the CPU pass for a device that has a memory of its own."""
    monkeypatch.setattr(loop, "has_own_memory", lambda device: True)
    monkeypatch.setenv(folder.SWITCH, "off")


def limited(path: Path, room: int, **values: object) -> TrialConfig:
    return tiny_trials.of_function(tiny_trials.images(path, more=LIMITED.format(room=room), **values), "limited")


def trained(config: TrialConfig) -> tuple[Run, list[Epoch]]:
    run = build(config)
    return run, list(train(run))


def told(epochs: list[Epoch]) -> list[dict[str, object]]:
    """Return the records without what a clock says, and without what was found out about memory."""
    plain = [asdict(e) | {"seconds": None, "micro_batch": None} for e in epochs]
    return [each | {"predictions": np.asarray(each["predictions"]).tolist()} for each in plain]


@pytest.mark.parametrize(
    ("most", "room", "expected", "tried"),
    [
        (16, 99, 1, [1]),
        (16, 5, 8, [1, 2, 4, 8]),  # 32 samples: 4 at once
        (16, 2, 16, [1, 2, 4, 8]),
        (16, 0, 16, [1, 2, 4, 8]),  # nothing fits: training says so
        (12, 2, 12, [1, 2, 4, 8]),
        (1, 0, 1, []),
        (0, 0, 1, []),
    ],
)
def test_parts_double_until_one_fits(most: int, room: int, expected: int, tried: list[int]) -> None:
    seen: list[int] = []

    def fits(count: int) -> bool:
        seen.append(count)
        return 32 / count <= room

    assert fewest_parts(most, fits) == expected
    assert seen == tried


@pytest.mark.parametrize(("room", "at_once"), [(64, 16), (31, 8), (16, 8), (15, 4), (4, 2)])
def test_the_largest_batch_is_halved_until_a_step_of_it_fits(tmp_path: Path, room: int, at_once: int) -> None:
    run = build(limited(tmp_path, room))
    found = divided(run, whole(run))
    assert samples_at_once(found) == at_once
    assert found.config.accumulate == 16 // at_once
    assert found.strategy.batch_size == 16  # the step's own batch stays


def test_after_running_out_all_the_same_a_trial_takes_half_of_what_was_found(tmp_path: Path) -> None:
    run = build(limited(tmp_path, 16, accumulate=2))  # as a retry asks for; 8 would fit
    assert samples_at_once(divided(run, whole(run))) == 8
    again = build(limited(tmp_path, 8, accumulate=2))
    assert samples_at_once(divided(again, whole(again))) == 4


def test_where_the_batch_fits_the_training_is_the_same_to_the_bit(tmp_path: Path, own_memory: None) -> None:
    for write in (tiny_trials.images, tiny_trials.texts):
        config = write(tmp_path, strategy=TOP)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "has_own_memory", devices.has_own_memory)
            plain, expected = trained(config)
        run, epochs = trained(config)
        assert told(epochs) == told(expected)
        states = run.network.state_dict(), plain.network.state_dict()
        assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())
        assert {epoch.micro_batch for epoch in epochs} == {16}
        assert {epoch.micro_batch for epoch in expected} == {None}


def test_a_halved_batch_trains_as_one_divided_by_hand(tmp_path: Path, own_memory: None) -> None:
    config = limited(tmp_path, 16)
    _, epochs = trained(config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "has_own_memory", devices.has_own_memory)
        _, expected = trained(config.model_copy(update={"accumulate": 2}))
    assert told(epochs) == told(expected)
    assert {epoch.micro_batch for epoch in epochs} == {8}


def test_each_phase_finds_its_own(tmp_path: Path, own_memory: None) -> None:
    _, epochs = trained(limited(tmp_path, 16, epochs=4, strategy=GRADUAL))
    assert [epoch.micro_batch for epoch in epochs] == [16, 16, 16, 8]  # everything trains in the last


def test_trying_leaves_no_trace(tmp_path: Path) -> None:
    run = build(tiny_trials.images(tmp_path, strategy=FULL))
    before = {name: tensor.clone() for name, tensor in run.network.state_dict().items()}
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    for added_up in (False, True):
        assert step_fits(run, torch.arange(8), whole(run), added_up=added_up)
    assert all(torch.equal(tensor, before[name]) for name, tensor in run.network.state_dict().items())
    assert all(parameter.grad is None for parameter in run.network.parameters())
    assert not run.optimizer.state
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tolist() == states[1]
    assert torch.equal(torch.get_rng_state(), states[2])


def test_the_longest_texts_are_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = build(tiny_trials.texts(tmp_path))
    lengths = run.part("train").inputs.lengths
    assert lengths is not None
    seen: list[torch.Tensor] = []

    def noted(run: Run, rows: torch.Tensor, logits: object, *, added_up: bool) -> bool:
        seen.append(lengths[rows])
        return True

    monkeypatch.setattr(micro_batch, "step_fits", noted)
    divided(run, whole(run))
    assert seen[0].tolist() == sorted(lengths.tolist(), reverse=True)[:16]


def test_an_error_of_another_kind_is_the_trial_s(tmp_path: Path) -> None:
    run = build(limited(tmp_path, 16))
    with pytest.raises(IndexError):
        step_fits(run, torch.arange(999), whole(run), added_up=False)


def test_what_was_found_is_told_with_each_epoch(tmp_path: Path, own_memory: None) -> None:
    told = list(results(Order(limited(tmp_path, 16), keep=None), CPU))
    assert [result["micro_batch"] for result in told] == [8, 8]


def test_on_a_cpu_nothing_is_tried_and_nothing_told(tmp_path: Path) -> None:
    told = list(results(Order(tiny_trials.images(tmp_path), keep=None), CPU))
    assert all("micro_batch" not in result for result in told)


def test_a_step_that_does_not_fit_has_no_size(tmp_path: Path) -> None:
    assert step_bytes(limited(tmp_path, 16), CPU) is None
    assert step_bytes(limited(tmp_path, 32), CPU) == 0  # a CPU's tensors are not counted


def test_tensors_get_a_share_without_the_context_of_their_process() -> None:
    total = 16 * 2**30
    assert share_of_tensors(0.25, total) == pytest.approx(3 / 16)
    assert share_of_tensors(0.5, total) == pytest.approx(7 / 16)
    assert share_of_tensors(0.25, 4 * 2**30) == 0.125  # a GPU so small that nothing would be left


def test_room_is_kept_for_what_the_optimiser_does_not_hold_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = build(tiny_trials.images(tmp_path, strategy=TOP))
    trained = {parameter.shape for parameter in run.network.parameters() if parameter.requires_grad}
    held: list[torch.Tensor] = []
    empty = torch.empty_like
    monkeypatch.setattr(torch, "empty_like", lambda tensor: (held.append(tensor), empty(tensor))[1])
    step_fits(run, torch.arange(8), whole(run), added_up=False)
    assert len(held) == 2 * len([each for each in run.network.parameters() if each.requires_grad])
    assert {each.shape for each in held} == trained
    for parameter in run.network.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    run.optimizer.step()
    held.clear()
    step_fits(run, torch.arange(8), whole(run), added_up=False)
    assert held == []

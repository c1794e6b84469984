"""What a trial kept makes a freshly built network predict as the trained one did."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.support import tiny_trials
from tests.support.tiny_trials import FULL, PROBE, TOP
from trainables import checkpoint
from trainables.checkpoint import (
    WEIGHTS,
    forget_progress,
    load_progress,
    load_trained,
    progress,
    save_progress,
    save_trained,
    write,
)
from trainables.evaluate import evaluate
from trainables.files import Unwritable, put
from trainables.loop import train
from trainables.run import build

REINIT = FULL | {"reinit": "all", "lr_ratio": 1.0}
FASTER = {"head_lr": 0.1}


@pytest.mark.parametrize("strategy", [PROBE, TOP, FULL, REINIT], ids=["probe", "top", "full", "scratch"])
@pytest.mark.parametrize("write_study", [tiny_trials.images, tiny_trials.texts], ids=["images", "texts"])
def test_a_fresh_network_with_the_kept_tensors_predicts_the_same(tmp_path: Path, write_study, strategy) -> None:
    config = write_study(tmp_path, strategy=strategy | FASTER)
    run = build(config)
    epochs = list(train(run))
    save_trained(run.network, run.plan, tmp_path / "kept")
    fresh = build(config)
    before = evaluate(fresh, "val")
    load_trained(fresh.network, tmp_path / "kept")
    after = evaluate(fresh, "val")
    assert before.loss != after.loss
    assert (after.loss, after.score) == (epochs[-1].val_loss, epochs[-1].score)
    assert after.predictions.tolist() == list(epochs[-1].predictions)
    states = run.network.state_dict(), fresh.network.state_dict()
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())


@pytest.mark.parametrize("strategy", [PROBE, TOP, FULL])
def test_the_file_holds_what_may_change_and_nothing_frozen(tmp_path: Path, strategy) -> None:
    run = build(tiny_trials.images(tmp_path, strategy=strategy))
    kept = set(load_file(save_trained(run.network, run.plan, tmp_path / "kept")))
    frozen = {*run.plan.frozen, *run.plan.frozen_buffers}
    assert kept == set(run.network.state_dict()) - frozen
    assert kept >= set(run.plan.trainable)


def test_writing_again_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    write({"a": torch.zeros(2)}, tmp_path / "kept")
    path = write({"a": torch.ones(2)}, tmp_path / "kept")
    assert [each.name for each in path.parent.iterdir()] == [WEIGHTS]
    assert load_file(path)["a"].tolist() == [1, 1]


def test_tensors_that_share_memory_or_are_not_contiguous_can_be_written(tmp_path: Path) -> None:
    shared = torch.arange(6.0).reshape(2, 3)
    kept = load_file(write({"tied": shared, "twice": shared, "turned": shared.T}, tmp_path))
    assert torch.equal(kept["tied"], kept["twice"])
    assert torch.equal(kept["turned"], shared.T)


def test_the_progress_of_the_last_two_epochs_is_kept(tmp_path: Path) -> None:
    run = build(tiny_trials.images(tmp_path))
    for epoch in (1, 2, 3):
        save_progress(run, epoch, tmp_path / "kept")
    assert sorted((tmp_path / "kept").iterdir()) == [progress(tmp_path / "kept", epoch) for epoch in (2, 3)]


class Slow(checkpoint.Pace):
    """Lets only every third epoch be written whole."""

    @property
    def is_due(self) -> bool:
        return self.written is None or self.epoch - self.written >= 3

    epoch = 0


def test_large_progress_is_written_now_and_then_and_referred_to_in_between(tmp_path: Path) -> None:
    run, pace, there = build(tiny_trials.images(tmp_path)), Slow(), []
    for pace.epoch in range(1, 9):
        save_progress(run, pace.epoch, tmp_path / "kept", pace)
        there.append(sorted(int(file.stem.partition("-")[2]) for file in (tmp_path / "kept").iterdir()))
        for named in {max(1, pace.epoch - 1), pace.epoch}:  # Optuna may be an epoch behind
            assert load_progress(run, tmp_path / "kept", named) == named - (named - 1) % 3
    assert there[:5] == [[1], [1, 2], [1, 2, 3], [1, 3, 4], [4, 5]]


@pytest.mark.parametrize("stop", [2, 4, 6])
def test_a_run_goes_on_after_the_last_progress_that_was_written_whole(tmp_path: Path, stop: int) -> None:
    config = tiny_trials.images(tmp_path, epochs=7)
    whole = [epoch.train_loss for epoch in train(build(config))]
    run, pace = build(config), Slow()
    for epoch in train(run):
        pace.epoch = epoch.epoch
        save_progress(run, epoch.epoch, tmp_path / "kept", pace)
        if epoch.epoch == stop:
            break
    again = build(config)
    behind = load_progress(again, tmp_path / "kept", stop)
    assert behind == {2: 1, 4: 4, 6: 4}[stop]
    assert [epoch.train_loss for epoch in train(again, after=behind)] == whole[behind:]


def test_a_pace_lets_small_progress_pass_and_large_one_wait_for_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("trainables.checkpoint.time.monotonic", lambda: now[0])
    pace = checkpoint.Pace()
    assert pace.is_due  # the first one
    pace.note(1, checkpoint.SMALL)
    assert pace.is_due
    pace.note(2, 10 * checkpoint.RATE)
    assert not pace.is_due
    now[0] += 10.5
    assert pace.is_due


def test_progress_carries_every_random_state(tmp_path: Path) -> None:
    run = build(tiny_trials.images(tmp_path))
    for draw in (random.gauss, np.random.normal):
        draw(0, 1)  # leaves half of a pair of normal numbers behind, which is state too
    save_progress(run, 1, tmp_path / "kept")

    def drawn() -> list[float]:
        return [random.gauss(0, 1), random.random(), np.random.normal(), np.random.rand(), torch.rand(()).item()]

    expected = drawn()
    assert drawn() != expected
    assert load_progress(run, tmp_path / "kept", 1) == 1
    assert drawn() == expected


def test_progress_is_forgotten_and_what_is_kept_for_good_stays(tmp_path: Path) -> None:
    run = build(tiny_trials.images(tmp_path))
    for folder in ("alone", "with weights"):
        save_progress(run, 1, tmp_path / folder)
        progress(tmp_path / folder, 2).with_suffix(".pt.part").touch()  # a kill in the middle of writing
    save_trained(run.network, run.plan, tmp_path / "with weights")
    for folder in ("alone", "with weights", "not there"):
        forget_progress(tmp_path / folder)
    assert not (tmp_path / "alone").exists()
    assert [file.name for file in (tmp_path / "with weights").iterdir()] == [WEIGHTS]


def test_what_cannot_be_written_is_said_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(b"whole", tmp_path / "file")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Unwritable, match="file: No space left on device"):
        put(b"other", tmp_path / "file")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"whole"]

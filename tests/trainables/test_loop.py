"""The loop yields an epoch at a time, the same for the same seed, and stops where going on has no sense."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support import tiny_trials
from tests.support.tiny_trials import FULL, PROBE, TOP, TRAIN, VAL
from trainables.config import TrialConfig
from trainables.evaluate import evaluate
from trainables.loop import Epoch, cost, parts, schedule, train
from trainables.run import Run, build

BATCHES = 3  # 42 samples in batches of 16


def told(epochs: list[Epoch]) -> list[dict[str, object]]:
    """Return the records without what a clock says, their predictions as lists."""
    return [asdict(e) | {"seconds": None, "predictions": np.asarray(e.predictions).tolist()} for e in epochs]


def trained(config: TrialConfig) -> tuple[Run, list[Epoch]]:
    run = build(config)
    return run, list(train(run))


def test_the_rate_rises_over_a_tenth_and_falls_along_a_cosine_to_zero() -> None:
    rates = [schedule(step, 20) for step in range(20)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert math.isclose(rates[11], 0.5)  # half way down: cos(pi / 2)
    assert math.isclose(rates[5], 0.5 * (1 + math.cos(math.pi / 6)))
    assert schedule(20, 20) == 0
    assert all(later < earlier for earlier, later in pairwise(rates[2:]))


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 11, 1000])
def test_every_step_of_every_schedule_trains(steps: int) -> None:
    rates = [schedule(step, steps) for step in range(steps)]
    assert all(0 < rate <= 1 for rate in rates)
    assert max(rates) == 1
    assert rates.index(1) == math.ceil(steps / 10) - 1


def test_all_groups_follow_the_schedule_of_the_whole_budget(tmp_path: Path) -> None:
    run = build(tiny_trials.images(tmp_path, epochs=4))
    epochs = train(run)
    for epoch in (1, 2):  # and then the caller stops
        next(epochs)
        multiplier = schedule(epoch * BATCHES - 1, 4 * BATCHES)
        assert [group["lr"] for group in run.optimizer.param_groups] == [
            group.lr * multiplier for group in run.plan.groups
        ]


@pytest.mark.parametrize("write", [tiny_trials.images, tiny_trials.texts], ids=["images", "texts"])
def test_the_same_seed_gives_the_same_epochs_and_weights_to_the_bit(
    tmp_path: Path, write: Callable[..., TrialConfig]
) -> None:
    config = write(tmp_path)
    (one, first), (two, second) = trained(config), trained(config)
    assert told(first) == told(second)
    states = one.network.state_dict(), two.network.state_dict()
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())


def test_another_seed_gives_another_training(tmp_path: Path) -> None:
    config = tiny_trials.images(tmp_path)
    (one, first), (two, second) = trained(config), trained(config.model_copy(update={"seed": 1}))
    assert first[0].train_loss != second[0].train_loss
    assert not torch.equal(one.network.stem.weight, two.network.stem.weight)


@pytest.mark.parametrize("write", [tiny_trials.images, tiny_trials.texts], ids=["images", "texts"])
def test_an_epoch_says_what_was_measured(tmp_path: Path, write: Callable[..., TrialConfig]) -> None:
    run, epochs = trained(write(tmp_path, strategy=TOP))
    measured = evaluate(run, "val")
    last = epochs[-1]
    assert [epoch.epoch for epoch in epochs] == [1, 2]
    assert (last.val_loss, last.score) == (measured.loss, measured.score)
    assert last.predictions is not None
    assert (last.predictions == measured.predictions).all()
    assert last.certificate == "ok"
    assert last.failure is None
    assert last.seconds > 0
    assert math.isfinite(last.train_loss)


def test_training_learns(tmp_path: Path) -> None:
    _, epochs = trained(tiny_trials.images(tmp_path, epochs=15, strategy=FULL | {"lr_ratio": 1.0}))
    assert epochs[-1].train_loss < 0.7 * epochs[0].train_loss
    assert epochs[-1].score > 0.8


@pytest.mark.parametrize(("strategy", "expected"), [(PROBE, "ok"), (TOP, "ok"), (FULL, "none")])
def test_the_certificate_holds_where_something_is_frozen(tmp_path: Path, strategy, expected: str) -> None:
    _, epochs = trained(tiny_trials.images(tmp_path, strategy=strategy))
    assert {epoch.certificate for epoch in epochs} == {expected}


@pytest.mark.parametrize(
    ("strategy", "share"),
    [(PROBE, 0), (TOP, 1 / 4), (TOP | {"unfrozen_depth": 2}, 2 / 4), (FULL, 1)],  # stem and three blocks
)
def test_the_cost_counts_a_forward_and_two_backward_for_what_trains(tmp_path: Path, strategy, share: float) -> None:
    run, epochs = trained(tiny_trials.images(tmp_path, strategy=strategy, epochs=1))
    assert cost(run, 1) == TRAIN * (1 + 2 * share) + VAL
    assert [epoch.cost for epoch in epochs] == [cost(run, 1)]


def test_a_training_that_diverges_ends_with_its_epoch_and_step(tmp_path: Path) -> None:
    wild = FULL | {"head_lr": 1e30, "lr_ratio": 1.0}
    _, epochs = trained(tiny_trials.images(tmp_path, strategy=wild, optimizer="sgd", epochs=5))
    last = epochs[-1]
    assert len(epochs) < 5
    assert [epoch.failure for epoch in epochs[:-1]] == [None] * (len(epochs) - 1)
    assert last.failure is not None
    assert last.failure.startswith("diverged: the ")
    assert f"in epoch {last.epoch}" in last.failure
    assert math.isnan(last.score)


def test_a_loss_that_is_no_number_ends_the_first_epoch_at_its_first_step(tmp_path: Path) -> None:
    broken = (
        "\n\ndef broken():\n    net = Net()\n    nn.init.constant_(net.stem.weight, float('nan'))\n    return net\n"
    )
    config = tiny_trials.images(tmp_path, broken)
    _, epochs = trained(tiny_trials.of_function(config, "broken"))
    assert [epoch.failure for epoch in epochs] == ["diverged: the training loss is nan in epoch 1, step 1"]
    assert epochs[0].predictions is None


def test_a_loss_that_is_infinite_ends_the_first_epoch_at_its_first_step(tmp_path: Path) -> None:
    sure = """

class Sure(Net):
    def forward(self, x):
        logits = super().forward(x)
        return logits - torch.where(torch.arange(logits.shape[1]) == 0, 0.0, torch.inf)


def sure():
    return Sure()
"""
    _, epochs = trained(tiny_trials.of_function(tiny_trials.images(tmp_path, sure), "sure"))
    assert [epoch.failure for epoch in epochs] == ["diverged: the training loss is inf in epoch 1, step 1"]
    assert math.isnan(epochs[0].score)


# Without batch normalisation and dropout, which see the part and not the batch.
CALM = """

class Calm(Net):
    def __init__(self):
        super().__init__()
        for unit in self.units:
            unit.norm, unit.dropout = nn.Identity(), nn.Identity()


def calm():
    return Calm()
"""


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
@pytest.mark.parametrize("accumulate", [2, 3, 99])
def test_a_batch_in_parts_takes_the_step_of_the_whole_batch(
    tmp_path: Path, accumulate: int, class_weights: str
) -> None:
    config = tiny_trials.of_function(tiny_trials.images(tmp_path, CALM, class_weights=class_weights), "calm")
    (whole, first), (parted, second) = trained(config), trained(config.model_copy(update={"accumulate": accumulate}))
    for one, other in zip(first, second, strict=True):
        assert other.train_loss == pytest.approx(one.train_loss, rel=1e-4)
        assert other.val_loss == pytest.approx(one.val_loss, rel=1e-4)
    states = whole.network.state_dict(), parted.network.state_dict()
    assert all(torch.allclose(tensor, states[1][name], atol=1e-4) for name, tensor in states[0].items())


def test_the_parts_of_a_batch_hold_every_sample_once_and_their_shares_make_one(tmp_path: Path) -> None:
    run = build(tiny_trials.images(tmp_path, accumulate=3))
    labels = run.part("train").labels
    divided = parts(run, labels, torch.arange(17))
    assert torch.cat([rows for rows, _ in divided]).tolist() == list(range(17))
    assert [len(rows) for rows, _ in divided] == [6, 6, 5]
    assert math.isclose(sum(share for _, share in divided), 1)


def test_a_validation_loss_that_is_no_number_is_a_failure(tmp_path: Path) -> None:
    odd = """

class Odd(Net):
    def forward(self, x):
        return super().forward(x) / torch.tensor(float(self.training))


def odd():
    return Odd()
"""
    _, epochs = trained(tiny_trials.of_function(tiny_trials.images(tmp_path, odd), "odd"))
    assert len(epochs) == 1
    assert epochs[0].failure is not None
    assert epochs[0].failure.startswith("diverged: the validation loss is ")
    assert epochs[0].failure.endswith("in epoch 1")
    assert math.isfinite(epochs[0].train_loss)
    assert math.isnan(epochs[0].score)


@pytest.mark.parametrize(("ends", "proven"), [(None, [1, 2, 3, 4]), ((), [4]), ((1, 3), [1, 3, 4])])
def test_frozen_is_proven_wherever_the_trial_may_end(tmp_path: Path, ends, proven: list[int]) -> None:
    told = list(train(build(tiny_trials.images(tmp_path, epochs=4, strategy=PROBE)), ends=ends))
    assert [epoch.epoch for epoch in told if epoch.certificate == "ok"] == proven
    assert {epoch.certificate for epoch in told} <= {"ok", None}


def test_a_frozen_tensor_that_moved_is_found_at_the_next_proof(tmp_path: Path) -> None:
    run = build(tiny_trials.images(tmp_path, epochs=6, strategy=PROBE))
    told = []
    for epoch in train(run, ends=(4,)):
        told.append((epoch.epoch, epoch.certificate))
        with torch.no_grad():
            run.network.get_parameter(run.plan.frozen[0]).data.add_(1e-3)
    assert told == [(1, None), (2, None), (3, None), (4, "broken")]


def test_a_frozen_tensor_that_moves_breaks_the_trial(tmp_path: Path) -> None:
    counting = """

class Counting(Net):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


def counting():
    return Counting()
"""
    config = tiny_trials.images(tmp_path, counting, strategy=PROBE)
    _, epochs = trained(tiny_trials.of_function(config, "counting"))
    assert [(epoch.certificate, epoch.failure) for epoch in epochs] == [
        ("broken", "certificate broken: a frozen parameter or buffer changed up to epoch 1")
    ]
    assert math.isnan(epochs[0].score)


def test_gradients_are_clipped_to_norm_one(tmp_path: Path) -> None:
    steep = """

class Steep(Net):
    def forward(self, x):
        return 1000 * super().forward(x)


def steep():
    return Steep()
"""
    strategy = {"freezing": "full", "head_lr": 0.01, "lr_ratio": 1.0, "batch_size": 64}  # one step an epoch
    config = tiny_trials.images(tmp_path, steep, strategy=strategy, epochs=1, optimizer="sgd")
    run = build(tiny_trials.of_function(config, "steep"))
    before = [parameter.detach().clone() for parameter in run.network.parameters()]
    list(train(run))
    moved = sum(
        float((now.detach() - old).square().sum()) for now, old in zip(run.network.parameters(), before, strict=True)
    )
    assert math.isclose(math.sqrt(moved), 0.01, rel_tol=1e-3)


def test_balanced_classes_weigh_the_same(tmp_path: Path) -> None:
    config = tiny_trials.images(tmp_path, epochs=1)
    plain, balanced = build(config), build(config.model_copy(update={"class_weights": "balanced"}))
    assert plain.loss.weight is None
    counts = torch.bincount(torch.tensor(balanced.dataset.train.labels))
    assert counts.tolist() == [21, 14, 7]
    assert balanced.loss.weight is not None
    assert torch.allclose(balanced.loss.weight * counts, torch.full((3,), TRAIN / 3))
    (one,), (other,) = list(train(plain)), list(train(balanced))
    assert one.train_loss != other.train_loss


def test_bf16_trains_too(tmp_path: Path) -> None:
    _, epochs = trained(tiny_trials.images(tmp_path, precision="bf16", strategy=TOP))
    assert all(math.isfinite(epoch.val_loss) for epoch in epochs)
    assert {epoch.certificate for epoch in epochs} == {"ok"}


def test_a_strategy_s_label_smoothing_is_in_the_training_loss_and_not_in_the_validation_loss(tmp_path: Path) -> None:
    config = tiny_trials.images(tmp_path, epochs=1)
    plain, smoothed = (
        build(config.model_copy(update={"strategy": FULL | {"lr_ratio": 0.0, "label_smoothing": share}}))
        for share in (0.0, 0.5)
    )
    logits, labels = torch.tensor([[9.0, 0.0, 0.0]]), torch.tensor([0])
    spread = -(logits.log_softmax(1) * torch.tensor([4 / 6, 1 / 6, 1 / 6])).sum()
    assert torch.isclose(smoothed.loss(logits, labels), spread)
    assert torch.isclose(plain.loss(logits, labels), -logits.log_softmax(1)[0, 0])
    untrained = [evaluate(run, "val").loss for run in (plain, smoothed)]
    assert untrained[0] == untrained[1]


@pytest.mark.parametrize(("size", "steps"), [(7, 6), (16, 3), (21, 2), (64, 1)])
def test_a_strategy_s_batch_size_decides_the_steps_of_an_epoch(tmp_path: Path, size: int, steps: int) -> None:
    run = build(tiny_trials.images(tmp_path, epochs=1, strategy=FULL | {"batch_size": size}))
    seen: list[int] = []
    run.network.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])) if module.training else None)
    list(train(run))
    assert len(seen) == steps
    assert sum(seen) == TRAIN
    assert set(seen[:-1]) <= {size}

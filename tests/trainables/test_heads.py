"""Heads trained together are the heads trained alone, and those that torch itself would train."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmarks.experiments.fusion import alone
from trainables.heads import HeadConfig, Heads, initial, train_heads

CLASSES, WIDTH, EPOCHS, BATCH = 3, 10, 3, 16
HEADS = [HeadConfig(10.0**-power, decay, seed) for seed, (power, decay) in enumerate([(1, 0.0), (2, 0.5), (3, 0.01)])]


@pytest.fixture(scope="module")
def samples() -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(0)
    labels = torch.arange(70) % CLASSES
    features = torch.randn(70, WIDTH, generator=source)
    features[torch.arange(70), labels] += 2
    return features, labels


def together(samples: tuple[torch.Tensor, torch.Tensor], heads: list[HeadConfig], **options: int) -> Heads:
    given = {"classes": CLASSES, "epochs": EPOCHS, "batch_size": BATCH} | options
    return train_heads(*samples, heads, **given)


def by_torch(samples: tuple[torch.Tensor, torch.Tensor], head: HeadConfig) -> nn.Linear:
    """Train one head by itself."""
    return alone(*samples, head, classes=CLASSES, epochs=EPOCHS, batch_size=BATCH)


@pytest.mark.parametrize("number", range(len(HEADS)))
def test_each_head_is_what_torch_trains(samples, number: int) -> None:
    found, layer = together(samples, HEADS), by_torch(samples, HEADS[number])
    assert torch.allclose(found.weights[number], layer.weight, atol=1e-5)
    assert torch.allclose(found.biases[number], layer.bias, atol=1e-5)
    assert torch.equal(found.predictions(samples[0])[number], layer(samples[0]).argmax(1))


@pytest.mark.parametrize("number", range(len(HEADS)))
def test_a_head_does_not_depend_on_those_beside_it(samples, number: int) -> None:
    among, alone = together(samples, HEADS), together(samples, [HEADS[number]])
    assert torch.allclose(among.weights[number], alone.weights[0], atol=1e-6)
    assert torch.allclose(among.logits(samples[0])[number], alone.logits(samples[0])[0], atol=1e-5)


def test_heads_learn_and_differ_by_what_is_their_own(samples) -> None:
    heads = [HeadConfig(1e-2), HeadConfig(1e-2, seed=1), HeadConfig(1e-1), HeadConfig(1e-2, weight_decay=5.0)]
    found = together(samples, heads, epochs=20)
    right = (found.predictions(samples[0]) == samples[1]).float().mean(1)
    assert right.min() > 0.8
    assert all(not torch.allclose(found.weights[0], other, atol=1e-3) for other in found.weights[1:])


def test_the_first_weights_are_drawn_as_torch_draws_them() -> None:
    found = initial([HeadConfig(1.0, seed=seed) for seed in range(50)], 8, 64)
    assert found.weights.shape == (50, 8, 64)
    assert float(found.weights.abs().max()) <= 1 / 8
    assert float(found.weights.std()) == pytest.approx(1 / 8 / 3**0.5, rel=0.02)


def test_no_random_number_of_the_process_is_drawn(samples) -> None:
    before = torch.get_rng_state()
    together(samples, HEADS)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["meta", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_heads_are_trained_where_the_features_lie(samples, name: str) -> None:
    features, labels = (each.to(name) for each in samples)
    found = together((features, labels), HEADS)
    assert found.weights.device.type == found.predictions(features).device.type == name
    if name == "cuda":
        assert torch.allclose(found.weights.cpu(), together(samples, HEADS).weights, atol=1e-4)

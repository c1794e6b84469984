"""The contracts on every architecture: frozen keeps its bits, what has a gradient moves, every tensor has one block."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from benchmarks.architectures import build, names
from benchmarks.contract import freezing_violations, reinit_violations
from trainables.network.blocks import depth

pytestmark = pytest.mark.timeout(1800)  # the largest have 600 million parameters

REPRESENTATIVES = [
    "torchvision:resnet18",
    "torchvision:densenet121",
    "torchvision:squeezenet1_1",
    "transformers:albert",
    "transformers:bert",
    "transformers:convnext",
    "transformers:deberta-v2",
    "transformers:gpt2",
    "transformers:marian",
    "transformers:swin",
    "transformers:t5",
    "transformers:wav2vec2",
    "transformers:whisper",
]
EVERY = [name if name in REPRESENTATIVES else pytest.param(name, marks=pytest.mark.slow) for name in names()]


def test_enough_families_of_transformers_are_covered() -> None:
    assert sum(name.startswith("transformers:") for name in names()) >= 40
    assert set(REPRESENTATIVES) <= set(names())


@pytest.mark.parametrize("name", EVERY)
def test_frozen_stays_and_the_rest_moves_as_planned(name: str) -> None:
    torch.manual_seed(0)
    built = build(name)
    assert depth(built.blocks) >= 1
    assert freezing_violations(built) == []


@pytest.mark.parametrize("name", EVERY)
def test_what_starts_anew_takes_a_fresh_network_s_values(name: str) -> None:
    torch.manual_seed(0)
    assert reinit_violations(build(name), build(name).network) == []


@pytest.mark.parametrize("name", EVERY)
def test_every_tensor_lies_in_exactly_one_block(name: str) -> None:
    built = build(name)
    inside = [tensor for block in built.blocks for tensor in (*block.parameters, *block.buffers)]
    whole = [n for n, _ in built.network.named_parameters()] + [n for n, _ in built.network.named_buffers()]
    assert sorted(inside) == sorted(whole)


def tensors_of(network: nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


@pytest.mark.parametrize("name", EVERY)
def test_a_copy_has_the_same_bits_in_the_same_order_and_shares_none(name: str) -> None:
    network = build(name).network
    own, copied = tensors_of(network), tensors_of(deepcopy(network))
    assert list(own) == list(copied)
    for one, other in zip(own.values(), copied.values(), strict=True):
        assert torch.equal(one, other)
        assert (one.stride(), one.requires_grad) == (other.stride(), other.requires_grad)
        assert one.data_ptr() != other.data_ptr() or not one.numel()

"""Every classification network of torchvision is cut from its stem to its head, nothing lost and nothing twice."""

from __future__ import annotations

from collections import Counter

import pytest
from torch import nn
from torchvision import models

from tests.trainables.network.traced import Traced, of_torchvision
from trainables.network.blocks import depth

# By what the architecture repeats: residual units, transformer layers, dense blocks, or plain layers.
DEPTHS = {
    "alexnet": 6,
    "convnext_tiny": 18,
    "densenet121": 4,
    "efficientnet_b0": 16,
    "googlenet": 11,
    "inception_v3": 15,
    "maxvit_t": 11,
    "mnasnet0_5": 16,
    "mobilenet_v2": 17,
    "mobilenet_v3_small": 11,
    "regnet_y_400mf": 16,
    "resnet18": 8,
    "shufflenet_v2_x0_5": 16,
    "squeezenet1_1": 8,
    "swin_t": 12,
    "vgg11": 9,
    "vgg11_bn": 9,
    "vit_b_16": 12,
}
ALL = models.list_models(module=models)


@pytest.fixture(params=[pytest.param(name, marks=() if name in DEPTHS else pytest.mark.slow) for name in ALL])
def cut_network(request: pytest.FixtureRequest) -> Traced:
    return of_torchvision(request.param)


def test_every_parameter_and_buffer_lies_in_exactly_one_block(cut_network: Traced) -> None:
    for kind, own in (("parameters", "named_parameters"), ("buffers", "named_buffers")):
        lying = Counter(name for block in cut_network.blocks for name in getattr(block, kind))
        assert lying == Counter(name for name, _ in getattr(cut_network.network, own)())


def test_the_counts_add_up_to_the_network(cut_network: Traced) -> None:
    assert sum(block.count for block in cut_network.blocks) == sum(p.numel() for p in cut_network.network.parameters())


def test_blocks_stand_in_the_order_of_their_calls(cut_network: Traced) -> None:
    calls = cut_network.first_calls()
    assert calls == sorted(calls)
    assert [block.index for block in cut_network.blocks] == list(range(len(cut_network.blocks)))


def test_stem_blocks_head_and_none_is_empty(cut_network: Traced) -> None:
    kinds = [block.kind for block in cut_network.blocks]
    assert kinds == ["stem", *["block"] * depth(cut_network.blocks), "head"]
    assert [block.name for block in cut_network.blocks if block.count == 0] == []
    assert depth(cut_network.blocks) >= 2


def test_the_head_is_exactly_the_replaced_layer(cut_network: Traced) -> None:
    head = cut_network.blocks[-1]
    (layer,) = head.modules
    replaced = cut_network.network.get_submodule(layer)
    assert getattr(replaced, "out_features", getattr(replaced, "out_channels", None)) == 2
    assert set(head.parameters) == {f"{layer}.{name}" for name, _ in replaced.named_parameters()}


def test_no_module_lies_in_two_blocks(cut_network: Traced) -> None:
    lying = Counter(name for block in cut_network.blocks for name in block.modules)
    assert set(lying.values()) == {1}


@pytest.mark.parametrize("name", DEPTHS)
def test_the_depth_is_the_architectures_own(name: str) -> None:
    assert depth(of_torchvision(name).blocks) == DEPTHS[name]


@pytest.mark.parametrize(
    ("name", "member", "block"),
    [
        ("densenet121", "features.transition1", "features.denseblock1"),
        ("densenet121", "features.norm5", "features.denseblock4"),
        ("swin_t", "features.2", "features.3.0"),  # the patch merging before its stage
        ("swin_t", "norm", "features.7.1"),
        ("convnext_tiny", "features.2.1", "features.3.0"),
        ("mobilenet_v3_small", "classifier.0", "features.11"),
        ("vit_b_16", "encoder.ln", "encoder.layers.encoder_layer_11"),
        ("inception_v3", "Mixed_6a.branch3x3", "Mixed_6a"),
        ("resnet18", "bn1", "stem"),
    ],
)
def test_what_lies_between_blocks_joins_the_right_one(name: str, member: str, block: str) -> None:
    assert [each.name for each in of_torchvision(name).blocks if member in each.modules] == [block]


def test_parameters_of_a_container_belong_to_the_stem() -> None:
    stem = of_torchvision("vit_b_16").blocks[0]
    assert {"class_token", "encoder.pos_embedding"} <= set(stem.parameters)


def test_a_normalisation_lies_in_the_block_of_the_convolution_before_it() -> None:
    cut_network = of_torchvision("vgg11_bn")
    block_of = {name: block.index for block in cut_network.blocks for name in block.modules}
    called = sorted(
        (position, name)
        for name, position in cut_network.order.items()
        if isinstance(cut_network.network.get_submodule(name), nn.Conv2d | nn.BatchNorm2d)
    )
    names = [name for _, name in called]
    pairs = list(zip(names[::2], names[1::2], strict=True))
    assert len(pairs) == 8
    assert [pair for pair in pairs if block_of[pair[0]] != block_of[pair[1]]] == []

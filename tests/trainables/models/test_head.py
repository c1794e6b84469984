"""The layer called last gives way to a new one for the task's classes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spaces.errors import BadInput
from trainables.models.head import last_layer, replace_layer


def test_a_linear_layer_gets_as_many_outputs_as_there_are_classes() -> None:
    network = nn.Sequential(nn.Flatten(), nn.ModuleDict({"fc": nn.Linear(12, 1000)}))
    replace_layer(network, "1.fc", 5)
    layer = network.get_submodule("1.fc")
    assert isinstance(layer, nn.Linear)
    assert (layer.in_features, layer.out_features, layer.bias is not None) == (12, 5, True)


@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_keeps_its_geometry(bias: bool) -> None:
    network = nn.Sequential(nn.Conv2d(6, 1000, (3, 2), stride=2, padding=(1, 0), bias=bias))
    shape = network(torch.zeros(1, 6, 9, 8)).shape
    replace_layer(network, "0", 4)
    assert network(torch.zeros(1, 6, 9, 8)).shape == (1, 4, *shape[2:])
    assert (network[0].bias is not None) == bias


def test_the_new_layer_is_new() -> None:
    network = nn.Sequential(nn.Linear(4, 3))
    nn.init.constant_(network[0].weight, 7.0)
    replace_layer(network, "0", 3)
    assert not (network[0].weight == 7).any()


def test_a_layer_that_is_neither_is_refused() -> None:
    with pytest.raises(BadInput, match="the layer 0 is a Embedding, not a linear layer or a convolution"):
        replace_layer(nn.Sequential(nn.Embedding(3, 2)), "0", 2)


def test_the_last_layer_is_the_one_called_last() -> None:
    network = nn.ModuleDict({"head": nn.Linear(2, 2), "body": nn.Conv2d(3, 2, 1), "norm": nn.LayerNorm(2)})
    assert last_layer(network, {"": 0, "body": 1, "head": 2, "norm": 3}) == "head"
    assert last_layer(network, {"": 0, "head": 1, "body": 2}) == "body"


def test_a_network_without_such_a_layer_is_refused() -> None:
    with pytest.raises(BadInput, match="has no linear or convolutional layer"):
        last_layer(nn.Sequential(nn.ReLU()), {"": 0, "0": 1})

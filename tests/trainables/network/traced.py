"""Real networks cut into blocks, on the meta device: shapes and names, no memory, no arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn
from torchvision import models

from trainables.models import text, vision
from trainables.models.head import last_layer, replace_layer
from trainables.network.blocks import Block, cut
from trainables.network.call_order import call_order

META = torch.device("meta")


@dataclass(frozen=True)
class Traced:
    """A network, the order of its calls, and its blocks."""

    network: nn.Module
    order: dict[str, int]
    blocks: tuple[Block, ...]

    def first_calls(self) -> list[int]:
        """Return when each block is first called."""
        return [min(self.order[name] for name in block.modules if name in self.order) for block in self.blocks]


def traced(network: nn.Module, head: tuple[str, ...], forward: Callable[[nn.Module], object]) -> Traced:
    """Cut ``network`` as a run does."""
    order = call_order(network, forward)
    return Traced(network, order, cut(network, head, order))


@cache
def of_torchvision(name: str) -> Traced:
    """Cut torchvision's network ``name`` at its own image size, with a head of two classes."""
    size = vision._preprocessing(name, None).image_size
    arguments = vision._arguments(name, size) | ({"init_weights": False} if name in vision.BUILT_WITH else {})
    if name.startswith("regnet"):  # computes its widths with tensors
        network = models.get_model(name, weights=None).to(META)
    else:
        with META:
            network = models.get_model(name, weights=None, **arguments)

    def forward(net: nn.Module) -> object:
        with META:
            return net(torch.zeros(1, 3, size, size))

    head = last_layer(network, call_order(network, forward))
    with META:
        replace_layer(network, head, 2)
    return traced(network, (head,), forward)


def of_transformers(config: object) -> Traced:
    """Cut the sequence classification network of ``config``."""
    network = text.AutoModelForSequenceClassification.from_config(config)
    ids = torch.tensor([[1, 5, 6, 7, 2]])
    return traced(
        network, text.head_of(network), lambda net: net(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    )

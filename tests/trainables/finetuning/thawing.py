"""Tiny real networks with everything that could move although it is frozen, and a strategy applied to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from spaces.strategy import Strategy
from trainables.finetuning import apply
from trainables.finetuning.plan import Plan, plan
from trainables.network.blocks import Block, cut, depth
from trainables.network.call_order import call_order
from trainables.run import names_of

CLASSES = 3
BERT = transformers.BertConfig(
    vocab_size=40,
    hidden_size=8,
    num_hidden_layers=3,
    num_attention_heads=2,
    intermediate_size=12,
    max_position_embeddings=16,
    num_labels=CLASSES,
    hidden_dropout_prob=0.3,
)


class Unit(nn.Module):
    """Convolution, batch normalisation, dropout."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.norm(self.convolution(x)).relu())


class Stage(nn.Module):
    """A list of units with a dropout of its own, as containers of transformers have."""

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.units = nn.ModuleList(Unit(width) for _ in range(units))

    def forward(self, x: Tensor) -> Tensor:
        for unit in self.units:
            x = functional.dropout(unit(x), 0.3, self.training)
        return x


class LateStage(Stage):
    """Another class, so that the units and not the stages are what repeats."""


class Convolutional(nn.Module):
    """A stem and two stages of two units each."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3)
        self.early, self.late = Stage(6, 2), LateStage(6, 2)
        self.dropout = nn.Dropout(0.3)
        self.fc = nn.Linear(6, CLASSES)

    def features(self, x: Tensor) -> Tensor:
        return self.late(self.early(self.stem(x))).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.dropout(self.features(x)))


@dataclass(frozen=True)
class Kind:
    """How a network is built, how it is called, and which module is its head."""

    build: Callable[[], nn.Module]
    batch: Callable[[], Any]
    forward: Callable[[nn.Module, Any], Tensor]
    head: str


def images() -> Tensor:
    return torch.randn(6, 3, 16, 16)


def ids() -> Tensor:
    return torch.randint(5, 40, (6, 9))


KINDS = {
    "convolutional": Kind(Convolutional, images, lambda net, x: net(x), "fc"),
    "resnet18": Kind(lambda: models.resnet18(num_classes=CLASSES), images, lambda net, x: net(x), "fc"),
    "bert": Kind(
        lambda: transformers.BertForSequenceClassification(BERT),
        ids,
        lambda net, x: net(input_ids=x).logits,
        "classifier",
    ),
}


@dataclass(frozen=True)
class Thawed:
    """A network with a plan applied, and its optimiser."""

    kind: Kind
    network: nn.Module
    blocks: tuple[Block, ...]
    plan: Plan
    optimizer: torch.optim.Optimizer

    def tensors(self) -> dict[str, Tensor]:
        """Return copies of every parameter and buffer."""
        both = {**dict(self.network.named_parameters()), **dict(self.network.named_buffers())}
        return {name: tensor.detach().clone() for name, tensor in both.items()}

    def step(self) -> None:
        """Train one step in train mode."""
        self.network.train()
        loss = functional.cross_entropy(self.kind.forward(self.network, self.kind.batch()), torch.arange(6) % CLASSES)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()


def blocks_of(kind: Kind, network: nn.Module) -> tuple[Block, ...]:
    return cut(network, (kind.head,), call_order(network, lambda net: kind.forward(net, kind.batch())))


def thawed(kind: Kind, strategy: Strategy, optimizer: str = "adamw") -> Thawed:
    """Build a network and apply ``strategy`` to it as a run does."""
    torch.manual_seed(0)
    network = kind.build()
    blocks = blocks_of(kind, network)
    planned = plan(
        strategy.canonical(depth(blocks)),
        blocks,
        names_of(network),
        epochs=1,
    )
    apply.freeze(network, planned.phase(0))
    return Thawed(kind, network, blocks, planned, apply.optimizer(network, planned, optimizer))

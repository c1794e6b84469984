"""Carry out a plan on a network. The only file that changes tensors outside the training step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import MethodType

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from spaces.errors import BadInput
from trainables.finetuning.plan import Plan


def freeze(network: nn.Module, plan: Plan) -> None:
    """Let exactly the plan's parameters train, and hold frozen modules in eval mode for good."""
    trainable = set(plan.trainable)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in trainable)
        parameter.grad = None
    held = [network.get_submodule(name) for name in plan.eval_modules]

    def train(self: nn.Module, mode: bool = True) -> nn.Module:
        type(self).train(self, mode)
        for module in held:
            module.training = False
        return self

    network.train = MethodType(train, network)  # type: ignore[method-assign]


def reinitialise(network: nn.Module, names: Iterable[str], build_fresh: Callable[[], nn.Module]) -> None:
    """Give the named parameters and buffers the values of a freshly built network.

    A second network from the architecture's own constructor has the architecture's own scheme,
    residual scalings included, which no common initialiser has.

    Raises:
        BadInput: the "fresh" network came with the same weights.
    """
    wanted = set(names)
    fresh = _tensors(build_fresh())
    own = _tensors(network)
    same = all(torch.equal(own[name], fresh[name]) for name in wanted)
    if same:
        message = "built the same weights twice, so nothing can be re-initialised"
        raise BadInput.at(
            "model", f"{message}; let the function take pretrained: bool and return random weights for False"
        )
    with torch.no_grad():
        for name in wanted:
            own[name].copy_(fresh[name])


def optimizer(network: nn.Module, plan: Plan, kind: str) -> Optimizer:
    """Return the optimiser over the plan's groups, each at its own learning rate."""
    parameters = dict(network.named_parameters())
    groups = [
        {
            "params": [parameters[name] for name in group.parameters],
            "lr": group.lr,
            "peak_lr": group.lr,
            "weight_decay": group.weight_decay,
            "name": group.name,
        }
        for group in plan.groups
    ]
    return SGD(groups, lr=0.0, momentum=0.9) if kind == "sgd" else AdamW(groups, lr=0.0)


def _tensors(network: nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}

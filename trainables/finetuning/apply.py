"""Carry out a plan on a network. The only file that changes tensors outside the training step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import SGD, AdamW, Optimizer
from torch.utils.checkpoint import checkpoint

from spaces.errors import BadInput
from trainables.finetuning.plan import Phase, Plan


def freeze(network: nn.Module, phase: Phase) -> None:
    """Freeze exactly the phase's parameters, and hold its modules in eval mode through every ``train()``."""
    frozen = set(phase.frozen)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name not in frozen)
        parameter.grad = None
    held = [network.get_submodule(name) for name in phase.eval_modules]

    def train(self: nn.Module, mode: bool = True) -> nn.Module:
        type(self).train(self, mode)
        for module in held if mode else ():
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
            "start": group.start,
            "name": group.name,
        }
        for group in plan.groups
    ]
    # Fused: one pass over each tensor. On a CPU torch's own choice makes a dozen, six times as long.
    return SGD(groups, lr=0.0, momentum=0.9, fused=True) if kind == "sgd" else AdamW(groups, lr=0.0, fused=True)


def checkpoint_gradients(network: nn.Module, blocks: Iterable[str]) -> None:
    """Recompute the activations of the named blocks in the backward pass instead of keeping them (Chen et al. 2016).

    Without re-entry: a re-entrant checkpoint whose input needs no gradient, as after a frozen prefix,
    gives the parameters inside none either. Blocks with BatchNorm are left alone: a second forward
    would update their statistics twice.
    """
    for name in blocks:
        block = network.get_submodule(name)
        if not any(isinstance(module, _BatchNorm) for module in block.modules()):
            block.forward = partial(_recomputed, block.forward)


def _recomputed(forward: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*arguments, **options)
    return checkpoint(forward, *arguments, use_reentrant=False, **options)


@dataclass(frozen=True)
class Anchor:
    """A pull towards the values at the start: L2-SP (Li et al. 2018, equation 2)."""

    strength: float
    values: tuple[tuple[nn.Parameter, torch.Tensor], ...]

    @torch.no_grad()
    def add_to_gradients(self) -> None:
        """Add the penalty's gradient to what a backward pass left."""
        for parameter, start in self.values:
            if parameter.grad is not None:
                parameter.grad.add_(parameter.detach() - start, alpha=self.strength)


def anchor(network: nn.Module, plan: Plan, strength: float) -> Anchor:
    """Return the pull of ``plan``'s anchored parameters towards their present values."""
    parameters = dict(network.named_parameters())
    return Anchor(strength, tuple((parameters[name], parameters[name].detach().clone()) for name in plan.anchored))


def _tensors(network: nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}

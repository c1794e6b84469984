"""The freeze contract: what must hold of any strategy on any network, checked over real optimiser steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from benchmarks.architectures import Built
from spaces.strategy import Freezing, Full, NormBias, Probe, ReinitAll, ReinitTop, Strategy, Top, Window
from trainables.finetuning import apply
from trainables.finetuning.plan import Plan, plan
from trainables.network.blocks import Block, depth
from trainables.run import names_of

STEPS = 3
HEAD_LR, LR_RATIO, LAYER_DECAY = 1e-2, 0.5, 0.9
GRADIENT = 1e-12  # less than this cannot move a 32-bit weight


def strategies(blocks: tuple[Block, ...]) -> list[Strategy]:
    """Return the strategies of the contract, in canonical form for this network."""
    last = depth(blocks)
    kinds: list[Freezing] = [Probe(), Top(1), Top(-(-last // 2)), Full(), Window(-(-last // 2), 1), NormBias()]
    made = [Strategy(kind, HEAD_LR, LR_RATIO, LAYER_DECAY, weight_decay=0.01).canonical(last) for kind in kinds]
    return list(dict.fromkeys(made))


def freezing_violations(built: Built) -> list[str]:
    """Return every breach over three optimiser steps with ``train()`` called between them; empty if it holds."""
    network, blocks = built.network, built.blocks
    names = names_of(network)
    found = []
    with restored(network) as start:
        for strategy in strategies(blocks):
            put_back(network, start)
            planned = plan(strategy, blocks, names, epochs=1)
            if not planned.trainable:  # a head that is tied to frozen embeddings has nothing of its own
                continue
            found += [f"{strategy}: {breach}" for breach in _breaches(built, strategy, planned, start)]
    return found


def _breaches(built: Built, strategy: Strategy, planned: Plan, start: dict[str, torch.Tensor]) -> Iterator[str]:
    network, phase = built.network, planned.phase(0)
    apply.freeze(network, phase)
    optimizer = apply.optimizer(network, planned, "adamw")
    yield from _wrong_rates(built.blocks, strategy, planned, optimizer)
    pulled: set[str] = set()
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"]
    for _ in range(STEPS):
        network.train()
        logits = built.forward(network, built.batch(4, built.sizes[0]))
        (logits * torch.randn_like(logits)).sum().backward()
        for name, parameter in network.named_parameters():
            if parameter.grad is not None and parameter.grad.abs().max() > GRADIENT:
                pulled.add(name)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    now = tensors(network)
    moved = {name for name, tensor in now.items() if not torch.equal(tensor, start[name])}
    yield from (f"frozen {name} changed" for name in moved & {*phase.frozen, *phase.frozen_buffers})
    yield from (f"{name} had a gradient and is frozen" for name in pulled & set(phase.frozen))
    yield from (f"{name} had a gradient and stayed" for name in pulled - moved)
    yield from (f"{name} is in training mode" for name in phase.eval_modules if network.get_submodule(name).training)
    if not pulled:
        yield "nothing had a gradient"


def _wrong_rates(
    blocks: tuple[Block, ...], strategy: Strategy, planned: Plan, optimizer: torch.optim.Optimizer
) -> Iterator[str]:
    """Compare each group's rate with head_lr x lr_ratio x layer_decay ^ distance from the top."""
    owner = {name: block for block in blocks for name in block.parameters}
    held = [name for group in planned.groups for name in group.parameters]
    if len(held) != len(set(held)) or set(held) & set(planned.frozen):
        yield "a parameter is in two groups, or frozen and in one"
    for planned_group, group in zip(planned.groups, optimizer.param_groups, strict=True):
        block = owner[planned_group.parameters[0]]
        distance = len(blocks) - 2 - block.index
        expected = HEAD_LR if block.kind == "head" else HEAD_LR * LR_RATIO * strategy.layer_decay**distance
        if abs(group["peak_lr"] - expected) > 1e-12:
            yield f"group {planned_group.name} has the rate {group['peak_lr']}, not {expected}"


def reinit_violations(built: Built, fresh: nn.Module) -> list[str]:
    """Return what re-initialising the top block, then everything, did not do; ``fresh`` is another random network."""
    network, blocks = built.network, built.blocks
    names, anew = names_of(network), tensors(fresh)
    found = []
    with restored(network) as start:
        for strategy in (Strategy(Top(1), 1e-3, reinit=ReinitTop(1)), Strategy(Full(), 1e-3, reinit=ReinitAll())):
            put_back(network, start)
            planned = plan(strategy.canonical(depth(blocks)), blocks, names, epochs=1)
            apply.reinitialise(network, planned.reinit, lambda: fresh)
            now = tensors(network)
            wrong = [n for n in now if not torch.equal(now[n], anew[n] if n in planned.reinit else start[n])]
            matrices = [n for n, p in network.named_parameters() if n in planned.reinit and p.dim() > 1]
            drawn = [n for n in matrices if n not in names.never and start[n].max() > start[n].min()]
            same = [n for n in drawn if torch.equal(now[n], start[n])]
            found += [f"{strategy}: {name} is not what a fresh network has" for name in wrong]
            found += [f"{strategy}: {name} kept its values" for name in same]
    return found


def tensors(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return every parameter and buffer by name."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


@contextmanager
def restored(network: nn.Module) -> Iterator[dict[str, torch.Tensor]]:
    """Give the network's values back afterwards, and its own ``train``; yield a copy of them."""
    start = {name: tensor.detach().clone() for name, tensor in tensors(network).items()}
    learns = {name: parameter.requires_grad for name, parameter in network.named_parameters()}
    try:
        yield start
    finally:
        put_back(network, start)
        vars(network).pop("train", None)
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(learns[name])
            parameter.grad = None
        network.eval()


@torch.no_grad()
def put_back(network: nn.Module, values: dict[str, torch.Tensor]) -> None:
    """Write ``values`` into the network."""
    for name, tensor in tensors(network).items():
        tensor.copy_(values[name])

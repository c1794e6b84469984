"""Keep what a trial changed: the tensors its plan does not freeze, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from trainables.finetuning.plan import Plan

WEIGHTS = "weights.safetensors"


def save_trained(network: nn.Module, plan: Plan, folder: Path) -> Path:
    """Write every tensor that ``plan`` does not freeze; return the file."""
    frozen = {*plan.frozen, *plan.frozen_buffers}
    return write({name: tensor for name, tensor in network.state_dict().items() if name not in frozen}, folder)


def load_trained(network: nn.Module, folder: Path) -> None:
    """Put the kept tensors over the network's own; the frozen ones stay as they were built."""
    kept = load_file(folder / WEIGHTS)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name in kept:
                tensor.copy_(kept[name])


def write(tensors: dict[str, torch.Tensor], folder: Path) -> Path:
    """Write a state dictionary as safetensors, under a temporary name until it is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / WEIGHTS
    # Cloned: safetensors refuses tensors that share memory, as tied embeddings do.
    save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, f"{target}.part")
    os.replace(f"{target}.part", target)
    return target

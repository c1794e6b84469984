"""Keep what a trial changed: the tensors its plan does not freeze, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from trainables.finetuning.plan import Plan
from trainables.run import Run

WEIGHTS, PROGRESS = "weights.safetensors", "progress.pt"


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


def save_progress(run: Run, epoch: int, folder: Path) -> Path:
    """Write all that the epochs after ``epoch`` depend on: trained tensors, optimiser, random states.

    Data order needs no state: it is a function of seed and epoch.
    """
    frozen = {*run.plan.frozen, *run.plan.frozen_buffers}
    state = {
        "epoch": epoch,
        "tensors": {name: tensor for name, tensor in run.network.state_dict().items() if name not in frozen},
        "optimizer": run.optimizer.state_dict(),
        "random": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if run.device.type == "cuda" else [],
        "anchor": [start for _, start in run.anchor.values],
    }
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / PROGRESS
    torch.save(state, f"{target}.part")
    os.replace(f"{target}.part", target)
    return target


def load_progress(run: Run, folder: Path) -> int:
    """Put a freshly built run where `save_progress` left it; return the epochs it has behind it."""
    state = torch.load(folder / PROGRESS, map_location=run.device, weights_only=True)
    own = run.network.state_dict()
    with torch.no_grad():
        for name, tensor in state["tensors"].items():
            own[name].copy_(tensor)
        for (_, start), kept in zip(run.anchor.values, state["anchor"], strict=True):
            start.copy_(kept)
    run.optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["random"].cpu())
    if state["cuda"]:
        torch.cuda.set_rng_state_all([one.cpu() for one in state["cuda"]])
    return int(state["epoch"])


def write(tensors: dict[str, torch.Tensor], folder: Path) -> Path:
    """Write a state dictionary as safetensors, under a temporary name until it is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / WEIGHTS
    # Cloned: safetensors refuses tensors that share memory, as tied embeddings do.
    save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, f"{target}.part")
    os.replace(f"{target}.part", target)
    return target

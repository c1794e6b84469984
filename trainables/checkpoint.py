"""Keep what a trial changed: the tensors its plan does not freeze, written whole or not at all."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import nn

from trainables.files import put
from trainables.finetuning.plan import Plan
from trainables.run import Run

WEIGHTS, PROGRESS = "weights.safetensors", "progress-{}.pt"
KEPT = 2  # epochs: the last one may not be recorded yet when its driver is killed


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


def progress(folder: Path, epoch: int) -> Path:
    """Return the file that holds a trial as it was after ``epoch``."""
    return folder / PROGRESS.format(epoch)


def progress_files(folder: Path) -> list[Path]:
    """Return every file of progress in ``folder``, those that a kill left half written included."""
    return sorted(folder.glob(f"{PROGRESS.format('*')}*"))


def save_progress(run: Run, epoch: int, folder: Path) -> Path:
    """Write all that the epochs after ``epoch`` depend on: trained tensors, optimiser, random states.

    Data order needs no state: it is a function of seed and epoch. The progress of the epoch before
    stays, that of earlier ones goes.
    """
    frozen = {*run.plan.frozen, *run.plan.frozen_buffers}
    state = {
        "epoch": epoch,
        "tensors": {name: tensor for name, tensor in run.network.state_dict().items() if name not in frozen},
        "optimizer": run.optimizer.state_dict(),
        "random": _random_states(),
        "cuda": torch.cuda.get_rng_state_all() if run.device.type == "cuda" else [],
        "anchor": [start for _, start in run.anchor.values],
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)
    target = put(buffer.getvalue(), progress(folder, epoch))
    for old in set(progress_files(folder)) - {progress(folder, epoch - back) for back in range(KEPT)}:
        old.unlink(missing_ok=True)
    return target


def load_progress(run: Run, folder: Path, epoch: int) -> int:
    """Put a freshly built run where `save_progress` left it after ``epoch``; return the epochs it has behind it."""
    state = torch.load(progress(folder, epoch), map_location=run.device, weights_only=True)
    own = run.network.state_dict()
    with torch.no_grad():
        for name, tensor in state["tensors"].items():
            own[name].copy_(tensor)
        for (_, start), kept in zip(run.anchor.values, state["anchor"], strict=True):
            start.copy_(kept)
    run.optimizer.load_state_dict(state["optimizer"])
    _set_random_states(state["random"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all([one.cpu() for one in state["cuda"]])
    return int(state["epoch"])


def forget_progress(folder: Path) -> None:
    """Delete the progress of a trial that has ended; other files stay."""
    for file in progress_files(folder):
        file.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def write(tensors: dict[str, torch.Tensor], folder: Path) -> Path:
    """Write a state dictionary as safetensors, under a temporary name until it is complete.

    Raises:
        Unwritable: the disk is full or the folder read-only.
    """
    # Cloned: safetensors refuses tensors that share memory, as tied embeddings do.
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    return put(save(own), folder / WEIGHTS)


def _random_states() -> dict[str, Any]:
    kind, keys, *rest = np.random.get_state(legacy=True)
    _, words, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "python": (list(words), gauss),
        "numpy": (str(kind), torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest),
    }


def _set_random_states(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"].cpu())
    words, gauss = states["python"]
    random.setstate((random.getstate()[0], tuple(words), gauss))
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, keys.cpu().numpy().astype(np.uint32), *rest))

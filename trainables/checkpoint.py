"""Keep what a trial changed: the tensors its plan does not freeze, written whole or not at all."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, load_file, save
from torch import nn

from trainables.files import put
from trainables.finetuning.plan import Plan
from trainables.remote import Place, RemotePath, SamePlace, below
from trainables.run import Run
from trainables.seeds import random_states, set_random_states

WEIGHTS, PROGRESS = "weights.safetensors", "progress-{}.pt"
NUMBER = re.compile(r"progress-(\d+)\.pt")
KEPT = 2  # epochs: the last one may not be recorded yet when its driver is killed
SMALL = 8 * 2**20  # bytes that are written after every epoch
REFERENCE = 4096  # bytes: more than a reference takes, less than any progress
RATE = 20 * 2**20  # bytes a second that training may spend on its progress where there is more to write


def save_trained(network: nn.Module, plan: Plan, folder: SamePlace) -> SamePlace:
    """Write every tensor that ``plan`` does not freeze; return the file."""
    frozen = {*plan.frozen, *plan.frozen_buffers}
    return write({name: tensor for name, tensor in network.state_dict().items() if name not in frozen}, folder)


def load_trained(network: nn.Module, folder: Place) -> None:
    """Put the kept tensors over the network's own; the frozen ones stay as they were built."""
    file = folder / WEIGHTS
    kept = load(file.read_bytes()) if isinstance(file, RemotePath) else load_file(file)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name in kept:
                tensor.copy_(kept[name])


def progress(folder: SamePlace, epoch: int) -> SamePlace:
    """Return the file that holds a trial as it was after ``epoch``."""
    return below(folder, PROGRESS.format(epoch))


def progress_files(folder: SamePlace) -> list[SamePlace]:
    """Return every file of progress in ``folder``, those that a kill left half written included."""
    names = sorted(file.name for file in folder.glob(f"{PROGRESS.format('*')}*"))
    return [below(folder, name) for name in names]


def newest_progress(folder: Place, epoch: int) -> int:
    """Return the last epoch up to ``epoch`` after which a trial can go on, 0 where there is none."""
    found = (NUMBER.fullmatch(file.name) for file in progress_files(folder))
    return max((number for each in found if each and (number := int(each[1])) <= epoch), default=0)


class Pace:
    """Says in which epochs a trial's progress is worth its bytes: small ones always, large ones as time allows."""

    def __init__(self) -> None:
        self.written: int | None = None  # the last epoch whose progress stands whole
        self._bytes, self._since = 0, time.monotonic()

    @property
    def is_due(self) -> bool:
        """Tell whether enough time went by for what the last writing took."""
        return self.written is None or self._bytes <= max(SMALL, RATE * (time.monotonic() - self._since))

    def note(self, epoch: int, size: int) -> None:
        """Note that the progress of ``epoch`` took ``size`` bytes."""
        self.written, self._bytes, self._since = epoch, size, time.monotonic()


def save_progress(run: Run, epoch: int, folder: Path, pace: Pace | None = None) -> Path:
    """Write all that the epochs after ``epoch`` depend on: trained tensors, optimiser, random states.

    Data order needs no state: it is a function of seed and epoch. The progress of the epoch before stays,
    that of earlier ones goes. Where ``pace`` says that it is too soon, only a reference to the last one
    is written: a resumed trial then trains the epochs in between again, to the same numbers.
    """
    if pace and pace.written is not None and not pace.is_due:
        return _put({"go on after": pace.written}, epoch, pace.written, folder)
    target = _put(progress_of(run, epoch), epoch, epoch, folder)
    if pace:
        pace.note(epoch, target.stat().st_size)
    return target


def progress_of(run: Run, epoch: int) -> dict[str, Any]:
    """Return all that the epochs after ``epoch`` depend on."""
    frozen = {*run.plan.frozen, *run.plan.frozen_buffers}
    return {
        "epoch": epoch,
        "tensors": {name: tensor for name, tensor in run.network.state_dict().items() if name not in frozen},
        "optimizer": run.optimizer.state_dict(),
        "random": random_states(),
        "cuda": torch.cuda.get_rng_state_all() if run.device.type == "cuda" else [],
        "anchor": [start for _, start in run.anchor.values],
    }


def _put(state: dict[str, Any], epoch: int, whole: int, folder: Path) -> Path:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    target = put(buffer.getvalue(), progress(folder, epoch))
    # The epoch before may be a reference too, to an earlier one than this one refers to.
    before = {epoch - back for back in range(KEPT)}
    kept = before | {whole} | {_referred(progress(folder, each)) for each in before - {epoch}}
    for old in set(progress_files(folder)) - {progress(folder, each) for each in kept}:
        old.unlink(missing_ok=True)
    return target


def _referred(file: Path) -> int:
    """Return the epoch whose progress ``file`` refers to; 0 where it holds its own, or is not there."""
    if not file.exists() or file.stat().st_size > REFERENCE:
        return 0
    return int(torch.load(file, weights_only=True).get("go on after", 0))


def load_progress(run: Run, folder: Place, epoch: int) -> int:
    """Put a freshly built run where `save_progress` left it after ``epoch``, or after the last one written whole.

    Returns the epochs that it has behind it.
    """
    file = progress(folder, epoch)
    there = io.BytesIO(file.read_bytes()) if isinstance(file, RemotePath) else file
    state = torch.load(there, map_location=run.device, weights_only=True)
    if "go on after" in state:
        return load_progress(run, folder, state["go on after"])
    own = run.network.state_dict()
    with torch.no_grad():
        for name, tensor in state["tensors"].items():
            own[name].copy_(tensor)
        for (_, start), kept in zip(run.anchor.values, state["anchor"], strict=True):
            start.copy_(kept)
    run.optimizer.load_state_dict(state["optimizer"])
    set_random_states(state["random"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all([one.cpu() for one in state["cuda"]])
    return int(state["epoch"])


def forget_progress(folder: Place) -> None:
    """Delete the progress of a trial that has ended; other files stay."""
    for file in progress_files(folder):
        file.unlink(missing_ok=True)
    if isinstance(folder, Path) and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def write(tensors: dict[str, torch.Tensor], folder: SamePlace) -> SamePlace:
    """Write a state dictionary as safetensors, under a temporary name until it is complete.

    Raises:
        Unwritable: the disk is full or the folder read-only.
    """
    # Cloned: safetensors refuses tensors that share memory, as tied embeddings do.
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    return put(save(own), below(folder, WEIGHTS))

"""Which recordings lie in the device's own memory: those that fit into a part of what is spare, moved there once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from weakref import WeakValueDictionary

import torch

from trainables.activations.files import Kept
from trainables.devices import release

SHARE = 0.25  # of the spare memory, for all recordings that are read at a time: training steps need the rest

_NEAR: WeakValueDictionary[tuple[Path, torch.device], Kept] = WeakValueDictionary()


def near(kept: Kept, device: torch.device, spare: int) -> Kept:
    """Return ``kept`` in the memory of ``device``, of which ``spare`` bytes are left; as it is where it does not fit.

    It stays there as long as somebody reads it, once for all who do.
    """
    name = (kept.folder, device)
    if found := _NEAR.get(name):
        return found
    if not fits(kept.meta.bytes, sum(each.meta.bytes for each in _NEAR.values()), spare):
        return kept
    if moved := _moved(kept, device):
        _NEAR[name] = moved
        return moved
    release(device)
    return kept


def fits(size: int, there: int, spare: int) -> bool:
    """Tell whether ``size`` bytes fit beside those of recordings that are ``there``, where so many are ``spare``."""
    return size + there <= SHARE * (spare + there)


def _moved(kept: Kept, device: torch.device) -> Kept | None:
    moved = replace(kept, place=device)
    try:
        moved.hold()
    except torch.OutOfMemoryError:  # another process was faster
        return None
    return moved

"""The network that a trial starts from: built once per process and copied for every trial. One is kept.

A worker goes from trial to trial of one study, and those of a seed start from the same network. Reading the weights,
drawing the values that they replace and tracing a forward call take several times as long as copying the result.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trainables.models.model import Model
from trainables.network.blocks import Block
from trainables.seeds import random_states, set_random_states


@dataclass(frozen=True)
class Start:
    """A network with its new head, not yet changed by any trial."""

    model: Model
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class _Kept:
    start: Start  # nobody else has it
    after: dict[str, Any]  # the random states that building it left


_KEPT: dict[Hashable, _Kept] = {}


def started(key: Hashable | None, build: Callable[[], Start]) -> Start:
    """Return what ``build`` makes, or a copy of what it made the last time that it was called for ``key``.

    ``key`` names all that decides it, the seed included; with None nothing is kept. Either way random numbers go on
    as after building, and what is returned is the caller's own. Also the first trial gets a copy, so that
    all of them compute on memory that was allocated in the same way.
    """
    if key is None:
        return build()
    if key not in _KEPT:
        _KEPT.clear()  # before building: never two of them beside the trial's own
        built = build()
        _KEPT[key] = _Kept(built, random_states())
    kept = _KEPT[key]
    try:
        network = deepcopy(kept.start.model.network)
    except Exception:  # whatever a library's class makes of being copied: this one is built anew every time
        return _KEPT.pop(key).start
    set_random_states(kept.after)
    return replace(kept.start, model=replace(kept.start.model, network=network))


def forget() -> None:
    """Keep no network any longer."""
    _KEPT.clear()


def stamps(files: Iterable[Path]) -> tuple[tuple[str, int, int, int], ...]:
    """Return by what a change of ``files`` shows: of each its path, its place on the disk, its size and its time."""
    found = ((file, file.stat()) for file in files if file.exists())
    return tuple((str(file), each.st_ino, each.st_size, each.st_mtime_ns) for file, each in found)

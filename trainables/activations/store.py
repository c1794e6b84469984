"""Recorded tensors in memory-mapped files: written once by one process, read by all. Knows no network.

One file a tensor, sample after sample. What grows with the text's length is stored without its padding
and padded anew when it is read. A map is copy-on-write, and what is read from it is a fresh batch.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal

import torch
import xxhash
from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from trainables.activations import folder as shelf
from trainables.network.recording import Stored

LENGTHS = "lengths"
POLL = 0.05  # seconds between two looks at another process's lock
PATIENCE = 60.0  # seconds that another process may build without getting on

Side = Literal["right", "left"]


class Unavailable(Exception):
    """The cache cannot serve; the message is a sentence for the trial's row."""


@dataclass(frozen=True)
class Form:
    """How one tensor lies in its file."""

    key: str  # the leaf's
    dtype: str
    shape: tuple[int, ...]  # of one sample, as stored; of one position of one sample where it is ragged
    order: tuple[int, ...]  # the sample's axes in the order they are stored in; a ragged one's length comes first
    ragged: bool = False
    checksum: str = ""

    @property
    def bytes(self) -> int:
        """What one sample, or one position, takes."""
        return math.prod(self.shape) * _dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Meta:
    """All that is known of an entry."""

    about: dict[str, Any]
    forms: tuple[Form, ...]
    samples: int
    side: Side
    lengths: str  # the checksum of their file; empty where nothing is ragged
    bytes: int
    seconds: float


META = TypeAdapter(Meta)


@dataclass(frozen=True)
class Kept:
    """An entry, mapped."""

    folder: Path
    meta: Meta

    def take(self, rows: torch.Tensor, width: int | None, device: torch.device) -> Stored:
        """Return the samples at ``rows``, padded to ``width`` where their length varies, by the leaves' keys."""
        taken = {}
        for number, form in enumerate(self.meta.forms):
            data = self._data[number]
            if form.ragged:
                assert width is not None, "what has a length is read into a batch of texts"
                found = self._padded(data, rows, width)
            else:
                found = data.index_select(0, rows)
            back = [form.order.index(axis) + 1 for axis in range(1, len(form.order) + 1)]
            taken[form.key] = found.permute(0, *back).to(device, non_blocking=True)
        return taken

    def _padded(self, data: torch.Tensor, rows: torch.Tensor, width: int) -> torch.Tensor:
        lengths, starts = (each.index_select(0, rows) for each in self._spans)
        place, real = _places(width, lengths, self.meta.side)
        padded = data.new_zeros((len(rows), width, *data.shape[1:]))
        padded[real] = data.index_select(0, (starts.unsqueeze(1) + place)[real])
        return padded

    @cached_property
    def _spans(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Length and first position of every sample."""
        lengths = torch.from_file(str(self.folder / LENGTHS), size=self.meta.samples, dtype=torch.int64)
        return lengths, lengths.cumsum(0) - lengths

    @cached_property
    def _data(self) -> tuple[torch.Tensor, ...]:
        return tuple(self._map(number, form) for number, form in enumerate(self.meta.forms))

    def _map(self, number: int, form: Form) -> torch.Tensor:
        first = int(self._spans[0].sum()) if form.ragged else self.meta.samples
        size = first * math.prod(form.shape)
        # Not shared: a copy-on-write map. Writing into a read-only one would kill the process.
        data = torch.from_file(str(self.folder / str(number)), shared=False, size=size, dtype=_dtype(form.dtype))
        return data.view(first, *form.shape)


class Writer:
    """Writes an entry's files batch by batch, by write calls: a full disk is an error then, and no signal."""

    def __init__(self, folder: Path, forms: tuple[Form, ...], side: Side) -> None:
        """Open the files in ``folder``, which is made."""
        folder.mkdir(parents=True)
        self.folder, self.forms, self.side = folder, forms, side
        names = [*map(str, range(len(forms))), LENGTHS]
        self._files: dict[str, BinaryIO] = {name: (folder / name).open("wb") for name in names}
        self._sums = {name: xxhash.xxh3_128() for name in names}
        self.samples = 0
        self.bytes = 0

    def __enter__(self) -> Writer:
        """Return the writer."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Put everything on the disk, unless it failed."""
        for file in self._files.values():
            if error is None:
                file.flush()
                os.fsync(file.fileno())
            file.close()

    def add(self, stored: Stored, lengths: torch.Tensor | None) -> None:
        """Append the samples of one batch; ``lengths`` (b,) says how much of each text is no padding."""
        count = len(next(iter(stored.values())))
        for number, form in enumerate(self.forms):
            values = stored[form.key].detach().cpu().permute(0, *form.order)
            if str(values.dtype) != f"torch.{form.dtype}":
                raise Unavailable(f"{form.key} is {values.dtype} in one batch and {form.dtype} in another")
            if form.ragged:
                assert lengths is not None, "what has a length is recorded from a batch of texts"
                values = values[_places(values.shape[1], lengths, self.side)[1]]
            if tuple(values.shape[1:]) != form.shape:
                raise Unavailable(f"{form.key} has the shape {tuple(values.shape[1:])} in a batch, not {form.shape}")
            self._append(str(number), values)
        if lengths is not None:
            self._append(LENGTHS, lengths.cpu())
        self.samples += count

    def close(self, about: dict[str, Any], seconds: float) -> Meta:
        """Return what was written."""
        sums = {name: total.hexdigest() for name, total in self._sums.items()}
        forms = tuple(replace(form, checksum=sums[str(number)]) for number, form in enumerate(self.forms))
        lengths = sums[LENGTHS] if any(form.ragged for form in forms) else ""
        return Meta(about, forms, self.samples, self.side, lengths, self.bytes, seconds)

    def _append(self, name: str, values: torch.Tensor) -> None:
        raw = values.contiguous().reshape(-1).view(torch.uint8).numpy().data
        self._files[name].write(raw)
        self._sums[name].update(raw)
        self.bytes += len(raw)


@dataclass(frozen=True)
class Store:
    """The entries in one folder."""

    folder: Path
    limit: int  # bytes
    patience: float = PATIENCE

    def open(self, key: str) -> Kept | None:
        """Return an entry that is there and as it was written; None else."""
        try:
            meta = META.validate_json((self.folder / key / shelf.META).read_bytes())
        except (OSError, ValidationError):
            return None
        kept = Kept(self.folder / key, meta)
        if not _is_sound(kept):
            return None
        shelf.touch(kept.folder)
        return kept

    def open_or_build(self, key: str, size: int, seconds: float, fill: Callable[[Path], Meta]) -> tuple[Kept, bool]:
        """Return the entry ``key`` and whether it was built now; one process builds, the others wait for it.

        ``size`` and ``seconds`` are what it will take and cost, about. ``fill`` writes the files into the
        folder it is given.

        Raises:
            Unavailable: there is no room, the disk fails, or the process that builds does not get on.
        """
        if kept := self.open(key):
            return kept, False
        try:
            with self._alone(key):
                if kept := self.open(key):
                    return kept, False
                self._build(key, size, seconds, fill)
        except OSError as error:
            raise Unavailable(f"the cache cannot be written: {error.strerror or error}") from error
        if kept := self.open(key):
            return kept, True
        raise Unavailable("what was just written to the cache cannot be read")

    def _build(self, key: str, size: int, seconds: float, fill: Callable[[Path], Meta]) -> None:
        for left in shelf.unfinished(self.folder, key):
            shutil.rmtree(left, ignore_errors=True)
        if (self.folder / key).exists():  # no longer as it was written
            shelf.remove(self.folder / key)
        if not shelf.make_room(self.folder, size, seconds, self.limit):
            raise Unavailable(f"{size / 1e6:.0f} MB do not fit into the cache beside what saves more")
        part = self.folder / f"{key}{shelf.UNFINISHED}{os.getpid()}"
        try:
            meta = fill(part)
            with (part / shelf.META).open("wb") as file:
                file.write(META.dump_json(meta))
                file.flush()
                os.fsync(file.fileno())
            _sync(part)
            part.rename(self.folder / key)
            _sync(self.folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """Hold the entry's lock, for which a process that gets on with building is waited for."""
        held = shelf.lock(self.folder, key)
        seen, since = -1, time.monotonic()
        while not _taken(held):
            grown = sum(map(shelf.size, shelf.unfinished(self.folder, key)))
            if grown != seen:
                seen, since = grown, time.monotonic()
            elif time.monotonic() - since > self.patience:
                raise Unavailable(f"another process holds it and has not got on for {self.patience:g} s")
        try:
            yield
        finally:
            held.release()


def _taken(held: FileLock) -> bool:
    try:
        held.acquire(timeout=POLL, poll_interval=POLL / 2)
    except Timeout:
        return False
    return True


def _places(width: int, lengths: torch.Tensor, side: Side) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the place within its text of every position of a padded batch, and whether it is one; both (b, width)."""
    ends = lengths.unsqueeze(1)
    place = torch.arange(width) - (width - ends if side == "left" else torch.zeros_like(ends))
    return place, (place >= 0) & (place < ends)


def _is_sound(kept: Kept) -> bool:
    """Tell whether every file is as it was written. Each is read once in a process, unless it changes."""
    sums = {str(number): form.checksum for number, form in enumerate(kept.meta.forms)}
    if kept.meta.lengths:
        sums[LENGTHS] = kept.meta.lengths
    try:
        return all(_checksum(kept.folder / name, *_state(kept.folder / name)) == each for name, each in sums.items())
    except OSError:
        return False


def _state(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=1024)
def _checksum(file: Path, _inode: int, _size: int, _changed: int) -> str:
    total = xxhash.xxh3_128()
    with file.open("rb") as opened:
        while chunk := opened.read(2**22):
            total.update(chunk)
    return total.hexdigest()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _dtype(name: str) -> torch.dtype:
    found: torch.dtype = getattr(torch, name)
    return found

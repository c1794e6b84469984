"""Recorded tensors as files: how each lies there, how it is written batch by batch, how rows of it are read.

One file a tensor, sample after sample. What grows with the text's length is stored without its padding
and padded anew when it is read. A map is copy-on-write, and what is read from it is a fresh batch. The whole
may be moved to a device instead, and batches are gathered there.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal

import torch
import xxhash

from trainables.network.recording import Stored

LENGTHS = "lengths"

CPU = torch.device("cpu")
Side = Literal["right", "left"]


class Unavailable(Exception):
    """The cache cannot serve; the message is a sentence for the trial's row."""


@dataclass(frozen=True)
class Form:
    """How one tensor lies in its file."""

    key: str  # the leaf's
    dtype: str  # as the network has it
    kept: str  # as it is stored
    shape: tuple[int, ...]  # of one sample, as stored; of one position of one sample where it is ragged
    order: tuple[int, ...]  # the sample's axes in the order they are stored in; a ragged one's length comes first
    ragged: bool = False
    checksum: str = ""

    @property
    def bytes(self) -> int:
        """What one sample, or one position, takes."""
        return math.prod(self.shape) * _dtype(self.kept).itemsize


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


@dataclass(frozen=True)
class Kept:
    """An entry, mapped; or read once into the memory of another ``place``."""

    folder: Path
    meta: Meta
    place: torch.device = CPU

    def hold(self) -> None:
        """Map or read every file: what another process deletes from now on stays readable here."""
        if self.meta.lengths:
            _ = self._spans
        _ = self._data

    def take(self, rows: torch.Tensor, width: int | None, device: torch.device) -> Stored:
        """Return the samples at ``rows``, padded to ``width`` where their length varies, by the leaves' keys."""
        taken, rows = {}, rows.to(self.place)
        for number, form in enumerate(self.meta.forms):
            data = self._data[number]
            if form.ragged:
                assert width is not None, "what has a length is read into a batch of texts"
                found = self._padded(data, rows, width)
            else:
                found = data.index_select(0, rows)
            back = [form.order.index(axis) + 1 for axis in range(1, len(form.order) + 1)]
            taken[form.key] = found.permute(0, *back).to(device, _dtype(form.dtype), non_blocking=True)
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
        lengths = lengths.to(self.place)
        return lengths, lengths.cumsum(0) - lengths

    @cached_property
    def _data(self) -> tuple[torch.Tensor, ...]:
        return tuple(self._map(number, form) for number, form in enumerate(self.meta.forms))

    def _map(self, number: int, form: Form) -> torch.Tensor:
        first = int(self._spans[0].sum()) if form.ragged else self.meta.samples
        size = first * math.prod(form.shape)
        # Not shared: a copy-on-write map. Writing into a read-only one would kill the process.
        data = torch.from_file(str(self.folder / str(number)), shared=False, size=size, dtype=_dtype(form.kept))
        return data.view(first, *form.shape).to(self.place)


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
            self._append(str(number), _fitted(values, form))
        if lengths is not None:
            self._append(LENGTHS, lengths.cpu())
        self.samples += count

    def meta(self, about: dict[str, Any], seconds: float) -> Meta:
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


def _places(width: int, lengths: torch.Tensor, side: Side) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the place within its text of every position of a padded batch, and whether it is one; both (b, width)."""
    ends = lengths.unsqueeze(1)
    place = torch.arange(width, device=lengths.device) - (width - ends if side == "left" else torch.zeros_like(ends))
    return place, (place >= 0) & (place < ends)


def _fitted(values: torch.Tensor, form: Form) -> torch.Tensor:
    """Return ``values`` as they are stored."""
    if form.kept == form.dtype:
        return values
    if float(values.abs().max()) > torch.finfo(_dtype(form.kept)).max:
        raise Unavailable(f"{form.key} holds values too large for {form.kept}; store them exactly")
    return values.to(_dtype(form.kept))


def _dtype(name: str) -> torch.dtype:
    found: torch.dtype = getattr(torch, name)
    return found

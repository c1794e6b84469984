"""Run the frozen part of a network over a split, once, and write down what the rest needs of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from spaces.strategy import Strategy
from trainables.activations.files import Form, Meta, Side, Unavailable, Writer
from trainables.config import Split
from trainables.data.loaders import in_order
from trainables.devices import autocast
from trainables.evaluate import batches_of
from trainables.network.boundary import Probes
from trainables.network.calls import evaluating
from trainables.network.nested import tensors
from trainables.network.recording import Boundary, Stored, record
from trainables.run import Part, Run
from trainables.tasks.task import Batch

MASK = "attention_mask"
# Whatever the batches of the trial that happens to come first: what is stored must not depend on who asked.
BATCH = Strategy.batch_size
MARGIN = 16  # times what the probes reach: real samples reach further


@dataclass(frozen=True)
class Recipe:
    """What is recorded of a network, and how it lies in the files."""

    boundary: Boundary
    forms: tuple[Form, ...]
    operations: float  # of the frozen part, a sample; of texts, a position
    total: float  # of the whole network
    varies: bool  # with the length of the text
    tail: tuple[str, ...] = ()  # the modules that make the result of what is stored, if that is all it takes

    def bytes(self, positions: float) -> float:
        """Return what a sample of so many positions takes."""
        return sum(form.bytes * (positions if form.ragged else 1) for form in self.forms)


def forms_of(
    boundary: Boundary, records: tuple[Stored, Stored], probes: Probes, *, half: bool = False
) -> tuple[Form, ...]:
    """Return how each tensor is stored, from the records of two batches that differ in their length.

    With ``half``, 32-bit floats as float16, or as bfloat16 where the probes come near what float16 holds.

    Raises:
        Unavailable: its size varies otherwise than with the length of the text.
    """
    widths = tuple(width(probe) for probe in probes)
    found = []
    for leaf in boundary.stored:
        one, other = (each[leaf.key] for each in records)
        axes, strides = range(1, one.dim()), one.stride()
        varying = [axis for axis in axes if one.shape[axis] != other.shape[axis]]
        if any((one.shape[axis], other.shape[axis]) != widths for axis in varying) or len(varying) > 1:
            raise Unavailable(f"the size of {leaf.key} varies otherwise than with the length of the text")
        # As they lie in memory: a kernel may round differently for another order of the axes.
        by_stride = sorted(axes, key=lambda axis: (-strides[axis], axis))
        order = tuple(varying + [axis for axis in (axes if varying else by_stride) if axis not in varying])
        shape = tuple(one.shape[axis] for axis in order if axis not in varying)
        dtype = str(one.dtype).removeprefix("torch.")
        kept = _half(one, other) if half and one.dtype == torch.float32 else dtype
        found.append(Form(leaf.key, dtype, kept, shape, order, ragged=bool(varying)))
    return tuple(found)


def _half(*values: torch.Tensor) -> str:
    largest = max(float(each.abs().max()) for each in values)
    return "float16" if largest * MARGIN < torch.finfo(torch.float16).max else "bfloat16"


def fill(run: Run, recipe: Recipe, split: Split, part: Part, about: dict[str, Any], folder: Path) -> Meta:
    """Record every sample of ``part`` into ``folder``, `in_order`; return what was written."""
    started = time.process_time()
    with evaluating(run.network), Writer(folder, recipe.forms, part.inputs.padding_side) as writer:
        for rows, count in _batches(part, split):
            batch = part.inputs.batch(rows, run.device)
            with autocast(run.config.precision, run.device):
                stored = record(run.network, recipe.boundary, run.task.forward, batch)
            lengths = lengths_of(batch, writer.side)[:count] if recipe.varies else None
            writer.add({key: leaf[:count] for key, leaf in stored.items()}, lengths)
    return writer.meta(about, time.process_time() - started)


def width(batch: Batch) -> int | None:
    """Return the length that a batch of texts is padded to; None for images."""
    mask = tensors(batch).get(MASK)
    return None if mask is None else mask.shape[1]


def lengths_of(batch: Batch, side: Side) -> torch.Tensor:
    """Return how much of each text of a batch is no padding.

    Raises:
        Unavailable: the mask has holes.
    """
    mask = tensors(batch)[MASK].cpu().bool()
    lengths = mask.sum(1)
    ends = lengths.unsqueeze(1)
    place = torch.arange(mask.shape[1])
    expected = place >= mask.shape[1] - ends if side == "left" else place < ends
    if not torch.equal(mask, expected):
        raise Unavailable("the texts are masked elsewhere than at one end")
    return lengths


def _batches(part: Part, split: Split) -> Iterator[tuple[torch.Tensor, int]]:
    """Yield the rows to compute at once, and how many of them count.

    Validation and test in the very batches that they are evaluated in. Training samples in full batches, the
    last one filled up from the start: of another size, kernels may round differently.
    """
    count, lengths = len(part.labels), part.inputs.lengths
    if split != "train":
        yield from ((rows, len(rows)) for rows in batches_of(count, lengths))
        return
    size, order = min(BATCH, count), in_order(count, lengths)
    for start in range(0, count, size):
        yield order[torch.arange(start, start + size) % count], min(size, count - start)

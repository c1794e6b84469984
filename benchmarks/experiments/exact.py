"""How far the logits from the cache are from the whole network's: the same seed, the same batches, nothing else.

A recording is made in batches of 32. Kernels may round differently for batches, or texts, of another
size: what is held to zero is a batch of as many; other sizes and float16 storage have bounds of their own.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.frozen import CPU, MINILM, MIXED, RESNET, Subject, cache_in, one_thread
from benchmarks.row import Row, at_most
from trainables.activations.prefix import source
from trainables.data.loaders import batches
from trainables.evaluate import whole
from trainables.network.calls import evaluating
from trainables.run import build

DEVICES = ("cpu", "cuda")
DEPTHS = {"probe": 0, "2 blocks": 2}
EQUAL, OTHER = 32, 20
KINDS = (  # batch size, how it is stored, goal
    (EQUAL, "exact", 0.0),
    (OTHER, "exact", 1e-4),
    (EQUAL, "half", 1e-3),
)
SUBJECTS = (RESNET, MINILM, MIXED)


def rows(device: str = "cpu") -> list[Row]:
    """Compare every network at two depths, in three ways; on a GPU too in 32 bits."""
    place = torch.device(device)
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        return [
            row(subject, name, size, stored, goal, Path(folder), place)
            for subject in SUBJECTS
            for name in DEPTHS
            for size, stored, goal in KINDS
        ]


@torch.no_grad()
def row(
    subject: Subject, name: str, size: int, stored: str, goal: float, folder: Path, device: torch.device = CPU
) -> Row:
    """Return the largest difference over an epoch of shuffled batches of ``size``."""
    config = replace(subject, batch_size=size).config(DEPTHS[name], 4, activations=stored, precision="fp32")
    run = build(config, device)
    with cache_in(folder):
        found = source(run, run.plan.phase(0), 4)
    if found.caching.cache == "off":
        raise RuntimeError(f"{subject.name}, {name}: {found.caching.cache_reason}")
    plain, gaps, largest = whole(run), [0.0], 0.0
    with evaluating(run.network):
        part = run.part("train")
        for rows_ in batches(len(part.labels), size, seed=0, epoch=1, lengths=part.inputs.lengths):
            logits = plain("train", rows_)
            gaps.append(float((found.logits("train", rows_) - logits).abs().max()))
            largest = max(largest, float(logits.abs().max()))
    varying = run.part("train").inputs.lengths is not None and subject is MIXED
    # Batches of texts are padded to another length than the recording's were.
    bound = max(goal, 1e-4) if varying else goal
    note = f"the largest logit is {largest:.2g}" + ("; texts padded to other lengths" if varying else "")
    how = "in fp32" if stored == "exact" else "in fp16"
    return at_most(f"{subject.name}, {name}, batches of {size}, {how}", max(gaps), bound, unit="", note=note)

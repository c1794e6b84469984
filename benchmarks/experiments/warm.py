"""What a worker that has trained before spends from a trial's order to its first step, the recording there already.

CPU-seconds of one process on one thread, median of trials: build the network, find and check the recording,
read the first batch and run the head. Then what two things that are done once cost when they are done again: reading,
drawing and tracing the network for every trial, decoding the images in every process. Both ways in turn.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.frozen import MINILM, RESNET, VIT, Subject, cache_in, one_thread, seconds
from benchmarks.row import Row, at_least, at_most
from trainables import pretrained
from trainables.data.decoded import Images
from trainables.data.images import Preprocessing
from trainables.data.samples import Examples, content_hash
from trainables.loop import train
from trainables.run import build

TRIALS, GOAL = 5, 0.2
SUBJECTS = (RESNET, MINILM)
PHOTOS, WIDTH, HEIGHT = 240, 500, 375  # a usual size of pictures from the web
SCALE = (0.5, 0.5, 0.5)


class _Stepped(Exception):
    """The first step is about to be taken."""


def rows() -> list[Row]:
    """Measure a probe on every network."""
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        started = [row(subject, Path(folder)) for subject in SUBJECTS]
        return [*started, *(build_row(subject) for subject in (*SUBJECTS, VIT)), images_row(Path(folder))]


def row(subject: Subject, folder: Path, trials: int = TRIALS) -> Row:
    """Start several trials after one that builds, and plans."""
    with cache_in(folder):
        _start(subject)
        spent = [seconds(lambda: _start(subject))[0] for _ in range(trials)]
        build_alone = median(seconds(lambda: build(subject.config(0, 2)))[0] for _ in range(trials))
    note = f"median of {trials} probes; {build_alone:.3g} of it builds network, head and optimiser"
    return at_most(f"{subject.name}, probe", round(median(spent), 3), GOAL, unit="CPU-s", note=note)


def _start(subject: Subject) -> None:
    run = build(subject.config(0, 2))  # of one seed: without a file of weights another one would draw others

    def stop(*_: Any) -> None:
        raise _Stepped

    run.optimizer.register_step_pre_hook(stop)
    try:
        list(train(run))
    except _Stepped:
        return
    raise RuntimeError("the training ended without a step")


def build_row(subject: Subject, trials: int = TRIALS) -> Row:
    """Build trials of a seed, each from the network that the process keeps and each from nothing, in turn."""
    config = subject.config(0, 2)
    build(config)
    copied, anew = [], []
    for _ in range(trials):
        copied.append(seconds(lambda: build(config))[0])
        pretrained.forget()
        anew.append(seconds(lambda: build(config))[0])
    one, other = median(copied), median(anew)
    note = f"{one:.3g} CPU-s to build a probe from the kept network, {other:.3g} from nothing and keep it"
    return at_least(
        f"{subject.name}, built once", round(other / one, 2), 1, unit="times", note=f"{note}; median of {trials}"
    )


def images_row(folder: Path, count: int = PHOTOS, rounds: int = 3) -> Row:
    """Take every image of a split, as the second process of a node does and as one that is alone, in turn."""
    examples = _photos(folder / "photos", count)
    preprocessing = Preprocessing(224, 256, SCALE, SCALE)
    mapped, alone = [], []
    with cache_in(folder):
        _look_at(examples, preprocessing)
    for _ in range(rounds):
        with cache_in(folder):
            mapped.append(seconds(lambda: _look_at(examples, preprocessing))[0])
        with cache_in(None):
            alone.append(seconds(lambda: _look_at(examples, preprocessing))[0])
    one, other = median(mapped), median(alone)
    note = f"{count} JPEG of {WIDTH} x {HEIGHT}: {one:.3g} CPU-s, {other:.3g} where every process decodes"
    return at_least("images, decoded once", round(other / one, 2), 1, unit="times", note=note)


def _look_at(examples: Examples, preprocessing: Preprocessing) -> None:
    images = Images(examples, preprocessing)
    for rows in torch.arange(len(examples)).split(32):
        images[rows]


def _photos(folder: Path, count: int) -> Examples:
    """Write smooth pictures with some noise, about as large as photographs when they are compressed."""
    folder.mkdir()
    paths = tuple(folder / f"{number}.jpg" for number in range(count))
    for number, path in enumerate(paths):
        draws = np.random.default_rng(number)
        coarse = Image.fromarray(draws.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((WIDTH, HEIGHT))
        noise = draws.normal(0, 8, (HEIGHT, WIDTH, 3))
        Image.fromarray((np.asarray(coarse) + noise).clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return Examples(paths, (0,) * count, tuple(map(str, paths)), contents=tuple(map(content_hash, paths)))

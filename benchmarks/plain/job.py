"""A fixed list of trials on files, as every script that is compared reads it; and what a script writes of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Point:
    """One trial: how many blocks next to the head train, and how fast."""

    depth: int
    head_lr: float
    seed: int


@dataclass(frozen=True)
class Job:
    """What is trained, on what, and how many trials at once."""

    kind: Literal["image", "text"]
    data: str  # a folder with train/ and val/ of images by class, or train.csv and val.csv (text, label)
    model: str  # a torchvision name, or a transformers folder
    weights: str  # a file of the network's tensors; unused for a transformers folder, which has its own
    size: int  # of an image in pixels, or of a text in tokens
    blocks: int  # between stem and head
    epochs: int
    points: tuple[Point, ...]
    batch_size: int = 32
    lr_ratio: float = 0.1  # of the backbone's rate to the head's
    slots: int = 2

    def write(self, file: Path) -> Path:
        """Write the job; return the file."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")
        return file

    @classmethod
    def read(cls, file: Path) -> Job:
        """Read what `write` wrote."""
        plain: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return cls(**{**plain, "points": tuple(Point(**point) for point in plain["points"])})


@dataclass(frozen=True)
class Outcome:
    """What came of a job: a score and a loss on validation for every point, in order."""

    scores: list[float]
    losses: list[float]
    workers: int  # processes that trained
    seconds: float  # wall, from the first trial's asking to the last one's end

    def write(self, file: Path) -> None:
        """Write the outcome."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Outcome:
        """Read what `write` wrote."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))

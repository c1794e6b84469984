"""Trials that train in a fraction of a second: tinted noise at 16 px with a small network, and a few short texts."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from tests.support import tiny_bert
from trainables.config import DataConfig, TrialConfig

TRAIN, VAL, TEST = 42, 18, 12
CLASSES = 3
BLOCKS = 3  # of both networks
FULL = {"freezing": "full", "head_lr": 1e-2, "lr_ratio": 0.1, "weight_decay": 0.01, "batch_size": 16}
PROBE = {"freezing": "probe", "head_lr": 1e-2, "weight_decay": 0.01, "batch_size": 16}
TOP = {"freezing": "top", "unfrozen_depth": 1, "head_lr": 1e-2, "lr_ratio": 0.1, "weight_decay": 0.01, "batch_size": 16}

MODULE = """
import numpy as np
import torch
from torch import nn

COUNTS = {{"train": {counts[0]}, "val": {counts[1]}, "test": {counts[2]}}}


def samples():
    return {{split: tinted(count, seed) for seed, (split, count) in enumerate(COUNTS.items())}}


def tinted(count, seed):
    random = np.random.default_rng(seed)
    # Unbalanced: one half is of class 0.
    labels = np.arange(count) * 6 // count % 6
    labels = np.array([0, 0, 0, 1, 1, 2])[labels]
    images = random.normal(120, 40, (count, 16, 16, 3))
    images[np.arange(count), :, :, labels] += 60
    return images.clip(0, 255).astype(np.uint8), labels


class Unit(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.convolution = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x):
        return x + self.dropout(self.norm(self.convolution(x)).relu())


class Net(nn.Module):
    preprocessing = {{"image_size": 16}}

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, stride=2)
        self.units = nn.Sequential(Unit(6), Unit(6), Unit(6))
        self.fc = nn.Linear(6, 10)

    def forward(self, x):
        return self.fc(self.units(self.stem(x)).mean((2, 3)))


def build(pretrained: bool = False):
    with torch.random.fork_rng(enabled=pretrained):
        if pretrained:
            torch.manual_seed(11)
        return Net()
"""


def images(
    folder: Path, more: str = "", counts: tuple[int, int, int] = (TRAIN, VAL, TEST), **values: object
) -> TrialConfig:
    """Write a module with samples and a network, ``more`` lines at its end, and return a trial that uses both."""
    module = f"tiny_{uuid4().hex}"
    (folder / f"{module}.py").write_text(MODULE.format(counts=counts) + more)
    given = {
        "task": "image-classification",
        "metric": "accuracy",
        "model": f"{module}:build",
        "data": DataConfig(source=f"{module}:samples"),
        "epochs": 2,
        "strategy": FULL,
        "seed": 0,
        "code_path": str(folder),
    }
    return TrialConfig(**(given | values))


def of_function(config: TrialConfig, function: str) -> TrialConfig:
    """Return the same trial on the network that another function of its module builds."""
    return config.model_copy(update={"model": config.model.replace(":build", f":{function}")})


def texts(folder: Path, **values: object) -> TrialConfig:
    """Write tables of good and bad films and a tiny BERT, and return a trial on them."""
    good, bad = ("a good film", "the film was fine", "good film"), ("a bad film", "the film was poor", "bad film")
    for split, copies in (("train", 6), ("val", 3), ("test", 2)):
        rows = [
            f"{text} {split[: number % 3]},{label}"
            for number in range(copies)
            for label, each in (("good", good), ("bad", bad))
            for text in each
        ]
        (folder / f"{split}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    given = {
        "task": "text-classification",
        "metric": "macro_f1",
        "model": f"transformers:{tiny_bert.save(folder / 'bert')}",
        "data": DataConfig(
            train=str(folder / "train.csv"),
            val=str(folder / "val.csv"),
            test=str(folder / "test.csv"),
            input="text",
            target="label",
        ),
        "epochs": 2,
        "strategy": FULL,
        "seed": 0,
    }
    return TrialConfig(**(given | values))

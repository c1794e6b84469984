"""Handwritten digits: learn 0-4 with plenty of labels, then transfer to 5-9 with few. Offline, on one core.

A study file names the two functions below, and yours can have the same two:

    model: digits:network         a network that thawline cuts into blocks and gives a new head
    data: {source: digits:data}   arrays instead of a folder

The images are scikit-learn's own (1,797 pictures of 8 x 8 pixels), so nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]

KNOWN = (0, 1, 2, 3, 4)  # what the network is pretrained on
NEW = (5, 6, 7, 8, 9)  # what it is to learn
IMAGE_SIZE = 16
MEAN, STD = 0.5, 0.5  # of pixels between 0 and 1
TRAIN_PER_CLASS = 12
VAL_SIZE = 200
TEST_SIZE = 400
SPLIT_SEED = 0


@dataclass(frozen=True)
class Recipe:
    """How the network is pretrained."""

    seed: int = 0
    epochs: int = 8
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    shift: int = 1  # pixels: each training image is moved by up to this much, each way


def data() -> dict[str, Any]:
    """Return the new digits as ``{train, val, test: (images, labels), classes}``.

    Images are uint8, N x 16 x 16; labels count from 0 and ``classes`` names them. The split is
    always the same, and no image is in two splits.
    """
    images, labels = _digits(NEW)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
    by_class = [order[labels[order] == label] for label in range(len(NEW))]
    train = np.concatenate([rows[:TRAIN_PER_CLASS] for rows in by_class])
    rest = order[~np.isin(order, train)]
    parts = {"train": train, "val": rest[:VAL_SIZE], "test": rest[VAL_SIZE : VAL_SIZE + TEST_SIZE]}
    return {name: (images[rows], labels[rows]) for name, rows in parts.items()} | {"classes": [str(d) for d in NEW]}


def network(pretrained: bool = True) -> nn.Module:
    """Return the residual network: random, or pretrained on the digits 0-4.

    The first call pretrains it (some seconds) and keeps the weights in the user's cache folder;
    later calls, and other processes, read them.
    """
    net = DigitNetwork(classes=len(KNOWN))
    if pretrained:
        net.load_state_dict(load_file(pretrained_weights(Recipe())))
    return net


class Residual(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        same = stride == 1 and width_in == width
        self.shortcut = nn.Identity() if same else nn.Conv2d(width_in, width, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map N x C x H x W to N x width x H/stride x W/stride."""
        inner = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(inner)) + self.shortcut(x))


class DigitNetwork(nn.Module):
    """A stem, six residual blocks and a linear head: 175,000 parameters."""

    # How thawline turns an image into this network's input.
    preprocessing = {  # noqa: RUF012 (a plain attribute is all that a network of your own needs)
        "image_size": IMAGE_SIZE,
        "resize": IMAGE_SIZE,
        "mean": [MEAN] * 3,
        "std": [STD] * 3,
    }

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.blocks = nn.Sequential(
            Residual(16, 16, stride=1),
            Residual(16, 16, stride=1),
            Residual(16, 32, stride=2),
            Residual(32, 32, stride=1),
            Residual(32, 64, stride=2),
            Residual(64, 64, stride=1),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map N x 3 x 16 x 16 to N x classes."""
        x = functional.relu(self.bn(self.conv(x)))
        return self.fc(self.pool(self.blocks(x)).flatten(1))


def pretrained_weights(recipe: Recipe) -> Path:
    """Return the file with the weights that ``recipe`` gives; pretrain first where there is none."""
    path = cache_folder() / f"{_key(recipe)}.safetensors"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    # Parallel trials all need the file at once: the first makes it, the others wait.
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            state = pretrain(recipe).state_dict()
            # Written beside it and renamed: a killed process leaves no half file under the final name.
            with tempfile.TemporaryDirectory(dir=path.parent) as folder:
                save_file(state, Path(folder) / path.name)
                os.replace(Path(folder) / path.name, path)
    return path


def _key(recipe: Recipe) -> str:
    """Name what the weights depend on: the recipe, this file's code and torch."""
    stated = json.dumps([asdict(recipe), torch.__version__]).encode()
    return hashlib.sha256(stated + Path(__file__).read_bytes()).hexdigest()[:12]


def cache_folder() -> Path:
    """Return ``thawline/digits`` in THAWLINE_CACHE (unless it is off), else XDG_CACHE_HOME, else ~/.cache."""
    given = os.environ.get("THAWLINE_CACHE", "")
    cache = "" if given.lower() == "off" else given
    return Path(cache or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "thawline" / "digits"


def pretrain(recipe: Recipe) -> DigitNetwork:
    """Train on every picture of the digits 0-4; the same recipe gives the same weights."""
    images, labels = _digits(KNOWN)
    x = ((torch.from_numpy(images) / 255 - MEAN) / STD).unsqueeze(1).expand(-1, 3, -1, -1)
    y = torch.from_numpy(labels)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the order of sums, and so the last digit, depends on the threads
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            return _fit(DigitNetwork(len(KNOWN)), x, y, recipe)
    finally:
        torch.set_num_threads(threads)


def _fit(net: DigitNetwork, x: Tensor, y: Tensor, recipe: Recipe) -> DigitNetwork:
    optimizer = torch.optim.AdamW(net.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    steps = -(-len(y) // recipe.batch_size) * recipe.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps)
    net.train()
    for _ in range(recipe.epochs):
        for rows in torch.randperm(len(y)).split(recipe.batch_size):
            loss = functional.cross_entropy(net(_shifted(x[rows], recipe.shift)), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def _shifted(batch: Tensor, most: int) -> Tensor:
    """Return the batch, each image moved by up to ``most`` pixels; what comes in is background."""
    padded = functional.pad(batch, [most] * 4, value=float(batch.min()))
    offsets = torch.randint(0, 2 * most + 1, (len(batch), 2)).tolist()
    size = batch.shape[-1]
    moved = zip(padded, offsets, strict=True)
    return torch.stack([image[:, top : top + size, left : left + size] for image, (top, left) in moved])


def _digits(which: tuple[int, ...]) -> tuple[Images, Labels]:
    """Return the images of some digits, 16 x 16 and 0..255, with labels that count from 0."""
    from sklearn.datasets import load_digits  # costs a second, and a cached network needs none of it

    bunch = load_digits()
    chosen = np.isin(bunch.target, which)
    small = torch.from_numpy(bunch.images[chosen]).unsqueeze(1)  # N x 1 x 8 x 8, 0..16
    large = functional.interpolate(small, size=(IMAGE_SIZE, IMAGE_SIZE), mode="bilinear", align_corners=False)
    images = (large.squeeze(1) * (255 / 16)).round().to(torch.uint8).numpy()
    return images, np.searchsorted(which, bunch.target[chosen]).astype(np.int64)

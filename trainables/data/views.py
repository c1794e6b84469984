"""Augmentation: the view of every image in an epoch, the same for every trial of a study. Training images only.

A view is drawn from the sample's id and the view's own name, and from nothing else: the same on every
machine, in every process, whatever else a trial draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import xxhash
from torch import Tensor
from torchvision.transforms import functional as transforms

from trainables.config import DataConfig

LEAST = 0.5  # of an image's area that a crop keeps; all of it at most
BITS = 32


@dataclass(frozen=True)
class View:
    """One way to see every training image."""

    policy: Literal["crop", "flip_crop"]
    name: str  # what it is drawn from, beside the sample's id


def view_of(data: DataConfig, *, seed: int, epoch: int) -> View | None:
    """Return the view of an epoch (from 1), None without augmentation.

    One of ``augment_views`` in turn, every trial's whatever its seed, or a fresh one, drawn from seed and epoch.
    """
    if data.augment == "none":
        return None
    if isinstance(data.augment_views, int):
        return View(data.augment, f"view {(epoch - 1) % data.augment_views}")
    return View(data.augment, f"seed {seed}, epoch {epoch}")


def seen(images: Tensor, ids: Sequence[str], view: View) -> Tensor:
    """Return a batch of square images, uint8 (b, c, S, S), as ``view`` shows them: of the same shape.

    A square of half of the area or more, anywhere in the image, resized to the whole; with flip_crop,
    mirrored in one of two.
    """
    return torch.stack([_one(image, name, view) for image, name in zip(images, ids, strict=True)])


def _one(image: Tensor, name: str, view: View) -> Tensor:
    size = image.shape[-1]
    area, down, right, mirror = _drawn(f"{view.name}/{name}")
    side = round(size * math.sqrt(LEAST + (1 - LEAST) * area))
    top, left = (int(share * (size - side + 1)) for share in (down, right))
    cut = image[:, top : top + side, left : left + side]
    whole: Tensor = transforms.resize(cut, [size, size], antialias=True)
    return whole.flip(-1) if view.policy == "flip_crop" and mirror < 0.5 else whole


def _drawn(name: str) -> list[float]:
    """Return four numbers of [0, 1), even and without order, as a hash makes them of a name."""
    value = xxhash.xxh3_128_intdigest(name.encode("utf-8", "surrogatepass"))
    return [((value >> BITS * number) % 2**BITS) / 2**BITS for number in range(4)]

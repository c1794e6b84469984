"""Images as uint8 tensors of one size: how they are decoded, and normalised where they are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

from trainables.data.folders import open_image

Triple = tuple[float, float, float]
DECODERS = f"pillow {version('pillow')}, torchvision {version('torchvision')}"  # they decode and resize


@dataclass(frozen=True)
class Preprocessing:
    """What a network expects of an image: its size, how it is cut, and the scale of its channels."""

    image_size: int
    resize: int  # of the shorter side, before the centre crop
    mean: Triple
    std: Triple
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    channels: int = 3

    def __post_init__(self) -> None:
        """Refuse a crop larger than the image it is cut from."""
        if self.resize < self.image_size:
            raise ValueError(f"resize must be at least image_size ({self.image_size}), got {self.resize}")

    def at(self, image_size: int | None) -> Preprocessing:
        """Return the same for another image size, with as much cropped away; unchanged for None."""
        if image_size is None or image_size == self.image_size:
            return self
        return replace(self, image_size=image_size, resize=round(self.resize * image_size / self.image_size))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Read what `to_json` wrote."""
        return cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})


def decode(inputs: Sequence[object], preprocessing: Preprocessing) -> Tensor:
    """Return images as uint8 (n, 3, S, S): RGB, the shorter side resized with antialias, the centre cropped.

    An array that is S by S already passes bit by bit.
    """
    size = preprocessing.image_size
    decoded = torch.empty((len(inputs), 3, size, size), dtype=torch.uint8)

    def put(index: int) -> None:
        decoded[index] = _one(inputs[index], preprocessing)

    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        list(threads.map(put, range(len(inputs))))
    return decoded


def _one(source: object, preprocessing: Preprocessing) -> Tensor:
    size = preprocessing.image_size
    if isinstance(source, Path):
        image = open_image(source)
    else:
        array = cast("NDArray[np.uint8]", source)
        array = np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array
        if array.shape[:2] == (size, size):
            return torch.from_numpy(array.transpose(2, 0, 1).copy())
        image = Image.fromarray(np.ascontiguousarray(array))
    interpolation = InterpolationMode(preprocessing.interpolation)
    image = transforms.resize(image, [preprocessing.resize], interpolation=interpolation, antialias=True)
    return cast(Tensor, transforms.pil_to_tensor(transforms.center_crop(image, [size, size])))


def normalise(batch: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Scale a uint8 batch (b, 3, h, w) to float32 with the network's mean and deviation, on the batch's device."""
    mean = torch.tensor(preprocessing.mean, device=batch.device).view(3, 1, 1)
    std = torch.tensor(preprocessing.std, device=batch.device).view(3, 1, 1)
    return (batch.to(torch.float32) / 255 - mean) / std

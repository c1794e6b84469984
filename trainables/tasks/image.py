"""Image classification."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
import xxhash
from torch import nn

from trainables.config import DataConfig
from trainables.data.decoded import Images
from trainables.data.images import DECODERS, Preprocessing, normalise
from trainables.data.samples import contents_of
from trainables.data.source import Examples
from trainables.data.views import View, seen
from trainables.models.model import Model
from trainables.tasks.task import Inputs, Task


@dataclass(frozen=True)
class ImageInputs:
    """Images of one split, decoded once."""

    images: Images
    preprocessing: Preprocessing
    examples: Examples
    lengths: None = None
    padding_side: Literal["right"] = "right"

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the images' contents and of what is done to them."""
        parts = [DECODERS, json.dumps(self.preprocessing.to_json(), sort_keys=True), *contents_of(self.examples)]
        return xxhash.xxh3_128_hexdigest("\n".join(parts).encode())

    def batch(self, indices: torch.Tensor, device: torch.device) -> torch.Tensor:
        """Return normalised images, float32, shape (b, 3, size, size)."""
        return normalise(self.images[indices].to(device, non_blocking=True), self.preprocessing)

    def blank(self, indices: torch.Tensor, device: torch.device) -> torch.Tensor:
        """Return the shape of the batch; no image is decoded."""
        size = self.preprocessing.image_size
        return torch.zeros((), device=device).expand(len(indices), 3, size, size)


@dataclass(frozen=True)
class ViewedInputs:
    """The same images in one view."""

    inputs: ImageInputs
    view: View
    lengths: None = None
    padding_side: Literal["right"] = "right"

    @property
    def fingerprint(self) -> str:
        """A hash of the images' contents, of what is done to them, and of the view."""
        return xxhash.xxh3_128_hexdigest(f"{self.inputs.fingerprint}\n{self.view}".encode())

    def batch(self, indices: torch.Tensor, device: torch.device) -> torch.Tensor:
        """Return normalised images, float32, shape (b, 3, size, size)."""
        ids = [self.inputs.examples.ids[index] for index in indices.tolist()]
        images = seen(self.inputs.images[indices], ids, self.view)
        return normalise(images.to(device, non_blocking=True), self.inputs.preprocessing)

    def blank(self, indices: torch.Tensor, device: torch.device) -> torch.Tensor:
        """Return the shape of the batch; no image is decoded."""
        return self.inputs.blank(indices, device)


def viewed(inputs: Inputs, view: View) -> ViewedInputs:
    """Return images in a view."""
    assert isinstance(inputs, ImageInputs), "only images have views"
    return ViewedInputs(inputs, view)


def inputs(examples: Examples, model: Model, data: DataConfig) -> ImageInputs:
    """Return the split's images as the network wants them."""
    return ImageInputs(Images(examples, _preprocessing(model)), _preprocessing(model), examples)


def sample(model: Model) -> torch.Tensor:
    """Return one black image."""
    size = _preprocessing(model).image_size
    return torch.zeros(1, 3, size, size)


def probes(model: Model) -> tuple[torch.Tensor, torch.Tensor]:
    """Return two and three images of noise."""
    size, source = _preprocessing(model).image_size, torch.Generator().manual_seed(0)
    return torch.randn(2, 3, size, size, generator=source), torch.randn(3, 3, size, size, generator=source)


def forward(network: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """Return the logits."""
    logits: torch.Tensor = network(batch)
    return logits


def _preprocessing(model: Model) -> Preprocessing:
    assert model.preprocessing is not None, "an image network comes with its preprocessing"
    return model.preprocessing


IMAGE_CLASSIFICATION = Task(
    "image-classification", "image", inputs=inputs, sample=sample, probes=probes, forward=forward, viewed=viewed
)

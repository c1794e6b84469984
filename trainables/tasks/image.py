"""Image classification."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from trainables.config import DataConfig
from trainables.data.images import Images, Preprocessing, normalise
from trainables.data.source import Examples
from trainables.models.model import Model
from trainables.tasks.task import Task


@dataclass(frozen=True)
class ImageInputs:
    """Images of one split, decoded once."""

    images: Images
    preprocessing: Preprocessing

    def batch(self, indices: torch.Tensor, device: torch.device) -> torch.Tensor:
        """Return normalised images, float32, shape (b, 3, size, size)."""
        return normalise(self.images[indices].to(device, non_blocking=True), self.preprocessing)


def inputs(examples: Examples, model: Model, data: DataConfig) -> ImageInputs:
    """Return the split's images as the network wants them."""
    return ImageInputs(Images(examples, _preprocessing(model)), _preprocessing(model))


def sample(model: Model) -> torch.Tensor:
    """Return one black image."""
    size = _preprocessing(model).image_size
    return torch.zeros(1, 3, size, size)


def forward(network: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """Return the logits."""
    logits: torch.Tensor = network(batch)
    return logits


def _preprocessing(model: Model) -> Preprocessing:
    assert model.preprocessing is not None, "an image network comes with its preprocessing"
    return model.preprocessing


IMAGE_CLASSIFICATION = Task("image-classification", "image", inputs=inputs, sample=sample, forward=forward)

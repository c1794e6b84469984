"""Text classification: one text, or a pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from trainables.config import DataConfig
from trainables.data.source import Examples
from trainables.data.texts import Encoded, encode, pad
from trainables.models.model import Model
from trainables.tasks.task import Task


@dataclass(frozen=True)
class TextInputs:
    """Texts of one split, tokenised once."""

    encoded: list[Encoded]
    tokenizer: Any

    def batch(self, indices: torch.Tensor, device: torch.device) -> dict[str, torch.Tensor]:
        """Return token ids and masks, int64, shape (b, longest of the batch)."""
        return {name: tensor.to(device) for name, tensor in _padded(self.encoded, indices, self.tokenizer).items()}


def inputs(examples: Examples, model: Model, data: DataConfig) -> TextInputs:
    """Return the split's texts as token ids."""
    return TextInputs(encode(examples.inputs, model.tokenizer, data.max_length), model.tokenizer)


def sample(model: Model) -> dict[str, torch.Tensor]:
    """Return one short text."""
    encoded = encode(("how far should I thaw it",), model.tokenizer, 16)
    return _padded(encoded, torch.tensor([0]), model.tokenizer)


def forward(network: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the logits."""
    logits: torch.Tensor = network(**batch).logits
    return logits


def _padded(encoded: list[Encoded], indices: torch.Tensor, tokenizer: Any) -> dict[str, torch.Tensor]:
    return pad(
        encoded,
        indices,
        tokenizer.pad_token_id or 0,
        pad_token_type_id=tokenizer.pad_token_type_id,
        side=tokenizer.padding_side,
    )


TEXT_CLASSIFICATION = Task("text-classification", "text", inputs=inputs, sample=sample, forward=forward)

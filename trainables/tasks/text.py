"""Text classification: one text, or a pair."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
import xxhash
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

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the token ids, masks and padding."""
        padding = (self.tokenizer.pad_token_id, self.tokenizer.pad_token_type_id, self.padding_side)
        return xxhash.xxh3_128_hexdigest(json.dumps([padding, self.encoded]).encode())

    @cached_property
    def lengths(self) -> torch.Tensor:
        """The tokens of each text."""
        return torch.tensor([len(each["input_ids"]) for each in self.encoded])

    @property
    def padding_side(self) -> Literal["right", "left"]:
        """Where a batch's shorter texts are padded."""
        return "left" if self.tokenizer.padding_side == "left" else "right"

    def batch(self, indices: torch.Tensor, device: torch.device) -> dict[str, torch.Tensor]:
        """Return token ids and masks, int64, shape (b, longest of the batch)."""
        return {name: tensor.to(device) for name, tensor in _padded(self.encoded, indices, self.tokenizer).items()}

    def blank(self, indices: torch.Tensor, device: torch.device) -> dict[str, torch.Tensor]:
        """Return the batch: it has no floating values."""
        return self.batch(indices, device)


def inputs(examples: Examples, model: Model, data: DataConfig) -> TextInputs:
    """Return the split's texts as token ids."""
    return TextInputs(encode(examples.inputs, model.tokenizer, data.max_length), model.tokenizer)


def sample(model: Model) -> dict[str, torch.Tensor]:
    """Return one short text."""
    encoded = encode(("how far should I thaw it",), model.tokenizer, 16)
    return _padded(encoded, torch.tensor([0]), model.tokenizer)


def probes(model: Model) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return two short texts and three longer ones, both with padding."""
    words = ["how", "far", "should", "I", "thaw", "it", "and", "what", "was", "left", "frozen", "in", "it"]
    batches = []
    for counts in ((4, 2), (9, 12, 5)):
        texts = [" ".join(words[start : start + count]) for start, count in enumerate(counts)]
        encoded = encode(texts, model.tokenizer, 24)
        batches.append(_padded(encoded, torch.arange(len(texts)), model.tokenizer))
    return batches[0], batches[1]


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


TEXT_CLASSIFICATION = Task("text-classification", "text", inputs=inputs, sample=sample, probes=probes, forward=forward)

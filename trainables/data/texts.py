"""Texts as token numbers: encoded once, padded to the longest of each batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Encoded = dict[str, list[int]]


def encode(inputs: Sequence[object], tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[Encoded]:
    """Tokenise texts, or pairs of texts, each cut to ``max_length`` tokens or to what the tokenizer allows."""
    if not inputs:
        return []
    pairs = isinstance(inputs[0], tuple)
    columns = [list(column) for column in zip(*inputs, strict=True)] if pairs else [list(inputs)]
    encoded = tokenizer(
        *columns,
        truncation=True,
        max_length=min(max_length, tokenizer.model_max_length),
        return_attention_mask=True,
    )
    return [{key: cast("list[int]", values[i]) for key, values in encoded.items()} for i in range(len(inputs))]


def pad(
    encoded: Sequence[Encoded],
    indices: Tensor | Sequence[int],
    pad_token_id: int,
    *,
    pad_token_type_id: int = 0,
    side: Literal["right", "left"] = "right",
) -> dict[str, Tensor]:
    """Return the encoded texts at ``indices`` as LongTensors (b, longest), padded on ``side`` and masked there."""
    chosen = [encoded[int(i)] for i in indices]
    longest = max(len(each["input_ids"]) for each in chosen)
    fill = {"input_ids": pad_token_id, "token_type_ids": pad_token_type_id}
    batch = {}
    for key in chosen[0]:
        # Padded as lists: a tensor for every text would cost more than a head's training step.
        blanks = [[fill.get(key, 0)] * (longest - len(each[key])) for each in chosen]
        pairs = zip(chosen, blanks, strict=True)
        rows = [each[key] + blank if side == "right" else blank + each[key] for each, blank in pairs]
        batch[key] = torch.tensor(rows, dtype=torch.long)
    return batch

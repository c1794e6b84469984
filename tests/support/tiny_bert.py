"""A BERT of three layers and width 8 with a WordPiece tokenizer of a few words, saved as transformers saves them."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from transformers import BertConfig, BertModel, BertTokenizer, PreTrainedModel

WORDS = ("good", "bad", "fine", "poor", "film", "a", "the", "was", "how", "far", "should", "i", "it", "##s")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VOCABULARY = {word: index for index, word in enumerate((*SPECIAL, *WORDS))}
CONFIG = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 8,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 24,
}


def save(folder: Path, kind: type[PreTrainedModel] = BertModel, *, seed: int = 0, **config: object) -> Path:
    """Write a network of class ``kind`` with random weights, and its tokenizer; return the folder."""
    torch.manual_seed(seed)
    kind(BertConfig(**(CONFIG | config))).save_pretrained(folder)
    return save_tokenizer(folder)


def save_tokenizer(folder: Path) -> Path:
    """Write the tokenizer alone."""
    BertTokenizer(vocab=VOCABULARY, model_max_length=24).save_pretrained(folder)
    return folder


transformers.logging.disable_progress_bar()

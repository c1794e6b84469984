"""Every BERT-like network is cut into its layers, whatever its parts are called."""

from __future__ import annotations

from collections import Counter

import pytest
import transformers

from tests.trainables.network.traced import Traced, of_transformers
from trainables.network.blocks import depth

LAYERS = 3
SMALL = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 32,
}
DISTIL = {"vocab_size": 40, "dim": 16, "n_layers": LAYERS, "n_heads": 2, "hidden_dim": 24}
CONFIGS = {
    "bert": transformers.BertConfig(**SMALL),
    "roberta": transformers.RobertaConfig(**SMALL),
    "xlm-roberta": transformers.XLMRobertaConfig(**SMALL),
    "distilbert": transformers.DistilBertConfig(**DISTIL),
    "electra": transformers.ElectraConfig(**SMALL, embedding_size=8),
    "albert": transformers.AlbertConfig(**SMALL, embedding_size=8),
    "mpnet": transformers.MPNetConfig(**SMALL),
    "deberta-v2": transformers.DebertaV2Config(**SMALL),
}


@pytest.fixture(scope="module", params=CONFIGS)
def cut_network(request: pytest.FixtureRequest) -> Traced:
    return of_transformers(CONFIGS[request.param])


def test_every_parameter_and_buffer_lies_in_exactly_one_block(cut_network: Traced) -> None:
    for kind, own in (("parameters", "named_parameters"), ("buffers", "named_buffers")):
        lying = Counter(name for block in cut_network.blocks for name in getattr(block, kind))
        assert lying == Counter(name for name, _ in getattr(cut_network.network, own)())


def test_blocks_are_the_layers_in_the_order_of_their_calls(cut_network: Traced) -> None:
    # ALBERT calls one layer over and over: it can be trained or not, but not in part.
    layers = 1 if cut_network.network.config.model_type == "albert" else LAYERS
    assert depth(cut_network.blocks) == layers
    calls = cut_network.first_calls()
    assert calls == sorted(calls)


def test_the_embeddings_are_the_stem(cut_network: Traced) -> None:
    stem = cut_network.blocks[0]
    words = [name for name in stem.parameters if "word_embeddings" in name]
    assert len(words) == 1
    assert not any(".layer." in name for name in stem.parameters)


def test_the_head_is_all_that_lies_outside_the_backbone(cut_network: Traced) -> None:
    backbone = f"{cut_network.network.base_model_prefix}."
    outside = {name for name, _ in cut_network.network.named_parameters() if not name.startswith(backbone)}
    assert set(cut_network.blocks[-1].parameters) == outside
    assert outside


@pytest.mark.parametrize("name", ["bert", "albert"])
def test_the_pooler_belongs_to_the_last_block(name: str) -> None:
    last = of_transformers(CONFIGS[name]).blocks[-2]
    assert f"{name}.pooler.weight" in last.parameters or f"{name}.pooler.dense.weight" in last.parameters


def test_position_numbers_are_buffers_of_the_stem() -> None:
    assert "bert.embeddings.position_ids" in of_transformers(CONFIGS["bert"]).blocks[0].buffers

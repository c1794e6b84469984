"""Networks that store more than one tensor at a boundary train from the cache as they train without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support import tiny_bert, tiny_trials
from tests.trainables.activations.test_cached_training import SHARED, same_weights, told, trained, uncached
from trainables.activations.key import structure
from trainables.activations.prefix import recipe_of
from trainables.config import DataConfig, TrialConfig
from trainables.network.blocks import depth
from trainables.run import build

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.usefixtures("reading_is_free")]

TINY = {"vocab_size": len(tiny_bert.VOCABULARY), "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
ENCODER = TINY | {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}
RELATIVE = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8}
NETWORKS: dict[str, dict[str, Any]] = {
    "mpnet": ENCODER,
    "deberta-v2": ENCODER | RELATIVE | {"norm_rel_ebd": "layer_norm", "share_att_key": True},
    "t5": TINY | {"d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0},
    "bart": TINY
    | {
        "d_model": 16,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
        "decoder_start_token_id": 2,
        "max_position_embeddings": 64,
    },
}
# Cut within a dense block, whose layers each read what all before them gave.
DENSE = """

def dense():
    import torchvision

    network = torchvision.models.DenseNet(8, (2, 3), 16, num_classes=10)
    network.preprocessing = {"image_size": 32}
    layers = ["features.denseblock2.denselayer1", "features.denseblock2.denselayer2"]
    return network, ["features.denseblock1", *layers, ["features.denseblock2.denselayer3", "features.norm5"]]
"""
SEVERAL = {("t5", 1), ("bart", 1), ("dense", 1), ("dense", 2)}  # what is stored, beside what is computed anew


def texts(path: Path, name: str) -> TrialConfig:
    """Return a trial on a tiny network of the kind ``name`` with random weights that the trials share."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = tiny_trials.texts(path)
    torch.manual_seed(0)
    network = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(name, **NETWORKS[name]))
    network.save_pretrained(path / name)
    tiny_bert.save_tokenizer(path / name)
    return config.model_copy(update={"model": f"transformers:{path / name}"})


def trial(path: Path, name: str, unfrozen: int) -> TrialConfig:
    strategy = SHARED | {"freezing": "top", "unfrozen_depth": unfrozen}
    if name in NETWORKS:
        return texts(path, name).model_copy(update={"epochs": 3, "strategy": strategy})
    config = tiny_trials.images(path, DENSE, counts=(64, 18, 12), epochs=3, strategy=strategy)
    if name == "dense":
        return tiny_trials.of_function(config.model_copy(update={"weights": "none"}), name)
    data = DataConfig(**(config.data.model_dump() | {"image_size": 32}))
    return config.model_copy(update={"model": f"torchvision:{name}", "weights": "none", "data": data})


@pytest.mark.parametrize("unfrozen", [1, 2], ids=["1 block", "2 blocks"])
@pytest.mark.parametrize("name", [*NETWORKS, "dense", "densenet121"])
def test_a_cached_training_equals_the_uncached_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, unfrozen: int
) -> None:
    config = trial(tmp_path, name, unfrozen)
    run = build(config)
    index = depth(run.blocks) + 1 - unfrozen
    stored = recipe_of(run, index, structure(run)).boundary.stored
    assert len(stored) > 1 or (name, unfrozen) not in SEVERAL
    plain, expected = uncached(config, monkeypatch)
    for state in ("built", "hit"):
        again, epochs = trained(config)
        assert epochs[0].caching.cache == state, epochs[0].caching.cache_reason
        assert told(epochs) == told(expected)
        assert same_weights(again, plain)

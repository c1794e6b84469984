"""Every architecture that thawline is held to: torchvision's classification networks, and transformers' families.

Random weights; the transformers networks are tiny. A literal table: name -> how it is built, what it is fed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import torchvision.models as zoo
import transformers
from torch import nn

from trainables.models import vision
from trainables.models.text import head_of
from trainables.network.blocks import Block, cut
from trainables.network.call_order import call_order

Batch = Any
CLASSES = 3


@dataclass(frozen=True)
class Built:
    """A network with what is needed to call it and to cut it."""

    network: nn.Module
    head: tuple[str, ...]
    forward: Callable[[nn.Module, Batch], torch.Tensor]  # logits, or the last hidden state of a network without a head
    batch: Callable[[int, int], Batch]  # (count, size or length) -> random inputs
    sizes: tuple[int, int, int]  # of an image or a text: two for planning, a third for checking
    varies: bool = False  # whether texts of several lengths are fed; images have one size in a study

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The network's blocks."""
        sample = self.batch(2, self.sizes[0])
        return cut(self.network, self.head, call_order(self.network, lambda net: self.forward(net, sample)))


@dataclass(frozen=True)
class Family:
    """A transformers architecture: its configuration's class, the class of the network, and tiny sizes."""

    config: str
    network: str
    feed: str
    sizes: Mapping[str, Any]


TEXT: Mapping[str, Any] = {
    "vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2,
    "intermediate_size": 32, "max_position_embeddings": 64, "pad_token_id": 0,
}  # fmt: skip
DECODER: Mapping[str, Any] = {**TEXT, "num_key_value_heads": 2, "head_dim": 8, "bos_token_id": 1, "eos_token_id": 2}
PAIR: Mapping[str, Any] = {
    "vocab_size": 64, "d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 64,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1, "forced_eos_token_id": 2,
}  # fmt: skip
PATCHES: Mapping[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32,
    "image_size": 32, "patch_size": 8,
}  # fmt: skip
STAGES: Mapping[str, Any] = {"depths": [1, 2, 1], "hidden_sizes": [8, 16, 16], "num_stages": 3}
SPEECH: Mapping[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32,
    "conv_dim": (16, 16), "conv_stride": (5, 4), "conv_kernel": (10, 8), "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "classifier_proj_size": 8,
    "mask_time_prob": 0.0,
}  # fmt: skip

FAMILIES: dict[str, Family] = {
    "bert": Family("BertConfig", "BertForSequenceClassification", "text", TEXT),
    "roberta": Family("RobertaConfig", "RobertaForSequenceClassification", "text", TEXT),
    "distilbert": Family(
        "DistilBertConfig", "DistilBertForSequenceClassification", "text",
        {"vocab_size": 64, "dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 64},
    ),
    "albert": Family("AlbertConfig", "AlbertForSequenceClassification", "text", {**TEXT, "embedding_size": 8}),
    "electra": Family("ElectraConfig", "ElectraForSequenceClassification", "text", {**TEXT, "embedding_size": 8}),
    "deberta-v2": Family(
        "DebertaV2Config", "DebertaV2ForSequenceClassification", "text",
        {**TEXT, "relative_attention": True, "position_buckets": 8, "pos_att_type": ["p2c", "c2p"],
         "norm_rel_ebd": "layer_norm", "share_att_key": True, "pooler_hidden_size": 16},
    ),
    "deberta": Family(
        "DebertaConfig", "DebertaForSequenceClassification", "text",
        {**TEXT, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "pooler_hidden_size": 16},
    ),
    "mpnet": Family("MPNetConfig", "MPNetForSequenceClassification", "text", TEXT),
    "mobilebert": Family(
        "MobileBertConfig", "MobileBertForSequenceClassification", "text",
        {**TEXT, "embedding_size": 16, "intra_bottleneck_size": 8, "hidden_size": 16, "true_hidden_size": 8},
    ),
    "modernbert": Family(
        "ModernBertConfig", "ModernBertForSequenceClassification", "text",
        {**TEXT, "cls_token_id": 1, "sep_token_id": 2, "bos_token_id": 1, "eos_token_id": 2},
    ),
    "xlm-roberta": Family("XLMRobertaConfig", "XLMRobertaForSequenceClassification", "text", TEXT),
    "camembert": Family("CamembertConfig", "CamembertForSequenceClassification", "text", TEXT),
    "convbert": Family("ConvBertConfig", "ConvBertForSequenceClassification", "text", {**TEXT, "embedding_size": 16}),
    "funnel": Family(
        "FunnelConfig", "FunnelForSequenceClassification", "text",
        {"vocab_size": 64, "d_model": 16, "block_sizes": [1, 1], "n_head": 2, "d_head": 8, "d_inner": 32,
         "num_decoder_layers": 1},
    ),
    "gpt2": Family(
        "GPT2Config", "GPT2ForSequenceClassification", "text",
        {"vocab_size": 64, "n_embd": 16, "n_layer": 3, "n_head": 2, "n_positions": 64, "pad_token_id": 0},
    ),
    "gpt-neox": Family("GPTNeoXConfig", "GPTNeoXForSequenceClassification", "text", TEXT),
    "opt": Family(
        "OPTConfig", "OPTForSequenceClassification", "text",
        {**TEXT, "ffn_dim": 32, "word_embed_proj_dim": 16},
    ),
    "llama": Family("LlamaConfig", "LlamaForSequenceClassification", "text", DECODER),
    "qwen2": Family("Qwen2Config", "Qwen2ForSequenceClassification", "text", DECODER),
    "qwen3": Family("Qwen3Config", "Qwen3ForSequenceClassification", "text", DECODER),
    "gemma": Family("GemmaConfig", "GemmaForSequenceClassification", "text", DECODER),
    "mistral": Family("MistralConfig", "MistralForSequenceClassification", "text", DECODER),
    "t5": Family(
        "T5Config", "T5ForSequenceClassification", "text",
        {"vocab_size": 64, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2,
         "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 2},
    ),
    "bart": Family("BartConfig", "BartForSequenceClassification", "text", PAIR),
    "mbart": Family("MBartConfig", "MBartForSequenceClassification", "text", PAIR),
    "marian": Family("MarianConfig", "MarianMTModel", "translation", PAIR),
    "pegasus": Family("PegasusConfig", "PegasusForConditionalGeneration", "translation", PAIR),
    "vit": Family("ViTConfig", "ViTForImageClassification", "image", PATCHES),
    "deit": Family("DeiTConfig", "DeiTForImageClassification", "image", PATCHES),
    "beit": Family("BeitConfig", "BeitForImageClassification", "image", PATCHES),
    "dinov2": Family("Dinov2Config", "Dinov2ForImageClassification", "image", PATCHES),
    "swin": Family(
        "SwinConfig", "SwinForImageClassification", "image",
        {"image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1, 2], "num_heads": [2, 2], "window_size": 4},
    ),
    "swinv2": Family(
        "Swinv2Config", "Swinv2ForImageClassification", "image",
        {"image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1, 2], "num_heads": [2, 2], "window_size": 4},
    ),
    "convnext": Family("ConvNextConfig", "ConvNextForImageClassification", "picture", STAGES),
    "convnextv2": Family("ConvNextV2Config", "ConvNextV2ForImageClassification", "picture", STAGES),
    "resnet": Family(
        "ResNetConfig", "ResNetForImageClassification", "picture",
        {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [2, 2], "layer_type": "basic"},
    ),
    "regnet": Family(
        "RegNetConfig", "RegNetForImageClassification", "picture",
        {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 2], "groups_width": 4},
    ),
    "mobilenet-v1": Family(
        "MobileNetV1Config", "MobileNetV1ForImageClassification", "picture", {"depth_multiplier": 0.25}
    ),
    "mobilenet-v2": Family(
        "MobileNetV2Config", "MobileNetV2ForImageClassification", "picture", {"depth_multiplier": 0.35}
    ),
    "mobilevit": Family(
        "MobileViTConfig", "MobileViTForImageClassification", "image",
        {"image_size": 64, "hidden_sizes": [16, 16, 16], "neck_hidden_sizes": [8, 8, 16, 16, 16, 16, 32],
         "num_attention_heads": 2},
    ),
    "efficientnet": Family(
        "EfficientNetConfig", "EfficientNetForImageClassification", "picture",
        {"width_coefficient": 0.25, "depth_coefficient": 0.5, "hidden_dim": 320},
    ),
    "segformer": Family(
        "SegformerConfig", "SegformerForImageClassification", "picture",
        {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 8, 16, 16], "num_attention_heads": [1, 1, 2, 2],
         "decoder_hidden_size": 8},
    ),
    "pvt": Family(
        "PvtConfig", "PvtForImageClassification", "image",
        {"image_size": 64, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1],
         "num_attention_heads": [1, 1, 2, 2]},
    ),
    "cvt": Family(
        "CvtConfig", "CvtForImageClassification", "picture",
        {"embed_dim": [8, 8, 16], "num_heads": [1, 1, 2], "depth": [1, 2, 3]},
    ),
    "poolformer": Family(
        "PoolFormerConfig", "PoolFormerForImageClassification", "picture",
        {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 8, 16, 16]},
    ),
    "wav2vec2": Family("Wav2Vec2Config", "Wav2Vec2ForSequenceClassification", "sound", SPEECH),
    "hubert": Family("HubertConfig", "HubertForSequenceClassification", "sound", SPEECH),
    "whisper": Family(
        "WhisperConfig", "WhisperForAudioClassification", "spectrogram",
        {**PAIR, "num_mel_bins": 8, "max_source_positions": 16, "classifier_proj_size": 8},
    ),
    "ast": Family(
        "ASTConfig", "ASTForAudioClassification", "frames",
        {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32,
         "max_length": 32, "num_mel_bins": 16, "patch_size": 8, "frequency_stride": 8, "time_stride": 8},
    ),
}  # fmt: skip


def names() -> list[str]:
    """Return every architecture's name, those of torchvision first."""
    return [f"torchvision:{name}" for name in zoo.list_models(module=zoo)] + [
        f"transformers:{name}" for name in FAMILIES
    ]


def build(name: str) -> Built:
    """Build an architecture with random weights."""
    library, _, architecture = name.partition(":")
    return _torchvision(architecture) if library == "torchvision" else _transformers(FAMILIES[architecture])


# The smallest images each network takes; a vision transformer is built for them.
IMAGE_SIZES = {"inception_v3": (96, 128, 112), "maxvit_t": (224, 224, 224)}


def _torchvision(name: str) -> Built:
    sizes = IMAGE_SIZES.get(name, (64, 96, 128))
    if name.startswith("vit_"):
        side = 56 if name == "vit_h_14" else 64
        sizes = (side, side, side)
    model = vision.build(name, weights="none", classes=CLASSES, image_size=sizes[0])
    return Built(model.network, model.head, _call, _images, sizes)


def _transformers(family: Family) -> Built:
    config = getattr(transformers, family.config)(**family.sizes, num_labels=CLASSES)
    network = getattr(transformers, family.network)(config)
    forward, batch, sizes = FEEDS[family.feed]
    side = int(getattr(config, "image_size", 0) or 0)
    if family.feed == "image":
        sizes = (side, side, side)
    return Built(network, head_of(network), forward, batch, sizes, varies=family.feed in ("text", "translation"))


def _call(network: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    out: torch.Tensor = network(batch)
    return out


def _logits(network: nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    out: torch.Tensor = network(**batch).logits
    return out


def _images(count: int, size: int) -> torch.Tensor:
    return torch.randn(count, 3, size, size)


def _pixels(count: int, size: int) -> Batch:
    return {"pixel_values": torch.randn(count, 3, size, size)}


def _tokens(count: int, length: int) -> Batch:
    ids = torch.randint(3, 64, (count, length))
    mask = torch.ones_like(ids)
    for row in range(1, count):  # of different lengths, padded on the right
        mask[row, length - min(row, length - 2) :] = 0
    ids = ids * mask
    ids[:, 0] = 1
    # The last token: encoder-decoders read the answer there, and each row must have one.
    ids[torch.arange(count), mask.sum(dim=1) - 1] = 2
    return {"input_ids": ids, "attention_mask": mask}


def _pairs(count: int, length: int) -> Batch:
    return {**_tokens(count, length), "decoder_input_ids": torch.randint(3, 64, (count, length))}


def _sound(count: int, length: int) -> Batch:
    return {"input_values": torch.randn(count, length)}


def _spectrogram(count: int, length: int) -> Batch:
    return {"input_features": torch.randn(count, 8, length)}


def _frames(count: int, length: int) -> Batch:
    return {"input_values": torch.randn(count, length, 16)}


Feed = tuple[Callable[[nn.Module, Batch], torch.Tensor], Callable[[int, int], Batch], tuple[int, int, int]]
FEEDS: dict[str, Feed] = {
    "text": (partial(_logits), _tokens, (6, 9, 12)),
    "translation": (_logits, _pairs, (6, 9, 12)),
    "image": (_logits, _pixels, (32, 32, 32)),
    "picture": (_logits, _pixels, (64, 96, 128)),
    "sound": (_logits, _sound, (400, 600, 800)),
    "spectrogram": (_logits, _spectrogram, (32, 32, 32)),
    "frames": (_logits, _frames, (32, 32, 32)),
}

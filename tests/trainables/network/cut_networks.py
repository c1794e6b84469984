"""Small random networks, cut into blocks, with two probe batches and a third of another size and length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torchvision.models as zoo
from torch import nn

from trainables.models.head import last_layer
from trainables.network.blocks import Block, cut
from trainables.network.call_order import call_order
from trainables.network.calls import Batch, Forward


@dataclass(frozen=True)
class Cut:
    network: nn.Module
    blocks: tuple[Block, ...]
    forward: Forward
    probes: tuple[Batch, Batch]
    third: Batch


def image_logits(network: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    return network(batch)


def text_logits(network: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return network(**batch).logits


def images(count: int, size: int = 64) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(count))


def texts(count: int, length: int) -> dict[str, torch.Tensor]:
    """Return padded token ids that end with 2 and their mask."""
    ids = torch.randint(3, 99, (count, length), generator=torch.Generator().manual_seed(count))
    mask = torch.ones_like(ids)
    for row in range(count):
        end = length - row * 2 % (length - 3)
        ids[row, end - 1], ids[row, end:], mask[row, end:] = 2, 1, 0
    return {"input_ids": ids, "attention_mask": mask}


def of_torchvision(name: str, **arguments: Any) -> Cut:
    torch.manual_seed(0)
    network = zoo.get_model(name, weights=None, num_classes=5, **arguments)
    order = call_order(network, lambda net: net(images(1)))
    head = last_layer(network, order)
    for weight in network.get_submodule(head).parameters():
        if not weight.any():  # vision transformers begin with a head of zeros, whose logits would agree with anything
            torch.nn.init.normal_(weight, std=0.02)
    blocks = cut(network, (head,), order)
    return Cut(network, blocks, image_logits, (images(2), images(3)), images(4))


def of_transformers(name: str, blocks: Callable[[nn.Module], Sequence[str]] | None = None, **arguments: Any) -> Cut:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    torch.manual_seed(0)
    tiny = {"vocab_size": 99, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 4, "num_labels": 3}
    tokens = {"intermediate_size": 32, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    config = AutoConfig.for_model(name, **{**tiny, **tokens, **arguments})
    network = AutoModelForSequenceClassification.from_config(config)
    probes, third = (texts(2, 7), texts(5, 12)), texts(3, 17)
    outside = [child for child, _ in network.named_children() if child != network.base_model_prefix]
    head = tuple(child for child in outside if list(network.get_submodule(child).parameters()))
    if blocks is not None:
        return Cut(network, by_hand(network, [*blocks(network), *head[:1]]), text_logits, probes, third)
    order = call_order(network, lambda net: text_logits(net, probes[0]))
    return Cut(network, cut(network, head, order), text_logits, probes, third)


def by_hand(network: nn.Module, owners: Sequence[str]) -> tuple[Block, ...]:
    """Return a block for each of the modules ``owners``, the last one as the head, and a stem for all the rest."""
    seen: set[str] = set()

    def block(index: int, owner: str) -> Block:
        modules = [name for name, _ in network.named_modules() if name == owner or name.startswith(f"{owner}.")]
        own = tuple(name for name, _ in network.named_parameters() if name.rpartition(".")[0] in modules)
        buffers = tuple(name for name, _ in network.named_buffers() if name.rpartition(".")[0] in modules)
        seen.update(own)
        kind = "head" if owner == owners[-1] else "block"
        return Block(index, owner, kind, own, buffers, tuple(modules), 0)

    blocks = [block(index, owner) for index, owner in enumerate(owners, start=1)]
    rest = tuple(name for name, _ in network.named_parameters() if name not in seen)
    return (Block(0, "stem", "stem", rest, (), (), 0), *blocks)


def stacks(network: nn.Module) -> list[str]:
    """Return the layers of an encoder and then of a decoder."""
    return [
        name
        for name, _ in network.named_modules()
        if name.rpartition(".")[0].endswith(("coder.block", "coder.layers", "coder.layer"))
    ]


BOTH_STACKS = {
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
}
RELATIVE = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "norm_rel_ebd": "layer_norm"}

FAST: dict[str, Callable[[], Cut]] = {
    "mobilenet_v2": lambda: of_torchvision("mobilenet_v2"),
    "squeezenet1_1": lambda: of_torchvision("squeezenet1_1"),
    "resnet18": lambda: of_torchvision("resnet18"),
    "bert": lambda: of_transformers("bert"),
    "roberta": lambda: of_transformers("roberta"),
    "distilbert": lambda: of_transformers("distilbert", dim=16, n_layers=3, n_heads=4, hidden_dim=32),
    "albert": lambda: of_transformers("albert", embedding_size=16),
    "mpnet": lambda: of_transformers("mpnet"),
    "deberta-v2": lambda: of_transformers("deberta-v2", stacks, position_buckets=8, share_att_key=True, **RELATIVE),
    "modernbert": lambda: of_transformers("modernbert", max_position_embeddings=64, local_attention=8),
    "xlnet": lambda: of_transformers("xlnet", d_model=16, n_layer=3, n_head=4, d_inner=32),
    "gpt2": lambda: of_transformers("gpt2", n_embd=16, n_layer=3, n_head=4),
    "llama": lambda: of_transformers("llama"),
    "mixtral": lambda: of_transformers("mixtral", num_key_value_heads=2, num_local_experts=4, num_experts_per_tok=2),
    "t5": lambda: of_transformers(
        "t5", stacks, d_model=16, d_kv=4, d_ff=32, num_layers=2, num_heads=4, decoder_start_token_id=1
    ),
    "bart": lambda: of_transformers("bart", stacks, **BOTH_STACKS),
}


def sound_logits(network: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    return network(input_values=batch).logits


def of_wav2vec2() -> Cut:
    """Return a network for sounds of one length, three layers behind its convolutions."""
    from transformers import AutoConfig, AutoModelForAudioClassification

    torch.manual_seed(0)
    tiny = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 32}
    convolutions = {"conv_dim": (8, 8, 8), "conv_stride": (5, 4, 2), "conv_kernel": (10, 8, 4)}
    positions = {"num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2, "num_labels": 3}
    config = AutoConfig.for_model("wav2vec2", **tiny, **convolutions, **positions)
    network = AutoModelForAudioClassification.from_config(config)
    sounds = [torch.randn(count, 1600, generator=torch.Generator().manual_seed(count)) for count in (2, 3, 4)]
    head = tuple(name for name, _ in network.named_children() if name != network.base_model_prefix)
    order = call_order(network, lambda net: sound_logits(net, sounds[0]))
    return Cut(network, cut(network, head, order), sound_logits, (sounds[0], sounds[1]), sounds[2])


SLOW: dict[str, Callable[[], Cut]] = {
    "densenet121": lambda: of_torchvision("densenet121"),
    "vgg11": lambda: of_torchvision("vgg11"),
    "vit_b_16": lambda: of_torchvision("vit_b_16", image_size=64),
    "convnext_tiny": lambda: of_torchvision("convnext_tiny"),
    "swin_t": lambda: of_torchvision("swin_t"),
    "googlenet": lambda: of_torchvision("googlenet", aux_logits=False, init_weights=False),
    "efficientnet_b0": lambda: of_torchvision("efficientnet_b0"),
    "regnet_y_400mf": lambda: of_torchvision("regnet_y_400mf"),
    "shufflenet_v2_x0_5": lambda: of_torchvision("shufflenet_v2_x0_5"),
    "mbart": lambda: of_transformers("mbart", stacks, **BOTH_STACKS),
    "electra": lambda: of_transformers("electra", embedding_size=16),
    "qwen2": lambda: of_transformers("qwen2", num_key_value_heads=2),
    "wav2vec2": of_wav2vec2,
}

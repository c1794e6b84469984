"""Classification networks of torchvision."""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
import torchvision.models as zoo
from torch import nn
from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings

from spaces.check import did_you_mean
from spaces.errors import BadInput
from trainables.data.images import Preprocessing
from trainables.models.head import last_layer, replace_layer
from trainables.models.model import Model, State, load_state, read_state
from trainables.network.call_order import call_order

# Their auxiliary classifiers serve training from scratch on ImageNet; fine-tuning goes without.
BUILT_WITH: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": True, "transform_input": True},
    "inception_v3": {"aux_logits": False, "init_weights": True, "transform_input": True},
}
AUXILIARY = r"^(AuxLogits|aux1|aux2)\."
# From so many pixels on, convolutions are faster with the channels of a pixel side by side (benchmarks: layout).
CHANNELS_LAST_FROM = 64


def build(name: str, *, weights: str, classes: int, image_size: int | None) -> Model:
    """Return the torchvision network ``name`` with a new head of ``classes`` outputs.

    ``weights`` is default (the library's own, downloaded), none (random) or a file.
    """
    known = zoo.list_models(module=zoo)
    if name not in known:
        raise BadInput.at("model", f"torchvision has no classification network {name!r}{did_you_mean(name, known)}")
    preprocessing = _preprocessing(name, image_size)
    try:
        network = zoo.get_model(name, weights=None, **_arguments(name, preprocessing.image_size))
        order = call_order(
            network, lambda net: net(torch.zeros(1, 3, preprocessing.image_size, preprocessing.image_size))
        )
    except (AssertionError, RuntimeError) as error:
        message = f"{name} cannot take images of {preprocessing.image_size} px: {error}"
        raise BadInput.at("data.image_size", f"{message}; leave data.image_size out to use the model's own") from None
    head = last_layer(network, order)
    dropped = _load(network, name, weights, head)
    replace_layer(network, head, classes)
    if preprocessing.image_size >= CHANNELS_LAST_FROM:
        network.to(memory_format=torch.channels_last)
    return Model(network, head=(head,), dropped=dropped, preprocessing=preprocessing)


def _arguments(name: str, image_size: int) -> dict[str, Any]:
    """Return the constructor's arguments; a vision transformer is built for one image size."""
    return {"image_size": image_size} if name.startswith("vit_") else BUILT_WITH.get(name, {})


def _resized(network: nn.Module, state: State) -> State:
    """Return ``state`` with a vision transformer's positions interpolated to the network's image size."""
    if not isinstance(network, VisionTransformer) or "encoder.pos_embedding" not in state:
        return state
    resized: State = interpolate_embeddings(network.image_size, network.patch_size, OrderedDict(state))
    return resized


def _load(network: nn.Module, name: str, weights: str, head: str) -> tuple[str, ...]:
    """Load a whole state dictionary but for the head and auxiliary classifiers; return the names left out."""
    if weights == "none":
        return ()
    if weights == "default":
        chosen = zoo.get_model_weights(name).DEFAULT
        try:
            state = chosen.get_state_dict(check_hash=True)
        except OSError as error:
            message = f"the default weights of {name} could not be downloaded ({error})"
            raise BadInput.at("weights", f"{message}; name a .safetensors or .pth file") from None
        source = f"torchvision's {chosen}"
    else:
        state, source = read_state(Path(weights)), weights
    left_out = rf"{AUXILIARY}|^{re.escape(head)}\."
    load_state(network, _resized(network, state), source=source, ignore=left_out)
    return tuple(tensor for tensor in state if re.search(left_out, tensor))


def _preprocessing(name: str, image_size: int | None) -> Preprocessing:
    """Return the preprocessing the default weights were trained with, scaled to ``image_size``."""
    own = zoo.get_model_weights(name).DEFAULT.transforms()
    trained_with = Preprocessing(
        image_size=own.crop_size[0],
        resize=own.resize_size[0],
        mean=tuple(own.mean),
        std=tuple(own.std),
        interpolation=own.interpolation.value,
    )
    return trained_with.at(image_size)

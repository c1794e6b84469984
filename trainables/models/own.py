"""A user's own network: ``module:function`` returns an nn.Module."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spaces.errors import BadInput
from trainables.data.images import Preprocessing
from trainables.models.head import last_layer, replace_layer
from trainables.models.model import Model, load_state, read_state
from trainables.network import declared
from trainables.network.call_order import call_order
from trainables.network.declared import Declared
from trainables.user_code import user_function

DEFAULT_SIZE = 224


def build(spec: str, *, weights: str, classes: int, image_size: int | None, code_path: str | None) -> Model:
    """Return the network that ``module:function`` builds, with a new last layer of ``classes`` outputs.

    The function may take ``pretrained: bool``; with False it must return random weights. Beside the
    network it may return its blocks from input to output (``network, ["conv1", "layer1", …]``), where
    the structural rule should not find them. The network may carry ``preprocessing``, a mapping with
    image_size, resize, mean and std.
    """
    network, blocks = _call(user_function(spec, code_path, place="model"), spec, pretrained=weights == "default")
    if weights not in ("default", "none"):
        load_state(network, read_state(Path(weights)), source=weights)
    preprocessing = _preprocessing(network, image_size)
    size = preprocessing.image_size
    try:
        order = call_order(network, lambda net: net(torch.zeros(1, 3, size, size)))
    except Exception as error:
        message = f"{spec} failed on an image batch of shape (1, 3, {size}, {size}): {type(error).__name__}: {error}"
        raise BadInput.at("model", message) from error
    head = last_layer(network, order)
    replace_layer(network, head, classes)
    return Model(network, head=(head,), preprocessing=preprocessing, blocks=blocks)


def _call(function: Any, spec: str, *, pretrained: bool) -> tuple[nn.Module, Declared]:
    takes = "pretrained" in inspect.signature(function).parameters
    try:
        made = function(pretrained=pretrained) if takes else function()
    except Exception as error:
        raise BadInput.at("model", f"{spec} failed with {type(error).__name__}: {error}") from error
    network, *blocks = made if isinstance(made, tuple) and len(made) == 2 else (made,)
    if not isinstance(network, nn.Module):
        message = f"{spec} must return an nn.Module, or one and its blocks, got {type(network).__name__}"
        raise BadInput.at("model", message)
    return network, declared.read(blocks[0]) if blocks else ()


def _preprocessing(network: nn.Module, image_size: int | None) -> Preprocessing:
    given = getattr(network, "preprocessing", {})
    if not isinstance(given, Mapping):
        raise BadInput.at("model", f"the network's preprocessing must be a mapping, got {type(given).__name__}")
    own = {"image_size": DEFAULT_SIZE, "mean": (0.5,) * 3, "std": (0.5,) * 3} | dict(given)
    try:
        return Preprocessing.from_json({"resize": own["image_size"]} | own).at(image_size)
    except (TypeError, ValueError) as error:
        raise BadInput.at("model", f"the network's preprocessing cannot be used: {error}") from error

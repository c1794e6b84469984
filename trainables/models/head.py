"""Replace a network's last layer by a new one for the task's classes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from spaces.errors import BadInput


def last_layer(network: nn.Module, order: Mapping[str, int]) -> str:
    """Return the name of the linear or convolutional layer that is called last.

    Raises:
        BadInput: the network calls no such layer.
    """
    layers = [name for name in order if isinstance(network.get_submodule(name), nn.Linear | nn.Conv2d)]
    if not layers:
        raise BadInput.at("model", "has no linear or convolutional layer that a task head could replace")
    return max(layers, key=lambda name: order[name])


def replace_layer(network: nn.Module, name: str, classes: int) -> None:
    """Put a freshly initialised layer with ``classes`` outputs in the place of ``name``."""
    old = network.get_submodule(name)
    match old:
        case nn.Linear():
            new: nn.Module = nn.Linear(old.in_features, classes, bias=old.bias is not None)
        case nn.Conv2d():
            size, stride = old.kernel_size, old.stride
            new = nn.Conv2d(old.in_channels, classes, size, stride, old.padding, bias=old.bias is not None)  # type: ignore[arg-type]
        case _:
            raise BadInput.at(
                "model", f"the layer {name} is a {type(old).__name__}, not a linear layer or a convolution"
            )
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, new)

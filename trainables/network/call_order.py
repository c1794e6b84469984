"""In which order a network calls its modules. Found by one forward call, which changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


def call_order(network: nn.Module, forward: Callable[[nn.Module], object]) -> dict[str, int]:
    """Return module name -> position of its first call, in the eval-mode call made by ``forward``.

    Modules that are never called are left out.
    """
    order: dict[str, int] = {}
    names = {module: name for name, module in network.named_modules()}

    def note(module: nn.Module, _arguments: object) -> None:
        order.setdefault(names[module], len(order))

    handles = [module.register_forward_pre_hook(note) for module in names]
    modes = {module: module.training for module in names}
    try:
        network.eval()
        with torch.no_grad():
            forward(network)
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes.items():
            module.training = mode
    return order

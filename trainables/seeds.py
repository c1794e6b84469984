"""Seed every source of randomness a trial uses, and put each back to where it was."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch on every device."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_states() -> dict[str, Any]:
    """Return where Python's, NumPy's and torch's numbers on the CPU stand, as tensors and plain values."""
    kind, keys, *rest = np.random.get_state(legacy=True)
    _, words, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "python": (list(words), gauss),
        "numpy": (str(kind), torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest),
    }


def set_random_states(states: dict[str, Any]) -> None:
    """Go on from what `random_states` returned."""
    torch.set_rng_state(states["torch"].cpu())
    words, gauss = states["python"]
    random.setstate((random.getstate()[0], tuple(words), gauss))
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, keys.cpu().numpy().astype(np.uint32), *rest))


@contextmanager
def nothing_drawn(device: torch.device) -> Iterator[None]:
    """Give Python, NumPy, and torch on the CPU and on ``device`` their random states back afterwards."""
    before = random_states()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            set_random_states(before)

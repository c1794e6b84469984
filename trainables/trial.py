"""One trial as Ray Tune sees it. With `team_trial`, the only file of this floor that knows Ray."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import ray
import torch
from ray import tune

from trainables import devices
from trainables.config import TrialConfig
from trainables.micro_batch import step_bytes
from trainables.order import Order, Result, measure_test, results


class StrategyTrial(tune.Trainable):
    """Trains one strategy, an epoch a step, in a worker that goes on to the next trial when it is done."""

    def setup(self, config: dict[str, Any]) -> None:
        """Take the order; the network is built with the first step, where an error belongs to the trial."""
        self._results: Iterator[Result] = results(Order.read(config), assigned())

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Forget the finished trial and take the next order."""
        self._results = iter(())
        forget()
        self.setup(new_config)
        return True

    def step(self) -> Result:
        """Train one epoch."""
        return next(self._results) | {"should_checkpoint": False}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Keep nothing: Tune's own checkpoints are not used."""

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Load nothing, as nothing was kept."""


def open_test(orders: list[dict[str, Any]]) -> list[float]:
    """Measure kept trials on the test split, once the decision is written down; one score an order.

    Predictions are written beside each trial's weights.
    """
    device = assigned()
    return [measure_test(order, device) for order in map(Order.read, orders)]


def step_on_gpu(config: dict[str, Any]) -> tuple[int | None, int]:
    """Return the bytes of a GPU that a step of a trial takes, None where it does not fit, and those it could take.

    Raises:
        RuntimeError: Ray assigned a GPU that torch does not see.
    """
    device = assigned()
    if device.type == "cpu":
        raise RuntimeError("torch sees no GPU where Ray has one")
    return step_bytes(TrialConfig(**config), device), devices.usable_memory(device)


def assigned() -> torch.device:
    """Return where this worker computes; of a GPU that it shares it takes no more memory than its part."""
    share = gpus()
    device = devices.choose(share)
    devices.cap_memory(device, share)
    return device


def gpus() -> float:
    """Return how many GPUs Ray assigned to this worker, or which part of one: `ray.get_gpu_ids` only counts them."""
    return float(ray.get_runtime_context().get_assigned_resources().get("GPU", 0.0))


def forget() -> None:
    """Give back the memory of a trial that nothing refers to any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

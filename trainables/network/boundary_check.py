"""Hold a boundary's plan against the whole forward: a plan is not believed, it is tried."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from trainables.network.boundary_search import Setting, Unplannable
from trainables.network.calls import Batch
from trainables.network.nested import rebuild
from trainables.network.placeholders import noise
from trainables.network.recording import Boundary, Stored, capture, record, replay, replay_with

ROWS_TOLERANCE = 1e-4  # of the largest value: kernels for another batch size round differently


def check(setting: Setting, boundary: Boundary) -> None:
    """Replay both probes, with NaN and with noise, and record parts of a batch.

    Raises:
        Unplannable: a result differs, or a sample's record depends on the others of its batch.
    """
    for probe, batch in enumerate(setting.probes):
        stored = record(setting.network, boundary, setting.forward, batch)
        if not setting.same(replay(setting.network, boundary, setting.forward, batch, stored), probe):
            raise Unplannable("The result from stored values differs from the whole forward's.")
    for seed in (0, 1):
        stored = record(setting.network, boundary, setting.forward, setting.probes[0])
        result = replay_with(setting.network, boundary, setting.forward, setting.probes[0], stored, noise(seed))
        if not setting.same(result):
            raise Unplannable("The network's way depends on values computed before this block, not only its numbers.")
    _check_rows(setting, boundary)


def check_gradients(setting: Setting, boundary: Boundary, trainable: Collection[str]) -> None:
    """Make sure that no stored tensor depends on a parameter that trains.

    Raises:
        Unplannable: one does; a stored value would grow stale, and its gradient would be lost.
    """
    parameters = {name: parameter for name, parameter in setting.network.named_parameters() if name in trainable}
    with _only_trainable(setting.network, set(parameters)), torch.enable_grad():
        stored = capture(setting.network, boundary.call, boundary.stored, setting.forward, setting.probes[0])
        for key, leaf in stored.items():
            if leaf.requires_grad:
                gradients = torch.autograd.grad(leaf.sum(), list(parameters.values()), allow_unused=True)
                feeding = [name for name, gradient in zip(parameters, gradients, strict=True) if gradient is not None]
                named = ", ".join(feeding[:3]) or "a parameter that trains"
                raise Unplannable(f"{named} trains, and what would be stored ({key}) is computed with it.")


def _check_rows(setting: Setting, boundary: Boundary) -> None:
    """Record the first sample alone and the others together: a cache mixes the samples anew."""
    batch = setting.probes[0]
    together = record(setting.network, boundary, setting.forward, batch)
    size = next(iter(together.values())).shape[0]
    for rows in (slice(0, 1), slice(1, size)):
        alone = record(setting.network, boundary, setting.forward, _rows(batch, rows, size))
        if not _equal(alone, {key: leaf[rows] for key, leaf in together.items()}):
            raise Unplannable("What would be stored of a sample depends on the other samples of its batch.")


def _rows(batch: Batch, rows: slice, size: int) -> Batch:
    def chosen(_: str, leaf: Any) -> Any:
        return leaf[rows] if isinstance(leaf, torch.Tensor) and leaf.dim() and leaf.shape[0] == size else leaf

    return rebuild(batch, chosen)


def _equal(one: Stored, other: Stored) -> bool:
    for key, leaf in one.items():
        if leaf.shape != other[key].shape:
            return False
        if not leaf.numel():
            continue
        bound = ROWS_TOLERANCE * float(other[key].float().abs().max())
        if not float((leaf.float() - other[key].float()).abs().max()) <= bound:
            return False
    return True


@contextmanager
def _only_trainable(network: nn.Module, names: Collection[str]) -> Iterator[None]:
    before = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    try:
        for name, parameter in network.named_parameters():
            if parameter.is_floating_point():
                parameter.requires_grad_(name in names)
        yield
    finally:
        for parameter, earlier in before:
            parameter.requires_grad_(earlier)

"""A task is a frozen record of functions; adding one is one file and one row of `catalogue`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import nn

from trainables.config import DataConfig
from trainables.data.source import Examples, Modality
from trainables.data.views import View
from trainables.models.model import Model

Batch = Any  # whatever the task's forward takes


class Inputs(Protocol):
    """One split's inputs, ready to be taken batch by batch."""

    @property
    def fingerprint(self) -> str:
        """A hash of all that the batches are made from."""

    @property
    def lengths(self) -> torch.Tensor | None:
        """The tokens of each text, int64, shape (n,); None for images."""

    @property
    def padding_side(self) -> Literal["right", "left"]:
        """Where a batch's shorter texts are padded."""

    def batch(self, indices: torch.Tensor, device: torch.device) -> Batch:
        """Return the inputs at ``indices`` (int64, shape (b,)) on ``device``."""

    def blank(self, indices: torch.Tensor, device: torch.device) -> Batch:
        """Return the same batch without its floating values: what is read where these are stored already."""


@dataclass(frozen=True)
class Task:
    """What differs between kinds of data."""

    name: str
    modality: Modality
    inputs: Callable[[Examples, Model, DataConfig], Inputs]
    sample: Callable[[Model], Batch]  # a tiny batch, to trace a forward call
    probes: Callable[[Model], tuple[Batch, Batch]]  # two, of another size and length each, to plan a boundary
    forward: Callable[[nn.Module, Batch], torch.Tensor]  # logits, shape (b, classes)
    viewed: Callable[[Inputs, View], Inputs] | None = None  # the same samples augmented; None where they cannot be

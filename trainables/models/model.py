"""What every source of networks returns, and how a state dictionary is read and held against a network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from spaces.errors import BadInput
from trainables.data.images import Preprocessing
from trainables.network.declared import Declared

State = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Model:
    """A pretrained network with the task's new head."""

    network: nn.Module
    head: tuple[str, ...]  # the modules that belong to the task
    dropped: tuple[str, ...] = ()  # pretrained tensors the new head replaced
    preprocessing: Preprocessing | None = None  # images
    tokenizer: Any = field(default=None, compare=False)  # texts
    blocks: Declared = ()  # where its author declares them; else the structural rule finds them


def read_state(path: Path) -> State:
    """Read a ``.safetensors`` or ``.pth`` file of plain tensors; anything else is refused.

    Raises:
        BadInput: the file cannot be read, or holds more than a dictionary of tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, EOFError, ValueError) as error:
        raise BadInput.at("weights", f"cannot read {path}: {_first_line(error)}") from None
    except Exception as error:
        message = f"{path} is no plain dictionary of tensors, and unpickling anything else would run its code"
        raise BadInput.at("weights", f"{message} ({_first_line(error)}); save model.state_dict() instead") from None
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise BadInput.at("weights", f"{path} must hold a dictionary of tensors; save model.state_dict()")
    return state


def load_state(network: nn.Module, state: State, *, source: str, ignore: str = r"$^") -> None:
    """Load ``state`` strictly, but for the keys that match ``ignore`` on either side.

    Raises:
        BadInput: keys or shapes differ; names the first of each kind.
    """
    own = network.state_dict()
    wanted = {name for name in own if not re.search(ignore, name)}
    given = {name for name in state if not re.search(ignore, name)}
    # num_batches_tracked is younger than many weight files, and nothing reads it at inference.
    missing = sorted(name for name in wanted - given if not name.endswith("num_batches_tracked"))
    unexpected = sorted(name for name in given - wanted if not name.endswith("num_batches_tracked"))
    shapes = sorted(name for name in wanted & given if own[name].shape != state[name].shape)
    if missing or unexpected or shapes:
        told = [_some("missing", missing), _some("unexpected", unexpected)]
        if shapes:
            first = shapes[0]
            expected, got = tuple(own[first].shape), tuple(state[first].shape)
            told.append(f"{len(shapes)} of another shape (first: {first} must be {expected}, got {got})")
        message = f"{source} does not fit the network: {'; '.join(part for part in told if part)}"
        raise BadInput.at("weights", f"{message}. Name the architecture these weights belong to as the model")
    network.load_state_dict({name: state[name] for name in given & wanted}, strict=False)


def _some(what: str, names: Sequence[str]) -> str:
    return f"{len(names)} {what} (first: {', '.join(names[:2])})" if names else ""


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

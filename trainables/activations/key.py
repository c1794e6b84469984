"""What a recording depends on, as one hash: the same key, the same numbers."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import xxhash
from torch import nn

from trainables.config import Split
from trainables.finetuning.certificate import digest
from trainables.network.blocks import Block
from trainables.network.recording import Boundary
from trainables.run import Part, Run

FORMAT = 2  # of the files, and of how they are recorded
LIBRARIES = ("torch", "torchvision", "transformers")


def structure(run: Run) -> str:
    """Return the hash of how the network computes, its weights apart: modules, settings, and code that is no library's.

    What it leaves out, the check of every trial's first batch is there for.
    """
    describe = getattr(getattr(run.network, "config", None), "to_json_string", str)  # transformers has one
    told = describe()
    return _hash([repr(run.network), told, *_own_code(run.network, run.config.code_path), *_versions()])


def key(run: Run, boundary: Boundary, split: Split, part: Part, *, shape: str, values: str) -> str:
    """Return the key of what ``boundary`` stores of ``split``.

    ``shape`` is the network's `structure`, ``values`` the hash of the `weights` before the boundary.
    """
    parts = {
        "format": FORMAT,
        "weights": values,
        "structure": shape,
        "boundary": repr(boundary),
        "split": split,
        "samples": _hash(part.ids),
        "inputs": part.inputs.fingerprint,
        "precision": [run.config.precision, run.device.type, run.config.activations],
    }
    return _hash([json.dumps(parts, sort_keys=True)])


def weights(network: nn.Module, blocks: Sequence[Block]) -> str:
    """Return the hash of every parameter and buffer of ``blocks``."""
    tensors: dict[str, torch.Tensor] = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    return digest((name, tensors[name]) for block in blocks for name in (*block.parameters, *block.buffers))


def _own_code(network: nn.Module, code_path: str | None) -> list[str]:
    """Return the sources of the network's classes that no library has, and of what was imported beside the study."""
    files: set[str] = set()
    for kind in {type(module) for module in network.modules()}:
        if kind.__module__.partition(".")[0] not in LIBRARIES:
            try:
                files.add(inspect.getfile(kind))
            except (OSError, TypeError):
                continue
    if code_path:
        files |= {file for file in map(_file_of, list(sys.modules.values())) if _is_within(file, code_path)}
    return [Path(file).read_text(encoding="utf-8", errors="replace") for file in sorted(files) if Path(file).is_file()]


def _file_of(module: Any) -> str:
    return str(getattr(module, "__dict__", {}).get("__file__") or "")  # getattr would load what imports lazily


def _is_within(file: str, folder: str) -> bool:
    return file.endswith(".py") and "site-packages" not in file and Path(file).is_relative_to(folder)


def _versions() -> list[str]:
    return [f"{name} {version(name)}" for name in LIBRARIES]


def _hash(texts: Iterable[str]) -> str:
    total = xxhash.xxh3_128()
    for text in texts:
        total.update(f"{len(text)}:{text}".encode("utf-8", "surrogatepass"))
    return total.hexdigest()

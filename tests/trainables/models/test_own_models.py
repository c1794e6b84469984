"""A user's own function returns a network; what it may not do is said with its name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
import torch

from spaces.errors import BadInput
from trainables.models import catalogue
from trainables.models.model import Model
from trainables.run import blocks_of
from trainables.tasks.catalogue import TASKS

NETWORK = """
class Net(nn.Module):
    {preprocessing}

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
        self.fc = nn.Linear(4, 10)

    def forward(self, x):
        return self.fc(self.second(self.first(x)).mean((2, 3)))
"""
SMALL = "preprocessing = {'image_size': 16}"
PRETRAINED = """
def build(pretrained: bool):
    network = Net()
    if pretrained:
        for parameter in network.parameters():
            nn.init.constant_(parameter, 0.5)
    return network
"""
ALWAYS_THE_SAME = """
def build():
    torch.manual_seed(0)
    return Net()
"""
Build = Callable[..., Model]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Return a function that writes a module and builds the network of its function ``build``."""
    monkeypatch.setattr(sys, "path", [*sys.path])

    def from_module(
        body: str,
        *,
        preprocessing: str = SMALL,
        weights: str = "default",
        size: int | None = None,
        function: str = "build",
    ) -> Model:
        name = f"own_{uuid4().hex}"
        text = "import torch\nfrom torch import nn\n" + NETWORK.format(preprocessing=preprocessing) + body
        (tmp_path / f"{name}.py").write_text(text)
        return catalogue.build(
            f"{name}:{function}", weights=weights, modality="image", classes=3, image_size=size, code_path=str(tmp_path)
        )

    return from_module


def told(build: Build, body: str, **options) -> str:
    with pytest.raises(BadInput) as caught:
        build(body, **options)
    (problem,) = caught.value.problems
    assert problem.place == "model"
    return problem.message


def test_a_function_that_takes_pretrained_is_asked_for_both(build: Build) -> None:
    pretrained, random = build(PRETRAINED).network, build(PRETRAINED, weights="none").network
    assert (pretrained.first.weight == 0.5).all()
    assert not (random.first.weight == 0.5).any()


def test_a_function_without_pretrained_is_simply_called(build: Build) -> None:
    one, other = build(ALWAYS_THE_SAME).network, build(ALWAYS_THE_SAME, weights="none").network
    assert torch.equal(one.first.weight, other.first.weight)


def test_the_layer_called_last_is_replaced(build: Build) -> None:
    model = build(PRETRAINED)
    assert model.head == ("fc",)
    assert model.network.fc.out_features == 3
    assert not (model.network.fc.weight == 0.5).any()


@pytest.mark.parametrize(
    ("preprocessing", "size", "expected"),
    [
        ("", None, (224, 224, (0.5, 0.5, 0.5))),
        (SMALL, None, (16, 16, (0.5, 0.5, 0.5))),
        (SMALL, 32, (32, 32, (0.5, 0.5, 0.5))),
        ("preprocessing = {'image_size': 16, 'resize': 20, 'mean': [0, 0, 1]}", None, (16, 20, (0, 0, 1))),
    ],
)
def test_the_network_may_say_how_images_are_prepared(build: Build, preprocessing: str, size, expected) -> None:
    own = build(PRETRAINED, preprocessing=preprocessing, size=size).preprocessing
    assert own is not None
    assert (own.image_size, own.resize, own.mean) == expected


def test_a_weights_file_goes_over_the_functions_own(build: Build, tmp_path: Path) -> None:
    state = {f"{layer}.{name}": torch.full(shape, 0.25) for layer, name, shape in (
        ("first", "weight", (4, 3, 3, 3)), ("first", "bias", (4,)),
        ("second", "weight", (4, 4, 3, 3)), ("second", "bias", (4,)),
        ("fc", "weight", (10, 4)), ("fc", "bias", (10,)),
    )}  # fmt: skip
    torch.save(state, tmp_path / "own.pth")
    network = build(PRETRAINED, weights=str(tmp_path / "own.pth")).network
    assert (network.first.weight == 0.25).all()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("def build():\n    return 3\n", "must return an nn.Module, or one and its blocks, got int"),
        ("def build():\n    return {'model': Net()}\n", "must return an nn.Module, or one and its blocks, got dict"),
        ("def build():\n    raise OSError('no weights here')\n", "failed with OSError: no weights here"),
        ("def built():\n    return Net()\n", "has no function 'build' (did you mean built?)"),
        ("build = 3\n", "has no function 'build'"),
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise AttributeError('while importing')\n", "AttributeError: while importing"),
        ("def build():\n    return nn.ReLU()\n", "has no linear or convolutional layer"),
        (
            "def build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(7, 2))\n",
            "failed on an image batch of shape (1, 3, 224, 224): RuntimeError",
        ),
    ],
)
def test_what_a_function_may_not_do(build: Build, body: str, expected: str) -> None:
    assert expected in told(build, body)


def test_a_function_may_declare_the_blocks_of_its_network(build: Build) -> None:
    model = build("def build():\n    return Net(), ['second']\n")
    assert model.blocks == (("second",),)
    blocks = blocks_of(model, TASKS["image-classification"])
    assert [block.parameters for block in blocks] == [
        ("first.weight", "first.bias"),
        ("second.weight", "second.bias"),
        ("fc.weight", "fc.bias"),
    ]


@pytest.mark.parametrize(
    ("preprocessing", "expected"),
    [
        ("preprocessing = 16", "the network's preprocessing must be a mapping, got int"),
        ("preprocessing = {'image_size': 16, 'resize': 8}", "resize must be at least image_size (16), got 8"),
        ("preprocessing = {'size': 16}", "unexpected keyword argument 'size'"),
    ],
)
def test_preprocessing_that_cannot_be_used_is_told(build: Build, preprocessing: str, expected: str) -> None:
    assert expected in told(build, PRETRAINED, preprocessing=preprocessing)


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(BadInput, match="model: cannot import 'no_such_module'"):
        catalogue.build("no_such_module:build", weights="none", modality="image", classes=2)

"""Torchvision's networks come with a new head, the preprocessing of their weights, and errors one can act on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision.models as zoo
from torch import nn

from spaces.errors import BadInput
from trainables.models import catalogue, vision
from trainables.models.model import Model
from trainables.models.vision import CHANNELS_LAST_FROM


def build(name: str, *, weights: str = "none", classes: int = 3, image_size: int | None = None) -> Model:
    return catalogue.build(
        f"torchvision:{name}", weights=weights, modality="image", classes=classes, image_size=image_size
    )


def refused(name: str, **options) -> str:
    with pytest.raises(BadInput) as caught:
        build(name, **options)
    return str(caught.value)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a squeezenet of 1000 classes, as torchvision's own weights are."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "squeezenet1_1.pth"
    torch.save(zoo.squeezenet1_1(weights=None).state_dict(), path)
    return path


@pytest.mark.parametrize(
    ("name", "head", "size"),
    [
        ("squeezenet1_1", "classifier.1", 64),
        ("resnet18", "fc", 32),
        ("mobilenet_v3_small", "classifier.3", 32),
        ("shufflenet_v2_x0_5", "fc", 32),
        ("googlenet", "fc", 64),
    ],
)
def test_the_last_layer_is_new_and_has_a_class_each(name: str, head: str, size: int) -> None:
    model = build(name, classes=5, image_size=size)
    assert model.head == (head,)
    assert model.dropped == ()  # random weights: nothing learned is lost
    model.network.eval()
    assert model.network(torch.zeros(2, 3, size, size)).shape == (2, 5)


def test_what_the_new_head_replaces_is_named_auxiliary_classifiers_included(saved: Path, tmp_path: Path) -> None:
    dropped = build("squeezenet1_1", weights=str(saved), classes=3, image_size=64).dropped
    assert set(dropped) == {"classifier.1.weight", "classifier.1.bias"}
    path = tmp_path / "googlenet.pth"
    torch.save(zoo.googlenet(weights=None, init_weights=False).state_dict(), path)
    dropped = build("googlenet", weights=str(path), classes=3, image_size=64).dropped
    assert {name.partition(".")[0] for name in dropped} == {"aux1", "aux2", "fc"}


def test_the_backbone_is_the_files_and_the_head_is_not(saved: Path) -> None:
    state = torch.load(saved, weights_only=True)
    own = build("squeezenet1_1", weights=str(saved), classes=1000, image_size=64).network.state_dict()
    same = {name for name in state if torch.equal(state[name], own[name])}
    assert set(state) - same == {"classifier.1.weight", "classifier.1.bias"}


def test_a_file_that_was_fine_tuned_for_other_classes_can_be_fine_tuned_again(saved: Path, tmp_path: Path) -> None:
    first = build("squeezenet1_1", weights=str(saved), classes=7, image_size=64)
    torch.save(first.network.state_dict(), tmp_path / "best.pth")
    second = build("squeezenet1_1", weights=str(tmp_path / "best.pth"), classes=2, image_size=64)
    assert torch.equal(second.network.features[0].weight, first.network.features[0].weight)
    assert second.network.classifier[1].out_channels == 2


def test_weights_of_another_architecture_name_what_does_not_fit(saved: Path) -> None:
    told = refused("squeezenet1_0", weights=str(saved))
    assert told.startswith(f"weights: {saved} does not fit the network: ")
    assert "12 missing (first: features." in told
    assert "of another shape (first: features.0.bias must be (96,), got (64,))" in told
    assert told.endswith("Name the architecture these weights belong to as the model")


def test_a_vision_transformer_refuses_weights_of_another_architecture(saved: Path) -> None:
    tiny = zoo.VisionTransformer(32, 16, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8)
    with pytest.raises(BadInput, match="does not fit the network: 30 missing"):
        vision._load(tiny, "vit_b_16", str(saved), "heads.head")


def test_positions_are_interpolated_to_the_image_size(tmp_path: Path) -> None:
    def transformer(size: int) -> nn.Module:
        return zoo.VisionTransformer(size, 16, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=8)

    small, large = transformer(32), transformer(48)
    torch.save(small.state_dict(), tmp_path / "small.pth")
    vision._load(large, "vit_b_16", str(tmp_path / "small.pth"), "heads.head")
    assert torch.equal(large.conv_proj.weight, small.conv_proj.weight)
    assert large.encoder.pos_embedding.shape == (1, 10, 8)
    corner = (small.encoder.pos_embedding[:, 1], large.encoder.pos_embedding[:, 1])
    assert torch.allclose(*corner)


def test_an_unknown_network_is_guessed() -> None:
    assert refused("resnet81") == "model: torchvision has no classification network 'resnet81' (did you mean resnet18?)"
    assert "did you mean" not in refused("a_network_of_nobody")


@pytest.mark.parametrize(("name", "size"), [("alexnet", 16), ("vit_b_16", 40)])
def test_an_image_size_the_network_cannot_take_is_told(name: str, size: int) -> None:
    told = refused(name, image_size=size)
    assert told.startswith(f"data.image_size: {name} cannot take images of {size} px: ")
    assert told.endswith("leave data.image_size out to use the model's own")


def test_the_preprocessing_is_that_of_the_weights_scaled_to_the_size() -> None:
    own = build("squeezenet1_1").preprocessing
    assert own is not None
    assert (own.image_size, own.resize, own.interpolation) == (224, 256, "bilinear")
    assert own.mean == (0.485, 0.456, 0.406)
    smaller = build("squeezenet1_1", image_size=112).preprocessing
    assert smaller is not None
    assert (smaller.image_size, smaller.resize) == (112, 128)


def test_a_network_for_images_is_refused_for_texts() -> None:
    with pytest.raises(BadInput, match="takes image data, the task needs a network for text data"):
        catalogue.build("torchvision:resnet18", weights="none", modality="text", classes=2)


@pytest.mark.parametrize(("size", "last"), [(CHANNELS_LAST_FROM - 1, False), (CHANNELS_LAST_FROM, True)])
def test_large_pictures_are_convolved_with_their_channels_last(size: int, last: bool) -> None:
    first = next(each for each in build("resnet18", image_size=size).network.modules() if isinstance(each, nn.Conv2d))
    assert first.weight.is_contiguous(memory_format=torch.channels_last) == last

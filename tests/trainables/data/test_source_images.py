"""Folders of images: every layout is read, every mistake is named by its file or folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from spaces.errors import BadInput
from trainables.config import DataConfig, Limit
from trainables.data.source import load

ENOUGH = {"ants": 25, "bees": 25}


def problems(data: DataConfig) -> list[str]:
    with pytest.raises(BadInput) as caught:
        load(data, "image")
    return [str(problem) for problem in caught.value.problems]


def test_one_folder_of_class_folders_is_split_60_20_20(tmp_path: Path, class_folders) -> None:
    data = load(DataConfig(path=str(class_folders(tmp_path / "insects", ENOUGH))), "image")
    assert data.classes == ("ants", "bees")
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [30, 10, 10]
    assert data.train.ids[0].startswith("ants/")
    assert all(isinstance(each, Path) and each.parent.name == "ants" for each in data.val.inputs[:5])
    assert data.train.groups is None


def test_a_folder_per_split_is_read_as_given_and_test_is_split_off_train(tmp_path: Path, class_folders) -> None:
    class_folders(tmp_path / "train", ENOUGH)
    class_folders(tmp_path / "val", {"ants": 1, "bees": 2})
    data = load(DataConfig(path=str(tmp_path)), "image")
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [40, 3, 10]
    assert data.val.ids == ("val/ants/0.png", "val/bees/0.png", "val/bees/1.png")
    assert data.val.labels == (0, 1, 1)
    assert all(name.startswith("train/") for name in data.test.ids)


def test_splits_may_be_named_one_by_one(tmp_path: Path, class_folders) -> None:
    folders = {name: str(class_folders(tmp_path / name / "pictures", {"1": 2, "10": 2, "9": 2})) for name in "abc"}
    data = load(DataConfig(train=folders["a"], val=folders["b"], test=folders["c"]), "image")
    assert data.classes == ("1", "9", "10")
    assert data.test.ids[0] == "c/pictures/1/0.png"


def test_the_same_files_give_the_same_hash_wherever_they_lie(tmp_path: Path, class_folders) -> None:
    here = class_folders(tmp_path / "here", ENOUGH)
    shutil.copytree(here, tmp_path / "there" / "again")
    first, second = (load(DataConfig(path=str(path)), "image") for path in (here, tmp_path / "there" / "again"))
    assert first.hash == second.hash
    assert first.train.ids == second.train.ids


def test_a_limit_is_applied_after_the_split(tmp_path: Path, class_folders) -> None:
    path = str(class_folders(tmp_path / "insects", ENOUGH))
    whole, small = load(DataConfig(path=path), "image"), load(DataConfig(path=path, limit=Limit(train=6)), "image")
    assert sorted(small.train.labels) == [0, 0, 0, 1, 1, 1]
    assert set(small.train.ids) < set(whole.train.ids)
    assert small.val == whole.val
    assert small.hash != whole.hash


def test_every_mistake_in_a_folder_is_reported_at_once_with_its_place(tmp_path: Path, class_folders) -> None:
    class_folders(tmp_path / "train", {"ants": 3, "bees": 3, "moths": 0})
    class_folders(tmp_path / "val", {"ants": 1, "wasps": 2})
    (tmp_path / "train" / "ants" / "bad.jpg").write_bytes(b"no image")
    whole = (tmp_path / "train" / "bees" / "0.png").read_bytes()
    (tmp_path / "train" / "bees" / "0.png").write_bytes(whole[: len(whole) // 2])
    found = problems(DataConfig(path=str(tmp_path)))
    assert len(found) == 5
    assert found[0] == "data.path: the class folder train/moths holds no image; fill it or remove it"
    assert found[1] == "data.path: train/ants/bad.jpg is not a readable image (unknown format or no image at all)"
    assert found[2].startswith("data.path: train/bees/0.png is not a readable image (")
    assert "val has a class that train lacks: wasps (first at val/wasps/0.png); train has ants, bees" in found[3]
    assert "ants has 4 samples" in found[4]
    assert "data.test" in found[4]


def test_a_damaged_image_passes_where_verification_is_left_out(tmp_path: Path, class_folders) -> None:
    path = class_folders(tmp_path / "insects", ENOUGH)
    (path / "ants" / "0.png").write_bytes(b"no image")
    assert len(load(DataConfig(path=str(path)), "image", verify=False).train) == 30


def test_many_damaged_images_are_counted_not_listed(tmp_path: Path, class_folders) -> None:
    path = class_folders(tmp_path / "insects", ENOUGH)
    for index in range(25):
        (path / "ants" / f"{index}.png").write_bytes(f"no image {index}".encode())
    found = problems(DataConfig(path=str(path)))
    assert len(found) == 21
    assert found[-1] == "data.path: 5 more images cannot be read"


def test_one_class_is_not_enough(tmp_path: Path, class_folders) -> None:
    (found,) = problems(DataConfig(path=str(class_folders(tmp_path / "insects", {"ants": 30}))))
    assert found == "data.path: holds the single class ants; a classification needs two or more"


def test_too_few_per_class_says_how_many_there_are(tmp_path: Path, class_folders) -> None:
    (found,) = problems(DataConfig(path=str(class_folders(tmp_path / "insects", {"ants": 30, "bees": 8}))))
    assert "bees has 8 samples, which leaves 4 for train and 2 for val and 2 for test" in found


def test_a_folder_without_class_folders_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "loose.png")
    (found,) = problems(DataConfig(path=str(tmp_path)))
    assert found == f"data.path: {tmp_path} holds no class folders (one folder of images per class)"


def test_a_limit_below_the_number_of_classes_is_refused(tmp_path: Path, class_folders) -> None:
    path = str(class_folders(tmp_path / "insects", ENOUGH))
    assert problems(DataConfig(path=path, limit=Limit(val=1))) == [
        "data.limit.val: must be at least 2, one per class, got 1"
    ]


def test_duplicates_across_given_splits_are_warned_about(tmp_path: Path, class_folders) -> None:
    class_folders(tmp_path / "train", ENOUGH)
    for split in ("val", "test"):
        shutil.copytree(tmp_path / "train", tmp_path / split)
    warnings = load(DataConfig(path=str(tmp_path)), "image").warnings
    assert len(warnings) == 3
    assert warnings[0].startswith("50 samples of val are exact duplicates of samples in train (val/ants/0.png, ")


def test_files_that_are_no_images_are_passed_over_with_a_word(tmp_path: Path, class_folders) -> None:
    path = class_folders(tmp_path / "insects", ENOUGH)
    (path / "ants" / "notes.txt").write_text("six legs")
    (path / "ants" / ".DS_Store").write_text("")
    (path / ".ipynb_checkpoints").mkdir()
    data = load(DataConfig(path=str(path)), "image")
    assert data.classes == ("ants", "bees")
    assert data.warnings == ("1 file passed over, not an image in a class folder: ants/notes.txt",)

"""Where data lies, judged by names: the static checks, and the task they suggest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trainables.config import DataConfig
from trainables.data.layout import Modality
from trainables.data.source import check_static, infer_task


def said(data: DataConfig, modality: Modality | None = None) -> list[str]:
    return [str(problem) for problem in check_static(data, modality)]


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_the_data_must_be_named_once() -> None:
    assert said(DataConfig()) == ["data: names no samples; set path, or train (with val and test), or source"]
    (found,) = said(DataConfig(path="/a", test="/b", source="m:f"))
    assert found.startswith("data: has test, path, source; keep path, or train")
    (found,) = said(DataConfig(val="/a", test="/b"))
    assert found == "data.train: is missing, but val and test is set; name the training data too"


def test_every_path_that_does_not_exist_is_named_with_its_nearest_neighbour(tmp_path: Path) -> None:
    touch(tmp_path / "films.csv")
    assert said(DataConfig(train=str(tmp_path / "film.csv"), val=str(tmp_path / "no/val.csv"))) == [
        f"data.train: {tmp_path}/film.csv does not exist (did you mean films.csv?)",
        f"data.val: {tmp_path}/no/val.csv does not exist",
    ]
    assert said(DataConfig(path=str(tmp_path / "film.csv")))[0].startswith("data.path: ")


@pytest.mark.parametrize("source", ["module", "module:", ":function", "a b:c", "module.py:f:g", "./m:f"])
def test_a_source_is_a_module_and_a_function(source: str) -> None:
    (found,) = said(DataConfig(source=source))
    assert found == f"data.source: must be module:function, such as digits_data:load, got {source!r}"
    assert said(DataConfig(source="package.module:function")) == []


def test_the_kind_of_data_must_suit_the_task(tmp_path: Path) -> None:
    touch(tmp_path / "films.csv", tmp_path / "insects/ants/1.jpg", tmp_path / "films.xlsx")
    assert "must be a folder of class folders" in said(DataConfig(path=str(tmp_path / "films.csv")), "image")[0]
    assert (
        "must be a table (.csv, .tsv, .jsonl, .parquet)"
        in said(DataConfig(path=str(tmp_path / "films.xlsx")), "text")[0]
    )
    assert (
        "holds no table (.csv, .tsv, .jsonl, .parquet) named train"
        in said(DataConfig(path=str(tmp_path / "insects")), "text")[0]
    )
    assert said(DataConfig(path=str(tmp_path / "films.csv")), "text") == []
    assert said(DataConfig(path=str(tmp_path / "insects")), "image") == []


def test_columns_are_for_tables_only(tmp_path: Path) -> None:
    touch(tmp_path / "insects/ants/1.jpg")
    assert said(DataConfig(path=str(tmp_path / "insects"), group="nest"), "image") == [
        "data.group: names a column of a table, but the data is a folder of images; remove it"
    ]
    assert said(DataConfig(source="m:f", target="kind"))[0].startswith("data.target: names a column")


def test_two_tables_for_one_split_are_refused(tmp_path: Path) -> None:
    touch(tmp_path / "train.csv", tmp_path / "train.jsonl")
    (found,) = said(DataConfig(path=str(tmp_path)), "text")
    assert "more than one table for train: train.csv, train.jsonl; keep one" in found


@pytest.mark.parametrize("name", ["valid", "validation", "dev"])
def test_a_split_under_another_name_is_not_passed_over(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "t/train.csv", tmp_path / f"t/{name}.csv")
    touch(tmp_path / "i/train/a/1.png", tmp_path / f"i/{name}/a/1.png")
    assert (
        f"holds {name}.csv, but only train, val and test are read: name it val.csv"
        in said(DataConfig(path=str(tmp_path / "t")), "text")[0]
    )
    assert (
        f"holds {name}, but only train, val and test are read: name it val,"
        in said(DataConfig(path=str(tmp_path / "i")), "image")[0]
    )


def test_splits_without_train_are_refused(tmp_path: Path) -> None:
    touch(tmp_path / "val/ants/1.jpg")
    assert said(DataConfig(path=str(tmp_path)), "image") == [f"data.path: {tmp_path} holds no folder named train"]


def test_the_task_follows_from_the_data_where_it_leaves_no_doubt(tmp_path: Path) -> None:
    touch(tmp_path / "films.csv", tmp_path / "insects/ants/1.jpg", tmp_path / "given/train/ants/deep/1.PNG")
    touch(tmp_path / "texts/train.jsonl", tmp_path / "both/train/ants/1.jpg", tmp_path / "both/train.csv")
    touch(tmp_path / "other/ants/notes.txt")
    assert infer_task(DataConfig(path=str(tmp_path / "films.csv"))) == "text-classification"
    assert infer_task(DataConfig(path=str(tmp_path / "texts"))) == "text-classification"
    assert infer_task(DataConfig(train=str(tmp_path / "films.csv"))) == "text-classification"
    assert infer_task(DataConfig(path=str(tmp_path / "insects"))) == "image-classification"
    assert infer_task(DataConfig(path=str(tmp_path / "given"))) == "image-classification"
    for path in ("both", "other", "nowhere"):
        assert infer_task(DataConfig(path=str(tmp_path / path))) is None
    assert infer_task(DataConfig(source="m:f")) is None


def test_the_static_checks_load_no_heavy_library(tmp_path: Path) -> None:
    touch(tmp_path / "insects/ants/1.jpg")
    code = f"""
import sys
from trainables.config import DataConfig
from trainables.data.source import check_static, infer_task

data = DataConfig(path={str(tmp_path / "insects")!r})
print(infer_task(data), check_static(data, "image"))
print([name for name in ("torch", "pandas", "numpy", "PIL", "pyarrow", "ray", "transformers") if name in sys.modules])
"""
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["image-classification []", "[]"]

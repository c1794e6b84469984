"""Tables of texts: every format is read, every mistake is named by its file and line."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from spaces.errors import BadInput
from trainables.config import DataConfig
from trainables.data.source import Dataset, load

ROWS = [{"text": f'the "{number}" film,\nin two lines', "label": number % 2} for number in range(60)]


def write(path: Path, rows: Sequence[dict[str, object]]) -> Path:
    match path.suffix:
        case ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        case ".parquet":
            pd.DataFrame(rows).to_parquet(path)
        case _:
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
                writer.writeheader()
                writer.writerows(rows)
    return path


def problems(data: DataConfig) -> list[str]:
    with pytest.raises(BadInput) as caught:
        load(data, "text")
    return [str(problem) for problem in caught.value.problems]


def content(data: Dataset) -> list[object]:
    return [(data.split(split).inputs, data.split(split).labels, data.classes) for split in ("train", "val", "test")]


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_every_format_gives_the_same_samples_in_the_same_splits(tmp_path: Path, ending: str) -> None:
    data = load(DataConfig(path=str(write(tmp_path / f"films.{ending}", ROWS))), "text")
    reference = load(DataConfig(path=str(write(tmp_path / "reference.jsonl", ROWS))), "text")
    assert content(data) == content(reference)
    assert data.classes == ("0", "1")
    assert [len(data.split(split)) for split in ("train", "val", "test")] == [36, 12, 12]


def test_ids_are_line_numbers_even_where_texts_span_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "films.csv", ROWS)
    data = load(DataConfig(path=str(path)), "text")
    lines = path.read_text().split("\n")
    for split in ("train", "val", "test"):
        for name, text in zip(data.split(split).ids, data.split(split).inputs, strict=True):
            line = lines[int(name.removeprefix("films.csv:")) - 1]
            assert str(text).split("\n")[0].replace('"', '""') in line


def test_a_table_per_split_in_one_folder(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", ROWS)
    write(tmp_path / "val.jsonl", [{"text": "a", "label": 0}, {"text": "b", "label": "1"}])
    data = load(DataConfig(path=str(tmp_path)), "text")
    assert [len(data.split(split)) for split in ("train", "val", "test")] == [48, 2, 12]
    assert data.val.ids == ("val.jsonl:1", "val.jsonl:2")
    assert data.val.labels == (0, 1)


def test_tables_may_be_named_one_by_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "films.csv", ROWS)
    data = load(DataConfig(train=str(tmp_path / "one/films.csv"), test=str(tmp_path / "two/films.csv")), "text")
    assert data.test.ids[0] == "two/films.csv:2"
    assert {name.split(":")[0] for name in data.train.ids + data.val.ids} == {"one/films.csv"}
    assert sum("exact duplicates" in warning for warning in data.warnings) == 1


def test_a_pair_of_columns_a_target_and_a_group(tmp_path: Path) -> None:
    rows = [
        {"first": f"question {i}", "second": f"answer {i}", "kind": ("yes", "no")[i % 2], "author": f"author {i // 4}"}
        for i in range(120)
    ]
    path = write(tmp_path / "pairs.parquet", rows)
    data = load(DataConfig(path=str(path), input=("first", "second"), target="kind", group="author"), "text")
    assert data.classes == ("no", "yes")
    assert all(isinstance(each, tuple) and len(each) == 2 for each in data.train.inputs)
    authors = [set(data.split(split).groups or ()) for split in ("train", "val", "test")]
    assert sum(len(each) for each in authors) == len(set().union(*authors)) == 30


def test_number_classes_are_sorted_as_numbers(tmp_path: Path) -> None:
    rows = [{"text": f"text {i}", "label": (2, 10, 1.5)[i % 3]} for i in range(90)]
    for ending in ("csv", "jsonl", "parquet"):
        assert load(DataConfig(path=str(write(tmp_path / f"t.{ending}", rows))), "text").classes == ("1.5", "2", "10")


def test_words_that_look_like_nothing_are_texts(tmp_path: Path) -> None:
    rows = [*ROWS, {"text": "NA", "label": 0}, {"text": "null", "label": 1}]
    data = load(DataConfig(path=str(write(tmp_path / "films.csv", rows))), "text")
    inputs = data.train.inputs + data.val.inputs + data.test.inputs
    assert {"NA", "null"} <= set(inputs)


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_missing_columns_are_named_with_those_there_are(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"films.{ending}", [{"sentence": "a", "lable": 0}])
    assert problems(DataConfig(path=str(path), group="author")) == [
        f"data.input: films.{ending} has no column text; it has: sentence, lable",
        f"data.target: films.{ending} has no column label (did you mean lable?); it has: sentence, lable",
        f"data.group: films.{ending} has no column author; it has: sentence, lable",
    ]


@pytest.mark.parametrize(("ending", "first"), [("csv", 2), ("tsv", 2), ("jsonl", 1), ("parquet", 1)])
def test_empty_texts_and_labels_are_named_by_line(tmp_path: Path, ending: str, first: int) -> None:
    rows: list[dict[str, object]] = [{"text": f"text {number}", "label": "ab"[number % 2]} for number in range(60)]
    rows[3]["text"] = "  "
    rows[5]["label"] = None
    rows[6]["text"] = None
    path = write(tmp_path / f"films.{ending}", rows)
    assert problems(DataConfig(path=str(path))) == [
        f"data.path: films.{ending}: text is empty in lines {first + 3}, {first + 6}; correct or remove them",
        f"data.path: films.{ending}: label is empty in line {first + 5}; correct or remove it",
    ]


def test_not_a_number_is_an_empty_label(tmp_path: Path) -> None:
    rows = [{"text": f"text {i}", "label": float("nan") if i == 7 else float(i % 2)} for i in range(60)]
    (found,) = problems(DataConfig(path=str(write(tmp_path / "films.parquet", rows))))
    assert found == "data.path: films.parquet: label is empty in line 8; correct or remove it"


def test_unreadable_json_lines_are_named_beside_the_other_mistakes(tmp_path: Path) -> None:
    path = write(tmp_path / "films.jsonl", ROWS)
    lines = path.read_text().splitlines()
    lines[1] = '{"text": "cut'
    lines[2] = "[1, 2]"
    lines[4] = '{"text": ["a"], "label": {"is": 1}}'
    path.write_text("\n".join(lines))
    assert problems(DataConfig(path=str(path))) == [
        "data.path: films.jsonl: line 2 is not JSON (Unterminated string starting at at column 10)",
        "data.path: films.jsonl: line 3 must be one JSON object with column names, got a list",
        "data.path: films.jsonl: text is not a text but a list in line 5; correct or remove it",
        "data.path: films.jsonl: label is not a single value but a dict in line 5; correct or remove it",
    ]


def test_half_a_character_is_not_a_text(tmp_path: Path) -> None:
    path = write(tmp_path / "films.jsonl", [*ROWS, {"text": "\ud83d", "label": 0}])
    (found,) = problems(DataConfig(path=str(path)))
    assert "films.jsonl: text holds half a character" in found
    assert "line 61" in found


def test_a_class_in_val_that_train_lacks_is_named_with_its_row(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(tmp_path / f"{split}.csv", ROWS)
    write(tmp_path / "val.csv", [{"text": "a", "label": 0}, {"text": "b", "label": 7}])
    assert problems(DataConfig(path=str(tmp_path))) == [
        "data.path: val has a class that train lacks: 7 (first at val.csv:3); train has 0, 1"
    ]


def test_an_unclosed_quote_does_not_swallow_the_rest_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "films.tsv"
    path.write_text('text\tlabel\ngood\t1\n"half a quote\t0\n' + "fine\t1\n" * 5)
    (found,) = problems(DataConfig(path=str(path)))
    assert found.startswith("data.path: films.tsv: the row that begins in line 3 cannot be read (")


def test_a_row_with_a_cell_too_many_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "films.csv", ROWS)
    path.write_text(path.read_text() + "one, two,0\n")
    last = path.read_text().count("\n")
    (found,) = problems(DataConfig(path=str(path)))
    assert found == f"data.path: films.csv has 2 columns, but another number of cells in line {last}"


def test_other_encodings_are_refused_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "films.csv").write_bytes("text,label\ngood,1\ncafé,0\n".encode("latin-1"))
    assert problems(DataConfig(path=str(tmp_path / "films.csv"))) == [
        "data.path: films.csv is not UTF-8 text (line 3); save it as UTF-8"
    ]


def test_a_byte_order_mark_is_not_part_of_the_first_column(tmp_path: Path) -> None:
    path = write(tmp_path / "films.csv", ROWS)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(load(DataConfig(path=str(path)), "text").train) == 36


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_an_empty_file_is_refused(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"films.{ending}").write_text("")
    assert problems(DataConfig(path=str(tmp_path / f"films.{ending}"))) == [f"data.path: films.{ending} holds no rows"]


def test_a_broken_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "films.parquet").write_bytes(b"PAR1 and nothing more")
    (found,) = problems(DataConfig(path=str(tmp_path / "films.parquet")))
    assert found.startswith("data.path: films.parquet is not a readable parquet file (")


def test_too_few_texts_per_class_are_refused(tmp_path: Path) -> None:
    (found,) = problems(DataConfig(path=str(write(tmp_path / "films.csv", ROWS[:20]))))
    assert found.startswith("data.path: a split needs at least 5 samples per class in val and test")
    assert "0 has 10 samples" in found

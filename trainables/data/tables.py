"""Read texts and labels from a CSV, TSV, JSON-lines or parquet file, and say which rows cannot be used."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spaces.check import did_you_mean
from spaces.errors import Problem
from trainables.config import DataConfig
from trainables.data.samples import Reading, Sample, content_hash
from trainables.data.words import listed

Fault = Callable[[object], str | None]  # what is wrong with a cell, if anything
LONGEST_CELL = 2**31 - 1  # characters; the csv module's own limit would refuse long documents


@dataclass(frozen=True)
class Table:
    """The rows of a file under their line numbers (in a parquet file: row numbers from 1)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, object]], ...]
    problems: tuple[Problem, ...] = ()


def read(path: Path, name: str, data: DataConfig, place: str) -> Reading:
    """Read the table at ``path``, called ``name`` in ids and errors, as the columns named in ``data`` say."""
    try:
        table = _READERS[path.suffix.lower()](path, name, place)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return Reading(problems=(Problem(place, f"{name} is not UTF-8 text (line {line}); save it as UTF-8"),))
    except OSError as error:
        return Reading(problems=(Problem(place, f"{name} cannot be read: {error.strerror or error}"),))
    if not table.rows:
        return Reading(problems=table.problems or (Problem(place, f"{name} holds no rows"),))
    inputs = (data.input or "text",) if not isinstance(data.input, tuple) else data.input
    target = data.target or "label"
    missing = _missing_columns(table, name, {"input": inputs, "target": (target,), "group": (data.group,)})
    if missing:
        return Reading(problems=(*table.problems, *missing))
    problems = [*table.problems]
    for column in dict.fromkeys(inputs):
        problems += _bad_cells(table, name, place, column, _text_fault)
    problems += _bad_cells(table, name, place, target, _label_fault)
    samples = tuple(
        _sample(f"{name}:{number}", row, inputs, target, data.group)
        for number, row in table.rows
        if _label_fault(row.get(target)) is None
    )
    return Reading(samples, tuple(problems))


def _sample(name: str, row: Mapping[str, object], inputs: Sequence[str], target: str, group: str | None) -> Sample:
    texts = tuple(str(row.get(column)) for column in inputs)
    content = texts[0] if len(texts) == 1 else texts
    of_group = None if group is None or _empty(row.get(group)) else class_name(row.get(group))
    return Sample(name, content, class_name(row.get(target)), content_hash(content), of_group)


def _missing_columns(table: Table, name: str, wanted: Mapping[str, Sequence[str | None]]) -> list[Problem]:
    return [
        Problem(
            f"data.{key}",
            f"{name} has no column {column}{did_you_mean(column, table.columns)}; it has: {listed(table.columns, 20)}",
        )
        for key, columns in wanted.items()
        for column in columns
        if column is not None and column not in table.columns
    ]


def _bad_cells(table: Table, name: str, place: str, column: str, fault: Fault) -> list[Problem]:
    """Return one problem per kind of fault in a column, with the lines it stands in."""
    lines: dict[str, list[int]] = {}
    for number, row in table.rows:
        if (kind := fault(row.get(column))) is not None:
            lines.setdefault(kind, []).append(number)
    return [
        Problem(place, f"{name}: {column} {kind} in {_lines(numbers)}; correct or remove {_them(numbers)}")
        for kind, numbers in lines.items()
    ]


def _lines(numbers: Sequence[int]) -> str:
    return f"line {numbers[0]}" if len(numbers) == 1 else f"lines {listed(numbers)}"


def _them(numbers: Sequence[int]) -> str:
    return "it" if len(numbers) == 1 else "them"


def _empty(cell: object) -> bool:
    return (
        cell is None or (isinstance(cell, float) and math.isnan(cell)) or (isinstance(cell, str) and not cell.strip())
    )


def _text_fault(cell: object) -> str | None:
    if _empty(cell):
        return "is empty"
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        return f"is not a text but a {type(cell).__name__}"
    if isinstance(cell, str) and not cell.isascii() and any("\ud800" <= letter <= "\udfff" for letter in cell):
        return "holds half a character (a lone surrogate)"
    return None


def _label_fault(cell: object) -> str | None:
    if _empty(cell):
        return "is empty"
    return f"is not a single value but a {type(cell).__name__}" if isinstance(cell, list | dict | tuple | set) else None


def class_name(label: object) -> str:
    """Return a label as a class name; a whole number reads the same whether a file stores it as 1 or as 1.0."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def sorted_classes(names: set[str]) -> tuple[str, ...]:
    """Sort class names, as numbers where all of them are numbers."""

    def number(name: str) -> float:
        try:
            return float(name)
        except ValueError:
            return math.nan

    if all(math.isfinite(number(name)) for name in names):
        return tuple(sorted(names, key=lambda name: (number(name), name)))
    return tuple(sorted(names))


def _read_csv(path: Path, name: str, place: str) -> Table:
    return _delimited(path, name, place, ",")


def _read_tsv(path: Path, name: str, place: str) -> Table:
    return _delimited(path, name, place, "\t")


def _delimited(path: Path, name: str, place: str, delimiter: str) -> Table:
    """Read a delimited file. Cells stay as they are written: "NA" and "null" are texts like any other."""
    csv.field_size_limit(LONGEST_CELL)
    text = path.read_bytes().decode("utf-8-sig")
    # Strict, because an unclosed quote would otherwise swallow the rest of the file without a word.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for record in reader:
            if record:
                records.append((start, record))
            start = reader.line_num + 1
    except csv.Error as error:
        message = (
            f"{name}: the row that begins in line {start} cannot be read ({error}); quotes inside a cell are doubled"
        )
        return Table((), (), (Problem(place, message),))
    if not records:
        return Table((), ())
    columns = tuple(records[0][1])
    uneven = [number for number, record in records[1:] if len(record) != len(columns)]
    rows = tuple(
        (number, dict(zip(columns, record, strict=True)))
        for number, record in records[1:]
        if len(record) == len(columns)
    )
    message = f"{name} has {len(columns)} columns, but another number of cells in {_lines(uneven)}" if uneven else ""
    return Table(columns, rows, (Problem(place, message),) if uneven else ())


def _read_jsonl(path: Path, name: str, place: str) -> Table:
    rows: list[tuple[int, Mapping[str, object]]] = []
    problems: list[Problem] = []
    faults: dict[str, list[int]] = {}
    for number, line in enumerate(path.read_bytes().decode("utf-8-sig").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            reason = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            faults.setdefault(f"is not JSON ({reason})", []).append(number)
            continue
        if isinstance(row, dict):
            rows.append((number, row))
        else:
            faults.setdefault(f"must be one JSON object with column names, got a {type(row).__name__}", []).append(
                number
            )
    problems += [Problem(place, f"{name}: {_lines(numbers)} {fault}") for fault, numbers in faults.items()]
    columns = tuple(dict.fromkeys(column for _, row in rows for column in row))
    return Table(columns, tuple(rows), tuple(problems))


def _read_parquet(path: Path, name: str, place: str) -> Table:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except pyarrow.ArrowException as error:
        return Table((), (), (Problem(place, f"{name} is not a readable parquet file ({error})"),))
    return Table(tuple(table.column_names), tuple(enumerate(table.to_pylist(), start=1)))


_READERS: dict[str, Callable[[Path, str, str], Table]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}

"""A benchmark's result has the shape that its readers rely on."""

from __future__ import annotations

import json

import pytest

from benchmarks import run
from benchmarks.row import at_most


@pytest.fixture
def counting(tmp_path, monkeypatch):
    """An experiment of two rows, one of which misses its goal."""
    (tmp_path / "counting.py").write_text(
        "from benchmarks.row import at_most\n"
        "def rows():\n"
        "    return [at_most('one', 1.0, 2, unit='s', note='met'), at_most('three', 3.0, 2, unit='s', note='missed')]\n"
    )
    monkeypatch.setattr(run.experiments, "__path__", [str(tmp_path)])
    monkeypatch.setattr(run, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def test_the_startup_experiment_is_found():
    assert "startup" in run.names()


def test_the_result_file_holds_name_machine_and_rows(counting):
    rows = run.run("counting", counting)
    written = json.loads((counting / "counting.json").read_text())
    assert list(written) == ["name", "machine", "rows"]
    assert written["name"] == "counting"
    assert written["rows"] == rows
    assert list(rows[0]) == ["metric", "value", "goal", "ok", "note"]
    assert [row["ok"] for row in rows] == [True, False]


def test_a_missed_goal_is_shown_and_an_unknown_name_is_refused(counting, capsys):
    assert run.main(["nothing"]) == 2
    assert "there are: counting" in capsys.readouterr().err
    assert "NO" in run.table([at_most("three", 3.0, 2, unit="s", note="")])

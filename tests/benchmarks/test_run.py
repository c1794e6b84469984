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


def test_a_part_has_a_file_of_its_own_and_leaves_the_whole(counting, tmp_path):
    (tmp_path / "parted.py").write_text(
        "from benchmarks.row import at_most\n"
        "PARTS = ('small', 'large')\n"
        "def rows(parts=PARTS):\n"
        "    return [at_most(part, 1.0, 2, unit='s', note='') for part in parts]\n"
    )
    assert run.main(["parted", "parted:small"]) == 0
    whole, part = (json.loads((counting / f"{name}.json").read_text()) for name in ("parted", "parted-small"))
    assert [row["metric"] for row in whole["rows"]] == ["small", "large"]
    assert (part["name"], [row["metric"] for row in part["rows"]]) == ("parted-small", ["small"])


@pytest.fixture
def on_a_gpu(counting, tmp_path, monkeypatch):
    """One more experiment, which runs on a GPU too; torch sees one."""
    (tmp_path / "placed.py").write_text(
        "from benchmarks.row import at_most\n"
        "DEVICES = ('cpu', 'cuda')\n"
        "def rows(device='cpu'):\n"
        "    return [at_most(device, 1.0, 2, unit='s', note='')]\n"
    )
    monkeypatch.setattr(run, "_sees_cuda", lambda: True)
    monkeypatch.setattr(run, "_gpu", lambda: "Some GPU")
    return counting


def test_what_a_gpu_measures_has_a_file_of_its_own(on_a_gpu):
    assert run.main(["placed"]) == run.main(["placed", "--device", "cuda"]) == 0
    cpu, gpu = (json.loads((on_a_gpu / f"{name}.json").read_text()) for name in ("placed", "placed-cuda"))
    assert (cpu["name"], gpu["name"]) == ("placed", "placed-cuda")
    assert gpu["machine"] == cpu["machine"] + ", Some GPU"
    assert [each["rows"][0]["metric"] for each in (cpu, gpu)] == ["cpu", "cuda"]


def test_without_names_a_gpu_measures_what_it_can(on_a_gpu, capsys):
    assert run.main(["--device", "cuda"]) == 0
    assert [path.name for path in on_a_gpu.iterdir()] == ["placed-cuda.json"]
    assert capsys.readouterr().out.startswith("placed\n")


def test_what_a_gpu_cannot_measure_is_refused_in_a_sentence(on_a_gpu, capsys):
    assert run.main(["placed", "counting", "--device", "cuda"]) == 2
    assert capsys.readouterr().err == "counting cannot be measured on a GPU; --device cuda takes: placed\n"
    assert not on_a_gpu.exists()


def test_without_a_gpu_one_sentence_says_so(on_a_gpu, monkeypatch, capsys):
    monkeypatch.setattr(run, "_sees_cuda", lambda: False)
    assert run.main(["placed", "--device", "cuda"]) == 2
    assert capsys.readouterr().err == "--device cuda: torch sees no GPU here; leave it out to measure the CPU\n"


def test_a_missed_goal_is_shown_and_an_unknown_name_is_refused(counting, capsys):
    assert run.main(["nothing"]) == 2
    assert "there are: counting" in capsys.readouterr().err
    assert "NO" in run.table([at_most("three", 3.0, 2, unit="s", note="")])

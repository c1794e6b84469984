"""A worker has its threads before it imports torch: Ray sets them from the CPUs that a slot gets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from search.again import attributes_of
from tests.end_to_end.tiny import STUDY, thawline, write_project


@pytest.mark.slow
def test_the_only_slot_of_a_machine_computes_on_all_of_its_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    short = STUDY.replace("trials: 6, epochs: 3", "trials: 1, epochs: 1").replace("seeds: 2", "seeds: 1")
    study = write_project(tmp_path, study=short)
    done = thawline("run", str(study), "--run-dir", str(tmp_path / "run"), folder=tmp_path)
    assert done.code == 0, done.told
    assert {attributes_of(tmp_path / "run", label)["threads"] for label in ("0", "c0")} == {os.cpu_count()}

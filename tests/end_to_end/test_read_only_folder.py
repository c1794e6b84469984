"""A run folder that cannot be written: one clear error from each verb that writes; what is in it stays readable."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from search.cli import main
from search.results.load import load
from tests.end_to_end.tiny import write_project

pytestmark = pytest.mark.slow  # a whole study


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[Path], Path]]:
    """Return a function that takes away the right to write a folder; who may write anything gets it mounted so."""
    mounted: list[Path] = []

    def protect(folder: Path) -> Path:
        if os.geteuid() != 0:
            for path in (folder, *folder.rglob("*")):
                path.chmod(path.stat().st_mode & ~0o222)
            return folder
        for options in (["--bind", str(folder)], ["-o", "remount,ro,bind"]):
            done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True)
            if done.returncode != 0:
                pytest.skip(f"root may write everywhere and cannot mount here: {done.stderr.strip()}")
            if folder not in mounted:
                mounted.append(folder)
        return folder

    yield protect
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)


def only_error(capfd: pytest.CaptureFixture[str]) -> str:
    told = capfd.readouterr().err
    assert "Traceback" not in told
    errors = [line for line in told.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    return errors[0]


@pytest.mark.parametrize("verb", ["report", "resume"])
def test_a_verb_that_writes_says_so_and_changes_nothing(
    finished: Path, tmp_path: Path, read_only: Callable[[Path], Path], capfd: pytest.CaptureFixture[str], verb: str
) -> None:
    run_dir = Path(shutil.copytree(finished, tmp_path / "run"))
    read_only(run_dir)
    assert main([verb, str(run_dir)]) == 1
    told = only_error(capfd)
    assert f"the run folder {run_dir} cannot be written: " in told
    assert f"then thawline resume {run_dir}" in told
    pd.testing.assert_frame_equal(load(run_dir)[0], load(finished)[0])


def test_a_run_that_cannot_begin_leaves_nothing(
    tmp_path: Path,
    read_only: Callable[[Path], Path],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(write_project(tmp_path, name="begin").parent)
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    read_only(shelf)
    assert main(["run", "study.yaml", "--run-dir", str(shelf / "run")]) == 1
    assert "cannot be written: " in only_error(capfd)
    assert list(shelf.iterdir()) == []

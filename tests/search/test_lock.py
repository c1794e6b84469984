"""One driver per run folder: a second is refused, and a killed one leaves nothing in the way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from search.errors import StudyFailed
from search.lock import LOCK, hold
from spaces.errors import BadInput

HOLDS = "import sys, time\nfrom pathlib import Path\nfrom search.lock import hold\nwith hold(Path(sys.argv[1])):\n"
HOLDS += "    print('held', flush=True)\n    time.sleep(120)\n"


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_driver_is_refused_and_told_who_has_the_folder(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    try:
        with pytest.raises(BadInput, match=f"in use by another thawline, process {holder.pid}; wait"), hold(tmp_path):
            pass
    finally:
        holder.kill()
        holder.wait()


def test_the_lock_of_a_killed_driver_is_no_lock(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    assert (tmp_path / LOCK).exists()
    with hold(tmp_path):
        assert (tmp_path / LOCK).read_text() != str(holder.pid)


def test_a_folder_can_be_held_again_and_again(tmp_path: Path) -> None:
    for _ in range(3):
        with hold(tmp_path / "new"):
            assert (tmp_path / "new").is_dir()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    within = tmp_path / "file" / "run"
    with pytest.raises(StudyFailed, match="file/run cannot be written: Not a directory"), hold(within):
        pass

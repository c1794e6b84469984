"""Twenty kills of the driver at random moments: the study ends as the one that nothing interrupted."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

import thawline
from search.results.load import load
from tests.end_to_end.test_resume import assert_same, entries
from tests.end_to_end.tiny import start, write_project

KILLS = 20


def session(folder: Path, verb: tuple[str, ...], lines: int) -> bool:
    """Run a session and kill its driver after so many more entries; tell whether it came to its end before."""
    before = entries(folder / "run")
    command = start(*verb, folder=folder)
    while command.poll() is None and entries(folder / "run") < before + lines:
        time.sleep(0.005)
    ended = command.poll() is not None
    command.kill()
    _, told = command.communicate()
    assert not ended or command.returncode == 0, told
    return ended


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_twenty_kills_change_nothing(finished: Path, tmp_path: Path) -> None:
    drawn = random.Random(time.time_ns())
    write_project(tmp_path)
    begun = 30  # entries; the first session gets past what is written before the first trial
    most = (entries(finished) - begun) // KILLS
    assert not session(tmp_path, ("run", "study.yaml", "--run-dir", "run"), begun)
    kills, unfinished = 1, 0
    while kills < KILLS and not session(tmp_path, ("resume", "run"), drawn.randint(1, most)):
        kills += 1
        unfinished += "running" in set(load(tmp_path / "run")[0]["state"])
    thawline.resume(tmp_path / "run", quiet=True)
    assert kills == KILLS
    assert unfinished > 0
    assert_same(finished, tmp_path / "run")
    assert list(tmp_path.glob("run/checkpoints/*/progress*")) == []

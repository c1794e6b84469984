"""Ctrl-C and SIGTERM end a study in order: exit 130, a sentence, and a run folder that can be read."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import NamedTuple

import pandas as pd
import pytest

from search.cli import main
from search.results.load import load
from tests.end_to_end.tiny import STUDY, start, write_project

# More than could end before the signal comes.
LONG = STUDY.replace("trials: 6, epochs: 3", "trials: 500, epochs: 3").replace(
    "head_lr: [0.01, 0.03], lr_ratio: [0.1, 1.0], ", ""
)


class Stopped(NamedTuple):
    """A study that was told to stop: its exit code, what it said, and its run folder."""

    code: int
    told: str
    run_dir: Path


def _ctrl_c(command: Popen[str]) -> None:
    os.killpg(command.pid, signal.SIGINT)  # a terminal tells every process of the group


def _terminate(command: Popen[str]) -> None:
    command.send_signal(signal.SIGTERM)


WAYS: dict[str, Callable[[Popen[str]], None]] = {"Ctrl-C": _ctrl_c, "SIGTERM": _terminate}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stopped]:
    """Start a study for each way, at once; stop each after its third trial."""
    folders = {way: write_project(tmp_path_factory.mktemp("long"), study=LONG).parent for way in WAYS}
    running = {way: start("run", "study.yaml", "--run-dir", "run", folder=folder) for way, folder in folders.items()}
    ended = {}
    for way, command in running.items():
        assert command.stderr is not None
        early = []
        while not (early and early[-1].startswith("[3/")):
            early.append(command.stderr.readline())
            assert early[-1], "".join(early)
        WAYS[way](command)
        _, told = command.communicate(timeout=200)
        ended[way] = Stopped(command.returncode, told, folders[way] / "run")
    return ended


@pytest.mark.parametrize("way", WAYS)
def test_it_exits_130_with_a_sentence_and_no_traceback(stopped: dict[str, Stopped], way: str) -> None:
    code, told, _ = stopped[way]
    assert code == 130
    assert "Traceback" not in told
    assert "interrupted; what is done is saved; to go on: thawline resume run\n" in told


@pytest.mark.parametrize("way", WAYS)
def test_it_goes_no_further(stopped: dict[str, Stopped], way: str) -> None:
    trials, _ = load(stopped[way].run_dir)
    assert 3 <= len(trials) < 500
    assert set(trials["stage"]) <= {"control", "search"}
    running = set(trials.loc[trials["state"] == "running", "trial"])
    assert {path.name for path in stopped[way].run_dir.glob("checkpoints/*")} <= running


@pytest.mark.parametrize("way", WAYS)
def test_ended_trials_keep_their_scores(stopped: dict[str, Stopped], way: str) -> None:
    trials, epochs = load(stopped[way].run_dir)
    ended = trials[trials["state"].isin(["complete", "pruned"])]
    assert len(ended) >= 3
    assert ended["score"].notna().all()
    complete = ended.loc[ended["state"] == "complete", "trial"]
    assert len(complete)
    assert (epochs.groupby("trial").size().reindex(complete) == 3).all()


@pytest.mark.parametrize("way", WAYS)
def test_what_was_cut_off_is_not_a_result(stopped: dict[str, Stopped], way: str) -> None:
    from search.storage import load_study

    study = load_study(stopped[way].run_dir, "search")
    assert study is not None
    for trial in study.get_trials():
        assert trial.state.name != "COMPLETE" or len(trial.intermediate_values) == 3


@pytest.mark.parametrize("way", WAYS)
def test_its_report_can_be_written(stopped: dict[str, Stopped], way: str, capfd: pytest.CaptureFixture[str]) -> None:
    run_dir = stopped[way].run_dir
    assert main(["report", str(run_dir)]) == 0
    assert "No verdict yet: the search has not ended." in capfd.readouterr().out
    assert json.loads((run_dir / "report" / "report.json").read_text())["decided_at"] is None
    assert len(pd.read_parquet(run_dir / "tables" / "trials.parquet")) >= 3


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_it_runs_on(stopped: dict[str, Stopped], way: str) -> None:
    folder = str(stopped[way].run_dir.parent)
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command, where = (process / "cmdline").read_text(), os.readlink(process / "cwd")
        except OSError:
            continue  # it ended meanwhile
        if where == folder and "search" in command:
            left.append(command)
    assert left == []

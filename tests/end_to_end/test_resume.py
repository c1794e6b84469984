"""A driver killed without warning, then ``thawline.resume``: the same study as one that nothing interrupted."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest

import thawline
from search.cli import main
from search.lock import hold
from search.results.load import attributes, load
from tests.end_to_end.test_repeat import TIMES
from tests.end_to_end.tiny import start, write_project


def entries(run_dir: Path) -> int:
    journal = run_dir / "optuna.journal"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def kill_after(folder: Path, lines: int) -> None:
    """Start the study and kill its driver as soon as its journal has so many entries."""
    command = start("run", "study.yaml", "--run-dir", "run", folder=folder)
    while entries(folder / "run") < lines:
        assert command.poll() is None, command.communicate()
        time.sleep(0.01)
    command.kill()
    command.communicate()


def assert_same(first: Path, second: Path) -> None:
    """Hold every table of one run against the other's, to the last bit of every number but times.

    From where a session read what is frozen, and why, is its own: one that begins after a thaw saw no earlier phase.
    """
    own = [*TIMES, "cache", "cache_reason"]
    for table in ("trials", "epochs", "predictions", "leaderboard"):
        one, other = (pd.read_parquet(run / "tables" / f"{table}.parquet") for run in (first, second))
        pd.testing.assert_frame_equal(
            one.drop(columns=own, errors="ignore"), other.drop(columns=own, errors="ignore"), check_exact=True
        )
    verdicts = [json.loads((run / "report" / "report.json").read_text())["verdict"] for run in (first, second)]
    assert verdicts[0] == verdicts[1]


@pytest.fixture(scope="module")
def resumed(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run folder of the same study, its driver killed during the fifth search trial, then resumed."""
    folder = write_project(tmp_path_factory.mktemp("killed")).parent
    lines = (finished / "optuna.journal").read_text().splitlines()
    asked = [number for number, line in enumerate(lines) if json.loads(line)["op_code"] == 4]  # a trial is made
    kill_after(folder, asked[4] + 12)
    trials, _ = load(folder / "run")
    assert 3 < len(trials) < 9
    return Path(thawline.resume(folder / "run", quiet=True).run_dir)


def test_a_killed_study_goes_on_to_the_same_tables_and_verdict(finished: Path, resumed: Path) -> None:
    assert_same(finished, resumed)


def test_a_killed_study_exports_the_same_weights(finished: Path, resumed: Path) -> None:
    first, second = ((run / "best" / "weights.safetensors").read_bytes() for run in (finished, resumed))
    assert first == second


def test_no_progress_is_left_of_trials_that_have_ended(resumed: Path) -> None:
    assert list(resumed.glob("checkpoints/*/progress*")) == []


def cut(finished: Path, target: Path, attribute: str) -> Path:
    """Copy a run as it stood right after the last entry with ``attribute``."""
    shutil.copytree(finished, target)
    for name in ("tables", "report", "best"):
        shutil.rmtree(target / name)
    lines = (finished / "optuna.journal").read_text().splitlines(keepends=True)
    last = max(n for n, line in enumerate(lines) if attribute in json.loads(line).get("user_attr", {}))
    (target / "optuna.journal").write_text("".join(lines[: last + 1]))
    return target


@pytest.mark.slow
@pytest.mark.parametrize("attribute", ["end", "decision", "test_opened", "test_score"])
def test_it_goes_on_in_the_stage_in_which_it_stopped(finished: Path, tmp_path: Path, attribute: str) -> None:
    run_dir = cut(finished, tmp_path / "run", attribute)
    before = attributes(run_dir)
    thawline.resume(run_dir, quiet=True)
    assert_same(finished, run_dir)
    after = attributes(run_dir)
    assert len(after["test_opened"]) == 1
    assert {name: after[name] for name in ("finalists", "decision", "test_opened") if name in before} == {
        name: before[name] for name in ("finalists", "decision", "test_opened") if name in before
    }


@pytest.fixture(scope="module")
def extended(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the finished study, extended by four search trials and another finalist."""
    run_dir = shutil.copytree(finished, tmp_path_factory.mktemp("extended") / "run")
    return Path(thawline.resume(run_dir, ["budget.trials=10", "finalists.count=3"], quiet=True).run_dir)


@pytest.mark.slow
def test_an_extension_keeps_what_stood(finished: Path, extended: Path) -> None:
    before, after = (pd.read_parquet(run / "tables" / "trials.parquet") for run in (finished, extended))
    there = after[after["trial"].isin(before["trial"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(*(frame.sort_values("trial", ignore_index=True) for frame in (before, there)))
    searched = after[(after["stage"] == "search") & (after["state"] != "reused")]
    assert len(searched) == 10


@pytest.mark.slow
def test_an_extension_records_the_second_opening_and_the_verdict_says_so(finished: Path, extended: Path) -> None:
    openings = attributes(extended)["test_opened"]
    assert len(openings) == 2
    assert openings[0] == attributes(finished)["test_opened"][0]
    assert not set(openings[0]["trials"]) & set(openings[1]["trials"])
    report = json.loads((extended / "report" / "report.json").read_text())
    assert "The test set was opened 2 times" in report["verdict"]["sentence"]
    assert report["test_openings"] == openings
    assert "opened 2 times" in (extended / "report" / "report.md").read_text()


@pytest.mark.slow
def test_an_extension_is_written_into_the_study_file_with_its_layer(finished: Path, extended: Path) -> None:
    before, after = ((run / "study.yaml").read_text().splitlines() for run in (finished, extended))
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [new for _, new in changed] == ["  trials: 10  # -o", "  count: 3  # -o"]


def refused(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["resume", *arguments]) == 2
    told = capfd.readouterr().err
    assert "Traceback" not in told
    assert told.startswith("error: ")
    return told


@pytest.mark.parametrize("override", ["budget.epochs=4", "space=standard", "search.seed=1", "budget={trials: 9}"])
def test_what_would_make_another_study_of_it_cannot_change(
    finished: Path, capfd: pytest.CaptureFixture[str], override: str
) -> None:
    told = refused(capfd, str(finished), "-o", override)
    assert f"-o {override.partition('=')[0]}: cannot change in a run that has begun" in told
    assert "budget.trials" in told


def test_changed_data_is_refused(finished: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run_dir = shutil.copytree(finished, tmp_path / "run")
    journal = run_dir / "optuna.journal"
    journal.write_text(journal.read_text().replace(attributes(finished)["split_hash"], "0" * 16))
    told = refused(capfd, str(run_dir))
    assert told.startswith(f"error: data: is not what {run_dir} began with: hash ")
    assert "split.csv" in told


def test_a_changed_space_is_refused(finished: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run_dir = shutil.copytree(finished, tmp_path / "run")
    study = run_dir / "study.yaml"
    study.write_text(study.read_text().replace("[0.01, 0.03]", "[0.01, 0.04]"))
    assert "error: space: is not what " in refused(capfd, str(run_dir))


def test_a_second_driver_is_refused(finished: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with hold(finished):
        assert "is in use by another thawline, process " in refused(capfd, str(finished))


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "is no run folder" in refused(capfd, str(tmp_path))


def test_a_run_that_stopped_before_its_first_trial_says_so(
    finished: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(finished / "study.yaml", tmp_path)
    lines = (finished / "optuna.journal").read_text().splitlines(keepends=True)
    (tmp_path / "optuna.journal").write_text("".join(lines[:3]))
    assert "stopped before its first trial" in refused(capfd, str(tmp_path))

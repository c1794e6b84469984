"""``thawline report`` on a run folder whose journal ends early, anywhere: it works, and says what is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from search.cli import main
from search.results.load import load
from search.storage import open_study

LATER = "2100-01-01T00:00:00+00:00"
OPENING = "the decision is written down, the test set is opened since "


def line_of(journal: list[str], attribute: str) -> int:
    return next(number for number, line in enumerate(journal) if attribute in json.loads(line).get("user_attr", {}))


def cut(finished: Path, target: Path, lines: int) -> Path:
    """Copy what a run had written by the time its journal had ``lines`` lines; tables and report come last."""
    target.mkdir(exist_ok=True)
    shutil.copy(finished / "study.yaml", target)
    if not (target / "checkpoints").exists():
        shutil.copytree(finished / "checkpoints", target / "checkpoints")
    journal = (finished / "optuna.journal").read_text().splitlines(keepends=True)
    (target / "optuna.journal").write_text("".join(journal[:lines]))
    return target


@pytest.fixture(scope="module")
def journal(finished: Path) -> list[str]:
    return (finished / "optuna.journal").read_text().splitlines()


def test_the_report_of_a_finished_run_is_written_again_the_same(
    finished: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copied = shutil.copytree(finished, tmp_path / "run")
    for name in ("tables", "report"):
        shutil.rmtree(copied / name)
    assert main(["report", str(copied)]) == 0
    sentence = json.loads((finished / "report" / "report.json").read_text())["verdict"]["sentence"]
    assert sentence in capfd.readouterr().out
    first, second = ((run / "report" / "report.json").read_text() for run in (finished, copied))
    assert second.replace(str(copied), str(finished)) == first  # the next step's command names the folder
    for table in ("trials", "epochs", "leaderboard", "predictions"):
        first, second = (pd.read_parquet(run / "tables" / f"{table}.parquet") for run in (finished, copied))
        pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize(
    ("attribute", "missing"),
    [
        ("space_hash", "the search has not ended"),
        ("stage", "the search has not ended"),
        ("epoch/1", "the search has not ended"),
        ("finalists", "confirmation has not ended"),
        ("checkpoint", "confirmation has not ended"),
        ("decision", "the decision is written down, the test set is not opened"),
        ("test_opened", OPENING),
        ("test_score", OPENING),
    ],
)
def test_a_run_cut_right_after_an_entry_says_what_is_missing(
    finished: Path,
    journal: list[str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    attribute: str,
    missing: str,
) -> None:
    folder = cut(finished, tmp_path / "run", line_of(journal, attribute) + 1)
    assert main(["report", str(folder)]) == 0
    printed, told = capfd.readouterr()
    assert f"No verdict yet: {missing}" in " ".join(printed.split())
    assert told == ""
    assert json.loads((folder / "report" / "report.json").read_text())["verdict"]["label"] is None


def test_while_a_longer_search_has_decided_anew_and_not_opened_the_test_set_there_is_no_verdict(
    finished: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(finished, tmp_path / "run")
    study = open_study(folder, "confirm", "max")
    kept = study.user_attrs["decision"]
    study.set_user_attr("decision", {**kept, "order": ["not confirmed before", *kept["order"]], "at": LATER})
    assert main(["report", str(folder)]) == 0
    printed, told = capfd.readouterr()
    assert "the test set is not opened for it yet" in " ".join(printed.split())
    assert told == ""


@pytest.mark.slow
def test_a_run_cut_anywhere_has_a_report(finished: Path, journal: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for lines in [*range(1, len(journal), 23), len(journal) - 1]:
        assert main(["report", str(cut(finished, folder, lines))]) == 0, f"after line {lines} of {len(journal)}"


def test_a_cut_run_keeps_the_trials_that_had_ended(finished: Path, journal: list[str], tmp_path: Path) -> None:
    whole, _ = load(finished)
    states = [(number, json.loads(line)) for number, line in enumerate(journal)]  # 6: a trial's state; 0: running
    ends = [number for number, entry in states if entry["op_code"] == 6 and entry["state"] != 0]
    folder = cut(finished, tmp_path / "run", ends[4] + 1)
    trials, epochs = load(folder)
    over = trials[trials["state"] != "running"]
    assert len(over) == 5
    pd.testing.assert_frame_equal(over, whole[whole["trial"].isin(over["trial"])].reset_index(drop=True))
    assert set(epochs["trial"]) <= set(trials["trial"])


def test_a_journal_with_a_torn_last_line_can_be_read(finished: Path, journal: list[str], tmp_path: Path) -> None:
    folder = cut(finished, tmp_path / "run", line_of(journal, "decision"))
    with (folder / "optuna.journal").open("a") as file:
        file.write(journal[line_of(journal, "decision")][:20])
    assert main(["report", str(folder)]) == 0

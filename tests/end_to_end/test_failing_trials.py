"""A trial that raises and one that diverges are failures with a reason; the study goes on without them."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pandas as pd
import pytest

from tests.end_to_end.tiny import MODULE, STUDY, thawline, write_project

FORWARD = "    def forward(self, x):\n        return self.head("
RAISES_OR_DIVERGES = FORWARD.replace(
    "        return",
    """\
        trains = [unit.convolution.weight.requires_grad for unit in self.units]
        if torch.is_grad_enabled() and trains == [False, False, True]:
            raise RuntimeError("one block is not enough")
        if torch.is_grad_enabled() and trains == [False, True, True]:
            x = x * float("nan")
        return""",
)
ALWAYS_DIVERGES = FORWARD.replace("        return", '        x = x * float("nan")\n        return')
# A fault in the second of two epochs of every trial, also of those that read the network's answers from a file.
GIVES_UP = MODULE.replace(
    "def network(pretrained=True):\n",
    """\
def network(pretrained=True):
    import trainables.loop

    def schedule(step, steps):
        if step >= steps // 2:
            raise RuntimeError("enough of it")
        return 1.0

    trainables.loop.schedule = schedule
""",
)
# Eight strategies in all: a probe, the last block (which raises), the last two (which diverge) and everything.
# One worker, so that every run draws the same points: fifty draws may miss a strategy.
EIGHT = "space: {preset: quick, freezing: [probe, top, full], head_lr: [0.01, 0.03], lr_ratio: [1.0], reinit: [none]}"
SMALL = (
    STUDY.replace(STUDY.splitlines()[4], EIGHT)
    .replace("trials: 6, epochs: 3", "trials: 12, epochs: 2")
    .replace("count: 2, seeds: 2", "count: 1, seeds: 1")
)


def with_forward(changed: str) -> str:
    assert FORWARD in MODULE
    return MODULE.replace(FORWARD, changed)


@pytest.fixture(scope="module")
def survived(local_ray: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run folder of a study in which some trials raise and some diverge."""
    import thawline

    folder = tmp_path_factory.mktemp("failing")
    study = write_project(folder, name="failing", module=with_forward(RAISES_OR_DIVERGES), study=SMALL)
    return Path(thawline.Study.from_yaml(study).run(folder / "run", quiet=True).run_dir)


@pytest.fixture(scope="module")
def rows(survived: Path) -> pd.DataFrame:
    trials = pd.read_parquet(survived / "tables" / "trials.parquet")
    return trials[(trials["stage"] == "search") & (trials["state"] != "reused")]


def test_a_trial_that_raises_is_failed_with_its_reason_and_a_traceback(survived: Path, rows: pd.DataFrame) -> None:
    raised = rows[rows["unfrozen_depth"] == 1]
    assert len(raised) == 2
    assert set(raised["state"]) == {"failed"}
    assert set(raised["reason"]) == {"RuntimeError: one block is not enough"}
    for trial in raised["trial"]:
        log = (survived / "logs" / f"trial-{trial}.txt").read_text()
        assert "failing.py" in log
        assert "in forward" in log
        assert log.rstrip().endswith("RuntimeError: one block is not enough")
        assert "\x1b" not in log


def test_a_trial_that_diverges_is_failed_with_the_place_where_it_did(rows: pd.DataFrame) -> None:
    diverged = rows[rows["unfrozen_depth"] == 2]
    assert len(diverged) == 2
    assert set(diverged["state"]) == {"failed"}
    assert set(diverged["reason"]) == {"diverged: the training loss is nan in epoch 1, step 1"}
    assert all(math.isnan(score) for score in diverged["score"])


def test_the_other_trials_go_on_to_a_verdict(survived: Path, rows: pd.DataFrame) -> None:
    others = rows[rows["unfrozen_depth"].isna()]
    assert len(others) == 4
    assert set(others["state"]) <= {"complete", "pruned"}
    report = json.loads((survived / "report" / "report.json").read_text())
    assert report["verdict"]["label"] is not None
    assert report["search"]["trials"] == 8
    assert report["search"]["failed"] == 4


def test_the_report_lists_the_failures(survived: Path) -> None:
    page = (survived / "report" / "report.md").read_text()
    assert "4 trials failed" in page
    assert "RuntimeError: one block is not enough" in page


def test_a_space_with_fewer_strategies_than_the_budget_is_tried_whole_and_once(rows: pd.DataFrame) -> None:
    assert len(rows) == 8
    assert rows["key"].is_unique


def test_a_failure_is_fail_in_optuna_never_a_score(survived: Path, rows: pd.DataFrame) -> None:
    from search.storage import load_study

    study = load_study(survived, "search")
    assert study is not None
    failed = [
        trial for trial in study.get_trials() if str(trial.number) in set(rows[rows["state"] == "failed"]["trial"])
    ]
    assert [(trial.state.name, trial.value) for trial in failed] == [("FAIL", None)] * 4


@pytest.mark.slow
def test_when_every_trial_fails_the_command_says_why_and_exits_3(tmp_path: Path) -> None:
    study = SMALL.replace("trials: 12", "trials: 1")
    write_project(tmp_path, module=with_forward(ALWAYS_DIVERGES), study=study)
    ended = thawline("run", "study.yaml", "--run-dir", "run", folder=tmp_path)
    assert ended.code == 3
    assert "Traceback (most recent" not in ended.told
    assert "4 trials failed:" in ended.printed
    assert re.search(
        r"^\| *[13] *\| (control|search) *\| diverged: the training loss is nan", ended.printed, re.MULTILINE
    )
    assert "next: See one of the failures in this process" in ended.printed
    last = ended.told.splitlines()[-1]
    assert last.startswith("error: the search ended without a usable trial: 4 x diverged: the training loss is nan")
    report = json.loads((tmp_path / "run" / "report" / "report.json").read_text())
    assert report["verdict"]["sentence"] == "No verdict yet: every trial failed."
    trials = pd.read_parquet(tmp_path / "run" / "tables" / "trials.parquet")
    assert list(trials["state"]) == ["failed"] * 4


@pytest.mark.slow
def test_when_no_trial_reaches_its_last_epoch_the_command_says_why_and_exits_3(tmp_path: Path) -> None:
    write_project(tmp_path, module=GIVES_UP, study=SMALL.replace("trials: 12", "trials: 3"))
    ended = thawline("run", "study.yaml", "--run-dir", "run", folder=tmp_path)
    trials = pd.read_parquet(tmp_path / "run" / "tables" / "trials.parquet")
    epochs = pd.read_parquet(tmp_path / "run" / "tables" / "epochs.parquet")
    assert set(epochs["epoch"]) == {1}  # there are scores, but none that may be compared
    assert epochs["score"].notna().all()
    assert set(trials["state"]) <= {"failed", "pruned", "reused"}
    assert set(trials.loc[trials["state"] == "failed", "reason"]) == {"RuntimeError: enough of it"}
    assert ended.code == 3
    assert "Traceback (most recent" not in ended.told
    assert re.search(r"^\| *\d+ *\| (control|search) *\| RuntimeError: enough of it", ended.printed, re.MULTILINE)
    last = ended.told.splitlines()[-1]
    failed = (trials["state"] == "failed").sum()
    assert last.startswith(f"error: the search ended without a usable trial: {failed} x RuntimeError: enough of it")
    report = json.loads((tmp_path / "run" / "report" / "report.json").read_text())
    assert report["verdict"]["sentence"].startswith("No verdict yet")
    assert not (tmp_path / "run" / "best").exists()

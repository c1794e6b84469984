"""Workers that die, memory that runs out, a disk that is full: each ends as it should, on a real Ray."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from search.again import attributes_of, parts_of
from search.cli import main
from search.errors import StudyFailed
from search.layering import resolve
from search.proposals import Proposal
from search.results.load import load
from search.setup import template
from search.storage import load_study
from spaces.strategy import Full, Probe, Strategy, Top, to_point
from tests.end_to_end.tiny import MODULE, STUDY, write_project

FORWARD = "    def forward(self, x):\n"
# What befalls a trial is told by what of its network trains; a mark on the disk says that it has happened.
BEFALLS = """\
    def forward(self, x):
        import os, pathlib, signal

        trains = [unit.convolution.weight.requires_grad for unit in self.units]
        mark = pathlib.Path(__file__).with_name("died")
        self.calls = getattr(self, "calls", 0) + torch.is_grad_enabled()
        if trains == [False, False, True] and self.calls == 5 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if trains == [False, True, True]:
            os.kill(os.getpid(), signal.SIGKILL)
        if trains == [True, True, True] and torch.is_grad_enabled() and len(x) > 16:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\\nmore about it")
"""
ONCE, ALWAYS, FULL = (
    Strategy(freezing, 0.01, lr_ratio=1.0, weight_decay=1e-4) for freezing in (Top(1), Top(2), Full())
)


def carry_out(folder: Path, name: str, module: str, strategies: list[Strategy]) -> dict[str, Any]:
    """Train ``strategies`` as search trials without early stopping; return the template of their orders."""
    from search.sampler import StudySearcher
    from search.tuner import carry_out, slots

    study = STUDY.replace("concurrent: 1", "concurrent: 2")
    resolved = resolve(write_project(folder, name=name, module=module, study=study))
    queue = [Proposal(strategy, "search", 0) for strategy in strategies]
    searcher = StudySearcher(folder, "search", template(resolved), queue)
    carry_out(searcher, None, slots(resolved.config.resources))
    return {"template": template(resolved)}


@pytest.fixture(scope="module")
def struck(local_ray: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Return the folder in which a worker died once, another died always, and one trial ran out of memory."""
    assert FORWARD in MODULE
    folder = tmp_path_factory.mktemp("struck")
    module = MODULE.replace(FORWARD + "        return self.head", BEFALLS + "        return self.head")
    assert module != MODULE
    return folder, carry_out(folder, "struck", module, [ONCE, ALWAYS, FULL])["template"]


@pytest.fixture(scope="module")
def rows(struck: tuple[Path, Any]) -> pd.DataFrame:
    trials, _ = load(struck[0])
    return trials.set_index("key")


def kept(folder: Path, rows: pd.DataFrame, strategy: Strategy) -> dict[str, Any]:
    study = load_study(folder, "search")
    assert study is not None
    return study.get_trials()[int(rows.loc[strategy.key, "trial"])].user_attrs


def trained_here(config: Any, strategy: Strategy, **changes: Any) -> list[tuple[float, float, float]]:
    """Return what each epoch measures when the trial is trained in this process, from its start to its end."""
    from trainables.loop import train
    from trainables.run import build

    own = config.model_copy(update={"strategy": to_point(strategy), "seed": 0, **changes})
    return [(epoch.train_loss, epoch.val_loss, epoch.score) for epoch in train(build(own))]


def recorded(folder: Path, trial: str) -> list[tuple[float, float, float]]:
    _, epochs = load(folder)
    own = epochs[epochs["trial"] == trial]
    return list(own[["train_loss", "val_loss", "score"]].itertuples(index=False, name=None))


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_and_its_trial_goes_on_from_its_checkpoint(
    struck: tuple[Path, Any], rows: pd.DataFrame
) -> None:
    folder, config = struck
    assert rows.loc[ONCE.key, "state"] == "complete"
    assert kept(folder, rows, ONCE)["retried"] == {"reason": "the worker died", "after": 1, "accumulate": 1}
    assert recorded(folder, rows.loc[ONCE.key, "trial"]) == trained_here(config, ONCE)


@pytest.mark.slow
def test_a_trial_whose_worker_dies_twice_is_failed_with_the_reason(
    struck: tuple[Path, Any], rows: pd.DataFrame
) -> None:
    assert rows.loc[ALWAYS.key, "state"] == "failed"
    assert rows.loc[ALWAYS.key, "reason"] == "the worker died (tried twice; the first time: the worker died)"
    assert (struck[0] / "logs" / f"trial-{rows.loc[ALWAYS.key, 'trial']}.txt").exists()


@pytest.mark.slow
def test_a_trial_that_runs_out_of_memory_goes_on_with_batches_in_two_parts(
    struck: tuple[Path, Any], rows: pd.DataFrame
) -> None:
    folder, config = struck
    assert rows.loc[FULL.key, "state"] == "complete"
    retried = kept(folder, rows, FULL)["retried"]
    assert retried["accumulate"] == 2
    assert retried["reason"] == "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
    assert recorded(folder, rows.loc[FULL.key, "trial"]) == trained_here(config, FULL, accumulate=2)
    assert parts_of(attributes_of(folder, rows.loc[FULL.key, "trial"])) == 2  # as `thawline trial` repeats it


@pytest.mark.slow
def test_nothing_of_them_is_left_but_the_journal_and_the_logs(struck: tuple[Path, Any], rows: pd.DataFrame) -> None:
    assert list((struck[0] / "checkpoints").iterdir()) == []
    assert len(rows) == 3


@pytest.mark.slow
def test_where_progress_cannot_be_kept_the_study_stops_and_the_trial_stays_unfinished(
    local_ray: None, tmp_path: Path
) -> None:
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(StudyFailed, match=r"cannot be written: .*progress-1.pt: Not a directory") as stopped:
        carry_out(tmp_path, "unkept", MODULE, [Strategy(Probe(), 0.01)])
    assert f"thawline resume {tmp_path}" in stopped.value.message
    trials, _ = load(tmp_path)
    assert list(trials["state"]) == ["running"]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Let the disk run full in the middle of an entry of the journal, once so many entries fitted."""
    from optuna.storages.journal import JournalFileBackend

    room = {"entries": 60}
    append = JournalFileBackend.append_logs

    def until_full(self: JournalFileBackend, logs: list[dict[str, Any]]) -> None:
        if room["entries"] > 0:
            room["entries"] -= 1
            append(self, logs)
            return
        with open(self._file_path, "ab") as file:
            file.write(json.dumps(logs[0]).encode()[:9])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(JournalFileBackend, "append_logs", until_full)
    return room


@pytest.mark.slow
def test_a_full_disk_is_one_clear_error_and_the_run_goes_on_when_there_is_room(
    local_ray: None,
    tmp_path: Path,
    full_disk: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    quick = STUDY.replace("trials: 6, epochs: 3", "trials: 1, epochs: 2").replace("seeds: 2", "seeds: 1")
    write_project(tmp_path, name="full", study=quick)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "study.yaml", "--run-dir", "run"]) == 1
    told = capfd.readouterr().err
    assert "Traceback" not in told
    assert told.splitlines()[-1] == (
        "error: the run folder run cannot be written: No space left on device; what is recorded stays readable; "
        "make room or make it writable, then thawline resume run"
    )
    before, _ = load(tmp_path / "run")
    assert len(before) > 1
    assert set(before["state"]) <= {"complete", "pruned", "running"}
    full_disk["entries"] = 10**9
    assert main(["resume", "run", "--quiet"]) == 0
    after, _ = load(tmp_path / "run")
    ended = before[before["state"] != "running"]
    pd.testing.assert_frame_equal(after[after["trial"].isin(ended["trial"])].reset_index(drop=True), ended)
    assert json.loads((tmp_path / "run/report/report.json").read_text())["verdict"]["label"] is not None

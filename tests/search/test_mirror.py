"""A run folder kept twice: what is copied, in which order, whose it is, and what is said when it cannot be."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from search.errors import ExitCode, StudyFailed
from search.layering import Resolved, resolve
from search.mirror import DRIVER, Mirror, pull
from search.places import new_run
from spaces.errors import BadInput
from trainables import predictions
from trainables.remote import RemotePath


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Return a run folder as it stands in the middle of a run."""
    folder = tmp_path / "here"
    files = ("study.yaml", "split.csv", "logs/trial-3.txt", ".driver.lock", "report/report.html.part")
    for name in (*files, "checkpoints/1/progress-2.pt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "optuna.journal").write_text('{"a": 1}\n{"torn')
    return folder


@pytest.fixture
def there(tmp_path: Path) -> RemotePath:
    return RemotePath(f"file://{tmp_path}/there/run")


def test_everything_but_checkpoints_and_locks_is_copied_and_the_journal_up_to_its_last_whole_line(
    run_dir: Path, there: RemotePath
) -> None:
    with Mirror(run_dir, there).going():
        pass
    assert there.names() == [DRIVER, "logs/trial-3.txt", "optuna.journal", "split.csv", "study.yaml"]
    assert (there / "optuna.journal").read_bytes() == b'{"a": 1}\n'


def test_what_changes_is_copied_within_the_interval(run_dir: Path, there: RemotePath) -> None:
    with Mirror(run_dir, there, seconds=0.05).going():
        (run_dir / "optuna.journal").write_text('{"a": 1}\n{"b": 2}\n')
        for _ in range(200):
            if (there / "optuna.journal").read_bytes().count(b"\n") == 2:
                break
            threading.Event().wait(0.05)
        else:
            pytest.fail("the journal was not copied")


def test_the_progress_of_an_ended_trial_goes_when_the_journal_that_says_so_is_copied(
    run_dir: Path, there: RemotePath
) -> None:
    mirror = Mirror(run_dir, there, seconds=3600)
    with mirror.going():
        progress = mirror.checkpoints("1") / "progress-2.pt"
        progress.write_bytes(b"x")
        mirror.forget("1")
        assert progress.exists()
        mirror.copy()
        assert not progress.exists()


def test_predictions_are_brought_here(run_dir: Path, there: RemotePath) -> None:
    mirror = Mirror(run_dir, there)
    predictions.write(mirror.checkpoints("c0"), "val", ["a", "b"], [0, 1], [1, 1])
    mirror.bring("c0", "val")
    assert predictions.read(run_dir / "checkpoints" / "c0", "val")["prediction"].tolist() == [1, 1]


def test_a_driver_whose_run_was_taken_over_copies_nothing_more(run_dir: Path, there: RemotePath) -> None:
    first, second = (Mirror(run_dir, there, seconds=3600) for _ in range(2))

    def taken_over() -> None:
        with first.going():
            with second.going():
                (run_dir / "optuna.journal").write_text('{"second": 1}\n')
                second.copy()
            (run_dir / "optuna.journal").write_text('{"first": 1}\n')

    with pytest.raises(StudyFailed, match="was taken over by another thawline, process "):
        taken_over()
    assert (there / "optuna.journal").read_bytes() == b'{"second": 1}\n'
    assert first.taken is not None


def test_a_target_that_cannot_be_written_is_one_sentence(run_dir: Path) -> None:
    nowhere = RemotePath("nothing://bucket/run")
    told = r"^storage\.runs: the run cannot be copied to nothing://bucket/run"
    with pytest.raises(StudyFailed, match=told) as found, Mirror(run_dir, nowhere).going():
        pass
    assert found.value.code == ExitCode.CLUSTER


def test_a_failure_in_the_middle_is_told_once_and_tried_again(run_dir: Path, there: RemotePath) -> None:
    told: list[str] = []
    heard = threading.Event()

    def tell(event: dict[str, str]) -> None:
        told.append(event["message"])
        heard.set()

    with Mirror(run_dir, there, tell, seconds=0.02).going():
        driver = (there / DRIVER).read_bytes()
        (there / DRIVER).unlink()  # as if the place were gone
        assert heard.wait(30)
        threading.Event().wait(0.3)
        (there / DRIVER).write_bytes(driver)
    assert len(told) == 1
    assert "it is tried again" in told[0]


def test_a_mirrored_run_is_pulled_without_what_is_large(run_dir: Path, there: RemotePath, tmp_path: Path) -> None:
    mirror = Mirror(run_dir, there)
    with mirror.going():
        for name in ("progress-1.pt", "weights.safetensors"):
            (mirror.checkpoints("c0") / name).write_bytes(b"large")
        predictions.write(mirror.checkpoints("c0"), "val", ["a"], [0], [1])
    pulled = pull(there, tmp_path / "pulled")
    names = sorted(path.relative_to(pulled).as_posix() for path in pulled.rglob("*") if path.is_file())
    kept = ["checkpoints/c0/predictions-val.parquet", "logs/trial-3.txt", "optuna.journal", "split.csv", "study.yaml"]
    assert names == kept
    with pytest.raises(BadInput, match="must be a new or an empty folder"):
        pull(there, pulled)
    with pytest.raises(BadInput, match="is no run folder"):
        pull(there / "logs", tmp_path / "other")


def resolved(folder: Path, runs: str) -> Resolved:
    text = f"task: image-classification\nmodel: torchvision:resnet18\ndata: {{path: .}}\nstorage: {{runs: '{runs}'}}\n"
    (folder / "flowers.yaml").write_text(text)
    return resolve(folder / "flowers.yaml", look=False)


def test_a_new_run_has_its_folder_here_and_its_mirror_below_the_uri(there: RemotePath, tmp_path: Path) -> None:
    runs = f"file://{tmp_path}/there"
    study = resolved(tmp_path, runs)
    assert new_run(study, tmp_path / "run") == (tmp_path / "run", there)
    assert new_run(study, str(there)) == (tmp_path / "runs" / "run", there)
    folder, target = new_run(study, None)
    assert (folder.parent, target) == (tmp_path / "runs", RemotePath(runs) / folder.name)
    assert folder.name.startswith("flowers-")


def test_a_study_file_in_a_folder_that_cannot_be_written_has_its_run_in_the_working_directory(
    there: RemotePath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mounted").mkdir()
    study = resolved(tmp_path / "mounted", f"file://{tmp_path}/there")
    monkeypatch.setattr("os.access", lambda path, mode: not Path(path).is_relative_to(tmp_path / "mounted"))
    monkeypatch.chdir(tmp_path)
    assert new_run(study, str(there)) == (tmp_path / "runs" / "run", there)
    assert new_run(study, None)[0].parent == tmp_path / "runs"


def test_a_run_on_a_path_has_no_mirror_unless_it_is_named_by_a_uri(there: RemotePath, tmp_path: Path) -> None:
    study = resolved(tmp_path, "shared")
    folder, target = new_run(study, None)
    assert (folder.parent, target) == (tmp_path / "shared", None)
    assert new_run(study, str(there)) == (tmp_path / "runs" / "run", there)


def test_a_new_run_does_not_take_the_place_of_another(run_dir: Path, there: RemotePath, tmp_path: Path) -> None:
    with Mirror(run_dir, there).going():
        pass
    study = resolved(tmp_path, f"file://{tmp_path}/there")
    with pytest.raises(BadInput, match="holds a run already: thawline resume file://"):
        new_run(study, tmp_path / "run")
    with pytest.raises(BadInput, match="must be a new or an empty folder"):
        new_run(study, run_dir)

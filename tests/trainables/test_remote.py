"""Places elsewhere: the same few verbs, whichever file system a URI names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support import tiny_trials
from trainables import remote, remote_progress
from trainables.checkpoint import load_progress, load_trained, newest_progress, save_trained
from trainables.files import Unwritable, put
from trainables.loop import train
from trainables.remote import RemotePath, is_uri, place
from trainables.remote_progress import RemoteProgress
from trainables.run import build


@pytest.fixture(params=["file", "memory"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> RemotePath:
    """Return a folder of a file system of pyarrow's own, and of one of fsspec's."""
    return RemotePath(f"file://{tmp_path}/there" if request.param == "file" else f"memory://{tmp_path.name}/there")


def test_a_file_is_written_listed_read_and_deleted(elsewhere: RemotePath) -> None:
    file = elsewhere / "checkpoints/c1/progress-2.pt"
    assert not file.exists()
    assert elsewhere.names() == []
    assert put(b"content", file) == file
    put(b"more", elsewhere / "study.yaml")
    assert (file.exists(), file.read_bytes(), file.name) == (True, b"content", "progress-2.pt")
    assert elsewhere.names() == ["checkpoints/c1/progress-2.pt", "study.yaml"]
    assert (elsewhere / "checkpoints/c1").glob("progress-*") == [file]
    assert (elsewhere / "checkpoints/c1").glob("weights*") == []
    file.unlink()
    file.unlink()
    assert elsewhere.names() == ["study.yaml"]


def test_what_is_not_there_or_cannot_be_reached_is_an_os_error(elsewhere: RemotePath) -> None:
    with pytest.raises(OSError, match="gone"):
        (elsewhere / "gone").read_bytes()
    with pytest.raises(OSError, match="nothing"):
        RemotePath("nothing://bucket/run").exists()
    with pytest.raises(Unwritable, match="nothing://bucket/run"):
        put(b"", RemotePath("nothing://bucket/run"))


def test_what_follows_a_question_mark_stays_behind_the_path() -> None:
    bucket = RemotePath("s3://bucket/runs?scheme=http&endpoint_override=127.0.0.1:1")
    assert str(bucket / "flowers") == "s3://bucket/runs/flowers?scheme=http&endpoint_override=127.0.0.1:1"
    assert (bucket / "flowers").name == "flowers"
    assert RemotePath("s3://bucket").name == "bucket"


def test_a_place_is_a_path_or_a_uri(tmp_path: Path) -> None:
    assert place(str(tmp_path)) == tmp_path
    assert place("s3://bucket") == RemotePath("s3://bucket")
    assert not is_uri("C:/runs")


def test_weights_kept_elsewhere_are_loaded_again(tmp_path: Path, elsewhere: RemotePath) -> None:
    run, other = (build(tiny_trials.images(tmp_path)) for _ in range(2))
    list(train(run))
    save_trained(run.network, run.plan, elsewhere)
    load_trained(other.network, elsewhere)
    for name, tensor in run.network.state_dict().items():
        assert torch.equal(tensor, other.network.state_dict()[name])


def test_a_trial_goes_on_from_the_newest_progress_that_the_mirror_knows(
    tmp_path: Path, elsewhere: RemotePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_trials.images(tmp_path, epochs=6)
    now = [1000.0]
    monkeypatch.setattr("trainables.remote_progress.time.monotonic", lambda: now[0])
    whole = [epoch.train_loss for epoch in train(build(config))]
    run, kept = build(config), RemoteProgress(elsewhere)
    for epoch in train(run):
        kept.save(run, epoch.epoch)
        now[0] += remote.WRITTEN / 2 + 1  # so that every second epoch is written
    assert [newest_progress(elsewhere, epoch) for epoch in range(7)] == [0, 1, 1, 3, 3, 5, 5]
    again = build(config)
    assert load_progress(again, elsewhere, newest_progress(elsewhere, 4)) == 3
    assert [epoch.train_loss for epoch in train(again, after=3)] == whole[3:]


def test_progress_goes_only_when_the_mirror_must_have_caught_up(
    tmp_path: Path, elsewhere: RemotePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("trainables.remote_progress.time.monotonic", lambda: now[0])
    run, kept = build(tiny_trials.images(tmp_path)), RemoteProgress(elsewhere)
    written = {}
    for epoch in range(1, 40):
        now[0] += remote.WRITTEN
        kept.save(run, epoch)
        written[epoch] = now[0]
        for lag in (0.0, remote.MIRRORED, remote.KEPT):  # of the mirror: it knows the epochs up to then
            known = max((each for each, at in written.items() if at <= now[0] - lag), default=0)
            assert newest_progress(elsewhere, known) == known
    assert len(elsewhere.glob("progress-*")) <= remote.KEPT / remote.WRITTEN + 2
    # A worker that takes the trial over leaves what it finds until it is as old.
    RemoteProgress(elsewhere).save(run, 40)
    assert newest_progress(elsewhere, 38) == 38
    assert remote_progress.KEPT > remote.MIRRORED

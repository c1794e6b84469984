"""A run folder comes back whole, goes on where it broke, and nothing that comes leaves its folder.

The other side is the real script, in a process of its own as on a head; what lies between, a job's log, is a file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.cli import main
from search.cluster import address, fetch, send
from search.cluster.fetch import Fetched, held, lines, write_down
from search.errors import StudyFailed
from spaces.errors import BadInput
from tests.search.cluster.answering import head
from trainables.remote import RemotePath

BIG = bytes(range(256)) * 4000  # more than two lines


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A run folder on the head."""
    run = tmp_path / "there"
    for name, content in {
        "study.yaml": b"name: x\n",
        "empty": b"",
        "best/weights.safetensors": BIG,
        "a b/ü.txt": b"1",
    }.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(content)
    (run / ".driver.lock").write_text("77")
    (run / "optuna.journal.part").write_text("half")
    (run / "link").symlink_to("/etc/hostname")
    return run


def printed(there: Path, here: Path, tmp_path: Path) -> str:
    """Return what the script prints of ``there`` to somebody who holds what is ``here``."""
    folder = tmp_path / "job"
    folder.mkdir(exist_ok=True)
    (folder / "send.py").write_text(Path(send.__file__).read_text())
    (folder / "have.json").write_text(json.dumps(dict(held(here))))
    code = f"import send, json; send.send_folder(send.Path({str(there)!r}), json.load(open('have.json')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return f"INFO Running entrypoint\n{done.stdout}"


def chunks(text: str, size: int = 10_007) -> Iterator[str]:
    for start in range(0, len(text), size):
        yield text[start : start + size]


def contents(folder: Path) -> dict[str, bytes]:
    return {path: (folder / path).read_bytes() for path in send.paths(folder)}


def bring(there: Path, here: Path, tmp_path: Path) -> Fetched:
    return write_down(lines(chunks(printed(there, here, tmp_path))), here, print)


def test_every_file_comes_but_the_lock_links_and_what_is_half_written(there: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    fetched = bring(there, here, tmp_path)
    assert contents(here) == contents(there)
    assert set(contents(here)) == {"study.yaml", "empty", "best/weights.safetensors", "a b/ü.txt"}
    assert (fetched.files, fetched.bytes) == (4, len(BIG) + 9)
    assert not any(here.rglob("*.part"))


def test_what_is_here_does_not_come_again_and_what_changed_does(there: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    bring(there, here, tmp_path)
    assert bring(there, here, tmp_path) == Fetched(here, 4, 0)
    with (there / "study.yaml").open("a") as file:
        file.write("more: 1\n")
    (there / "a b/ü.txt").write_bytes(b"2")
    assert bring(there, here, tmp_path).bytes == len("more: 1\n") + 1  # of the one that grew, only its end
    assert contents(here) == contents(there)


def test_a_transfer_that_breaks_goes_on_where_it_broke(there: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    text = printed(there, here, tmp_path)
    cut = text.index("thawline-data", text.index("weights.safetensors")) + 2 * send.PIECE
    with pytest.raises(StudyFailed, match="the same command goes on"):
        write_down(lines(chunks(text[:cut])), here, print)
    part = here / "best/weights.safetensors.part"
    assert part.stat().st_size == send.PIECE
    fetched = bring(there, here, tmp_path)
    assert 0 < fetched.bytes < len(BIG)
    assert contents(here) == contents(there)
    assert not part.exists()


def test_what_is_damaged_is_not_kept(there: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    text = printed(there, here, tmp_path).replace("thawline-data bmFtZTogeAo=", "thawline-data bmFtZTogeQo=")
    with pytest.raises(StudyFailed, match="damaged"):
        write_down(lines(chunks(text)), here, print)
    assert not (here / "study.yaml").exists()
    bring(there, here, tmp_path)
    assert contents(here) == contents(there)


@pytest.mark.parametrize("path", ["../outside", "/etc/outside", "a/../../outside"])
def test_no_file_is_written_outside_of_the_folder(tmp_path: Path, path: str) -> None:
    about = json.dumps({"path": path, "size": 1, "offset": 0})
    with pytest.raises(StudyFailed, match="leads out of the folder"):
        write_down([f"thawline-file {about}"], tmp_path / "here", print)
    assert not (tmp_path / "outside").exists()


def test_a_folder_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(StudyFailed, match="there is no run folder"):
        bring(tmp_path / "gone", tmp_path / "here", tmp_path)


def test_the_script_empties_its_log_when_it_is_stopped(there: Path, tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    (tmp_path / "have.json").write_text("{}")
    (tmp_path / "send.py").write_text(Path(send.__file__).read_text())
    with log.open("a") as file:
        job = subprocess.Popen([sys.executable, "send.py", str(there)], cwd=tmp_path, stdout=file)
    until = time.monotonic() + 60
    while "thawline-done" not in log.read_text() and time.monotonic() < until:
        time.sleep(0.05)
    assert log.stat().st_size > len(BIG)
    os.kill(job.pid, signal.SIGTERM)
    assert job.wait(30) == 0
    assert log.stat().st_size == 0


def test_lines_are_whole_however_they_are_cut() -> None:
    text = "one\n\ntwo and more\nthree\nrest"
    for size in range(1, len(text)):
        assert list(lines(chunks(text, size))) == ["one", "", "two and more", "three"]


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/mine").write_text("mine")
    with pytest.raises(BadInput, match="holds something else"):
        fetch.claim(tmp_path / "taken", "job-1")
    fetch.claim(tmp_path / "new", "job-1")
    fetch.claim(tmp_path / "new", "job-1")
    with pytest.raises(BadInput, match="holds what was fetched of job-1"):
        fetch.claim(tmp_path / "new", "job-2")


@pytest.mark.parametrize("standing", [False, True])
def test_a_folder_for_which_nothing_came_goes_again(tmp_path: Path, standing: bool) -> None:
    folder = tmp_path / "here" / "runs" / "job-1"
    if standing:
        folder.mkdir(parents=True)
    with pytest.raises(StudyFailed), fetch.claimed(folder, "job-1"):
        write_down(['thawline-error {"message": "there is no run folder"}'], folder, print)
    assert (tmp_path / "here").exists() is folder.exists() is standing
    assert not list(tmp_path.rglob(fetch.MARK))


def test_a_folder_for_which_something_came_stays(there: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    with fetch.claimed(here, "job-1"):
        bring(there, here, tmp_path)
    assert (here / fetch.MARK).read_text() == "job-1\n"


def test_an_open_cluster_that_others_can_reach_is_refused_unless_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "near", lambda url: False)
    for name in address.OVERRIDES:
        monkeypatch.delenv(name, raising=False)
    with head(None) as (url, _):
        with pytest.raises(StudyFailed, match="asks for no token"):
            fetch.fetch("job-1", address=url)
        with pytest.raises(BadInput, match="must be a job's name"):
            fetch.fetch("", address=url, force=True)


def test_an_interrupted_transfer_says_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_asked: object, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "fetch", interrupted)
    assert main(["fetch", "job-1"]) == 130
    assert capsys.readouterr().err.strip() == "interrupted; what came is kept, and the same command goes on"


def test_a_run_folder_is_read_from_any_file_system_that_runs_may_lie_on(there: Path, tmp_path: Path) -> None:
    run = RemotePath(f"memory://{tmp_path.name}/run")
    for name, content in contents(there).items():
        (run / name).write_bytes(content)
    fetched = fetch.copy(str(run), tmp_path / "here")
    assert contents(tmp_path / "here") == contents(there)
    assert fetched == Fetched(tmp_path / "here", 4, len(BIG) + 9)
    (run / "study.yaml").write_bytes(b"name: y\n")  # as long as before
    fetch.copy(str(run), tmp_path / "here")
    assert (tmp_path / "here" / "study.yaml").read_bytes() == b"name: y\n"


def test_a_run_folder_at_an_address_is_read_from_there(there: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    (there / "link").unlink()
    first = fetch.copy(there.as_uri(), here)
    assert {name: (here / name).read_bytes() for name in contents(there)} == contents(there)
    assert fetch.copy(there.as_uri(), here) == Fetched(here, first.files, 0)
    (there / "study.yaml").write_text("name: y\n")
    assert fetch.copy(there.as_uri(), here).bytes == 8
    with pytest.raises(StudyFailed, match="cannot be read"):
        fetch.copy((tmp_path / "gone").as_uri(), here)

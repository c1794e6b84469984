"""A run folder kept twice: beside the driver, where the journal is written, and at ``storage.runs``, a URI.

Trials write their checkpoints to the URI directly. Everything else is copied there every few seconds, the journal
last, so that it never names what is not there. What the loss of the driver's machine costs: `trainables.remote.LOST`.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from search.errors import ExitCode, StudyFailed, again
from search.progress import Tell, silent
from search.storage import JOURNAL, POINTER
from spaces.errors import BadInput
from trainables import predictions
from trainables.files import Unwritable, put
from trainables.remote import MIRRORED, Place, RemotePath

DRIVER = "driver.txt"  # whose run it is: written by the driver that took it last
MIRROR = "mirror"  # attribute of the study `search`: where the run is mirrored to
CHECKPOINTS = "checkpoints"


class Mirror:
    """Copies a run folder to ``target`` every ``seconds`` as long as the context `going` lasts."""

    def __init__(self, run_dir: Path, target: RemotePath, tell: Tell = silent, seconds: float = MIRRORED) -> None:
        self.target = target
        self._run_dir, self._tell, self._seconds = run_dir, tell, seconds
        self._me = f"process {os.getpid()} on {socket.gethostname()}, {secrets.token_hex(8)}"
        self._copied: dict[str, tuple[int, int]] = {}
        self._ended: list[str] = []  # trials whose progress goes when the journal that says so is copied
        self._over, self._one_at_a_time = threading.Event(), threading.Lock()
        self.taken: StudyFailed | None = None  # another driver has the run

    def checkpoints(self, label: str) -> RemotePath:
        """Return where a trial's checkpoints lie."""
        return self.target / CHECKPOINTS / label

    def bring(self, label: str, split: str) -> None:
        """Copy a trial's predictions here, where tables and reports look for them.

        Raises:
            OSError, Unwritable: they cannot be read there, or written here.
        """
        there = predictions.path(self.checkpoints(label), split)
        put(there.read_bytes(), predictions.path(self._run_dir / CHECKPOINTS / label, split))

    def forget(self, label: str) -> None:
        """Delete a trial's progress as soon as the mirrored journal knows that it has ended."""
        self._ended.append(label)

    @contextmanager
    def going(self) -> Iterator[None]:
        """Take the run, copy it in the background, and once more at the end.

        Raises:
            StudyFailed: the target cannot be written, or another driver took the run over.
        """
        try:
            (self.target / DRIVER).write_bytes(self._me.encode())
            self.copy()
        except OSError as error:
            raise self._unreachable(error) from error
        thread = threading.Thread(target=self._keep_copying, name="mirror", daemon=True)
        thread.start()
        try:
            yield
        except BaseException:
            self._end(thread)
            with suppress(OSError, StudyFailed):  # what went wrong first is what is told
                self.copy()
            raise
        self._end(thread)
        try:
            self.copy()
        except OSError as error:
            raise self._unreachable(error) from error

    def _end(self, thread: threading.Thread) -> None:
        self._over.set()
        thread.join()

    def copy(self) -> None:
        """Copy what has changed since the last time, the journal last; then delete the progress of ended trials.

        Raises:
            OSError: the target cannot be read or written.
            StudyFailed: another driver has taken the run over; nothing was copied.
        """
        with self._one_at_a_time:
            self._check_mine()
            ended = len(self._ended)
            for name in changed(self._run_dir, self._copied):
                self._copy(name)
            for label in self._ended[:ended]:
                from trainables.checkpoint import forget_progress

                forget_progress(self.checkpoints(label))
            del self._ended[:ended]

    def _copy(self, name: str) -> None:
        path = self._run_dir / name
        try:
            stamp = _stamp(path)
            content = path.read_bytes()
        except FileNotFoundError:  # replaced in this moment: the next copy has it
            return
        if name == JOURNAL:
            content = content[: content.rfind(b"\n") + 1]
        (self.target / name).write_bytes(content)
        self._copied[name] = stamp

    def _check_mine(self) -> None:
        driver = (self.target / DRIVER).read_bytes().decode(errors="replace")
        if driver != self._me:
            other = driver.rpartition(",")[0]
            message = f"the run at {self.target} was taken over by another thawline, {other}; this one stops"
            self.taken = StudyFailed(message, ExitCode.FAILED)
            raise self.taken

    def _keep_copying(self) -> None:
        failing = False
        while not self._over.wait(self._seconds) and self.taken is None:
            try:
                self.copy()
                failing = False
            except StudyFailed:
                return
            except Exception as error:  # tried again, and told once: at the end it is an error
                if not failing:
                    self._tell(
                        {"event": "warning", "message": f"{self._unreachable(error).message}; it is tried again"}
                    )
                failing = True

    def _unreachable(self, error: BaseException) -> StudyFailed:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"storage.runs: the run cannot be copied to {self.target}: {why}; what is recorded stands in"
        return StudyFailed(f"{message} {self._run_dir}: {again('resume', self._run_dir)}", ExitCode.CLUSTER)


def checkpoints(run_dir: Path, mirror: Mirror | None, label: str) -> Place:
    """Return where the checkpoints of a trial lie: in the run folder, or where it is mirrored to."""
    return mirror.checkpoints(label) if mirror else run_dir.absolute() / CHECKPOINTS / label


def changed(run_dir: Path, copied: dict[str, tuple[int, int]]) -> list[str]:
    """Return the files that are mirrored and differ from their last copy; the journal comes last."""
    found = []
    for folder, folders, files in os.walk(run_dir):
        folders[:] = [name for name in folders if Path(folder, name) != run_dir / CHECKPOINTS]
        for name in files:
            path = Path(folder, name)
            relative = path.relative_to(run_dir).as_posix()
            if name.startswith(".") or name.endswith(".part"):
                continue
            if path.exists() and copied.get(relative) != _stamp(path):
                found.append(relative)
    return sorted(found, key=lambda name: (name == JOURNAL, name))


def pull(source: RemotePath, run_dir: Path) -> Path:
    """Copy a mirrored run to ``run_dir``, new or empty, without the weights and progress of trials; return it.

    Raises:
        BadInput: there is no run, or something is in the way.
        StudyFailed: the place cannot be reached.
    """
    if run_dir.exists() and (not run_dir.is_dir() or any(run_dir.iterdir())):
        message = (
            f"{run_dir} must be a new or an empty folder; if it holds this run already: {again('resume', run_dir)}"
        )
        raise BadInput.at("--run-dir", message)
    try:
        names = source.names()
        if not {JOURNAL, POINTER} & set(names):
            raise BadInput.at(str(source), f"is no run folder: it holds no {JOURNAL}")
        for name in names:
            if name != DRIVER and not _is_large(name):
                put((source / name).read_bytes(), run_dir / name)
    except (OSError, Unwritable) as error:
        message = f"{source} cannot be copied to {run_dir}: {error}"
        raise StudyFailed(message, ExitCode.CLUSTER) from error
    return run_dir


def _is_large(name: str) -> bool:
    return name.startswith(f"{CHECKPOINTS}/") and not name.endswith(".parquet")


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns

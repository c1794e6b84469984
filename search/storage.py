"""The Optuna storage of a run with its studies ``search`` and ``confirm``: one journal file, or a database."""

from __future__ import annotations

import fcntl
import json
import os
import warnings
from contextlib import suppress
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock
from optuna.study import StudyDirection

from search.database import POINTER as POINTER
from search.database import database_of

JOURNAL = "optuna.journal"
SEARCH, CONFIRM = "search", "confirm"

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


class KernelLock(BaseJournalFileLock):
    """A lock the kernel frees when its process dies; Optuna's own wait half a minute after a kill."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def open_storage(run_dir: Path) -> BaseStorage:
    """Open, or create, what ``run_dir`` is recorded in.

    Raises:
        StudyFailed: a database cannot be reached.
    """
    database = database_of(run_dir)
    if database:
        return database.open()
    path = run_dir.absolute() / JOURNAL
    return JournalStorage(JournalFileBackend(str(path), lock_obj=KernelLock(path.with_name(f".{JOURNAL}.lock"))))


def repair(run_dir: Path) -> None:
    """Cut a torn end off the journal, which a kill or a full disk leaves; only the run's one driver may.

    It can be read as it is, but the next entry would be glued to it, and nothing after that be read.
    """
    if database_of(run_dir):
        return
    with (run_dir / JOURNAL).open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        while whole:
            last = content.rfind(b"\n", 0, whole - 1) + 1
            if _is_entry(content[last:whole]):
                break
            whole = last
        if whole < len(content):
            file.truncate(whole)


def _is_entry(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def open_study(run_dir: Path, name: str, mode: str) -> optuna.Study:
    """Open, or create, the study ``name`` of ``run_dir``."""
    there = load_study(run_dir, name)
    if there:
        return there
    return optuna.create_study(
        storage=open_storage(run_dir),
        study_name=_stored_as(run_dir, name),
        direction=StudyDirection.MAXIMIZE if mode == "max" else StudyDirection.MINIMIZE,
    )


def load_study(run_dir: Path, name: str) -> optuna.Study | None:
    """Open the study ``name`` of ``run_dir``, or return None where there is none yet."""
    return load_studies(run_dir).get(name)


def load_studies(run_dir: Path) -> dict[str, optuna.Study]:
    """Open the studies of ``run_dir`` by name, as far as there are any; the journal is read once for all."""
    storage = open_storage(run_dir)
    found = {}
    for name in (SEARCH, CONFIRM):
        with suppress(KeyError):
            found[name] = optuna.load_study(study_name=_stored_as(run_dir, name), storage=storage)
    return found


def _stored_as(run_dir: Path, name: str) -> str:
    """Return a study's name in its storage: that of a database holds other runs too."""
    database = database_of(run_dir)
    return database.study(name) if database else name

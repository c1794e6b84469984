"""One driver per run folder, by a lock that the kernel frees when its process dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search.errors import unwritable
from spaces.errors import BadInput

LOCK = ".driver.lock"


@contextmanager
def hold(run_dir: Path) -> Iterator[None]:
    """Hold ``run_dir``, which is made if it is not there, for as long as the context lasts.

    Raises:
        BadInput: another process holds it.
        StudyFailed: it cannot be written.
    """
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(run_dir / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise unwritable(run_dir, error) from error
    try:
        _take(handle, run_dir)
        yield
    finally:
        os.close(handle)


def _take(handle: int, run_dir: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
    except BlockingIOError:
        holder = os.pread(handle, 20, 0).decode(errors="replace")
        message = f"is in use by another thawline, process {holder}; wait for its end, or stop it and resume then"
        raise BadInput.at(str(run_dir), message) from None
    except OSError as error:
        raise unwritable(run_dir, error) from error

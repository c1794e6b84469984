"""The entries of the cache: found and held against their checksums, or built by one process while others wait."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import xxhash
from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from trainables.activations import folder as shelf
from trainables.activations.files import LENGTHS, Kept, Meta, Unavailable

POLL = 0.05  # seconds between two looks at another process's lock
PATIENCE = 60.0  # seconds that another process may build without getting on
META = TypeAdapter(Meta)


@dataclass(frozen=True)
class Store:
    """The entries in one folder."""

    folder: Path
    limit: int  # bytes
    patience: float = PATIENCE

    def open(self, key: str) -> Kept | None:
        """Return an entry that is there and as it was written; None else."""
        try:
            meta = META.validate_json((self.folder / key / shelf.META).read_bytes())
        except (OSError, ValidationError):
            return None
        kept = Kept(self.folder / key, meta)
        try:
            if not _is_sound(kept):
                return None
            kept.hold()
        except (OSError, RuntimeError):  # another process was just deleting it
            return None
        shelf.touch(kept.folder)
        return kept

    def open_or_build(self, key: str, size: int, seconds: float, fill: Callable[[Path], Meta]) -> tuple[Kept, bool]:
        """Return the entry ``key`` and whether it was built now; one process builds, the others wait for it.

        ``size`` and ``seconds`` are what it will take and cost, about. ``fill`` writes the files into the
        folder it is given.

        Raises:
            Unavailable: there is no room, the disk fails, or the process that builds does not get on.
        """
        if kept := self.open(key):
            return kept, False
        try:
            with self._alone(key):
                if kept := self.open(key):
                    return kept, False
                self._build(key, size, seconds, fill)
        except OSError as error:
            raise Unavailable(f"the cache cannot be written: {error.strerror or error}") from error
        if kept := self.open(key):
            return kept, True
        raise Unavailable("what was just written to the cache cannot be read")

    def _build(self, key: str, size: int, seconds: float, fill: Callable[[Path], Meta]) -> None:
        for left in shelf.unfinished(self.folder, key):
            shutil.rmtree(left, ignore_errors=True)
        if (self.folder / key).exists():  # no longer as it was written
            shelf.remove(self.folder / key)
        if not shelf.make_room(self.folder, size, seconds, self.limit):
            raise Unavailable(f"{size / 1e6:.0f} MB do not fit into the cache beside what saves more")
        part = self.folder / f"{key}{shelf.UNFINISHED}{os.getpid()}"
        try:
            meta = fill(part)
            with (part / shelf.META).open("wb") as file:
                file.write(META.dump_json(meta))
                file.flush()
                os.fsync(file.fileno())
            _sync(part)
            part.rename(self.folder / key)
            _sync(self.folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """Hold the entry's lock, for which a process that gets on with building is waited for."""
        held = shelf.lock(self.folder, key)
        seen, since = -1, time.monotonic()
        while not _taken(held):
            grown = sum(map(shelf.size, shelf.being_written(self.folder, key)))
            if grown != seen:
                seen, since = grown, time.monotonic()
            elif time.monotonic() - since > self.patience:
                raise Unavailable(f"another process holds it and has not got on for {self.patience:g} s")
        try:
            yield
        finally:
            held.release()


def _taken(held: FileLock) -> bool:
    try:
        held.acquire(timeout=POLL, poll_interval=POLL / 2)
    except Timeout:
        return False
    return True


def _is_sound(kept: Kept) -> bool:
    """Tell whether every file is as it was written. Each is read once in a process, unless it changes."""
    sums = {str(number): form.checksum for number, form in enumerate(kept.meta.forms)}
    if kept.meta.lengths:
        sums[LENGTHS] = kept.meta.lengths
    return all(_checksum(kept.folder / name, *_state(kept.folder / name)) == each for name, each in sums.items())


def _state(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=1024)
def _checksum(file: Path, _inode: int, _size: int, _changed: int) -> str:
    total = xxhash.xxh3_128()
    with file.open("rb") as opened:
        while chunk := opened.read(2**22):
            total.update(chunk)
    return total.hexdigest()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

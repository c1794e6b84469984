"""What lies in the activation cache: its entries, their room, what a kill left behind. Files and numbers; no torch.

An entry is a folder named by its key. It is written under another name, its ``meta.json`` last, and
renamed when it is on the disk: what has the key for its name is whole.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from spaces.errors import BadInput

SWITCH = "THAWLINE_CACHE"  # a folder, or off
LIMIT = "THAWLINE_CACHE_GB"
META = "meta.json"
LOCKS = "locks"
UNFINISHED = ".tmp-"
MOST_BYTES = 50 * 10**9
HOUR = 3600.0
WAIT_FOR_ROOM = 10.0  # seconds


@dataclass(frozen=True)
class Entry:
    """One recording that is whole: of one split, at one boundary of one network, or its images, decoded."""

    folder: Path
    about: dict[str, Any]  # network, block, split and samples, in words; of images their size and number
    bytes: int
    seconds: float  # what it cost to compute
    used: float  # when it was last read, in seconds since 1970

    @property
    def key(self) -> str:
        """What it was recorded from, as a hash."""
        return self.folder.name

    def density(self, now: float) -> float:
        """Return the seconds of computing that a byte of it saves, the less the longer nobody read it."""
        return self.seconds / max(self.bytes, 1) / (1 + max(0.0, now - self.used) / HOUR)


def location() -> Path | None:
    """Return the folder of the cache, there or not; None where it is switched off."""
    given = os.environ.get(SWITCH, "")
    if given.lower() == "off":
        return None
    root = Path(given or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root.absolute() / "thawline" / "activations"


def budget(folder: Path) -> int:
    """Return the bytes that the cache may take: as set, or half of the disk that it and nobody uses, at most 50 GB."""
    if given := os.environ.get(LIMIT):
        try:
            return int(float(given) * 10**9)
        except (ValueError, OverflowError):
            raise BadInput.at(LIMIT, f"must be a number of gigabytes, as 20 or 0.5, got {given!r}") from None
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return min(MOST_BYTES, (shutil.disk_usage(there).free + sum(entry.bytes for entry in entries(folder))) // 2)


def entries(folder: Path | None = None) -> list[Entry]:
    """Return what the cache holds, the last read first; by default what this machine's cache holds."""
    folder = folder or location()
    if folder is None or not folder.is_dir():
        return []
    found = [_read(each) for each in folder.iterdir() if UNFINISHED not in each.name and each.name != LOCKS]
    return sorted((each for each in found if each), key=lambda entry: -entry.used)


def clear(folder: Path | None = None) -> int:
    """Delete every entry and what kills left behind; return the bytes. Trials that read one keep what they mapped."""
    folder = folder or location()
    if folder is None or not folder.is_dir():
        return 0
    freed = sum(remove(entry.folder) for entry in entries(folder))
    return freed + sweep(folder)


def remove(entry: Path) -> int:
    """Delete an entry, so that nobody ever meets half of one; return its bytes."""
    freed = size(entry)
    gone = entry.with_name(f"{entry.name}{UNFINISHED}gone-{os.getpid()}")
    with suppress(OSError):  # another process was first
        entry.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
    return freed


def sweep(folder: Path) -> int:
    """Delete what was left unfinished and nobody works on; return the bytes."""
    freed = 0
    for left in folder.glob(f"*{UNFINISHED}*"):
        try:
            with lock(folder, left.name.partition(UNFINISHED)[0]).acquire(timeout=0):
                freed += size(left)
                shutil.rmtree(left, ignore_errors=True)
        except Timeout:
            continue
    return freed


def lock(folder: Path, key: str) -> FileLock:
    """Return the lock of an entry; the kernel frees it when its holder dies."""
    (folder / LOCKS).mkdir(parents=True, exist_ok=True)
    return FileLock(folder / LOCKS / f"{key}.lock")


def make_room(folder: Path, wanted: int, seconds: float, limit: int) -> bool:
    """Delete what saves less a byte until ``wanted`` bytes that cost ``seconds`` fit; tell whether they do."""
    if wanted > limit:
        return False
    try:
        with lock(folder, "room").acquire(timeout=WAIT_FOR_ROOM):
            sweep(folder)
            now = time.time()
            there = sorted(entries(folder), key=lambda entry: entry.density(now))
            taken = sum(entry.bytes for entry in there) + sum(size(each) for each in unfinished(folder))
            for entry in there:
                if taken + wanted <= limit or entry.density(now) >= seconds / max(wanted, 1):
                    break
                remove(entry.folder)
                taken -= entry.bytes
            return taken + wanted <= limit
    except Timeout:
        return False


def unfinished(folder: Path, key: str = "") -> Iterator[Path]:
    """Yield the folders that are being written, or that a kill left."""
    yield from folder.glob(f"{key or '*'}{UNFINISHED}*")


def being_written(folder: Path, key: str) -> Iterator[Path]:
    """Yield what those who work on an entry are writing: it, and what they need for it, as decoded images."""
    for part in unfinished(folder, key):
        yield from folder.glob(f"*{UNFINISHED}{part.name.partition(UNFINISHED)[2]}")


def size(folder: Path) -> int:
    """Return the bytes of the files in an entry."""
    total = 0
    with suppress(OSError):
        for file in folder.iterdir():
            with suppress(OSError):
                total += file.stat().st_size
    return total


def touch(entry: Path) -> None:
    """Note that an entry is read."""
    with suppress(OSError):  # somebody else's, or on a disk that is read-only
        os.utime(entry / META)


def _read(folder: Path) -> Entry | None:
    meta = folder / META
    try:
        held = json.loads(meta.read_text(encoding="utf-8"))
        return Entry(folder, held["about"], int(held["bytes"]), float(held["seconds"]), meta.stat().st_mtime)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # deleted meanwhile, or not ours

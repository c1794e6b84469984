"""The cache stays within its room, keeps what saves most, and can be listed and cleared."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from spaces.errors import BadInput
from tests.trainables.activations.recorded import fill, values
from trainables.activations import folder
from trainables.activations.store import Store, Unavailable

BYTES = values().nbytes


def keep(cache: Path, key: str, *, seconds: float, hours_ago: float = 0.0, limit: int = 10**6) -> None:
    """Write an entry that took ``seconds`` to compute and was last read so long ago."""
    Store(cache, limit).open_or_build(key, BYTES, seconds, lambda path: replace(fill(path), seconds=seconds))
    then = time.time() - 3600 * hours_ago
    os.utime(cache / key / folder.META, (then, then))


def keys(cache: Path) -> set[str]:
    return {entry.key for entry in folder.entries(cache)}


def test_what_saves_least_a_byte_goes_first_and_what_nobody_reads_counts_less(cache: Path) -> None:
    keep(cache, "slow", seconds=100)
    keep(cache, "old", seconds=100, hours_ago=50)
    keep(cache, "quick", seconds=1)
    there = sum(entry.bytes for entry in folder.entries(cache))
    assert folder.make_room(cache, BYTES, seconds=50, limit=there)  # one has to go
    assert keys(cache) == {"slow", "old"}
    assert folder.make_room(cache, 2 * BYTES, seconds=50, limit=there)
    assert keys(cache) == {"slow"}


def test_what_would_displace_something_better_is_not_kept(cache: Path) -> None:
    keep(cache, "slow", seconds=100)
    limit = BYTES + BYTES // 2
    with pytest.raises(Unavailable, match="do not fit into the cache"):
        keep(cache, "quick", seconds=1, limit=limit)
    assert keys(cache) == {"slow"}
    keep(cache, "slower", seconds=1000, limit=limit)
    assert keys(cache) == {"slower"}


def test_what_is_larger_than_the_cache_deletes_nothing(cache: Path) -> None:
    keep(cache, "kept", seconds=1)
    assert not folder.make_room(cache, 10**7, seconds=10**9, limit=10**6)
    assert keys(cache) == {"kept"}


def test_leftovers_of_a_kill_count_until_they_are_swept(cache: Path) -> None:
    left = cache / f"gone{folder.UNFINISHED}123"
    left.mkdir(parents=True)
    (left / "0").write_bytes(bytes(1000))
    assert folder.make_room(cache, 500, seconds=1, limit=1000)
    assert not left.exists()


def test_what_is_being_written_is_not_swept(cache: Path) -> None:
    part = cache / f"k{folder.UNFINISHED}123"
    part.mkdir(parents=True)
    with folder.lock(cache, "k"):
        assert folder.sweep(cache) == 0
        assert part.exists()
    folder.sweep(cache)
    assert not part.exists()


def test_clearing_deletes_all_and_says_how_much(cache: Path) -> None:
    keep(cache, "one", seconds=1)
    keep(cache, "two", seconds=1)
    assert folder.clear(cache) >= 2 * BYTES
    assert folder.entries(cache) == []
    assert folder.clear(cache) == 0
    assert {each.name for each in cache.iterdir()} == {folder.LOCKS}


def test_entries_are_told_the_last_read_first(cache: Path) -> None:
    keep(cache, "old", seconds=1, hours_ago=3)
    keep(cache, "new", seconds=1)
    (cache / "foreign").mkdir()
    assert [(entry.key, entry.about, entry.bytes) for entry in folder.entries(cache)] == [
        ("new", {"block": "b"}, BYTES),
        ("old", {"block": "b"}, BYTES),
    ]


@pytest.mark.parametrize("given", ["off", "OFF"])
def test_switched_off_there_is_no_cache(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(folder.SWITCH, given)
    assert folder.location() is None
    assert folder.entries() == []
    assert folder.clear() == 0


def test_the_folder_is_as_set_or_the_user_s_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(folder.SWITCH, str(tmp_path))
    assert folder.location() == tmp_path / "thawline" / "activations"
    monkeypatch.delenv(folder.SWITCH)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    assert folder.location() == tmp_path / "own" / "thawline" / "activations"


def test_the_room_is_as_set_or_half_of_what_is_free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    free = folder.shutil.disk_usage(tmp_path)
    assert 0 < folder.budget(tmp_path / "not" / "there") <= min(folder.MOST_BYTES, free.total // 2)
    monkeypatch.setenv(folder.LIMIT, "0.5")
    assert folder.budget(tmp_path) == 500_000_000
    monkeypatch.setenv(folder.LIMIT, "much")
    with pytest.raises(BadInput, match="THAWLINE_CACHE_GB: must be a number of gigabytes"):
        folder.budget(tmp_path)

"""A cache of one's own for every test, and a cost model that likes to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainables.activations import folder, prefix, worth


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of an empty cache."""
    monkeypatch.setenv(folder.SWITCH, str(tmp_path / "cache"))
    monkeypatch.setattr(prefix, "_RECIPES", {})
    return tmp_path / "cache" / "thawline" / "activations"


@pytest.fixture
def reading_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every recording pay, however small the network."""
    monkeypatch.setattr(worth, "SPEEDS", {"cpu": worth.Speed(operations=1, read=1e15, written=1e15, call=0)})

"""A home with a token of its own, and the shipped cluster files with their placeholders filled in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SHIPPED = ["cluster.yaml", "examples/cluster.gcp.yaml", "examples/cluster.azure.yaml", "examples/cluster.local.yaml"]
Edit = Callable[..., Path]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in the checkout, with a home that holds a token and nothing else."""
    folder = tmp_path / "home"
    (folder / ".ray").mkdir(parents=True)
    token = folder / ".ray" / "auth_token"
    token.write_text("0" * 64)
    token.chmod(0o600)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(ROOT)
    return folder


@pytest.fixture
def edited(tmp_path: Path) -> Edit:
    """Return a function that writes a shipped file without its placeholders, some text of it replaced."""

    def edit(*changes: tuple[str, str], shipped: str = "cluster.yaml") -> Path:
        text = (ROOT / shipped).read_text().replace("worker_ips: [REPLACE]", "worker_ips: [10.0.0.2, 10.0.0.3]")
        lines = [
            line.replace("REPLACE", "filled-in") if not line.startswith("#") else line for line in text.splitlines()
        ]
        text = "\n".join(lines) + "\n"
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new, 1)
        target = tmp_path / "cluster.yaml"
        target.write_text(text)
        return target

    return edit

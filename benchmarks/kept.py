"""What a long benchmark has measured so far, kept until its result is written: one that was killed goes on."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.metering import ROOT

FOLDERS = ("spaces", "trainables", "search", "benchmarks")


@dataclass(frozen=True)
class Kept:
    """One benchmark's file. What was measured with other code than today's is not found again."""

    file: Path

    @classmethod
    def of(cls, benchmark: str) -> Kept:
        """Return the user's file of ``benchmark``, among the temporary ones."""
        return cls(Path(tempfile.gettempdir()) / f"thawline-benchmark-{benchmark}-{os.getuid()}.json")

    def get(self, name: str, measure: Callable[[], Any]) -> Any:
        """Return what was measured under ``name``, which says all that decides it, or measure it; plain JSON."""
        there = json.loads(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}
        key = f"{name}: {_code()}"
        if key not in there:
            there[key] = measure()
            self.file.write_text(json.dumps(there), encoding="utf-8")
        return there[key]

    def forget(self) -> None:
        """Forget everything: the next run measures anew."""
        self.file.unlink(missing_ok=True)


def _code() -> str:
    total = hashlib.sha256()
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            total.update(path.read_bytes())
    return total.hexdigest()

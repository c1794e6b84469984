"""Which commit the code of a study stands at, where a folder is under git: so that a run can be made again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SECONDS = 20
THAWLINE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Commit:
    """A commit's hash; ``changed`` where tracked files differ from it, or a file asked for is not part of it."""

    hash: str
    changed: bool


def commits(study: Path) -> dict[str, dict[str, Any] | None]:
    """Return the commit of the study file's folder and that of thawline's own code; None where there is none.

    An installed thawline has a version instead, even below a folder of the user's that is under git.
    """
    own = commit_of(THAWLINE) if _git(THAWLINE, "rev-parse", "--show-toplevel") == str(THAWLINE) else None
    there = commit_of(study.parent, study.name)
    return {name: asdict(found) if found else None for name, found in {"study": there, "thawline": own}.items()}


def commit_of(folder: Path, file: str | None = None) -> Commit | None:
    """Return the commit of ``folder``; None where there is no git, or no commit."""
    found = _git(folder, "rev-parse", "HEAD")
    if not found:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    tracked = file is None or _git(folder, "ls-files", "--error-unmatch", "--", file) is not None
    return Commit(found, changed != "" or not tracked)


def in_words(commit: Mapping[str, Any] | None) -> str | None:
    """Return a commit as a reader wants it."""
    return f"{commit['hash'][:12]}{' with changes' if commit['changed'] else ''}" if commit else None


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git says, or None where it refuses, or is not there."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, env=plain | {"GIT_OPTIONAL_LOCKS": "0"}
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None

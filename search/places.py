"""Where a new run is kept: its folder on this machine, and the URI that it is mirrored to, if any."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from search.errors import ExitCode, StudyFailed, again
from search.layering import Resolved
from spaces.errors import BadInput
from trainables.remote import RemotePath, is_uri


def new_run(resolved: Resolved, wanted: str | Path | None) -> tuple[Path, RemotePath | None]:
    """Return the run folder, which must be new or empty and is not made yet, and where it is mirrored to.

    ``wanted`` is the run folder itself, a path or a URI; left out, it is made below ``storage.runs``. Of a run at a
    URI the folder lies below ``runs`` beside the study file, on the machine that drives; where nothing can be written
    there, as in a ConfigMap, below ``runs`` of the working directory.

    Raises:
        BadInput: one of the two holds something.
        StudyFailed: the URI cannot be reached.
    """
    config, given = resolved.config, str(wanted or "")
    name = f"{config.name}-{datetime.now(UTC).strftime('%Y%m%d-%H%M%S')}"
    beside = _beside(resolved.folder)
    runs = RemotePath(config.storage.runs) if is_uri(config.storage.runs) else None
    if is_uri(given):
        target: RemotePath | None = RemotePath(given.rstrip("/"))
        folder = beside / RemotePath(given).name
    else:
        folder = Path(given) if given else (beside if runs else Path(config.storage.runs)) / name
        target = runs / folder.absolute().name if runs else None
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput.at("--run-dir", f"must be a new or an empty folder, got {folder}; choose another")
    if target:
        _refuse_taken(target)
    return folder, target


def _beside(study: Path) -> Path:
    runs = study / "runs"
    return runs if os.access(runs if runs.exists() else study, os.W_OK) else Path.cwd() / "runs"


def _refuse_taken(target: RemotePath) -> None:
    try:
        taken = bool(target.names())
    except OSError as error:
        raise StudyFailed(f"storage.runs: {target} cannot be reached: {error}", ExitCode.CLUSTER) from error
    if taken:
        message = f"{target} holds a run already: {again('resume', target)}, or another name by --run-dir"
        raise BadInput.at("storage.runs", message)

"""Write a file whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class Unwritable(Exception):
    """What a trial wanted to keep could not be written: a full disk, a read-only folder."""


def put(content: bytes, target: Path) -> Path:
    """Write ``content`` to ``target``, under a temporary name until it is complete and on the disk.

    Raises:
        Unwritable: the disk is full or the folder read-only; nothing half written is left.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise Unwritable(f"{target}: {error.strerror}") from error
    return target

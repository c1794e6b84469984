"""Write a file whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress

from trainables.remote import RemotePath, SamePlace


class Unwritable(Exception):
    """What a trial wanted to keep could not be written: a full disk, a read-only folder."""


def put(content: bytes, target: SamePlace) -> SamePlace:
    """Write ``content`` to ``target``, under a temporary name until it is complete and on the disk.

    Raises:
        Unwritable: the disk is full, the folder read-only or not to be reached; nothing half written is left.
    """
    if isinstance(target, RemotePath):
        try:
            target.write_bytes(content)
        except OSError as error:
            raise Unwritable(f"{target}: {error}") from error
        return target
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

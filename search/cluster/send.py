"""Runs on the head of a cluster, alone, on whatever Python 3 is there: prints the files of a run folder.

``python3 send.py RUN_DIR`` reads in ``have.json`` beside it what the asker holds already, ``{path: [bytes, their
sha256, whether that is all there was]}``, and prints a line for each of these, which the job's log carries:

    thawline-file {"path", "size", "offset"}    a file begins; its first ``offset`` bytes are held already
    thawline-data BASE64                        its next bytes
    thawline-end {"path", "sha256"}             it is complete
    thawline-done {"files", "bytes"}            everything was sent, or
    thawline-error {"message"}                  there is nothing to send

When the asker stops the job, or after hours if nobody does, it empties that log: the disk of the head is small.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

PIECE = 384 * 1024  # bytes of a line; a multiple of 3
WAIT = 6 * 3600  # seconds for the asker to have read everything
LEFT_OUT = (".driver.lock",)  # of a process there


def send_folder(folder: Path, have: dict[str, list[Any]]) -> None:
    """Print every file of ``folder`` that is not what ``have`` says."""
    if not folder.is_dir():
        say("error", message=f"there is no run folder {folder} on the head")
        return
    files = sent = 0
    for path in sorted(paths(folder)):
        try:
            with open(folder / path, "rb") as file:
                files += 1
                sent += send_file(path, file, have.get(path))
        except FileNotFoundError:
            continue  # a checkpoint of a study that goes on
    say("done", files=files, bytes=sent)


def paths(folder: Path) -> Iterator[str]:
    """Yield every file below ``folder``, as a path relative to it."""
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink() and file.suffix != ".part" and file.name not in LEFT_OUT:
            yield file.relative_to(folder).as_posix()


def send_file(path: str, file: BinaryIO, held: list[Any] | None) -> int:
    """Print what is not held of an open file; return how many bytes that were."""
    size = os.fstat(file.fileno()).st_size
    digest, offset = hashlib.sha256(), 0
    if held and held[0] <= size:
        for piece in pieces(file, held[0]):
            digest.update(piece)
        if digest.hexdigest() != held[1]:
            digest = hashlib.sha256()
            file.seek(0)
        elif held[0] == size and held[2]:
            return 0
        else:
            offset = held[0]
    say("file", path=path, size=size, offset=offset)
    for piece in pieces(file, size - offset):
        digest.update(piece)
        print("thawline-data", base64.b64encode(piece).decode(), flush=True)
    say("end", path=path, sha256=digest.hexdigest())
    return size - offset


def pieces(file: BinaryIO, count: int) -> Iterator[bytes]:
    """Yield the next ``count`` bytes of a file."""
    while count > 0:
        piece = file.read(min(PIECE, count))
        if not piece:
            return
        count -= len(piece)
        yield piece


def say(kind: str, **values: Any) -> None:
    """Print one line."""
    print(f"thawline-{kind}", json.dumps(values), flush=True)


def until_stopped(folder: Path, have: Path) -> None:
    """Send, wait to be stopped, and empty the log."""

    def stop(_signal: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        send_folder(folder, json.loads(have.read_text(encoding="utf-8")))
        time.sleep(WAIT)
    except KeyboardInterrupt:
        pass
    finally:
        os.ftruncate(sys.stdout.fileno(), 0)


if __name__ == "__main__":
    until_stopped(Path(sys.argv[1]).expanduser(), Path(__file__).with_name("have.json"))

"""Bring a job's run folder back, over the same connection that carries its log; what is here is not sent again.

Ray's Jobs API returns no files, so a second job on the head prints them (`search.cluster.send`) and its log is
read here. A run folder at an address such as ``s3://bucket/runs/JOB`` is read from there instead.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from search.cluster import send as sender
from search.cluster.connection import Cluster, Tell, answering, connect, send, tail, to_stderr
from search.cluster.staging import in_shell
from search.errors import ExitCode, StudyFailed
from spaces.errors import BadInput
from trainables.remote import RemotePath, is_uri

MARK = ".fetched"  # holds the name of the job that a folder here comes from
UNFINISHED = ".part"
TOLD_EVERY = 2**25  # bytes
BLOCK = 2**20


@dataclass(frozen=True)
class Fetched:
    """What came."""

    folder: Path
    files: int  # in the run folder
    bytes: int  # that were not here


def fetch(
    job: str,
    to: str | Path | None = None,
    *,
    address: str | None = None,
    force: bool = False,
    tell: Tell = to_stderr,
) -> Fetched:
    """Bring the run folder of a job back, also of one that still runs; called again, only what is new.

    Args:
        job: The job's name.
        to: The folder here; default: ``runs/JOB``.
        address: The dashboard's address; default: ``http://127.0.0.1:8265``.
        force: Take a cluster that others can reach and that asks nobody for a token.
        tell: Takes the lines about what happens.

    Raises:
        BadInput: there is no such job, or the folder holds something else.
        StudyFailed: the cluster does not answer, is open to everybody, or has no such run folder.
    """
    cluster = connect(address, force=force, tell=tell)
    found = cluster.job(job)
    if not found.run_dir:
        raise BadInput.at(job, "is no study that thawline submit sent (thawline status lists those)")
    folder = Path(to) if to else Path("runs") / job
    with claimed(folder, job):
        if is_uri(found.run_dir):
            return copy(found.run_dir, folder)
        return _receive(cluster, job, found.run_dir, folder, tell)


@contextmanager
def claimed(folder: Path, job: str) -> Iterator[None]:
    """Hold ``folder`` as the job's; it goes again if nothing came.

    Raises:
        BadInput: it holds something else.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    claim(folder, job)
    try:
        yield
    finally:
        if [each.name for each in folder.iterdir()] == [MARK]:
            (folder / MARK).unlink()
            with suppress(OSError):  # another job's folder lies there by now
                for each in made:
                    each.rmdir()


def claim(folder: Path, job: str) -> None:
    """Make ``folder`` and mark it as the job's.

    Raises:
        BadInput: it holds something else.
    """
    mark = folder / MARK
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        theirs = mark.read_text(encoding="utf-8").strip() if mark.is_file() else None
        if theirs != job:
            held = f"what was fetched of {theirs}" if theirs else "something else"
            raise BadInput.at(str(folder), f"holds {held}; name another folder with --to")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_text(f"{job}\n", encoding="utf-8")
    except OSError as error:
        raise BadInput.at(str(folder), f"cannot be written: {error.strerror}; name another with --to") from error


def _receive(cluster: Cluster, job: str, run_dir: str, folder: Path, tell: Tell) -> Fetched:
    """Let a job on the head print the files, and write them down as they come."""
    name = f"{job}-fetch-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    command = f'exec "$(command -v python3 || command -v python)" send.py {in_shell(run_dir)}'
    with tempfile.TemporaryDirectory(prefix="thawline-fetch-") as parcel:
        shutil.copyfile(sender.__file__, Path(parcel, "send.py"))
        Path(parcel, "have.json").write_text(json.dumps(dict(held(folder))), encoding="utf-8")
        send(cluster, name, command, parcel, {"fetches": job}, tell=tell)
    try:
        with closing(tail(cluster, name)) as log:
            return write_down(lines(log), folder, tell)
    finally:
        with suppress(StudyFailed, BadInput), answering(cluster.door.url, name):
            cluster.client.stop_job(name)


def held(folder: Path) -> Iterator[tuple[str, list[Any]]]:
    """Yield of each file here its bytes, their sha256 and whether that is all; an unfinished one comes first."""
    for path in sender.paths(folder):
        if path != MARK and not (folder / f"{path}{UNFINISHED}").exists():
            yield path, [*_summed(folder / path), True]
    for file in folder.rglob(f"*{UNFINISHED}"):
        yield file.relative_to(folder).as_posix().removesuffix(UNFINISHED), [*_summed(file), False]


def _summed(file: Path) -> tuple[int, str]:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        return opened.tell(), digest


def lines(chunks: Iterable[str]) -> Iterator[str]:
    """Yield whole lines of a text that comes in chunks."""
    rest: list[str] = []
    for chunk in chunks:
        head, newline, tail_ = chunk.rpartition("\n")
        if not newline:
            rest.append(chunk)
            continue
        yield from "".join([*rest, head]).split("\n")
        rest = [tail_] if tail_ else []


def write_down(told: Iterable[str], folder: Path, tell: Tell) -> Fetched:
    """Write the files that ``told``, the lines of `search.cluster.send`, carries into ``folder``.

    A file has the suffix .part until it is complete and its sum is right.

    Raises:
        StudyFailed: there is nothing to fetch, the lines end too early, or what came is damaged.
    """
    part: BinaryIO | None = None
    path, count, mentioned = Path(), 0, 0
    try:
        for line in told:
            kind, _, rest = line.partition(" ")
            match kind:
                case "thawline-file":
                    path, part = _opened(folder, json.loads(rest))
                case "thawline-data" if part is not None:
                    count += part.write(base64.b64decode(rest, validate=True))
                    if count - mentioned >= TOLD_EVERY:
                        mentioned = count
                        tell(f"{count / 2**20:.0f} MiB so far: {path.relative_to(folder)}")
                case "thawline-end" if part is not None:
                    part.close()
                    _complete(path, json.loads(rest)["sha256"])
                case "thawline-done":
                    return Fetched(folder, json.loads(rest)["files"], count)
                case "thawline-error":
                    raise StudyFailed(json.loads(rest)["message"], ExitCode.CLUSTER)
    except OSError as error:
        raise StudyFailed(f"{folder} cannot be written: {error.strerror or error}; the same command goes on") from error
    except ValueError as error:
        raise StudyFailed(f"what came of {path} is damaged ({error}); the same command fetches it again") from error
    finally:
        if part is not None:
            part.close()
    raise StudyFailed(f"the head sent no more than {count} bytes; the same command goes on", ExitCode.CLUSTER)


def _opened(folder: Path, about: dict[str, Any]) -> tuple[Path, BinaryIO]:
    """Return the file that begins, and its unfinished one, open behind what is held of it."""
    named = PurePosixPath(about["path"])
    if named.is_absolute() or ".." in named.parts or not named.parts:
        raise ValueError(f"a path that leads out of the folder: {named}")
    path = folder / named
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + UNFINISHED)
    if about["offset"] and not part.exists():
        shutil.copyfile(path, part)
    opened = part.open("r+b" if about["offset"] else "wb")
    opened.truncate(about["offset"])
    opened.seek(about["offset"])
    return path, opened


def _complete(path: Path, wanted: str) -> None:
    part = path.with_name(path.name + UNFINISHED)
    if _summed(part)[1] != wanted:
        part.unlink()
        raise ValueError("its sum is wrong")
    os.replace(part, path)


def copy(address: str, folder: Path) -> Fetched:
    """Copy the run folder at a URI; a file of the same size and time is here already."""
    from pyarrow.fs import FileSelector, FileType

    files = count = 0
    try:
        with RemotePath(address).reached() as (system, root):
            for info in system.get_file_info(FileSelector(root, recursive=True)):
                if info.type == FileType.File:
                    files += 1
                    count += _copied(system, info, folder / PurePosixPath(info.path).relative_to(root))
    except OSError as error:
        raise StudyFailed(f"{address} cannot be read: {error}; the same command goes on", ExitCode.CLUSTER) from error
    return Fetched(folder, files, count)


def _copied(system: Any, info: Any, path: Path) -> int:
    """Copy one file to ``path`` and return its bytes; 0 if it is here. One of unknown time comes again."""
    stamp = info.mtime_ns
    if stamp and path.exists() and (path.stat().st_size, path.stat().st_mtime_ns) == (info.size, stamp):
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + UNFINISHED)
    with system.open_input_stream(info.path) as source, part.open("wb") as target:
        shutil.copyfileobj(source, target, BLOCK)
    if stamp:
        os.utime(part, ns=(stamp, stamp))
    os.replace(part, path)
    return int(info.size)

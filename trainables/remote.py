"""A file or folder that lies elsewhere: an object store or any file system that pyarrow or fsspec can reach by a URI.

It has the few verbs of `pathlib.Path` that runs need, and raises OSError for whatever goes wrong there.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit, urlunsplit

LOST = 30.0  # seconds: what the loss of the driver's machine costs at most, beside the epoch that was being trained
MIRRORED = LOST / 2  # seconds between two copies of the journal
WRITTEN = LOST / 2  # seconds between two writings of a trial's progress
KEPT = 4 * LOST  # seconds: a mirror that has failed a few times in a row is behind by more
WHOLE_AT_ONCE = ("s3", "gcs", "abfs")  # object stores: a file is seen when it is closed, or never


@dataclass(frozen=True, order=True)
class RemotePath:
    """A place named by a URI, such as ``s3://bucket/runs/flowers``; what follows a ``?`` goes to the file system."""

    uri: str

    def __str__(self) -> str:
        """Return the URI."""
        return self.uri

    def __truediv__(self, name: str) -> RemotePath:
        """Return the place ``name`` below this one."""
        parts = urlsplit(self.uri)
        path = f"{parts.path.rstrip('/')}/{name}" if parts.path or parts.netloc else name
        return RemotePath(urlunsplit(parts._replace(path=path)))

    @property
    def name(self) -> str:
        """The last part of the path."""
        parts = urlsplit(self.uri)
        return (parts.path.rstrip("/") or parts.netloc).rpartition("/")[2]

    def exists(self) -> bool:
        """Tell whether a file or folder is there."""
        with self.reached() as (system, path):
            return bool(system.get_file_info(path).type)

    def size(self) -> int:
        """Return the bytes of a file."""
        with self.reached() as (system, path):
            return int(system.get_file_info(path).size or 0)

    def read_bytes(self) -> bytes:
        """Return what the file holds.

        Raises:
            OSError: it is not there, or cannot be reached.
        """
        with self.reached() as (system, path), system.open_input_file(path) as file:
            return bytes(file.read())

    def write_bytes(self, content: bytes) -> None:
        """Write the file whole or not at all, and the folders around it.

        Raises:
            OSError: it cannot be written.
        """
        with self.reached() as (system, path):
            if system.type_name in WHOLE_AT_ONCE:
                with system.open_output_stream(path) as file:
                    file.write(content)
                return
            system.create_dir(path.rpartition("/")[0], recursive=True)
            with system.open_output_stream(f"{path}.part") as file:
                file.write(content)
            system.move(f"{path}.part", path)

    def unlink(self, missing_ok: bool = True) -> None:
        """Delete the file.

        Raises:
            OSError: it cannot be deleted; also where it is not there, unless that is allowed.
        """
        with self.reached() as (system, path):
            if not missing_ok or system.get_file_info(path).type:
                system.delete_file(path)

    def glob(self, pattern: str) -> list[RemotePath]:
        """Return the files of this folder whose names fit ``pattern``, none where there is no such folder."""
        return sorted(self / name for name in self.names(recursive=False) if fnmatch(name, pattern))

    def names(self, *, recursive: bool = True) -> list[str]:
        """Return the files below this folder by their paths in it."""
        from pyarrow.fs import FileSelector, FileType

        with self.reached() as (system, path):
            found = system.get_file_info(FileSelector(path, allow_not_found=True, recursive=recursive))
            files = [each.path for each in found if each.type == FileType.File]
        start = len(path.rstrip("/")) + 1
        return sorted(file[start:] for file in files)

    @contextmanager
    def reached(self) -> Iterator[tuple[Any, str]]:
        """Yield the file system and the path in it; whatever it raises comes out as an OSError."""
        parts = urlsplit(self.uri)
        try:
            system, root = _system(urlunsplit(parts._replace(path="" if parts.netloc else "/")))
            yield system, f"{root.rstrip('/')}{parts.path}" if root.strip("/") else parts.path
        except OSError:
            raise
        except Exception as error:  # of the classes of each client: credentials, unknown hosts, refused requests
            raise OSError(f"{type(error).__name__}: {error}") from error


Place = Path | RemotePath
SamePlace = TypeVar("SamePlace", bound=Place)


def below(folder: SamePlace, name: str) -> SamePlace:
    """Return the place ``name`` below ``folder``, of the same kind."""
    return cast(SamePlace, folder / name)


def place(text: str) -> Place:
    """Return where ``text`` points: a path of this machine, or a URI."""
    return RemotePath(text) if is_uri(text) else Path(text)


def is_uri(text: str) -> bool:
    """Tell whether ``text`` names a place by a URI."""
    return "://" in text


@functools.cache
def _system(root: str) -> tuple[Any, str]:
    """Return the file system of a URI without its path, and the path of that root in it."""
    import pyarrow
    from pyarrow import fs

    try:
        return fs.FileSystem.from_uri(root)  # type: ignore[no-any-return]
    except pyarrow.ArrowInvalid:  # no file system of pyarrow's own
        from fsspec.core import url_to_fs

        system, path = url_to_fs(root)
        return fs.PyFileSystem(fs.FSSpecHandler(system)), str(path)

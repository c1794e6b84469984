"""Optuna's storage in a PostgreSQL that a team shares, in the place of the journal.

The run folder then holds a pointer: the database's address and the name of the run in it. No password: libpq finds
it in ``~/.pgpass`` or ``PGPASSWORD``.
"""

from __future__ import annotations

import functools
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, get_storage
from sqlalchemy import create_engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from search.errors import ExitCode, StudyFailed, again
from trainables.files import put

POINTER = "optuna.json"
MAKING_TABLES = 0x7468_6177  # an advisory lock's number: "thaw"
FAULTS = (SQLAlchemyError, StorageInternalError)  # what a database that does not answer raises, through Optuna


@dataclass(frozen=True)
class Database:
    """Where a run's studies are: the address, and what their names begin with."""

    url: str
    run: str

    def study(self, name: str) -> str:
        """Return the name of the study ``name`` of this run."""
        return f"{self.run}/{name}"

    def open(self) -> BaseStorage:
        """Connect, and make the tables if there are none.

        Raises:
            StudyFailed: it cannot be reached, or its client is not installed.
        """
        try:
            return _connected(self.url)
        except ImportError as error:
            message = f"storage.study: {self.url} needs PostgreSQL's client, which is not installed"
            raise StudyFailed(f"{message}: pip install 'psycopg[binary]'", ExitCode.CLUSTER) from error
        except FAULTS as error:
            raise self.unreachable(error) from error

    def unreachable(self, error: BaseException) -> StudyFailed:
        """Return the one sentence about a database that does not answer."""
        cause = error if isinstance(error, SQLAlchemyError) else error.__cause__ or error
        cause = getattr(cause, "orig", None) or cause
        why = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        message = f"storage.study: {self.url} cannot be used: {why}; a password is taken from ~/.pgpass or PGPASSWORD"
        return StudyFailed(message, ExitCode.CLUSTER)


def point(run_dir: Path, url: str) -> Database:
    """Write the pointer of a new run, under a name that no other run of the database has."""
    database = Database(url, f"{run_dir.absolute().name}-{secrets.token_hex(4)}")
    put((json.dumps({"url": url, "run": database.run}) + "\n").encode(), run_dir / POINTER)
    return database


def database_of(run_dir: Path) -> Database | None:
    """Return the database of a run; None where it has a journal."""
    path = run_dir / POINTER
    return Database(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def lost(error: BaseException, run_dir: Path) -> StudyFailed | None:
    """Return the sentence about a database that was lost in the middle, None where ``error`` is another one."""
    database = database_of(run_dir)
    if database is None or not isinstance(error, FAULTS):
        return None
    told = database.unreachable(error)
    return StudyFailed(f"{told.message}; when it can be: {again('resume', run_dir)}", told.code)


@functools.cache
def _connected(url: str) -> BaseStorage:
    parts = urlsplit(url)
    driver = "postgresql+psycopg" if parts.scheme in ("postgres", "postgresql") else parts.scheme
    address = url.replace(parts.scheme, driver, 1)
    with create_engine(address, poolclass=NullPool).connect() as connection:
        # Of several that make the tables at once all but one would fail. Freed with the connection.
        connection.execute(select(func.pg_advisory_xact_lock(MAKING_TABLES)))
        return get_storage(address)

"""The token that a cluster asks for: where it lies, who may read it. It is never printed, logged or sent in a file.

Ray looks in the same places, in the same order: the value of RAY_AUTH_TOKEN, the file that
RAY_AUTH_TOKEN_PATH names, ``~/.ray/auth_token``.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

VALUE, FILE = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
OWNER_ONLY = 0o600


@dataclass(frozen=True)
class Token:
    """A token and the name of the place it came from."""

    value: str = field(repr=False)
    place: str

    @property
    def header(self) -> dict[str, str]:
        """What a request carries."""
        return {"Authorization": f"Bearer {self.value}"}


def home() -> Path:
    """Return the file in which Ray keeps the token of this user."""
    return Path.home() / ".ray" / "auth_token"


def find() -> Token | None:
    """Return this user's token, or None. A file of it that others may read is closed to them."""
    if value := os.environ.get(VALUE, "").strip():
        return Token(value, VALUE)
    file = Path(os.environ[FILE]).expanduser() if os.environ.get(FILE) else home()
    try:
        value = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    close(file)
    return Token(value, str(file)) if value else None


def ensure() -> None:
    """Make a token where there is none, in a file that its owner alone may read: Ray's own is open to everybody.

    Raises:
        OSError: the file cannot be written.
    """
    if find() or os.environ.get(FILE):
        return
    file = home()
    file.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):  # another process has just made it
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(secrets.token_hex(32))


def close(file: Path) -> None:
    """Take from others what they may do with ``file``; one that belongs to somebody else stays as it is."""
    with suppress(OSError):
        if stat.S_IMODE(file.stat().st_mode) & ~OWNER_ONLY:
            file.chmod(OWNER_ONLY)

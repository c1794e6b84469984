"""Passwords in addresses: found, and hidden wherever an address is shown."""

from __future__ import annotations

import re

PASSWORD = re.compile(r"(?<=://)([^\s/?#:@]*:)[^\s/?#]+(?=@)|([?&](?:ssl)?password=)[^\s&#]+", re.IGNORECASE)


def holds_password(text: str) -> bool:
    """Tell whether ``text`` holds an address with a password, before its host or among its options."""
    return bool(PASSWORD.search(text))


def without_password(text: str) -> str:
    """Return ``text`` as it may be shown."""
    return PASSWORD.sub(lambda found: f"{found[1] or found[2]}***", text)

"""Lists as a sentence shows them: the first few, then how many more."""

from __future__ import annotations

from collections.abc import Sequence


def listed(items: Sequence[object], most: int = 5) -> str:
    """Join ``items`` with commas and count what does not fit: ``a, b, c and 4 more``."""
    shown = ", ".join(str(item) for item in items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"


def counted(number: int, noun: str) -> str:
    """Return ``1 sample`` or ``3 samples``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

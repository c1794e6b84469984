"""``thawline cache``: what earlier trials computed and later ones read, listed and deleted."""

from __future__ import annotations

import json
import time
from typing import Any

import typer

from search.cli.options import AsJson
from trainables.activations import folder

cache = typer.Typer(
    help="List or clear what the frozen parts of networks computed, and decoded images, kept for later trials.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@cache.command("ls")
def ls(as_json: AsJson = False) -> None:
    """List the recordings, the last read first, and where they lie."""
    found = folder.entries()
    if as_json:
        rows = [{"key": e.key, **e.about, "bytes": e.bytes, "seconds": e.seconds, "used": e.used} for e in found]
        typer.echo(json.dumps(rows, indent=2))
        return
    place = folder.location()
    if place is None:
        typer.echo(f"the cache is off ({folder.SWITCH})")
        return
    for entry in found:
        typer.echo(_line(entry, time.time()))
    total = sum(entry.bytes for entry in found)
    typer.echo(f"{len(found)} recordings, {_size(total)} of at most {_size(folder.budget(place))}, in {place}")


@cache.command("clear")
def clear() -> None:
    """Delete every recording; trials that read one go on reading it."""
    typer.echo(f"{_size(folder.clear())} deleted")


def _line(entry: folder.Entry, now: float) -> str:
    told = f"{_size(entry.bytes)}, computed in {entry.seconds:.0f} s, read {(now - entry.used) / 3600:.1f} h ago"
    return f"{entry.key[:12]}  {_what(entry.about)}, {told}"


def _what(about: dict[str, Any]) -> str:
    if "decoded" in about:
        return f"{about['samples']} {about['decoded']} of {about['image_size']} px, decoded"
    return f"{about.get('network')} before {about.get('block')}, {about.get('samples')} samples of {about.get('split')}"


def _size(count: int) -> str:
    """Return bytes in the largest unit that leaves a whole number before the point."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"

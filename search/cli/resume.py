"""``thawline resume``: go on after a stop, or extend."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import Overrides


def resume(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The run folder.")],
    o: Overrides = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON line per event.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the result only.")] = False,
) -> None:
    """Go on with a run that was stopped or killed, or extend one: -o budget.trials=96."""
    from search import resume as twin

    twin.resume(run_dir, o or [], json=json, quiet=quiet)

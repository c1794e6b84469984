"""``thawline resume``: go on after a stop, or extend."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import Overrides


def resume(
    run_dir: Annotated[str, typer.Argument(metavar="RUN_DIR", help="The run folder, or a mirrored one's URI.")],
    o: Overrides = None,
    to: Annotated[
        Path | None, typer.Option("--run-dir", help="Where a mirrored run is copied to; default: runs/<its name>.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON line per event.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the result only.")] = False,
) -> None:
    """Go on with a run that was stopped or killed, or extend one: -o budget.trials=96."""
    from search import resume as twin

    twin.resume(run_dir, o or [], to=to, json=json, quiet=quiet)

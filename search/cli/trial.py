"""``thawline trial``: one trial of a run once more, in this process, beside what was recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.errors import StudyFailed


def trial(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The run folder.")],
    label: Annotated[str, typer.Argument(metavar="TRIAL", help="As in tables/trials.csv: 7, or c7 of a confirmation.")],
) -> None:
    """Train one trial of a run again, without Ray; prints each epoch beside the recorded one."""
    from search.again import trial as again

    found = []
    for epoch in again(run_dir, label):
        typer.echo(str(epoch))
        found.append(epoch)
    if found[-1].failure:
        raise StudyFailed(f"trial {label} failed: {found[-1].failure}")
    compared = [epoch.same for epoch in found if epoch.same is not None]
    told = f"{sum(compared)} of {len(compared)} recorded epochs came out the same to the last digit"
    typer.echo(told if compared else "no epoch of this trial was recorded")

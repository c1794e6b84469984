"""``thawline submit``: the study as a job of a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from search.cli.logs import to_its_end
from search.cli.options import Address, Force, Overrides, StudyPath


def submit(
    study: StudyPath,
    o: Overrides = None,
    address: Address = None,
    follow: Annotated[bool, typer.Option("--follow", help="Print what the job prints; exit as it exits.")] = False,
    data: Annotated[bool, typer.Option("--data", help="Send the data and weights that the study names.")] = False,
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="Send this too, a file or folder beside the study file. Repeatable."),
    ] = None,
    uv: Annotated[bool, typer.Option("--uv", help="Install there, by uv, the versions installed here.")] = False,
    python: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="The head's Python with thawline's dependencies; default: the one of Ray."),
    ] = None,
    force: Force = False,
) -> None:
    """Send a study to a Ray cluster, where it runs as a job; Ctrl-C leaves it running."""
    from search.cluster import jobs

    job = jobs.submit(
        study, o or [], address=address, data=data, include=include or [], uv=uv, python=python, force=force
    )
    typer.echo(job.id)
    if follow:
        to_its_end(job.id, address)
    else:
        typer.echo(f"it goes on by itself: thawline logs {job.id} --follow; then thawline fetch {job.id}", err=True)

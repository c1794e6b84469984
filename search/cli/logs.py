"""``thawline logs``: what a job has printed, or prints until its end."""

from __future__ import annotations

from typing import Annotated

import typer

from search.cli.options import Address, JobName
from search.errors import ExitCode


def logs(
    job: JobName,
    address: Address = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job ends; exit as it exits.")] = False,
) -> None:
    """Print what a job has printed so far."""
    if follow:
        to_its_end(job, address)
        return
    from search.cluster import jobs

    for text in jobs.logs(job, address=address):
        typer.echo(text, nl=False)


def to_its_end(job: str, address: str | None) -> None:
    """Print what a job prints and exit with its own code; Ctrl-C detaches and leaves it running.

    Raises:
        Exit: always, with the job's exit code, or 130 when detached.
    """
    from search.cluster import jobs

    try:
        for text in jobs.logs(job, address=address, follow=True, tell=_silent):
            typer.echo(text, nl=False)
        (ended,) = jobs.status(job, address=address, tell=_silent)
    except KeyboardInterrupt:
        typer.echo(f"\ndetached; the job goes on: thawline logs {job} --follow, thawline stop {job}", err=True)
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    typer.echo(ended.summary, err=True)
    raise typer.Exit(ended.exit_code)


def _silent(_line: str) -> None:
    """Say nothing: which cluster it is was said before."""

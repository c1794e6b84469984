"""``thawline fetch``: bring a job's run folder back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli.options import Address, Force, JobName
from search.errors import ExitCode


def fetch(
    job: JobName,
    address: Address = None,
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder here; default: runs/JOB.")] = None,
    force: Force = False,
) -> None:
    """Bring the run folder of a job back; called again, it goes on or brings only what is new."""
    from search.cluster.fetch import fetch as bring

    try:
        fetched = bring(job, to, address=address, force=force)
    except KeyboardInterrupt:
        typer.echo("\ninterrupted; what came is kept, and the same command goes on", err=True)
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    typer.echo(f"{fetched.folder}: {fetched.files} files, {fetched.bytes / 2**20:.1f} MiB of them new")
    page = fetched.folder / "report" / "report.html"
    typer.echo(f"report: {page}" if page.exists() else "there is no report yet: the study has not come to its end")

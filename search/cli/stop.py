"""``thawline stop``: end a job."""

from __future__ import annotations

import typer

from search.cli.options import Address, JobName


def stop(job: JobName, address: Address = None) -> None:
    """Stop a job; what it has recorded stays, and can be fetched."""
    from search.cluster import jobs

    typer.echo(jobs.stop(job, address=address).summary)

"""``thawline cluster``: check a cluster file, start its machines, look at them, end them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from spaces.errors import BadInput

cluster = typer.Typer(
    help="Check a cluster file; start, look at and end its machines by Ray's launcher.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
ClusterPath = Annotated[Path, typer.Argument(metavar="[CLUSTER.yaml]", help="The cluster file.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")]
DEFAULT = Path("cluster.yaml")


@cluster.command("validate")
def validate(file: ClusterPath = DEFAULT) -> None:
    """Say everything that is wrong with a cluster file; needs no network and no account."""
    from search.cluster.file import notes

    typer.echo("\n".join(notes(file)))


@cluster.command("up")
def up(file: ClusterPath = DEFAULT, yes: Yes = False) -> None:
    """Start the head of a cluster, or bring it up to date; workers come with the work."""
    from search.cluster import launcher
    from search.cluster.file import notes

    typer.echo("\n".join(notes(file)))
    _agreed(yes, "Start these machines? They cost money until `thawline cluster down`.")
    typer.echo(launcher.up(file))


@cluster.command("down")
def down(file: ClusterPath = DEFAULT, yes: Yes = False) -> None:
    """End every machine of a cluster."""
    from search.cluster import launcher
    from search.cluster.file import notes

    typer.echo("\n".join(notes(file)))
    _agreed(yes, "End these machines? What lies on their disks is lost.")
    launcher.down(file)


@cluster.command("status")
def status(file: ClusterPath = DEFAULT) -> None:
    """Show what runs on a cluster, and what waits for machines."""
    from search.cluster import launcher

    launcher.status(file)


def _agreed(yes: bool, question: str) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadInput.at("--yes", "is needed where nobody can be asked; machines cost money")
    typer.confirm(question, abort=True)

"""The ``thawline`` command: one file per verb, and no torch, Ray, pandas or Optuna before a verb needs it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from search.cli import (
    blocks,
    cache,
    cluster,
    compare,
    demo,
    doctor,
    fetch,
    init,
    logs,
    ls,
    plan,
    report,
    resume,
    run,
    status,
    stop,
    submit,
    trial,
    validate,
)
from search.errors import ExitCode, explain

app = typer.Typer(
    name="thawline",
    help="How far should I thaw it? Searches the fine-tuning strategy of a pretrained network, and reports honestly.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
VERBS: tuple[Callable[..., None], ...] = (
    *(demo.demo, init.init, validate.validate, plan.plan, run.run, resume.resume, trial.trial),
    *(report.report, compare.compare, ls.ls, blocks.blocks, doctor.doctor),
    *(submit.submit, status.status, logs.logs, stop.stop, fetch.fetch),
)
for verb in VERBS:
    app.command()(verb)
app.add_typer(cache.cache, name="cache")
app.add_typer(cluster.cluster, name="cluster")


def _show_version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(f"thawline {version('thawline')}")
        except PackageNotFoundError:
            typer.echo("thawline (not installed, run from its checkout)")
        raise typer.Exit


@app.callback()
def thawline(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Read the options that come before the verb."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; what the user did wrong never shows a traceback."""
    try:
        app(args=arguments, prog_name="thawline")
    except SystemExit as end:  # typer's way out, of a verb that went well too: it has said what there is to say
        return end.code if isinstance(end.code, int) else ExitCode.OK
    except (Exception, KeyboardInterrupt) as error:
        explained = explain(error)
        if explained is None:
            traceback.print_exc()
            return ExitCode.FAILED
        text, code = explained
        print(text, file=sys.stderr)
        return code
    return ExitCode.OK

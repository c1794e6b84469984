"""``thawline init``: a commented study file to start from."""

from __future__ import annotations

from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from spaces.errors import BadInput


class Template(StrEnum):
    """The study files that can be started from."""

    IMAGE = "image"
    TEXT = "text"


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write study.yaml.")] = Path(),
    template: Annotated[Template, typer.Option(help="The kind of data.")] = Template.IMAGE,
) -> None:
    """Write a commented study file, study.yaml."""
    target = folder / "study.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(template_text(template))
    except FileExistsError:
        taken = target if target.exists() else folder
        message = "exists already and was left alone; name another folder (thawline init DIR)"
        raise BadInput.at(str(taken), message) from None
    except OSError as error:
        raise BadInput.at(str(target), f"cannot be written: {error.strerror}; name another folder") from None
    typer.echo(f"wrote {target}\nedit it, then: thawline validate {target}")


def template_text(template: str) -> str:
    """Return the study file of ``template``."""
    return files("search.cli").joinpath("templates", f"{template}.yaml").read_text(encoding="utf-8")

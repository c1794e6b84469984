"""List a model's blocks for ``thawline blocks``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainables.models import catalogue
from trainables.run import blocks_of
from trainables.tasks.catalogue import TASKS


def describe(model: str, weights: str) -> list[dict[str, Any]]:
    """Return the blocks of the study file's ``model``: index, name, kind, parameters and their count.

    Raises:
        BadInput: there is no such model, or the weights do not fit it.
    """
    task = next(task for task in TASKS.values() if task.modality == catalogue.modality_of(model))
    built = catalogue.build(model, weights=weights, modality=task.modality, classes=2, code_path=str(Path.cwd()))
    return [
        {
            "index": block.index,
            "name": block.name,
            "kind": block.kind,
            "parameters": list(block.parameters),
            "count": block.count,
        }
        for block in blocks_of(built, task)
    ]

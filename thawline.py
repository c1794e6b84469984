"""The public API of thawline. Nothing is imported before it is asked for, so that ``import thawline`` is quick.

run = thawline.Study.from_yaml("flowers.yaml").run()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.again import trial as trial
    from search.cluster.fetch import fetch as fetch
    from search.cluster.jobs import logs as logs
    from search.cluster.jobs import status as status
    from search.cluster.jobs import stop as stop
    from search.cluster.jobs import submit as submit
    from search.compare import compare as compare
    from search.doctor import doctor as doctor
    from search.resume import resume as resume
    from search.study import Study as Study
    from spaces.errors import BadInput as BadInput
    from spaces.strategy import Strategy as Strategy
    from trainables.activations.folder import clear as clear_cache
    from trainables.activations.folder import entries as cached

# name -> its module, or its module and its name there
HOMES = {
    "BadInput": "spaces.errors",
    "Strategy": "spaces.strategy",
    "Study": "search.study",
    "compare": "search.compare",
    "cached": "trainables.activations.folder:entries",
    "clear_cache": "trainables.activations.folder:clear",
    "doctor": "search.doctor",
    "fetch": "search.cluster.fetch",
    "logs": "search.cluster.jobs",
    "resume": "search.resume",
    "status": "search.cluster.jobs",
    "stop": "search.cluster.jobs",
    "submit": "search.cluster.jobs",
    "trial": "search.again",
}
__all__ = [
    "BadInput",
    "Strategy",
    "Study",
    "cached",
    "clear_cache",
    "compare",
    "doctor",
    "fetch",
    "logs",
    "resume",
    "status",
    "stop",
    "submit",
    "trial",
]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, own_name = HOMES[name].partition(":")
    return getattr(import_module(module), own_name or name)


def __dir__() -> list[str]:
    return sorted({*globals(), *HOMES})

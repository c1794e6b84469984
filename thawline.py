"""The public API of thawline. Nothing is imported before it is asked for, so that ``import thawline`` is quick.

run = thawline.Study.from_yaml("flowers.yaml").run()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.again import trial as trial
    from search.compare import compare as compare
    from search.doctor import doctor as doctor
    from search.resume import resume as resume
    from search.study import Study as Study
    from spaces.errors import BadInput as BadInput
    from spaces.strategy import Strategy as Strategy

HOMES = {
    "BadInput": "spaces.errors",
    "Strategy": "spaces.strategy",
    "Study": "search.study",
    "compare": "search.compare",
    "doctor": "search.doctor",
    "resume": "search.resume",
    "trial": "search.again",
}
__all__ = ["BadInput", "Strategy", "Study", "compare", "doctor", "resume", "trial"]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *HOMES})

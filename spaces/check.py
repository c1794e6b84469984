"""Is this space sane, and does this point lie inside it? Precise problems, never a bare yes or no."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal

from spaces.domain import Choice, Domain, Float, Int, Value, extremes
from spaces.errors import Problem
from spaces.param import Param, Space
from spaces.strategy import Point, Strategy, to_point

# What the ends of a searched domain must be, beyond a finite number of 0 or more.
LIMITS: Mapping[str, tuple[Callable[[float], bool], str]] = {
    "head_lr": (lambda end: end > 0, "above 0"),
    "layer_decay": (lambda end: 0 < end <= 1, "above 0 and at most 1"),
    "probe_share": (lambda end: 0 < end < 1, "above 0 and below 1"),
    "label_smoothing": (lambda end: 0 <= end < 1, "0 or more and below 1"),
}


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return `` (did you mean x?)`` for the nearest known word, or nothing."""
    near = get_close_matches(word, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def read_domain(name: str, given: object, default: Domain) -> Domain | list[Problem]:
    """Read a user's domain for dimension ``name`` and hold it against the dimension's widest one.

    ``given`` is a list of values, a single value, or a mapping with low, high and log.
    """
    place = f"space.{name}"
    if isinstance(given, Mapping):
        return _read_range(place, given, default)
    values: list[Any] = list(given) if isinstance(given, list | tuple) else [given]
    if not values:
        return [Problem(place, f"is an empty list; name at least one value ({default})")]
    wrong = [value for value in values if not _sensible(value, default)]
    if wrong:
        words = default.values if isinstance(default, Choice) and _kind(default) == "words" else ()
        return [
            Problem(place, f"must be {_allowed(default)}, got {value!r}{did_you_mean(str(value), [*map(str, words)])}")
            for value in wrong
        ]
    if len(set(values)) < len(values):
        return [Problem(place, f"lists a value twice: {values}")]
    return Choice(tuple(float(value) if _kind(default) == "real" else value for value in values))


def _read_range(place: str, given: Mapping[str, object], default: Domain) -> Domain | list[Problem]:
    if _kind(default) == "words":
        return [Problem(place, f"takes a list of values ({default}), got a range")]
    unknown = [key for key in given if key not in ("low", "high", "log")]
    if unknown:
        known = ("low", "high", "log")
        return [
            Problem(f"{place}.{key}", f"unknown key; allowed: low, high, log{did_you_mean(str(key), known)}")
            for key in unknown
        ]
    low, high = given.get("low", getattr(default, "low", None)), given.get("high", getattr(default, "high", None))
    bad = [
        Problem(f"{place}.{end}", f"must be {_allowed(default)}, got {value!r}")
        for end, value in (("low", low), ("high", high))
        if not _sensible(value, default)
    ]
    if bad:
        return bad
    if low > high:  # type: ignore[operator]
        return [Problem(place, f"low must not be above high, got low {low} and high {high}")]
    if _kind(default) == "whole":
        return Int(int(low), int(high))  # type: ignore[call-overload]
    log = given.get("log", getattr(default, "log", False))
    if not isinstance(log, bool):
        return [Problem(f"{place}.log", f"must be true or false, got {log!r}")]
    if log and not low > 0:  # type: ignore[operator]
        return [Problem(f"{place}.low", f"must be above 0 where log is true, got {low}")]
    return Float(float(low), float(high), log)  # type: ignore[arg-type]


def _kind(domain: Domain) -> Literal["words", "whole", "real"]:
    """Return what a domain is made of."""
    match domain:
        case Int():
            return "whole"
        case Choice(values=values) if not all(isinstance(value, float) for value in values):
            return "whole" if all(isinstance(value, int) for value in values) else "words"
    return "real"


def _sensible(value: object, default: Domain) -> bool:
    """Tell whether a user may ask for ``value``: numbers may leave the listed values, words and depths may not."""
    if isinstance(value, bool):
        return False
    match _kind(default):
        case "words":
            return value in default
        case "whole" if isinstance(default, Int):
            return value in default
        case "whole":
            return isinstance(value, int) and value >= 1
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def _allowed(default: Domain) -> str:
    match _kind(default):
        case "real":
            return "a finite number of 0 or more"
        case "whole" if isinstance(default, Choice):
            return "a whole number of 1 or more"
    return str(default)


def check_space(space: Space) -> list[Problem]:
    """Return what is wrong with the space as a whole: orders, ranges, values that exclude each other."""
    problems = []
    seen: set[str] = set()
    for param in space:
        problems += [
            Problem(f"space.{param.name}", f"depends on {name}, which is not drawn before it")
            for condition in param.when
            for name in condition.names
            if name not in seen and name not in space.fixed
        ]
        seen.add(param.name)
    return problems + _check_reinit(space) + _check_values(space)


def _check_values(space: Space) -> list[Problem]:
    return [
        Problem(f"space.{param.name}", f"must be {LIMITS[param.name][1]}, got {param.domain}")
        for param in space
        if param.name in LIMITS and not all(map(LIMITS[param.name][0], extremes(param.domain)))
    ]


def _check_reinit(space: Space) -> list[Problem]:
    """`all` becomes `none` where only part of the network trains, so `none` must be allowed too."""
    freezing, reinit = _values(space, "freezing"), _values(space, "reinit")
    if "all" in reinit and "none" not in reinit and set(freezing) - {"full", "probe"}:
        message = "has all but not none; all goes only with freezing full: add none, or set space.freezing to [full]"
        return [Problem("space.reinit", message)]
    return []


def _values(space: Space, name: str) -> tuple[Value, ...]:
    for param in space:
        if param.name == name and isinstance(param.domain, Choice):
            return param.domain.values
    return (space.fixed[name],)


def outside(space: Space, strategy: Strategy) -> list[Problem]:
    """Return why ``strategy``, in canonical form, is not a point of ``space``; empty if it is one."""
    point = to_point(strategy)
    problems = []
    for param in space:
        if param.active(point) and param.name in point and not _reaches(space, param, point):
            problems.append(Problem(f"space.{param.name}", f"must be {param.domain}, got {point[param.name]}"))
    for name, value in point.items():
        if name not in space.names and value != space.fixed[name]:
            problems.append(Problem(f"space.{name}", f"is fixed at {space.fixed[name]}, got {value}"))
    return problems


def drawn(space: Space, strategy: Strategy) -> Point | None:
    """Return the values that draw ``strategy``, in canonical form, from ``space``; None if they are not to be told.

    Either it lies outside, or the space reaches it under another name, as the top of everything is full.
    """
    point = {name: value for name, value in to_point(strategy).items() if name in space.names}
    direct = all(value in space[name].domain for name, value in point.items())
    return point if direct and not outside(space, strategy) else None


def _reaches(space: Space, param: Param, point: Point) -> bool:
    """Tell whether the space can draw this value, counting what `Strategy.canonical` folds together."""
    value = point[param.name]
    if value in param.domain:
        return True
    match param.name:
        case "freezing" if value == "full":
            return "top" in param.domain and space.blocks in _domain(space, "unfrozen_depth")
        case "freezing":
            return value == "top" and "window" in param.domain
        case "unfrozen_depth":
            return "window" in _values(space, "freezing") and value in _windows(space)
        case "window_length":
            return float(value) < extremes(param.domain)[1] and _ends_at_the_top(space, point)
        case "reinit":
            return value == "none" and "all" in param.domain and point["freezing"] != "full"
        case "reinit_blocks":
            return value == _trained(space, point) and float(value) < extremes(param.domain)[1]
    return False


def _domain(space: Space, name: str) -> Domain:
    """Return the searched domain of ``name``, or the one value it is fixed at."""
    return next((param.domain for param in space if param.name == name), Choice((space.fixed[name],)))


def _windows(space: Space) -> Domain:
    """Return the depths a window at the top may have; clamping reaches every smaller one."""
    return Int(1, int(extremes(_domain(space, "window_length"))[1]))


def _ends_at_the_top(space: Space, point: Point) -> bool:
    return int(point["window_start"]) + int(point["window_length"]) - 1 == space.blocks


def _trained(space: Space, point: Point) -> Value:
    """Return how many blocks train in the end: re-initialising more is clamped to it."""
    return point.get("unfrozen_depth", point.get("window_length", space.blocks))

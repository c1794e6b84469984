"""``thawline doctor``: what this machine offers, and what would stop a study from running on it. Changes nothing."""

from __future__ import annotations

import importlib.metadata as metadata
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

State = Literal["ok", "warning", "problem"]
DISTRIBUTION = "thawline"
OLDEST_PYTHON = (3, 11)
PACKAGES = ("spaces", "trainables", "search")
SHARED_MEMORY_MB = 512  # containers start with 64: Ray then keeps its objects on the disk
MEMORY_MB = 2048  # a worker that has imported torch and transformers holds about 1 GB
DISK_MB = 2048
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: *problem* stops a study, *warning* may slow or stop some."""

    name: str
    state: State
    about: str

    def __str__(self) -> str:
        """Return the finding as a line."""
        return f"{self.state:<7}  {self.name}: {self.about}"

    @property
    def plain(self) -> dict[str, str]:
        """The finding as JSON values."""
        return asdict(self)


def doctor(*, start_ray: bool = True) -> list[Finding]:
    """Look at Python, packages, devices, memory, disk, Ray and the hub; ``start_ray`` starts one and stops it."""
    checks: list[Callable[[], Iterable[Finding]]] = [python, versions, own_packages, devices, memory, disk, hub]
    checks += [ray_starts] if start_ray else []
    return [finding for check in checks for finding in check()]


def python() -> list[Finding]:
    """Return whether this Python is new enough."""
    state: State = "ok" if sys.version_info >= OLDEST_PYTHON else "problem"
    wanted = ".".join(map(str, OLDEST_PYTHON))
    return [Finding("python", state, f"{platform.python_version()} ({sys.executable}); {wanted} or later is needed")]


def versions() -> list[Finding]:
    """Return the installed version of every package that thawline needs, held against the range it needs."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(text) for text in metadata.requires(DISTRIBUTION) or ()]
    except metadata.PackageNotFoundError:
        message = "is not installed, so that no version can be checked; run make .venv in its checkout"
        return [Finding(DISTRIBUTION, "warning", message)]
    needed = [each for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
    return [_version(each.name, str(each.specifier), each.specifier.contains) for each in needed]


def _version(name: str, wanted: str, fits: Callable[..., bool]) -> Finding:
    out = f"make .venv, or pip install '{name}{wanted}'"
    try:
        there = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(name, "problem", f"is not installed, {wanted} is needed: {out}")
    if fits(there, prereleases=True):
        return Finding(name, "ok", f"{there} ({wanted})")
    return Finding(name, "problem", f"{there} does not fit {wanted}: {out}")


def own_packages() -> list[Finding]:
    """Return whether `spaces`, `trainables` and `search` are this project's: others of that name can be installed."""
    home = Path(__file__).resolve().parents[1]
    return [own_package(name, home) for name in PACKAGES]


def own_package(name: str, home: Path) -> Finding:
    """Return whether ``import NAME`` finds the package in ``home``."""
    spec = importlib.util.find_spec(name)
    found = Path(spec.origin).resolve().parent if spec and spec.origin else None
    if found == home / name:
        return Finding(name, "ok", str(found))
    away = found or "nothing"
    owners = metadata.packages_distributions().get(name, [])
    others = [owner for owner in owners if owner != DISTRIBUTION]
    out = f"pip uninstall {' '.join(others)}" if others else f"take {found.parent if found else home} off PYTHONPATH"
    return Finding(name, "problem", f"import {name} finds {away}, not this project's {home / name}: {out}")


def devices() -> list[Finding]:
    """Return the processors and GPUs that a trial could use."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = [Finding("cpu", "ok", f"{cores} cores; torch computes on {torch.get_num_threads()} threads")]
    if not torch.cuda.is_available():
        built = "torch was built without CUDA" if torch.version.cuda is None else "torch sees no CUDA device"
        return [*found, Finding("gpu", "ok", f"none ({built}); trials run on the CPU")]
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        found.append(Finding("gpu", "ok", f"{card.name}, {card.total_memory / 2**30:.0f} GB"))
    return found


def memory() -> list[Finding]:
    """Return the free memory, and the shared memory that Ray keeps its objects in."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        rows = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
        free = int(rows["MemAvailable"].split()[0]) / 2**10
    found = [enough("memory", free, MEMORY_MB, "lower resources.concurrent, or end other programs")]
    shared = Path("/dev/shm")
    if shared.is_dir():
        there = shutil.disk_usage(shared).free / 2**20
        found.append(enough("shared memory", there, SHARED_MEMORY_MB, "in a container: --shm-size=2g"))
    return found


def disk() -> list[Finding]:
    """Return the free disk where runs are written, and where Ray keeps its session."""
    places = {"disk here": Path.cwd(), "disk for temporary files": Path(tempfile.gettempdir())}
    return [
        enough(name, shutil.disk_usage(place).free / 2**20, DISK_MB, f"make room in {place}")
        for name, place in places.items()
    ]


def enough(name: str, there: float, least: float, out: str) -> Finding:
    """Return whether ``there`` MB are at least as many as a study usually needs."""
    if there >= least:
        return Finding(name, "ok", f"{there / 1024:.1f} GB free")
    return Finding(name, "warning", f"{there / 1024:.1f} GB free, {least / 1024:.1f} GB or more is better: {out}")


def hub() -> list[Finding]:
    """Return whether networks are fetched from the hub, or only those that are on this machine already."""
    told = [name for name in OFFLINE if os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE")]
    if told:
        about = f"offline ({', '.join(told)}): folders, packages and what was fetched before can be used"
    else:
        about = f"networks that a study names are fetched; {OFFLINE[0]}=1 forbids it"
    return [Finding("hugging face hub", "ok", about)]


def ray_starts() -> list[Finding]:
    """Return whether a Ray can be started or reached, and what it offers."""
    from search.errors import StudyFailed
    from search.tuner import cluster

    try:
        with cluster():
            import ray

            there = ray.cluster_resources()
    except StudyFailed as error:
        return [Finding("ray starts", "problem", error.message)]
    return [Finding("ray starts", "ok", f"{there.get('CPU', 0):g} CPU, {there.get('GPU', 0):g} GPU")]

"""Start, look at and end the machines of a cluster file, by Ray's own launcher in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from search.cluster.file import check
from search.cluster.machines import summary
from search.cluster.providers import PROVIDERS
from search.cluster.starting import HEAD, starts
from search.cluster.yaml_lines import Lines
from search.errors import ExitCode, StudyFailed

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}


def up(path: str | Path) -> str:
    """Start the head, or bring a running one up to date; return what to do next. Workers come with the work.

    Raises:
        BadInput: what is wrong with the file; nothing was started.
        StudyFailed: the launcher failed, or what it needs is not installed.
    """
    file = _usable(path)
    _ray("up", "-y", str(path))
    return (
        f"the head is up ({summary(file)})\n"
        f"  its dashboard, at http://127.0.0.1:8265 as long as this runs:  ray dashboard {path}\n"
        f"  what runs there:                                               thawline cluster status {path}\n"
        f"  it stands until:                                               thawline cluster down {path}"
    )


def down(path: str | Path) -> None:
    """End every machine of the cluster; what lies on their disks is lost.

    Raises:
        BadInput: what is wrong with the file.
        StudyFailed: the launcher failed: machines may be left.
    """
    file = _usable(path)
    if file.get("provider", "type") == "local":
        # Ray only forgets such machines: it calls a `ray` of the login shell's path, and goes on if there is none.
        _ray("exec", str(path), _on_head(file, "stop"))
    _ray("down", "-y", str(path))


def status(path: str | Path) -> None:
    """Print what runs on the cluster and what waits for machines.

    Raises:
        BadInput: what is wrong with the file.
        StudyFailed: the head cannot be reached.
    """
    _ray("exec", str(path), _on_head(_usable(path), "status"))


def _on_head(file: Lines, verb: str) -> str:
    """Return ``ray VERB`` as the head runs it: the Ray, and the mode of authentication, that it was started with."""
    start = starts(file, HEAD)[0]
    return f"{start.before.strip()} {start.ray} {verb}".strip()


def _usable(path: str | Path) -> Lines:
    file = check(path)
    name = str(file.get("provider", "type"))
    provider = PROVIDERS.get(name)
    if provider and provider.client and not _is_there(provider.client):
        message = f"{path}: Ray's launcher reaches {name} by a package that is not installed"
        raise StudyFailed(f"{message}: pip install {provider.packages}", ExitCode.CLUSTER)
    missing = [tool for tool in ("ssh", "rsync") if shutil.which(tool) is None]
    if missing:
        message = f"{path}: Ray's launcher reaches the head by {' and '.join(missing)}, which is not installed here"
        raise StudyFailed(f"{message}; install it (apt-get install openssh-client rsync)", ExitCode.CLUSTER)
    return file


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package around it
        return False


def _ray(*arguments: str) -> None:
    """Run ``ray`` with our standard output and error."""
    code = subprocess.run(
        [sys.executable, "-m", "ray.scripts.scripts", *arguments], env=QUIET | dict(os.environ), check=False
    ).returncode
    if code:
        message = f"ray {arguments[0]} failed with exit code {code}; what it said stands above"
        left = "; look for machines that are left, on the cloud's own page" if arguments[0] != "exec" else ""
        raise StudyFailed(f"{message}{left}", ExitCode.CLUSTER)

"""How the nodes of a cluster file start Ray: our versions, a token on every node, a dashboard for the head alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path

from search.cluster.providers import PROVIDERS
from search.cluster.yaml_lines import Keys, Lines
from spaces.errors import Problem

HEAD, WORKERS = "head_start_ray_commands", "worker_start_ray_commands"
SETUP = ("setup_commands", "head_setup_commands", "worker_setup_commands", "initialization_commands")
START = re.compile(r"(?P<before>.*?)(?P<ray>[^\s;&|]*\bray)\s+start\b(?P<after>[^;&|]*)", re.DOTALL)
DASHBOARD = re.compile(r"--dashboard-host[=\s]+(\S+)")
AUTH_MODE = re.compile(r"\bRAY_AUTH_MODE=[\"']?(\w*)")
TOKEN_PATH = re.compile(r"\bRAY_AUTH_TOKEN_PATH=(\S+)")
PIN = re.compile(r"\bray(?:\[[^\]]*\])?\s*==\s*([0-9][\w.]*)")
CONSTRAINTS = re.compile(r"pip3? install\b[^;&|]*?\s(?:-c\s*|--constraints?[=\s]+)([^\s;&|]+)")
IMAGE = re.compile(r"^(?:[\w.]+/)?rayproject/ray(?:-ml)?:(\d+\.\d+\.\d+)")
SHOWN = 5  # of the secrets
LOOPBACK = ("127.0.0.1", "localhost", "::1")
TOKEN = "~/.ray/auth_token"
MAKE_TOKEN = "ray get-auth-token --generate writes it"


@dataclass(frozen=True)
class Start:
    """One ``ray start`` of a cluster file."""

    keys: Keys
    before: str  # what stands before it in the same command: what is exported there holds for it
    ray: str  # the command, with its path
    after: str  # its options


def check_starting(file: Lines) -> list[Problem]:
    """Return what would start other versions, an open dashboard, or a cluster that anybody may use."""
    head, workers = starts(file, HEAD), starts(file, WORKERS)
    return [
        *_check_present(file, head, workers),
        *_check_head(file, head),
        *_check_token(file, [*head, *workers]),
        *_check_mounts(file),
        *_check_version(file),
    ]


def starts(file: Lines, key: str) -> list[Start]:
    """Return every ``ray start`` among the commands of ``key``."""
    found = ((number, START.match(command)) for number, command in enumerate(file.texts(key)))
    return [Start((key, number), m["before"], m["ray"], m["after"]) for number, m in found if m]


def _check_present(file: Lines, head: list[Start], workers: list[Start]) -> Iterator[Problem]:
    own = "Ray's own commands open the dashboard to every address and ask for no token"
    for key, found, needed in ((HEAD, head, "ray start --head"), (WORKERS, workers, "ray start --address=")):
        if not found:
            yield file.problem((key,), f"must hold {needed}...; {own}: take the commands of the shipped cluster.yaml")


def _check_head(file: Lines, head: list[Start]) -> Iterator[Problem]:
    for start in head:
        if "--head" not in start.after:
            yield file.problem(start.keys, "must start the head: ray start --head")
        if "--autoscaling-config" not in start.after:
            message = "lacks --autoscaling-config=~/ray_bootstrap_config.yaml: without it no worker is ever started"
            yield file.problem(start.keys, message)
        hosts = [host.strip("\"'") for host in DASHBOARD.findall(start.after)]
        if far := next((host for host in hosts if host not in LOOPBACK), None):
            message = f"--dashboard-host must be 127.0.0.1, got {far}: whoever reaches the dashboard may send jobs"
            yield file.problem(start.keys, f"{message}; it is reached with: ray dashboard {file.path}")


def _check_token(file: Lines, found: list[Start]) -> Iterator[Problem]:
    for start in found:
        modes = _modes(start.before)
        if not modes or modes[-1] != "token":
            got = f", got RAY_AUTH_MODE={modes[-1]}" if modes else ""
            message = f"asks for no token{got}; write RAY_AUTH_MODE=token right before ray start, or export it there"
            yield file.problem(start.keys, message)
    for keys, value in file.leaves():
        if "RAY_AUTH_TOKEN=" in str(value):
            message = "holds the token itself; a cluster file is copied to every node: mount the file of the token"
            yield file.problem(keys, f"{message} under file_mounts")
    if found and token_mount(file) is None:
        yield file.problem(
            ("file_mounts",), f'must bring the token to every node: "{TOKEN}": "{TOKEN}" ({MAKE_TOKEN} here)'
        )


def _modes(before: str) -> list[str]:
    """Return the modes of authentication that a command finds in its environment, given what stands before it."""
    *earlier, own = re.split(r"[;&|\n]+", before)
    return AUTH_MODE.findall(" ".join([*(part for part in earlier if re.search(r"\bexport\b", part)), own]))


def token_mount(file: Lines) -> str | None:
    """Return the path on the nodes under which the token is mounted, None where none is."""
    commands = [command for key in (HEAD, WORKERS) for command in file.texts(key)]
    named = {path[1].strip("\"'") for path in map(TOKEN_PATH.search, commands) if path}
    for target in file.section("file_mounts"):
        if target in named or target.endswith("/.ray/auth_token"):
            return target
    return None


def _check_mounts(file: Lines) -> Iterator[Problem]:
    """Check that what is copied to the nodes is here, and no secret but the token among it."""
    token = token_mount(file)
    for target, source in file.section("file_mounts").items():
        keys: Keys = ("file_mounts", target)
        local = Path(os.path.expanduser(str(source)))
        if not local.exists():
            made = f"; {MAKE_TOKEN}" if target == token else ", as seen from this folder"
            yield file.problem(keys, f"no such file or folder here: {source}{made}")
        elif target == token and local.stat().st_mode & 0o077:
            yield file.problem(keys, f"{source} can be read by others of this machine: chmod 600 {source}")
        elif secrets := sorted(_secrets(file, local)):
            more = f" and {len(secrets) - SHOWN} more" if len(secrets) > SHOWN else ""
            message = f"would copy {', '.join(secrets[:SHOWN])}{more} to every node"
            yield file.problem(keys, f'{message}; add "**/.env*" to rsync_exclude')


def _secrets(file: Lines, folder: Path) -> Iterator[str]:
    """Yield the .env files below ``folder`` that rsync would copy with it."""
    left_out = [text.removeprefix("**/").removesuffix("/**").strip("/") for text in file.texts("rsync_exclude")]
    if ".env*" in left_out:
        return
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not any(fnmatch(name, pattern) for pattern in left_out)]
        for name in (*folders, *names):
            if fnmatch(name, ".env*") and not any(fnmatch(name, pattern) for pattern in left_out):
                yield Path(here, name).relative_to(folder).as_posix()


def _check_version(file: Lines) -> Iterator[Problem]:
    """Check that the nodes run the Ray that is installed here: another would refuse to talk to it."""
    ours = version("ray")
    commands = [((key, number), text) for key in SETUP for number, text in enumerate(file.texts(key))]
    image = file.get("docker", "image") or file.get("docker", "head_image")
    pinned = IMAGE.match(str(image or ""))
    if pinned and pinned[1] != ours:
        message = f"holds ray {pinned[1]}, here is {ours}; take the image of that version"
        yield file.problem(("docker", "image" if file.get("docker", "image") else "head_image"), message)
    for keys, command in commands:
        for other in PIN.findall(command):
            if other != ours:
                yield file.problem(keys, f"installs ray {other}, here is {ours}; both must be the same")
    constrained = [(keys, path.strip("\"'")) for keys, command in commands for path in CONSTRAINTS.findall(command)]
    for keys, path in constrained:
        yield from _check_constraints(file, keys, path, ours)
    yield from _check_client(file, commands, bool(image))
    if not constrained and not image and not any(PIN.search(command) for _, command in commands):
        message = f"must install the versions of here (ray {ours}): uv pip install -c ~/thawline/constraints.txt ..."
        yield file.problem(("setup_commands",), message)


def _check_client(file: Lines, commands: Sequence[tuple[Keys, str]], image: bool) -> Iterator[Problem]:
    """Check that the head can ask the cloud for workers: it does so with the same package as the launcher here."""
    provider = PROVIDERS.get(str(file.get("provider", "type")))
    if provider is None or provider.client is None or image:
        return
    package = provider.packages.split()[0]
    installs = [text for keys, text in commands if keys[0] in ("setup_commands", "head_setup_commands")]
    if not any(package in text or f"[{provider.name}]" in text for text in installs):
        message = f"must install {package} beside Ray: without it the head asks {provider.name} for no worker"
        yield file.problem(("head_setup_commands",), message)


def _check_constraints(file: Lines, keys: Keys, path: str, ours: str) -> Iterator[Problem]:
    local = here(file, path)
    if local is None:
        yield file.problem(keys, f"{path} lies below nothing that file_mounts brings to the nodes")
    elif not local.is_file():
        message = f"{path} would come from {local}, and there is no such file: run this where the checkout is"
        yield file.problem(keys, message)
    else:
        pins = PIN.findall(local.read_text(encoding="utf-8"))
        if ours not in pins:
            message = f"{local} pins ray {pins[0] if pins else 'at no version'}, here is {ours}; make .venv, or pin it"
            yield file.problem(keys, message)


def here(file: Lines, remote: str) -> Path | None:
    """Return which file of this machine stands at the path ``remote`` of a node, None where none is copied there."""
    for target, source in file.section("file_mounts").items():
        if remote == target or remote.startswith(f"{target.rstrip('/')}/"):
            return Path(os.path.normpath(Path(os.path.expanduser(str(source))) / os.path.relpath(remote, target)))
    return None

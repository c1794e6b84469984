"""A real head node with a token, on ports and in folders of its own, and the command as its user types it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "0123456789abcdef" * 4
START = 300.0  # seconds
# What Ray allows a busy machine; its own figures are for an idle one.
PATIENT = {
    "RAY_agent_register_timeout_ms": "600000",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "600",
    "RAY_health_check_failure_threshold": "100",
    "RAY_health_check_timeout_ms": "60000",
    "RAY_worker_register_timeout_seconds": "600",
}


@dataclass(frozen=True)
class Head:
    """A cluster of one node: its address, its user's home, Ray's own folder."""

    url: str
    home: Path
    session: Path

    def start(self, *arguments: str, token: str | None = TOKEN) -> subprocess.Popen[str]:
        """Start the command in the user's home, with a token or without."""
        return subprocess.Popen(
            [sys.executable, "-m", "search", *arguments],
            cwd=self.home,
            env=environment(self.home, token),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def thawline(self, *arguments: str, token: str | None = TOKEN) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        command = self.start(*arguments, token=token)
        printed, told = command.communicate(timeout=540)
        return subprocess.CompletedProcess(arguments, command.returncode, printed, told)

    def jobs(self) -> list[dict[str, Any]]:
        """Return the studies that were sent."""
        return list(json.loads(self.thawline("status", "--address", self.url, "--json").stdout))


@contextmanager
def head() -> Iterator[Head]:
    """Start a head with one slot, wait until it answers, and end it with everything that it started."""
    folder = Path(tempfile.mkdtemp(prefix="th-", dir="/tmp"))  # a socket's path is short
    home = folder / "home"
    (home / ".ray").mkdir(parents=True)
    port, gcs, client = _free_ports(3)
    command = [
        *(str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--num-cpus=1"),
        *(f"--port={gcs}", f"--dashboard-port={port}", f"--ray-client-server-port={client}"),
        *("--dashboard-host=127.0.0.1", "--dashboard-agent-listen-port=0", "--min-worker-port=0"),
        *("--max-worker-port=0", f"--temp-dir={folder / 'ray'}", "--disable-usage-stats"),
        *("--object-store-memory=100000000",),
    ]
    with (folder / "head.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=home, env=environment(home, TOKEN), stdout=log, stderr=log, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process, folder / "head.log")
        yield Head(url, home, folder / "ray" / "session_latest")
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def environment(home: Path, token: str | None) -> dict[str, str]:
    """Return the variables of a user whose home is ``home`` and who has this token, or none."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_AUTH", "PYTHONPATH"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    mode = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token} if token else {}
    cache = {"UV_CACHE_DIR": kept.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))}
    return kept | PATIENT | mode | cache | {"HOME": str(home), "PATH": path}


def _free_ports(count: int) -> list[int]:
    """Return ports that are free now, above those that Ray gives to workers."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START
    while time.monotonic() < until and process.poll() is None:
        try:
            urlopen(f"{url}/api/version", timeout=10)
        except HTTPError as error:
            if error.code == 401:
                return
        except (URLError, OSError):
            pass
        time.sleep(0.5)
    raise RuntimeError(f"no head came up in {START:.0f} s:\n{log.read_text()[-2000:]}")

"""A connection to a cluster's jobs: Ray's own client, its errors as ours, a log that is followed to its end."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from search.cluster.address import Door, knock, resolve
from search.errors import ExitCode, StudyFailed
from spaces.errors import BadInput

Tell = Callable[[str], None]

OURS = "thawline"  # the key that marks a job as this project's; its value is the version that sent it
ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
STARTING = "No available agent"  # what a head says whose job agent is not up yet
PATIENCE = 300.0  # seconds for a head to start
RECONNECTS = 10
JOB_NAME = re.compile(r"\w[\w.-]*")
SIGNS_OF_MISSING = ("No module named", "not found", "Permission denied")
MISSING = "the Python of the nodes lacks what thawline needs: name the right one with --python, or install with --uv"
CHATTY = ("ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk", "ray._private.runtime_env.packaging")


@dataclass(frozen=True)
class Job:
    """A study that was sent to a cluster, as it stands there."""

    id: str
    study: str
    state: str  # PENDING, RUNNING, or one of ENDED
    run_dir: str  # on the cluster
    address: str
    started: str
    ended: str
    code: int | None  # the exit code of thawline run there
    message: str

    @property
    def exit_code(self) -> int:
        """The job's own exit code; 4 if it never came to run, 130 if it was stopped."""
        if self.state == "SUCCEEDED":
            return ExitCode.OK
        if self.state == "STOPPED":
            return ExitCode.INTERRUPTED
        if self.code is None:
            return ExitCode.CLUSTER
        return self.code if self.code > 0 else ExitCode.FAILED

    @property
    def line(self) -> str:
        """The job in a line of a list."""
        return f"{self.id}  {self.state.lower():<9}  {self.started} UTC  {self.run_dir}"

    @property
    def summary(self) -> str:
        """The job in a few lines: how it stands, where its run folder is, what went wrong, what to do next."""
        code = f", exit code {self.code}" if self.code is not None else ""
        lines = [f"{self.id}: {self.state.lower()}{code}", f"run folder on the cluster: {self.run_dir}"]
        if self.state == "FAILED":
            lines += [self.message.strip()] if self.code is None else []
            lines += [MISSING] if self._lacks_packages else []
        if self._has_run_folder:
            lines.append(f"to bring it here: thawline fetch {self.id}")
        return "\n".join(lines)

    @property
    def _has_run_folder(self) -> bool:
        """Whether it ended after it had begun to run; what was refused at once has left nothing."""
        refused = self.exit_code in (ExitCode.USAGE, ExitCode.CLUSTER) or self._lacks_packages
        return self.state in ENDED and not refused

    @property
    def _lacks_packages(self) -> bool:
        return self.state == "FAILED" and any(sign in self.message for sign in SIGNS_OF_MISSING)

    @property
    def plain(self) -> dict[str, Any]:
        """The job as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Cluster:
    """A cluster that answers, and Ray's client for its jobs."""

    door: Door
    client: Any

    def job(self, name: str) -> Job:
        """Return a job as it stands.

        Raises:
            BadInput: there is none of that name.
            StudyFailed: the cluster does not answer.
        """
        if not JOB_NAME.fullmatch(name):
            raise BadInput.at("JOB", f"must be a job's name, got {name!r}; thawline status lists them")
        with answering(self.door.url, name):
            return read(self.client.get_job_info(name), self.door.url)


def to_stderr(line: str) -> None:
    """Say ``line`` beside what a command prints."""
    print(line, file=sys.stderr, flush=True)


def connect(address: str | None = None, *, force: bool = False, tell: Tell = to_stderr) -> Cluster:
    """Return the cluster at ``address``, and say which one that is.

    Raises:
        BadInput: ``address`` is none of a dashboard.
        StudyFailed: it does not answer, refuses our token, or is open to everybody (unless ``force``).
    """
    url, overridden = resolve(address)
    for warning in overridden:  # before anything can go wrong there
        tell(f"warning: {warning}")
    door = knock(url, force=force)
    tell(f"cluster: {door.url} (Ray {door.ray})")
    for warning in door.warnings:
        tell(f"warning: {warning}")
    from ray.job_submission import JobSubmissionClient

    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    with answering(door.url):
        return Cluster(door, JobSubmissionClient(door.url, headers=dict(door.headers)))


def send(
    cluster: Cluster,
    name: str,
    command: str,
    folder: str,
    about: Mapping[str, str],
    variables: Mapping[str, str] | None = None,
    tell: Tell = to_stderr,
) -> None:
    """Run ``command`` on the head in a copy of ``folder``; wait for a head that is still starting.

    Raises:
        StudyFailed: the cluster does not take the job.
    """
    environment = {"working_dir": folder, "env_vars": dict(variables or {})}
    metadata = {OURS: _version(), **about}
    until, told = time.monotonic() + PATIENCE, False
    while True:
        try:
            with answering(cluster.door.url, name):
                cluster.client.submit_job(
                    entrypoint=command, submission_id=name, runtime_env=environment, metadata=metadata
                )
            return
        except StudyFailed as error:
            if STARTING not in error.message or time.monotonic() > until:
                raise
        if not told:
            tell("the cluster is still starting and takes no jobs yet; waiting")
            told = True
        time.sleep(1)


def tail(cluster: Cluster, job: str) -> Generator[str]:
    """Yield what a job prints, until its end; a lost connection is taken up again where it broke.

    Raises:
        StudyFailed: the cluster does not answer any more. The job goes on.
    """
    seen, lost = 0, 0
    while True:
        passed = 0
        try:
            for text in _stream(cluster.client.tail_job_logs(job)):
                new = text[max(0, seen - passed) :]
                passed += len(text)
                if new:
                    seen, lost = seen + len(new), 0
                    yield new
            if cluster.job(job).state in ENDED:
                return
        except StudyFailed as error:
            lost += 1
            if lost > RECONNECTS:
                raise StudyFailed(
                    f"{error.message}; the job goes on: thawline logs {job} --follow", error.code
                ) from error
        time.sleep(1)


def _stream(chunks: AsyncIterator[str]) -> Iterator[str]:
    with asyncio.Runner() as runner:
        while True:
            with answering("the cluster"):
                text = runner.run(_next(chunks))
            if text is None:
                return
            yield text


async def _next(chunks: AsyncIterator[str]) -> str | None:
    return await anext(chunks, None)


@contextmanager
def answering(url: str, job: str = "") -> Iterator[None]:
    """Turn what Ray's client raises into our errors.

    Raises:
        BadInput: the cluster knows no such job.
        StudyFailed: it does not answer, or refuses.
    """
    import aiohttp
    from ray.exceptions import RayError

    try:
        yield
    except (OSError, aiohttp.ClientError, RayError, RuntimeError) as error:
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if job and "status code 404" in why:
            message = f"is no job of the cluster at {url}; thawline status lists them"
            raise BadInput.at(job, message) from error
        raise StudyFailed(f"the cluster at {url} does not do what it is asked: {why}", ExitCode.CLUSTER) from error


def read(details: Any, url: str) -> Job:
    """Return Ray's record of a job as ours."""
    about = details.metadata or {}
    return Job(
        id=str(details.submission_id or details.job_id),
        study=about.get("study", ""),
        state=str(getattr(details.status, "value", details.status)),
        run_dir=about.get("run_dir", ""),
        address=url,
        started=_moment(details.start_time),
        ended=_moment(details.end_time),
        code=details.driver_exit_code,
        message=details.message or "",
    )


def _moment(milliseconds: int | None) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%S}" if milliseconds else ""


def _version() -> str:
    try:
        return version("thawline")
    except PackageNotFoundError:
        return "unknown"

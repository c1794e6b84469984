"""Studies as jobs of a Ray cluster: submit, status, logs, stop. A job goes on when its sender leaves.

The driver runs on the head node, in a folder that Ray unpacks there; its run folder lies outside of it, in
``~/thawline-runs/JOB`` or below ``storage.runs`` where that is absolute. `search.cluster.fetch` brings it back.
"""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from search.cluster import token
from search.cluster.connection import ENDED, OURS, Job, Tell, answering, connect, read, send, tail, to_stderr
from search.cluster.staging import Parcel, in_shell, parcel, with_requirements
from search.errors import ExitCode, StudyFailed
from trainables.remote import place

STOPPING = 60.0  # seconds for a job to stop
IN_RAY_S_ENVIRONMENT = 'sh search/cluster/environment.sh "$PPID"'


def submit(
    study: str | Path,
    overrides: Sequence[str] = (),
    *,
    address: str | None = None,
    data: bool = False,
    include: Sequence[str] = (),
    uv: bool = False,
    python: str | None = None,
    force: bool = False,
    tell: Tell = to_stderr,
) -> Job:
    """Send a study to a cluster and return its job, which goes on by itself.

    Args:
        study: The study file.
        overrides: ``key=value`` strings as after ``-o``.
        address: The dashboard's address; default: ``http://127.0.0.1:8265``.
        data: Send the data, weights and network folders that the study names.
        include: Files and folders sent besides, relative to the study file.
        uv: Install the versions that are installed here, instead of using what the nodes have.
        python: The head's Python that has thawline's dependencies; default: the one that Ray runs in.
        force: Take a cluster that others can reach and that asks nobody for a token.
        tell: Takes the lines about what happens.

    Raises:
        BadInput: the study is not sound, or holds what must not or cannot be sent; nothing was sent.
        StudyFailed: the cluster does not answer, refuses our token, or does not take the job.
    """
    held = token.find()
    sent = parcel(Path(study), overrides, data=data, include=include, secret=held.value if held else "")
    cluster = connect(address, force=force, tell=tell)
    if uv:
        sent = with_requirements(sent, cluster.door.ray)
    name = f"{sent.config.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    run_dir = str(place(sent.runs) / name)
    about = {"study": sent.config.name, "run_dir": run_dir}
    tell(f"sending {len(sent.files)} files, {sent.size / 2**20:.1f} MiB")
    with tempfile.TemporaryDirectory(prefix="thawline-job-") as folder:
        sent.write(Path(folder))
        # For uv: else a driver of ours asks Ray's workers to start as they always do.
        variables = {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "1"} if uv else {}
        send(cluster, name, entrypoint(sent, run_dir, python, uv=uv), folder, about, variables, tell)
    return cluster.job(name)


def entrypoint(sent: Parcel, run_dir: str, python: str | None, *, uv: bool) -> str:
    """Return the command line that runs the study on the head."""
    start = in_shell(python) if python else f"{IN_RAY_S_ENVIRONMENT} python3"
    if uv:
        chosen = in_shell(python or "python3")
        with_ours = "--with-requirements requirements.txt python"
        start = f"{IN_RAY_S_ENVIRONMENT} uv run --no-project --python {chosen} {with_ours}"
    values = "".join(f" -o {shlex.quote(text)}" for text in sent.overrides)
    study = shlex.quote(str(sent.study))
    return f"exec {start} -m search run {study} --run-dir {in_shell(run_dir)}{values}"


def status(job: str | None = None, *, address: str | None = None, tell: Tell = to_stderr) -> list[Job]:
    """Return one job, or all studies that were sent to the cluster, the newest first.

    Raises:
        BadInput: there is no job of that name.
        StudyFailed: the cluster does not answer.
    """
    cluster = connect(address, force=True, tell=tell)
    if job is not None:
        return [cluster.job(job)]
    with answering(cluster.door.url):
        found = [read(each, cluster.door.url) for each in cluster.client.list_jobs() if _is_study(each)]
    return sorted(found, key=lambda each: each.started, reverse=True)


def logs(job: str, *, address: str | None = None, follow: bool = False, tell: Tell = to_stderr) -> Iterator[str]:
    """Yield what a job has printed so far, or, with ``follow``, all that it prints until its end.

    Raises:
        BadInput: there is no job of that name.
        StudyFailed: the cluster does not answer.
    """
    cluster = connect(address, force=True, tell=tell)
    cluster.job(job)
    if follow:
        yield from tail(cluster, job)
        return
    with answering(cluster.door.url, job):
        yield cluster.client.get_job_logs(job)


def stop(job: str, *, address: str | None = None, tell: Tell = to_stderr) -> Job:
    """Stop a job and return it once it has stopped; one that has ended stays as it is.

    Raises:
        BadInput: there is no job of that name.
        StudyFailed: the cluster does not answer, or the job does not stop.
    """
    cluster = connect(address, force=True, tell=tell)
    if cluster.job(job).state in ENDED:
        return cluster.job(job)
    with answering(cluster.door.url, job):
        cluster.client.stop_job(job)
    until = time.monotonic() + STOPPING
    while (now := cluster.job(job)).state not in ENDED:
        if time.monotonic() > until:
            raise StudyFailed(
                f"{job} is still {now.state} {STOPPING:.0f} s after it was told to stop", ExitCode.CLUSTER
            )
        time.sleep(0.5)
    return now


def _is_study(details: Any) -> bool:
    about = details.metadata or {}
    return OURS in about and "study" in about

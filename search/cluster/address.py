"""Where a cluster answers, and whether it may be spoken to: its address, its token, how far it can be reached."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from search.cluster import token
from search.errors import ExitCode, StudyFailed
from search.passwords import holds_password, without_password
from spaces.errors import BadInput

DEFAULT = "http://127.0.0.1:8265"
OVERRIDES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")  # Ray prefers them to what it is told, in this order
SECONDS = 20.0  # for an answer
TUNNEL = "`ray dashboard cluster.yaml` or `ssh -L 8265:127.0.0.1:8265 HEAD` opens the way to one that is closed"


@dataclass(frozen=True)
class Door:
    """A cluster that answers: its address, what every request carries, its version of Ray, what there is to say."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    ray: str = ""
    warnings: tuple[str, ...] = ()


def knock(url: str, *, force: bool = False) -> Door:
    """Return the cluster at ``url``, once it has answered and taken our token.

    The token goes to a cluster that asks for one, and to no other.

    Args:
        url: An address as `resolve` returns it.
        force: Take a cluster that others can reach and that asks nobody for a token.

    Raises:
        StudyFailed: nothing answers, the token is missing or wrong, or the cluster is open to everybody.
    """
    warnings = []
    status, version = _ask(url, {})
    if status == 401:
        held = token.find()
        if held is None:
            raise _refused(f"the cluster at {url} asks for a token, and there is none here; {_bring()}")
        status, version = _ask(url, held.header)
        if status in (401, 403):
            raise _refused(f"the cluster at {url} does not take the token of {held.place}; {_bring()}")
        headers = held.header
        if not near(url) and url.startswith("http://"):
            warnings.append(f"the token goes to {url} unencrypted; a tunnel is safer: {TUNNEL}")
    else:
        headers = {}
        open_to_all = "runs what anybody sends who reaches it: it asks for no token"
        if status == 200 and not near(url) and not force:
            out = "start it with RAY_AUTH_MODE=token, or send your work there all the same with --force"
            raise _refused(f"the cluster at {url} {open_to_all}; {out}")
        warnings.append(f"the cluster at {url} {open_to_all}")
    if status != 200 or "ray_version" not in version:
        raise _refused(f"what answers at {url} is no Ray cluster (HTTP {status}); --address names the dashboard's")
    return Door(url, headers, str(version["ray_version"]), tuple(warnings))


def resolve(asked: str | None) -> tuple[str, list[str]]:
    """Return the address that counts, and a warning where it is not the one asked for.

    Args:
        asked: An address such as ``http://127.0.0.1:8265``, or none for that one. Ray's own variables,
            RAY_API_SERVER_ADDRESS and RAY_ADDRESS, override it.

    Raises:
        BadInput: what was asked for is no address of a dashboard, or one of the two holds a password.
        StudyFailed: a variable of Ray's names a cluster that cannot be found.
    """
    plain = _web(_usable("--address", asked or DEFAULT))
    name = next((name for name in OVERRIDES if os.environ.get(name)), None)
    if name is None:
        return plain, []
    named = _usable(name, os.environ[name], ours=False)
    url = named.rstrip("/") if named.startswith(("http://", "https://")) else _from_ray(name, named)
    differs = asked is not None and url != plain
    return url, [f"{name} is set and overrides --address {asked}; unset it to reach that one"] if differs else []


def near(url: str) -> bool:
    """Tell whether ``url`` is this machine's own loopback, or the end of a tunnel."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _usable(place: str, address: str, *, ours: bool = True) -> str:
    """Return ``address``; of Ray's variables any that Ray knows will do, of ours only a dashboard's."""
    shown = without_password(address)
    if holds_password(address):
        message = f"{shown} holds a password, which no cluster takes and everybody would see; leave it out"
        raise BadInput.at(place, f"{message}: what counts is the cluster's token")
    if ours and (address == "auto" or not _web(address).startswith(("http://", "https://"))):
        raise BadInput.at(place, f"must be the dashboard's http address, such as {DEFAULT}, got {shown}")
    return address


def _web(address: str) -> str:
    return (address if "://" in address else f"http://{address}").rstrip("/")


def _from_ray(name: str, named: str) -> str:
    """Return the dashboard's address of the cluster that Ray knows as ``named``, such as auto or HOST:6379."""
    from ray.dashboard.utils import get_address_for_submission_client

    try:
        found = get_address_for_submission_client(named)
    except Exception as error:  # of no common class
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _refused(f"{name} is {named}, which leads to no cluster: {why}; unset it or name another") from error
    return _web(found)


class _Stay(HTTPRedirectHandler):
    """Follows no redirection: a token must not go where nobody sent it."""

    def redirect_request(self, *_args: Any, **_named: Any) -> None:
        return None


def _ask(url: str, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """Return the status and the answer to the question for the version."""
    try:
        with build_opener(_Stay).open(Request(f"{url}/api/version", headers=dict(headers)), timeout=SECONDS) as answer:
            read = json.loads(answer.read())
            return answer.status, read if isinstance(read, dict) else {}
    except HTTPError as error:
        return error.code, {}
    except (OSError, HTTPException) as error:
        why = str(getattr(error, "reason", None) or error).strip() or type(error).__name__
        raise _refused(f"no cluster answers at {url} ({why}); --address names another, {TUNNEL}") from error
    except ValueError:  # no JSON, or no address at all
        return 0, {}


def _bring() -> str:
    return f"copy the cluster's ~/.ray/auth_token to {token.home()} (mode 0600), or name its file in {token.FILE}"


def _refused(message: str) -> StudyFailed:
    return StudyFailed(message, ExitCode.CLUSTER)

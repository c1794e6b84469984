"""Which cluster is spoken to, with what, and which is refused: every refusal has a way out and exit code 4."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from search.cluster import address, token
from search.cluster.address import DEFAULT, knock, near, resolve
from search.cluster.connection import connect
from search.errors import ExitCode, StudyFailed
from spaces.errors import BadInput
from tests.search.cluster.answering import head


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No token, and no variable of Ray's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (token.VALUE, token.FILE, *address.OVERRIDES):
        monkeypatch.delenv(name, raising=False)


def refusal(url: str, *, force: bool = False) -> str:
    with pytest.raises(StudyFailed) as caught:
        knock(url, force=force)
    assert caught.value.code == ExitCode.CLUSTER
    return caught.value.message


def test_an_address_needs_no_scheme_and_has_a_default() -> None:
    assert resolve(None) == (DEFAULT, [])
    assert resolve("head:8265") == ("http://head:8265", [])
    assert resolve("https://head/ray/") == ("https://head/ray", [])


@pytest.mark.parametrize("name", address.OVERRIDES)
def test_a_variable_of_ray_s_overrides_the_address_and_that_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://other:8265/")
    url, (warning,) = resolve("http://mine:8265")
    assert url == "http://other:8265"
    assert name in warning
    assert "http://mine:8265" in warning
    assert resolve("http://other:8265") == ("http://other:8265", [])
    assert resolve(None) == ("http://other:8265", [])


def test_ray_s_two_variables_have_ray_s_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://second:8265")
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://first:8265")
    assert resolve(None)[0] == "http://first:8265"


@pytest.mark.parametrize(
    ("url", "is_near"),
    [
        *(("http://127.0.0.1:8265", True), ("http://localhost:1", True), ("http://[::1]:8265", True)),
        *(("http://10.0.0.5:8265", False), ("https://ray.example.org", False), ("http://0.0.0.0:8265", False)),
        ("http://127.0.0.1.example.org", False),
    ],
)
def test_loopback_is_told_from_everything_else(url: str, is_near: bool) -> None:
    assert near(url) is is_near


def test_the_token_is_taken_to_a_cluster_that_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(token.VALUE, "right")
    with head("right") as (url, asked):
        door = knock(url)
    assert (door.url, door.ray, door.warnings) == (url, "2.60.0", ())
    assert door.headers == {"Authorization": "Bearer right"}
    assert "right" not in repr(door)
    assert asked == ["", "Bearer right"]


def test_a_cluster_that_asks_for_no_token_is_not_shown_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(token.VALUE, "right")
    with head(None) as (url, asked):
        door = knock(url)
    assert asked == [""]
    assert door.headers == {}
    assert "asks for no token" in door.warnings[0]


def test_a_redirection_is_not_followed_with_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(token.VALUE, "right")
    with head(None) as (other, asked), head(redirect=other) as (url, _):
        assert "is no Ray cluster (HTTP 302)" in refusal(url)
    assert asked == []


def test_without_a_token_it_is_said_where_one_belongs() -> None:
    with head("right") as (url, asked):
        message = refusal(url)
    assert message.startswith(f"the cluster at {url} asks for a token, and there is none here; ")
    assert ".ray/auth_token" in message
    assert asked == [""]


def test_a_wrong_token_is_named_by_its_place_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(token.VALUE, "geheim")
    with head("right") as (url, _):
        message = refusal(url)
    assert "does not take the token of RAY_AUTH_TOKEN" in message
    assert "geheim" not in message


def test_an_open_cluster_that_others_can_reach_is_refused_unless_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "near", lambda url: False)
    with head(None) as (url, _):
        message = refusal(url)
        assert "asks for no token" in message
        assert "--force" in message
        assert knock(url, force=True).url == url


def test_a_token_that_travels_in_the_clear_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "near", lambda url: False)
    monkeypatch.setenv(token.VALUE, "right")
    with head("right") as (url, _):
        assert "unencrypted" in knock(url).warnings[0]


def test_where_nothing_answers_the_way_to_a_closed_cluster_is_told() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # taken, and nobody listens
        message = refusal(f"http://127.0.0.1:{held.getsockname()[1]}")
    assert message.startswith("no cluster answers at http://127.0.0.1:")
    assert "ray dashboard" in message


@pytest.mark.parametrize(
    "given", ["http://127.0.0.1:abc", " ", "http://127.0.0.1:1/a b", "http://[::1", "127.0.0.1:99999999"]
)
def test_what_is_no_address_is_refused_in_a_sentence(given: str) -> None:
    assert "--address names" in refusal(resolve(given)[0])


def test_a_port_that_speaks_something_else_is_refused_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: server.accept()[0].sendall(b"SSH-2.0-OpenSSH\r\n"), daemon=True)
        thread.start()
        message = refusal(f"http://127.0.0.1:{server.getsockname()[1]}")
    assert message.startswith("no cluster answers at http://127.0.0.1:")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("given", ["auto", "ray://head:10001", "s3://bucket"])
def test_another_kind_of_address_is_told_from_the_dashboard_s(given: str) -> None:
    with pytest.raises(
        BadInput, match=f"--address: must be the dashboard's http address, such as {DEFAULT}, got {given}"
    ):
        resolve(given)


def test_a_password_in_an_address_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match=r"--address: http://user:\*\*\*@head:8265 holds a password"):
        resolve("http://user:s3cret@head:8265")
    monkeypatch.setenv("RAY_ADDRESS", "http://user:s3cret@head:8265")
    with pytest.raises(BadInput, match=r"RAY_ADDRESS: http://user:\*\*\*@head:8265 holds a password"):
        resolve(None)


def test_that_a_variable_overrides_the_address_is_said_before_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:1")
    said: list[str] = []
    with pytest.raises(StudyFailed, match=r"no cluster answers at http://127\.0\.0\.1:1 "):
        connect("http://127.0.0.1:2", tell=said.append)
    assert said == [
        "warning: RAY_ADDRESS is set and overrides --address http://127.0.0.1:2; unset it to reach that one"
    ]


def test_what_answers_and_is_no_cluster_is_refused() -> None:
    with head(None, ray=False) as (url, _):
        assert "is no Ray cluster" in refusal(url)

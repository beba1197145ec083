"""Senders that never end: their headers and bodies have bounds, and hold up nobody."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from bot import heads
from handlers import bodies
from tests.conftest import WEBHOOK_TOKEN, Client
from tests.integration.bodies import alert, body
from tests.integration.world import World

PATH = "/webhooks/alertmanager"
SHORT = 0.5  # seconds, for limits that are longer in the product


@contextmanager
def wire(bot: Client) -> Iterator[socket.socket]:
    host, port = bot.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=20)) as made:
        yield made


def pour(made: socket.socket, begun: bytes, endless: bytes) -> None:
    """Send on and on; ends without an error where all of it is taken."""
    made.sendall(begun)
    for _ in range(heads.HEAD // len(endless) * 4):
        made.sendall(endless)
        time.sleep(0.001)


def head(length: int, token: str = WEBHOOK_TOKEN) -> bytes:
    return (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n".encode()
    )


@pytest.mark.parametrize("endless", [b"X-Pad: " + b"y" * 1000 + b"\r\n", b"z" * 1000], ids=["many", "one"])
def test_endless_headers_are_refused(bot: Client, endless: bytes) -> None:
    """Whether many headers or one that never ends: at 64 KiB the connection is closed."""
    begun = f"POST {PATH} HTTP/1.1\r\n".encode() + (b"" if endless.startswith(b"X") else b"X: ")
    with wire(bot) as made, pytest.raises(ConnectionError):
        pour(made, begun, endless)
    assert bot.alertmanager(body(alert())).status_code == 202


def test_headers_that_never_come_are_not_waited_for(bot: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection on which nothing, or half a head, comes is closed; one in use is not."""
    monkeypatch.setattr(heads, "HEAD_WITHIN", SHORT)
    for begun in (b"", b"POST / HTTP/1.1\r\nHo"):
        with wire(bot) as made:
            made.sendall(begun)
            assert made.recv(1000) == b""
    raw = json.dumps(body(alert())).encode()
    with wire(bot) as made:
        made.sendall(head(len(raw)))
        time.sleep(2 * SHORT)
        made.sendall(raw)
        assert made.recv(65_536).startswith(b"HTTP/1.1 202 ")


def test_half_a_body_is_given_up_and_may_come_again(bot: Client, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that does not come whole in time is 503, so that it is sent again; nothing of it is kept."""
    monkeypatch.setattr(bodies, "READ_WITHIN", SHORT)
    with wire(bot) as made:
        made.sendall(head(1000) + b'{"version"')
        answer = made.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"too_slow" in answer
    with wire(bot) as made:
        made.sendall(head(1000) + b'{"version"')  # and goes away
    assert world.rows("SELECT * FROM inbox") == []
    assert bot.alertmanager(body(alert())).status_code == 202


def test_large_bodies_at_once_share_a_bounded_memory(bot: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no room beside the others is 503, is read to its end, and is taken in when there is room again."""
    monkeypatch.setattr(bodies, "TIMES", 0)
    monkeypatch.setattr(bodies, "DISCARD", 300_000)
    raw = json.dumps(body(alert(annotations={"padding": "x" * 200_000}))).encode()
    with wire(bot) as first:
        first.sendall(head(len(raw)) + raw[:-1])
        time.sleep(SHORT)
        answer = bot.alertmanager(raw)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
        first.sendall(raw[-1:])
        assert first.recv(65_536).startswith(b"HTTP/1.1 202 ")
    assert bot.alertmanager(raw).status_code == 202


def test_strangers_hold_no_memory(bot: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body without a good token is read and forgotten: it takes no room from those who have one."""
    monkeypatch.setattr(bodies, "TIMES", 0)
    monkeypatch.setattr(bodies, "DISCARD", 300_000)
    raw = json.dumps(body(alert(annotations={"padding": "x" * 200_000}))).encode()
    with wire(bot) as stranger:
        stranger.sendall(head(len(raw), "wrong") + raw[:-1])
        time.sleep(SHORT)
        assert bot.alertmanager(raw).status_code == 202
        stranger.sendall(raw[-1:])
        assert stranger.recv(65_536).startswith(b"HTTP/1.1 401 ")

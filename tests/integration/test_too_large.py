"""Whoever sends more than is taken reads a 413, by whatever client, and not of a reset connection."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from handlers.bodies import IDLE
from tests.conftest import NO_TLS, WEBHOOK_TOKEN, Client, wait_for
from tests.integration.bodies import alert, body
from tests.integration.world import World

LIMIT = 1024 * 1024
PATH = "/webhooks/alertmanager"
TRIES = 50
MEGABYTE = 1_000_000
AT_ONCE = 4


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"SITREP_MAX_BODY": str(LIMIT)}


Send = Callable[[str, Path, str], int]  # an address, a file and an authorization; gives the status


def by_urllib(url: str, path: Path, authorization: str) -> int:
    request = urllib.request.Request(url, data=path.read_bytes(), headers={"Authorization": authorization})  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)  # noqa: S310
    with caught.value as answer:
        assert b"too_large" in answer.read()
        return int(answer.code)


def by_httpx(url: str, path: Path, authorization: str) -> int:
    answer = httpx.post(
        url, content=path.read_bytes(), headers={"authorization": authorization}, timeout=30, verify=NO_TLS
    )
    assert answer.json()["error"]["code"] == "too_large"
    return answer.status_code


def by_httpx_in_chunks(url: str, path: Path, authorization: str) -> int:
    def chunks() -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(65_536):
                yield chunk

    answer = httpx.post(url, content=chunks(), headers={"authorization": authorization}, timeout=30, verify=NO_TLS)
    return answer.status_code


def _curl(url: str, path: Path, authorization: str, *more: str) -> int:
    said = subprocess.run(
        [
            *("curl", "--silent", "--show-error", "--max-time", "30", "--output", "-", "--write-out", "\n%{http_code}"),
            *("--header", f"Authorization: {authorization}", "--data-binary", f"@{path}", *more, url),
        ],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert said.returncode == 0, said.stderr
    answer, _, status = said.stdout.decode().rpartition("\n")
    assert "too_large" in answer
    return int(status)


def by_curl(url: str, path: Path, authorization: str) -> int:
    """Ask first, as curl does for large bodies: `Expect: 100-continue`."""
    return _curl(url, path, authorization, "--header", "Expect: 100-continue")


def by_curl_at_once(url: str, path: Path, authorization: str) -> int:
    return _curl(url, path, authorization, "--header", "Expect:")


def by_curl_in_chunks(url: str, path: Path, authorization: str) -> int:
    return _curl(url, path, authorization, "--header", "Transfer-Encoding: chunked", "--header", "Expect:")


CLIENTS = [by_urllib, by_httpx, by_httpx_in_chunks, by_curl, by_curl_at_once, by_curl_in_chunks]


@pytest.mark.parametrize("send", CLIENTS)
@pytest.mark.parametrize("size", [1_200_000, 3 * MEGABYTE, 20 * MEGABYTE])
def test_every_try_reads_the_413(bot: Client, tmp_path: Path, size: int, send: Send) -> None:
    """In 50 of 50 tries, with and without a token, the sender reads the status and the error."""
    if "curl" in send.__name__ and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    path = tmp_path / "large"
    path.write_bytes(b"x" * size)
    tokens = [f"Bearer {WEBHOOK_TOKEN}", "Bearer wrong"]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tries = pool.map(lambda n: send(f"{bot.url}{PATH}", path, tokens[n % 2]), range(TRIES))
        assert list(tries) == [413] * TRIES
    assert bot.alertmanager(body(alert())).status_code == 202


def test_what_is_read_on_is_bounded(bot: Client, world: World) -> None:
    """A sender that never ends is left after a while of silence; others are answered meanwhile."""
    host, port = bot.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=IDLE + 10)) as wire:
        wire.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {10**12}\r\n\r\n".encode() + b"x" * 10_000)
        begun = time.monotonic()
        assert wire.recv(65_536).startswith(b"HTTP/1.1 413 ")
        assert bot.alertmanager(body(alert())).status_code == 202
        wait_for(lambda: wire.recv(65_536) == b"", timeout=IDLE + 10, what="the end of the connection")
        assert time.monotonic() - begun >= IDLE / 2
    world.settle()
    assert any("1,000,000,000,000 bytes" in m.text for m in bot.workspace.messages("ops-alerts"))


def test_a_stranger_is_answered_without_sending(bot: Client) -> None:
    """Whoever asks first (`Expect: 100-continue`) and has no token is told 401, and is not asked for the body."""
    host, port = bot.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=5)) as wire:
        wire.sendall(
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert wire.recv(65_536).startswith(b"HTTP/1.1 401 ")

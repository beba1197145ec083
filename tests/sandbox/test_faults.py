"""Faults on demand, latency and the hooks for crash tests."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from bot.sandbox import Fault, SandboxServer
from bot.sandbox.faults import Tiers
from tests.sandbox.standin import NO_TLS

HEADERS = {"Authorization": "Bearer xoxb-sandbox"}


def post(server: SandboxServer, text: str = "x", timeout: float = 5) -> httpx.Response:
    body = {"channel": "incidents", "text": text}
    return httpx.post(f"{server.api_url}chat.postMessage", headers=HEADERS, json=body, timeout=timeout, verify=NO_TLS)


@pytest.mark.parametrize(("retry_after", "header"), [(7, "7"), (None, None)])
def test_a_rate_limit_looks_like_slacks(server: SandboxServer, retry_after: int | None, header: str | None) -> None:
    """A 429 carries Retry-After when told, harms one call, and leaves nothing behind."""
    server.workspace.faults.add(Fault("chat.postMessage", "ratelimited", retry_after=retry_after))
    answer = post(server)
    assert (answer.status_code, answer.headers.get("retry-after")) == (429, header)
    assert answer.json() == {"ok": False, "error": "ratelimited"}
    assert post(server).json()["ok"]
    assert server.workspace.texts("incidents") == ["x"]


def test_errors_and_outages_answer_without_acting(server: SandboxServer) -> None:
    """A documented error, a 500 and an HTML page are answered in turn, and nothing was posted."""
    faults = server.workspace.faults
    faults.add(Fault("*", "error", error="is_archived"), Fault("*", "http500"), Fault("*", "html"))
    assert post(server).json() == {"ok": False, "error": "is_archived"}
    assert post(server).status_code == 500
    page = post(server)
    assert (page.status_code, page.headers["content-type"][:9]) == (503, "text/html")
    assert server.workspace.texts("incidents") == []


@pytest.mark.parametrize(("kind", "posted"), [("drop_before", []), ("drop_after", ["x"]), ("refuse", [])])
def test_a_lost_answer_is_a_broken_connection(server: SandboxServer, kind: Any, posted: list[str]) -> None:
    """A dropped call ends without an answer, having acted or not as told."""
    server.workspace.faults.add(Fault("chat.postMessage", kind))
    with pytest.raises(httpx.TransportError):
        post(server)
    assert server.workspace.texts("incidents") == posted
    assert server.workspace.calls[-1].status == 0


def test_a_hanging_call_times_out_and_ends_with_the_server(server: SandboxServer) -> None:
    """A hang outlasts the caller's patience and does not delay the server's end."""
    server.workspace.faults.add(Fault("*", "hang", seconds=3600))
    with pytest.raises(httpx.TimeoutException):
        post(server, timeout=0.1)
    server.stop()


def test_a_fault_can_wait_choose_and_last(server: SandboxServer) -> None:
    """A fault skips its first calls, looks at arguments, and with times=None goes on until it is cleared."""
    chosen = Fault("*", "http500", after=1, times=None, where=lambda args: args.get("text") == "bad")
    server.workspace.faults.add(chosen)
    assert [post(server, t).status_code for t in ("bad", "good", "bad", "bad")] == [200, 200, 500, 500]
    server.workspace.faults.clear()
    assert post(server, "bad").status_code == 200


def test_latency_overlaps(server: SandboxServer) -> None:
    """Slow calls run beside each other."""
    server.workspace.latency = 1.0

    async def scenario() -> float:
        async with httpx.AsyncClient(headers=HEADERS, verify=NO_TLS) as client:
            began = time.monotonic()
            await asyncio.gather(*(client.get(f"{server.api_url}auth.test") for _ in range(10)))
            return time.monotonic() - began

    assert 1.0 <= asyncio.run(scenario()) < 10 * 1.0


def test_hooks_stand_around_the_act(server: SandboxServer) -> None:
    """before_call sees the world before the call has acted, after_call the world after it, both with its number."""
    seen: list[tuple[str, int, int]] = []
    workspace = server.workspace

    def before(index: int, method: str, args: Mapping[str, Any]) -> None:
        seen.append((f"before {method} {args['text']}", index, len(workspace.texts("incidents"))))

    def after(index: int, method: str, args: Mapping[str, Any]) -> None:
        seen.append((f"after {method}", index, len(workspace.texts("incidents"))))

    workspace.before_call, workspace.after_call = before, after
    post(server)
    assert seen == [("before chat.postMessage x", 1, 0), ("after chat.postMessage", 1, 1)]
    assert [(c.index, c.method, c.status, c.ok) for c in workspace.calls] == [(1, "chat.postMessage", 200, True)]


def test_a_stopped_server_refuses_and_comes_back(server: SandboxServer) -> None:
    """An outage by stop() refuses connections; start() serves the same state on the same port."""
    post(server)
    server.stop()
    with pytest.raises(httpx.ConnectError):
        post(server)
    server.start()
    assert post(server, "y").json()["ok"]
    assert server.workspace.texts("incidents") == ["x", "y"]


def test_response_urls_can_fail_too(server: SandboxServer) -> None:
    """Faults, hooks and the record of calls hold for a response_url as well."""
    workspace = server.workspace
    url = workspace.mint_response_url(workspace.user("alice").id, workspace.channel("incidents").id)
    workspace.faults.add(Fault("response_url", "http500"))
    assert [httpx.post(url, json={"text": "a"}, verify=NO_TLS).status_code for _ in range(2)] == [500, 200]
    assert [(c.method, c.status) for c in workspace.calls] == [("response_url", 500), ("response_url", 200)]
    assert workspace.texts("incidents", user="alice") == ["a"]


def test_rate_limits_are_slacks() -> None:
    """Each method has its calls a minute; what is beyond them is told when to come again, and costs nothing."""
    now = 1_000.0
    tiers = Tiers(lambda: now)
    assert [tiers.take("usergroups.list", {}) for _ in range(20)] == [None] * 20
    now += 8
    refused = tiers.take("usergroups.list", {})
    assert refused is not None
    assert (refused.kind, refused.retry_after) == ("ratelimited", 52)
    assert tiers.take("users.lookupByEmail", {}) is None
    assert tiers.take("api.test", {}) is None
    assert tiers.refused == ["usergroups.list"]
    now += 52
    assert tiers.take("usergroups.list", {}) is None


def test_messages_are_limited_by_channel() -> None:
    """A burst in one channel is told to wait, while another channel takes messages."""
    tiers = Tiers(lambda: 0.0)
    taken = [tiers.take("chat.postMessage", {"channel": "C1"}) for _ in range(11)]
    assert [fault is None for fault in taken] == [True] * 10 + [False]
    assert tiers.take("chat.postMessage", {"channel": "C2"}) is None

"""Alertmanager's list of alerts, read over HTTP: what it says, and what counts as no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from bot.alertmanager import Alertmanager
from bot.incidents.reconcile import Look
from tests.integration.bodies import alert, warning
from tests.integration.outside import AlertmanagerApi
from tests.ports import free_port


@pytest.fixture
def api() -> Iterator[AlertmanagerApi]:
    server = AlertmanagerApi()
    yield server
    server.stop()


def look(*urls: str) -> Look:
    async def ask() -> Look:
        async with httpx.AsyncClient(timeout=2) as http:
            return await Alertmanager(urls, http).look()

    return asyncio.run(ask())


def test_alerts_are_listed_with_what_mutes_them(api: AlertmanagerApi) -> None:
    """Silenced alerts are asked for too: they fire."""
    api.alerts = [(alert("aa"), "active"), (warning("bb"), "suppressed"), (warning("cc"), "unprocessed")]
    found = look(api.url)
    assert found.problems == ()
    assert {r.fingerprint: r.muted for r in found.reported} == {"aa": False, "bb": True, "cc": False}
    assert next(r.labels["alertname"] for r in found.reported if r.fingerprint == "aa") == "HighErrorRate"


def test_alerts_are_listed_with_whom_they_go_to_and_since_when(api: AlertmanagerApi) -> None:
    """By the receivers the auditor knows which are ours, by the start which occurrence it is."""
    api.lists(alert("aa", receivers=["sitrep", "pager"]))
    (found,) = look(api.url).reported
    assert found.receivers == ("sitrep", "pager")
    assert found.active
    assert found.starts_at is not None
    assert found.starts_at.isoformat() == "2026-11-21T06:55:43.401744+00:00"
    assert found.annotations["summary"] == "5xx above 5%"
    assert found.url == "http://prometheus.example/graph"


def test_a_base_with_a_path_is_kept(api: AlertmanagerApi) -> None:
    """Alertmanager can be served below a prefix; a slash at the end is no matter."""
    look(f"{api.url}/alertmanager/")
    assert api.asked[0].startswith("/alertmanager/api/v2/alerts?")


def test_peers_are_put_together() -> None:
    """An alert counts as muted only where every peer that has it mutes it."""
    peers = [AlertmanagerApi(), AlertmanagerApi()]
    try:
        for peer, states in zip(peers, (("active", "suppressed"), ("suppressed", "suppressed")), strict=True):
            peer.alerts = list(zip((alert("aa"), alert("bb")), states, strict=True))
        for order in (peers, peers[::-1]):
            last_word = {r.fingerprint: r.muted for r in look(*(peer.url for peer in order)).reported}
            assert last_word == {"aa": False, "bb": True}
    finally:
        for peer in peers:
            peer.stop()


@pytest.mark.parametrize(
    ("instead", "word"),
    [
        ((500, "oops"), "alertmanager_refused: it answered 500"),
        ((401, "unauthorized"), "alertmanager_refused: it answered 401"),
        ((302, ""), "alertmanager_refused: it answered 302"),
        ((200, ""), "alertmanager_nonsense"),
        ((200, "<html>Sign in</html>"), "alertmanager_nonsense"),
        ((200, "{}"), "alertmanager_nonsense"),
        ((200, '[{"labels": {}}]'), "alertmanager_nonsense"),
        ((200, "[" * 100_000), "alertmanager_nonsense"),
    ],
)
def test_what_is_no_answer(api: AlertmanagerApi, instead: tuple[int, str], word: str) -> None:
    """It is a problem of the look, with a reason; nothing of it is taken for an alert or for its absence."""
    api.instead = instead
    found = look(api.url)
    assert found.reported == ()
    (problem,) = found.problems
    assert word in problem


def test_one_peer_that_is_down_leaves_the_other(api: AlertmanagerApi) -> None:
    """What the other one lists is known; the problem names the peer without the password of its address."""
    api.lists(alert("aa"))
    down = f"127.0.0.1:{free_port()}"
    found = look(f"http://bot:secret@{down}", api.url)
    assert [r.fingerprint for r in found.reported] == ["aa"]
    assert found.problems == (f"{down}: alertmanager_unreachable: ConnectError",)

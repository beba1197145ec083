"""Alertmanagers that know nothing of each other are sources of their own, by path or by token."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from bot.sandbox.server import SandboxServer
from bot.sandbox.workspace import Workspace
from bot.store import inbox
from bot.store.database import connect
from tests.conftest import WEBHOOK_TOKEN, Client, InProcess, both_databases
from tests.forks import sitrep
from tests.integration.bodies import GROUP, alert, body, pagerduty
from tests.integration.test_auditor import count
from tests.integration.test_intake_faults import problem
from tests.integration.world import World

PATH = "/webhooks/alertmanager"
LONGEST = "e" * 32


def send(bot: Client, name: str, sent: Mapping[str, Any] | bytes, token: str = WEBHOOK_TOKEN) -> httpx.Response:
    """Send a body to the path of a source; an empty name is the path without one."""
    content = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    path = f"{PATH}/{name}" if name else PATH
    return bot.http.post(path, content=content, headers={"authorization": f"Bearer {token}"})


def outcome(bot: Client, name: str, sent: Mapping[str, Any], token: str = WEBHOOK_TOKEN) -> str:
    answer = send(bot, name, sent, token)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["outcome"])


def firing(world: World) -> dict[str, int]:
    """Count the alerts that fire, by source."""
    rows = world.rows(
        "SELECT g.source, count(*) AS n FROM alerts a JOIN alert_groups g ON g.id = a.group_id"
        " WHERE a.closed_at IS NULL GROUP BY g.source"
    )
    return {row["source"]: row["n"] for row in rows}


@both_databases
def test_two_sources_neither_join_nor_end_each_other(bot: Client, world: World) -> None:
    """The same group key, labels and fingerprint from two clusters: two incidents, and each has its own end."""
    opened = [outcome(bot, name, body(alert())) for name in ("", "eu", LONGEST)]
    assert len({number.removeprefix("declared INC-") for number in opened}) == 3
    assert all(number.startswith("declared INC-") for number in opened)
    for name, number in zip(("", "eu", LONGEST), opened, strict=True):
        assert outcome(bot, name, body(alert())) == number.replace("declared", "repeat of")
    ended = outcome(bot, "eu", body(alert(status="resolved")))
    assert ended == opened[1].replace("declared", "attached to")
    assert firing(world) == {"alertmanager": 1, f"alertmanager/{LONGEST}": 1}
    assert {row["source"] for row in world.rows("SELECT DISTINCT source FROM inbox")} == {
        "alertmanager",
        "alertmanager/eu",
        f"alertmanager/{LONGEST}",
    }
    assert bot.incident(opened[1].removeprefix("declared "))["source"] == "alertmanager/eu"


def test_the_peers_of_one_cluster_are_one_source(bot: Client) -> None:
    """Two peers that differ in their external address send to one path: the second says nothing new."""
    number = outcome(bot, "eu", body(alert(), externalURL="http://am-0")).removeprefix("declared ")
    assert outcome(bot, "eu", body(alert(), externalURL="http://am-1")) == f"repeat of {number}"
    assert outcome(bot, "eu/", body(alert())) == f"repeat of {number}"


@pytest.mark.parametrize("order", [("pd", "eu", "us"), ("eu", "pd", "us"), ("eu", "us", "pd")])
def test_a_pagerduty_incident_joins_one_source_and_ties_no_two(bot: Client, order: tuple[str, ...]) -> None:
    """An incident of PagerDuty's with the key of both joins one of them, in whatever order they come."""
    key = hashlib.sha256(GROUP.encode()).hexdigest()
    for each in order:
        if each == "pd":
            assert bot.pagerduty(pagerduty("incident.triggered", incident_key=key)).status_code == 202
        else:
            outcome(bot, each, body(alert()))
    assert len(bot.incidents()) == 2


@pytest.mark.parametrize("name", ["EU", "-eu", "e" * 33, "e u", "é", "eu/west", "a.b"])
def test_a_name_that_is_none_is_refused_with_the_fix(bot: Client, world: World, name: str) -> None:
    """A path that names no possible source is answered 404, and the operators are told; nothing is taken in."""
    answer = send(bot, quote(name, safe="/"), body(alert()))
    assert "32 characters" in problem(answer, 404, "bad_source")["message"]
    assert world.rows("SELECT * FROM inbox") == []
    world.settle()
    (told,) = bot.workspace.messages("ops-alerts")
    assert "404" in told.text
    assert name not in told.text.split("/webhooks/")[0]


@pytest.fixture
def named(environ: dict[str, str], slack: SandboxServer, workspace: Workspace) -> Iterator[Client]:
    """A service with a token for each of two sources."""
    environ["ALERTMANAGER_WEBHOOK_TOKEN"] = "eu:token-1, us:token:2"
    service = InProcess(environ)
    service.start()
    slack.bot_url = service.url
    client = Client(service.url, workspace)
    yield client
    client.close()
    service.stop()


def test_a_token_names_its_source(named: Client, environ: dict[str, str]) -> None:
    """The path may say the same or nothing; another name is refused, and so is a token of nobody."""
    name = 'sitrep_webhooks_total{outcome="declared",source="alertmanager/eu"}'
    before = count(named, name)
    assert outcome(named, "", body(alert()), "token-1").startswith("declared")
    assert outcome(named, "us", body(alert()), "token:2").startswith("declared")
    assert outcome(named, "eu", body(alert()), "token-1").startswith("repeat")
    assert firing(World(named, environ)) == {"alertmanager/eu": 1, "alertmanager/us": 1}
    problem(send(named, "us", body(alert()), "token-1"), 401, "wrong_source")
    problem(send(named, "de", body(alert()), "token-1"), 401, "wrong_source")
    problem(send(named, "", body(alert()), "token-3"), 401, "unauthorized")
    assert count(named, name) == before + 1


def test_a_plain_token_may_look_like_names(named: Client) -> None:
    """The variable as a whole stays a token of its own, without a source."""
    assert outcome(named, "", body(alert()), "eu:token-1, us:token:2").startswith("declared")


def test_a_dead_letter_is_replayed_for_its_source(bot: Client, world: World, environ: dict[str, str]) -> None:
    """What `sitrep inbox replay` takes in belongs to the source that had sent it."""
    raw = json.dumps(body(alert())).encode()
    engine = connect(environ["SITREP_DATABASE_URL"])
    with engine.begin() as connection:
        receipt = inbox.bury(connection, "alertmanager/eu", raw, "not read by 0.0.9", datetime.now(UTC))
    engine.dispose()
    assert sitrep(environ, "inbox", "replay", receipt).returncode == 0
    assert firing(world) == {"alertmanager/eu": 1}

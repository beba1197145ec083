"""What joins, fires again or comes under another key: somebody hears of it, and of nothing twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.model import Message
from tests.conftest import Client, Hands, both_databases, wait_for
from tests.integration.bodies import alert, body
from tests.integration.world import World

NAMESPACE = '{}:{namespace="shop"}'
CHANGED = '{}/{severity="critical"}:{alertname="Down"}'
NOTHING_APART = "intake:\n  - {matchers: ['severity=\"critical\"'], then: declare, severity: sev2, apart: []}\n"


@pytest.fixture
def environ(request: pytest.FixtureRequest, environ: dict[str, str]) -> dict[str, str]:
    """A test can add to the configuration."""
    with Path(environ["SITREP_CONFIG"]).open("a") as config:
        config.write(getattr(request, "param", ""))
    return environ


def fires(
    fingerprint: str, name: str, hands: Hands, *, ago: float = 60, status: str = "firing", **labels: str
) -> dict[str, Any]:
    """Make an alert of these labels that began so many seconds ago."""
    facts = {"alertname": name, "severity": "critical", **labels}
    began = (hands.now() - timedelta(seconds=ago)).isoformat()
    ended = hands.now().isoformat() if status == "resolved" else "0001-01-01T00:00:00Z"
    said = {"summary": f"{name} says so"}
    return alert(fingerprint, status, labels=facts, annotations=said, startsAt=began, endsAt=ended)


def over(sent: Mapping[str, Any], hands: Hands) -> dict[str, Any]:
    """Give the end of an alert."""
    return {**sent, "status": "resolved", "endsAt": hands.now().isoformat()}


def send(bot: Client, *sent: Mapping[str, Any], group: str = '{}:{alertname="Down"}') -> str:
    """Send one notification; gives what became of it."""
    status = "firing" if any(each["status"] == "firing" for each in sent) else "resolved"
    answer = bot.alertmanager(body(*sent, status=status, group=group))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["outcome"])


def declared(bot: Client, outcome: str) -> str:
    """Wait until an incident has opened; gives its number."""
    word, _, number = outcome.partition(" ")
    assert word == "declared"
    bot.wait_opened(number)
    return number


def texts(bot: Client, world: World, channel: str) -> list[str]:
    world.settle()
    return [message.text for message in bot.workspace.messages(channel)]


def asked(bot: Client, world: World) -> list[Message]:
    """Give the messages that ask for a look."""
    world.settle()
    return [message for message in bot.workspace.messages("ops-alerts") if message.text.startswith("Triage")]


def decide(bot: Client, world: World, verb: str, values: Mapping[str, Any] | None = None) -> None:
    """Decide as alice in the one message that asks for a look."""
    (message,) = asked(bot, world)
    assert bot.people.press("alice", "ops-alerts", message.ts, f"triage_{verb}").ok
    (view,) = bot.workspace.open_views("alice")
    assert bot.people.submit("alice", view.id, values).ok


def pages(bot: Client, number: str) -> list[str]:
    return [e["text"] for e in bot.events(number) if e["kind"] in {"paged", "escalated"}]


@both_databases
def test_a_critical_alert_raises_the_incident_that_its_warning_opened(bot: Client, world: World, hands: Hands) -> None:
    """Accepted at 14:00 as a sev3 in a thread; at 3 am it is critical: a channel opens, and the on-call is paged."""
    warns = fires("w1", "QueueGrows", hands, severity="warning", service="orders")
    assert send(bot, warns) == "triage"
    decide(bot, world, "accept")
    (made,) = bot.incidents()
    number = made["number"]
    assert made["severity"] == "sev3"
    world.settle()
    hands.advance(minutes=780)
    assert send(bot, warns, fires("c1", "QueueGrows", hands, service="orders")) == f"attached to {number}"
    bot.wait_event(number, "page_delivered")
    assert bot.incident(number)["severity"] == "sev2"
    (raised,) = [e for e in bot.events(number) if e["kind"] == "severity_changed"]
    assert raised["data"]["why"] == "QueueGrows on orders joined"
    world.settle()
    card = world.card(number)
    assert "critical" in card
    assert "warning" in card


@both_databases
def test_another_service_that_fails_later_gets_an_incident_of_its_own(bot: Client, world: World, hands: Hands) -> None:
    """A route groups by namespace; ten hours after an acknowledged trifle the database dies, and is paged for."""
    first = fires("d1", "RolloutStuck", hands, namespace="shop", daemonset="log-agent")
    number = declared(bot, send(bot, first, group=NAMESPACE))
    bot.slash("ack", channel=bot.room(number))
    hands.advance(minutes=600)
    database = fires("p1", "PostgresDown", hands, namespace="shop", service="postgres")
    outcome = send(bot, first, database, group=NAMESPACE)
    assert outcome.startswith(f"repeat of {number}, declared ")
    second = outcome.rpartition(" ")[2]
    bot.wait_opened(second)
    assert "PostgresDown" in bot.incident(second)["title"]
    assert pages(bot, second)[0] == "Paged level 1, On-call SRE: incident declared"
    assert "PostgresDown" not in world.card(number)

    assert send(bot, first, database, group=NAMESPACE) == f"repeat of {number}"
    more = fires("p2", "PostgresLag", hands, namespace="shop", service="postgres")
    assert send(bot, first, database, more, group=NAMESPACE) == f"repeat of {number}, attached to {second}"
    assert send(bot, over(database, hands), first, group=NAMESPACE) == f"attached to {number}"
    assert "PostgresDown resolved" in " ".join(e["text"] for e in bot.events(second))
    assert len(bot.incidents()) == 2


def test_services_that_fail_together_share_an_incident(bot: Client, world: World, hands: Hands) -> None:
    """One cause takes three services down within minutes: one channel, and each newcomer is told there."""
    one, two = (fires(f"s{n}", "Down", hands, cluster="eu", service=f"svc{n}") for n in (1, 2))
    number = declared(bot, send(bot, one, two))
    hands.advance(minutes=5)
    third = fires("s3", "Down", hands, cluster="eu", service="svc3")
    assert send(bot, one, two, third) == f"attached to {number}"
    wait_for(lambda: bot.workspace.find(bot.room(number), "Down on svc3"), what="the message")
    (said,) = [text for text in texts(bot, world, bot.room(number)) if "Down on svc3" in text and "joined" in text]
    assert "<@" in said, "whoever was paged last"
    assert len(bot.incidents()) == 1


def test_another_alert_is_told_to_the_lead_and_more_of_the_same_to_nobody(
    bot: Client, world: World, hands: Hands
) -> None:
    """The lead is mentioned once for another kind of alert; ten more pods only count on the card."""
    pods = [fires(f"p{n}", "PodDown", hands, service="shop", pod=f"shop-{n}") for n in range(10)]
    number = declared(bot, send(bot, pods[0]))
    bot.slash("lead", user="bob", channel=bot.room(number))
    bot.slash("ack", user="bob", channel=bot.room(number))
    before = len(texts(bot, world, bot.room(number)))
    assert send(bot, *pods) == f"attached to {number}"
    assert len(texts(bot, world, bot.room(number))) == before
    assert "10 firing" in world.card(number)
    slow = fires("q1", "Slow", hands, service="shop")
    for _ in range(2):
        send(bot, *pods, slow)
    (said,) = [text for text in texts(bot, world, bot.room(number)) if "Slow on shop" in text]
    assert f"<@{bot.workspace.user('bob').id}>" in said
    assert len(pages(bot, number)) == 1


def test_an_acknowledged_incident_without_a_lead_pages_for_something_else(
    bot: Client, world: World, hands: Hands
) -> None:
    """Acknowledged, and nobody leads: the first level is paged for what it has not heard of."""
    one = fires("a1", "Slow", hands, service="shop")
    number = declared(bot, send(bot, one))
    bot.slash("ack", channel=bot.room(number))
    assert send(bot, one, fires("a2", "DataLoss", hands, service="shop")) == f"attached to {number}"
    bot.wait_event(number, "page_delivered", count=2)
    assert pages(bot, number)[-1] == "Paged level 1, On-call SRE: DataLoss on shop joined"


def test_a_silenced_alert_that_joins_says_nothing(bot: Client, world: World, hands: Hands) -> None:
    """What a rule records is counted on the card, and nobody is told."""
    one = fires("a1", "Slow", hands, service="shop")
    number = declared(bot, send(bot, one))
    before = len(texts(bot, world, bot.room(number)))
    send(bot, one, fires("a2", "Note", hands, service="shop", severity="info"))
    assert len(texts(bot, world, bot.room(number))) == before
    assert "2 firing" in world.card(number)


@both_databases
def test_what_fires_again_with_its_old_start_reopens_what_was_resolved(bot: Client, world: World, hands: Hands) -> None:
    """The line to Prometheus was lost and is back: it never stopped, so the card says firing, and it pages again."""
    down = fires("x1", "PaymentsDown", hands, service="payments")
    number = declared(bot, send(bot, down))
    hands.advance(minutes=10)
    assert send(bot, over(down, hands)) == f"attached to {number}"
    bot.slash("resolve It recovered", channel=bot.room(number))
    hands.advance(minutes=5)
    assert send(bot, down) == f"held on {number}"
    assert "1 firing, 0 resolved" in world.card(number)
    said = [text for text in texts(bot, world, bot.room(number)) if "is firing again" in text]
    assert len(said) == 1
    assert "never stopped" in said[0]
    hands.advance(minutes=6)
    bot.wait_event(number, "reopened")
    assert bot.incident(number)["status"] == "investigating"
    assert pages(bot, number)[-1] == "Paged level 1, On-call SRE: its alerts are firing again"
    assert send(bot, down) == f"repeat of {number}"


def test_a_late_copy_of_a_peer_wakes_nobody(bot: Client, world: World, hands: Hands) -> None:
    """Its own end follows within seconds: nothing reopens, and nobody is paged."""
    down = fires("x1", "PaymentsDown", hands, service="payments")
    number = declared(bot, send(bot, down))
    end = over(down, hands)
    send(bot, end)
    bot.slash("resolve It recovered", channel=bot.room(number))
    assert send(bot, down) == f"held on {number}"
    assert send(bot, end) == f"noted on {number}"
    hands.advance(minutes=20)
    world.settle()
    assert bot.incident(number)["status"] == "resolved"
    assert "0 firing, 1 resolved" in world.card(number)
    assert len(pages(bot, number)) == 1


def test_what_fires_again_long_after_its_end_is_a_new_incident(bot: Client, hands: Hands) -> None:
    """Beyond two group intervals it can be no late copy, whatever its start says."""
    down = fires("x1", "PaymentsDown", hands, service="payments")
    number = declared(bot, send(bot, down))
    send(bot, over(down, hands))
    bot.slash("resolve It recovered", channel=bot.room(number))
    hands.advance(minutes=11)
    assert declared(bot, send(bot, down)) != number


@both_databases
def test_one_alert_under_another_key_is_one_alert(bot: Client, world: World, hands: Hands) -> None:
    """The route was changed half an hour ago: no second incident and page; the end counts under the new key."""
    down = fires("x1", "Down", hands, service="payments", cluster="eu1")
    number = declared(bot, send(bot, down))
    bot.slash("ack", channel=bot.room(number))
    hands.advance(minutes=30)
    assert send(bot, down, group=CHANGED) == f"repeat of {number}"
    assert "1 firing, 0 resolved" in world.card(number)
    assert not [text for text in texts(bot, world, bot.room(number)) if f"joined {number}" in text]
    assert not [page for page in pages(bot, number) if "joined" in page]
    hands.advance(minutes=5)
    assert send(bot, over(down, hands), group=CHANGED) == f"attached to {number}"
    assert "0 firing, 1 resolved" in world.card(number)
    assert len(bot.incidents()) == 1


def test_two_routes_that_send_one_alert_count_it_once(bot: Client, world: World, hands: Hands) -> None:
    """`continue: true` sends it under two keys, each time; what only one of them brings joins the same incident."""
    down = fires("x1", "Down", hands, service="payments")
    slow = fires("x2", "Slow", hands, service="payments")
    number = declared(bot, send(bot, down))
    assert send(bot, down, slow, group=CHANGED) == f"attached to {number}"
    for _ in range(2):
        assert send(bot, down) == f"repeat of {number}"
        assert send(bot, down, slow, group=CHANGED) == f"repeat of {number}"
    assert "2 firing, 0 resolved" in world.card(number)
    assert send(bot, over(down, hands)) == f"attached to {number}"
    assert send(bot, over(down, hands), slow, group=CHANGED) == f"repeat of {number}"
    assert "1 firing, 1 resolved" in world.card(number)
    kinds = bot.kinds(number)
    assert (kinds.count("alert_fired"), kinds.count("alert_resolved")) == (2, 1)


def test_the_same_fingerprint_with_other_labels_is_another_alert(bot: Client, hands: Hands) -> None:
    """A fingerprint is an identity, and never an authentication."""
    number = declared(bot, send(bot, fires("x1", "Down", hands, service="payments")))
    other = declared(bot, send(bot, fires("x1", "Down", hands, service="search"), group=CHANGED))
    assert number != other


def test_a_warning_under_another_key_asks_once(bot: Client, world: World, hands: Hands) -> None:
    """It waits for a look already; the end under the new key ends it there."""
    warns = fires("w1", "Slow", hands, severity="warning", service="orders")
    assert send(bot, warns) == "triage"
    assert send(bot, warns, group=CHANGED) == "nothing new"
    assert send(bot, over(warns, hands), group=CHANGED) == "recorded"
    (message,) = asked(bot, world)
    assert "resolved" in message.text


@pytest.mark.parametrize("declined", [False, True])
def test_a_warning_that_begins_anew_asks_again_though_its_end_was_lost(
    bot: Client, world: World, hands: Hands, declined: bool
) -> None:
    """Three days later it has a new start: whoever declined the first one has not seen this one."""
    assert send(bot, fires("w1", "QueueGrows", hands, severity="warning", service="orders")) == "triage"
    if declined:
        decide(bot, world, "decline", {"why": "Known"})
    hands.advance(minutes=3 * 24 * 60)
    anew = fires("w1", "QueueGrows", hands, severity="warning", service="orders")
    assert send(bot, anew) == "triage"
    assert len(asked(bot, world)) == 2
    assert send(bot, anew) == "nothing new"


def test_another_alert_of_a_declined_group_asks_for_a_look(bot: Client, world: World, hands: Hands) -> None:
    """More of what was declined stays quiet; another kind of alert is one that nobody has looked at."""
    one, more = (fires(f"w{n}", "Slow", hands, severity="warning", service="orders", pod=f"o-{n}") for n in (1, 2))
    send(bot, one)
    decide(bot, world, "decline", {"why": "Known"})
    send(bot, one, more)
    assert len(asked(bot, world)) == 1
    assert send(bot, one, more, fires("w3", "DiskFills", hands, severity="warning", service="orders")) == "triage"
    assert len(asked(bot, world)) == 2


@pytest.mark.parametrize("environ", [NOTHING_APART], indirect=True)
def test_a_company_keeps_what_it_wants_together(bot: Client, hands: Hands) -> None:
    """`apart: []` keeps a group in one incident, as its route has it."""
    one = fires("a1", "Slow", hands, service="shop")
    number = declared(bot, send(bot, one))
    hands.advance(minutes=60)
    assert send(bot, one, fires("b1", "Down", hands, service="other")) == f"attached to {number}"

"""Storms, flapping and truncated notifications against the real service: few channels, nothing falsely resolved."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SystemClock
from bot.config import Config
from bot.desk import Desk
from bot.engine.unmanned import UnmannedEngine
from bot.errors import DatabaseUnavailable
from bot.incidents.model import Delivery
from bot.reception import Reception
from bot.sandbox.blocks import check_message_blocks
from bot.store import deliveries
from bot.store.database import connect, database_clock, open_store
from bot.store.deliveries import State
from bot.store.tx import Store
from handlers.webhooks import alertmanager
from tests.conftest import LADDER, Client, Hands, InProcess, both_databases, rooms, wait_for
from tests.integration.bodies import alert, body, pagerduty, warning
from tests.integration.world import World
from tests.migrated import put
from tests.pace import Pace

SEV1 = """
intake:
  - {matchers: ['severity="page"'], then: declare, severity: sev1}
  - {matchers: ['severity="critical"'], then: declare, severity: sev2}
  - {matchers: ['severity="warning"'], then: triage, severity: sev3}
  - {matchers: [], then: record}
"""
NAMES = ("KubePodCrashLooping", "NodeNotReady", "HighErrorRate")


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """The service's environment: bodies of five thousand alerts fit, and `page` is worse than `critical`."""
    Path(environ["SITREP_CONFIG"]).write_text(LADDER + SEV1)
    return environ | {"SITREP_MAX_BODY": str(16 * 1024 * 1024)}


def group(
    number: int, *, alerts: int = 1, cluster: str = "eu-1", severity: str = "critical", **changes: Any
) -> dict[str, Any]:
    """Make a group's notification; its alerts have fingerprints of their own."""
    labels = {"alertname": NAMES[number % len(NAMES)], "severity": severity, "service": f"service-{number}"}
    if cluster:
        labels["cluster"] = cluster
    status = changes.pop("status", "firing")
    ended = {"endsAt": changes.pop("endsAt")} if "endsAt" in changes else {}
    starts = {"startsAt": changes.pop("startsAt")} if "startsAt" in changes else {}
    named = changes.pop("named", alerts)
    made = [
        alert(f"{cluster}-{number}-{n}", status, labels=labels | {"pod": f"pod-{n}"}, **starts, **ended)
        for n in range(named)
    ]
    return body(*made, status=status, group=f"{{}}:{{cluster={cluster},number={number}}}", **changes)


def send(bot: Client, *bodies: dict[str, Any]) -> list[str]:
    """Send notifications one after the other; gives what became of them."""
    answers = [bot.alertmanager(sent) for sent in bodies]
    assert {answer.status_code for answer in answers} == {202}, [answer.text for answer in answers]
    return [str(answer.json()["outcome"]) for answer in answers]


def send_at_once(bot: Client, bodies: Iterable[dict[str, Any]], senders: int = 16) -> list[str]:
    """Send notifications from many connections; gives what became of them."""
    with ThreadPoolExecutor(senders) as pool:
        return [found for (found,) in pool.map(lambda sent: send(bot, sent), bodies)]


def later(hands: Hands, seconds: float = 0, *, minutes: float = 0) -> None:
    """Turn the clock on, and wait until the service has seen it: it looks 50 times a second."""
    hands.advance(seconds, minutes=minutes)
    time.sleep(0.05)


def words(outcomes: Sequence[str]) -> Counter[str]:
    """Count outcomes by their first word."""
    return Counter(outcome.partition(" ")[0] for outcome in outcomes)


def storm_of(bot: Client, title: str = "Alert storm in cluster eu-1") -> str:
    """Give the number of the one storm that is open under this title."""
    (number,) = [i["number"] for i in bot.incidents() if i["title"] == title and i["status"] != "resolved"]
    return str(number)


def channels(bot: Client) -> list[str]:
    """Give the incidents' channels."""
    return sorted(rooms(bot.workspace))


def firing(world: World) -> int:
    """Count the alerts that fire, as the rows have it."""
    (row,) = world.rows("SELECT count(*) AS total FROM alerts WHERE closed_at IS NULL")
    return int(row["total"])


def counted(bot: Client, number: str, what: str) -> int:
    """Count the alerts that fired, or were resolved, as the timeline tells it: one by one and in sums."""
    events = bot.events(number)
    return sum(e["data"].get(what, e["kind"] == f"alert_{what}") for e in events if e["kind"] != "declared")


def settled(world: World, bot: Client, number: str) -> str:
    """Give the storm's card once all that waits has been sent."""
    world.settle()
    wait_for(lambda: bot.workspace.pinned(bot.room(number)), what="the card")
    return world.card(number)


# -- storms ------------------------------------------------------------------------------------------------------------


def test_fault_19_over_a_thousand_alerts_in_a_minute_open_few_channels_and_lose_nothing(
    bot: Client, world: World, hands: Hands
) -> None:
    """120 groups of 10 alerts, all truncated, one of them flapping every 15 s: 6 channels, every alert fires on."""
    outcomes: list[str] = []
    for quarter in range(4):
        groups = [group(n, alerts=10, truncated=2) for n in range(quarter * 30, quarter * 30 + 30)]
        outcomes += send_at_once(bot, groups)
        end = hands.now().isoformat()
        send(bot, group(7, alerts=10, status="resolved", endsAt=end))
        later(hands, 15)
        send(bot, group(7, alerts=10, startsAt=hands.now().isoformat(), truncated=2))
    assert words(outcomes) == {"declared": 6, "joined": 114}
    assert firing(world) == 1200

    storm = storm_of(bot)
    card = settled(world, bot, storm)
    assert len(channels(bot)) == len(bot.incidents()) == 6
    assert "1,150 firing, 0 resolved in 115 groups" in card
    assert "Most: " in card
    assert "Alertmanager left out" in card
    (pinned,) = bot.workspace.pinned(bot.room(storm))
    assert check_message_blocks(pinned.blocks) == []
    assert len(pinned.blocks) <= 7
    assert len(bot.events(storm)) < 50
    said = bot.workspace.messages(bot.room(storm))
    assert len(said) <= 8, [m.text for m in said]
    assert not bot.workspace.messages("ops-alerts")

    end = hands.now().isoformat()
    over = [group(n, alerts=10, named=4, status="resolved", truncated=6, endsAt=end) for n in range(120)]
    assert words(send_at_once(bot, over)) == {"attached": 120}
    assert firing(world) == 720, "an alert that was left out is not over, whatever the group's status"
    assert {i["status"] for i in bot.incidents()} == {"investigating"}
    wait_for(lambda: "690 firing, 460 resolved" in world.card(storm), what="the card")
    later(hands, minutes=11)
    numbers = [incident["number"] for incident in bot.incidents()]
    flaps = 4 * 10
    wait_for(lambda: sum(counted(bot, n, "resolved") for n in numbers) == 480 + flaps, what="the summing up")
    assert sum(counted(bot, n, "fired") for n in numbers) == 1200 + flaps
    assert len(bot.events(storm)) < 50


@pytest.mark.timing
def test_fault_19_one_notification_of_five_thousand_alerts_is_taken_in_at_once(bot: Client, world: World) -> None:
    """It opens one incident with a few lines, holds nobody up for long, and is a repeat the next time."""
    sent = group(1, alerts=5000, truncated=123)
    said: dict[str, Any] = {}
    with Pace() as pace, ThreadPoolExecutor(2) as pool:
        large = pool.submit(send, bot, sent)
        while not large.done():
            began = time.monotonic()
            bot.slash("list")
            said["slowest"] = max(said.get("slowest", 0.0), time.monotonic() - began)
    (outcome,) = large.result()
    number = outcome.removeprefix("declared ")
    assert said["slowest"] < pace.stretched(2.5), said
    bot.wait_opened(number)
    assert len(bot.events(number)) < 40
    card = settled(world, bot, number)
    assert "5,000 firing, 0 resolved" in card
    assert "Alertmanager left out 123 more alerts" in card
    assert [e for e in bot.events(number) if "Alertmanager left 123 more alerts out of its notification" in e["text"]]
    events = bot.events(number)
    assert send(bot, sent, sent) == [f"repeat of {number}"] * 2
    assert bot.events(number) == events
    send(bot, group(1, alerts=5000, named=4999, status="resolved", truncated=1))
    assert firing(world) == 1
    assert bot.incident(number)["status"] == "investigating"


def test_two_storms_in_two_clusters_do_not_mix(bot: Client, world: World) -> None:
    """Groups of both come at once; each cluster has its own storm, and a third cluster's group its own incident."""
    clusters = ("eu-1", "us-1")
    outcomes = send_at_once(bot, [group(n, cluster=clusters[n % 2]) for n in range(60)])
    assert words(outcomes) == {"declared": 12, "joined": 48}
    assert send(bot, group(1, cluster="ap-1"))[0].startswith("declared")
    for cluster in clusters:
        number = storm_of(bot, f"Alert storm in cluster {cluster}")
        assert "25 firing, 0 resolved in 25 groups" in settled(world, bot, number)
        names = {row["labels"]["cluster"] for row in _alerts_of(world, number)}
        assert names == {cluster}
    assert len(channels(bot)) == 13


def _alerts_of(world: World, number: str) -> list[dict[str, Any]]:
    rows = world.rows(
        f"SELECT labels FROM alerts JOIN incidents ON incidents.id = incident_id WHERE number = '{number}'"  # noqa: S608
    )
    return [{"labels": json.loads(r["labels"]) if isinstance(r["labels"], str) else r["labels"]} for r in rows]


def test_labels_that_are_all_different_do_not_open_channels_without_end(bot: Client, world: World) -> None:
    """Each group has a service of its own and no cluster: the rate over all holds, and one storm takes the rest."""
    outcomes = send_at_once(bot, [group(n, cluster="") for n in range(80)])
    assert words(outcomes) == {"declared": 21, "joined": 59}
    number = storm_of(bot, "Alert storm across services")
    assert "60 firing" in settled(world, bot, number)
    assert len(channels(bot)) == 21


def test_a_slow_trickle_is_no_storm(bot: Client, world: World, hands: Hands) -> None:
    """A group a minute for ten minutes: each has its own incident and channel."""
    for n in range(10):
        assert send(bot, group(n))[0].startswith("declared")
        later(hands, minutes=1)
    world.settle()
    assert len(channels(bot)) == 10
    assert not [i for i in bot.incidents() if "storm" in i["title"]]


def test_a_storm_tells_why_and_where_the_first_incidents_are(bot: Client, world: World) -> None:
    """A responder learns why there is one channel, which incidents came before, and gets the general runbook."""
    outcomes = send(bot, *(group(n) for n in range(8)))
    first = [outcome.removeprefix("declared ") for outcome in outcomes[:5]]
    storm = outcomes[5].removeprefix("declared ")
    assert outcomes[6:] == [f"joined {storm}"] * 2
    bot.wait_opened(storm)
    world.settle()
    incident = bot.incident(storm)
    assert (incident["title"], incident["severity"]) == ("Alert storm in cluster eu-1", "sev2")
    assert incident["runbook_id"] == "ops.general.first-response"
    why = (
        "More than 5 alert groups in cluster eu-1 within 5 min: new ones join this incident until 30 min pass "
        f"without one, or it is resolved. Opened just before: {', '.join(first)}."
    )
    assert why in [e["text"] for e in bot.events(storm)]
    assert bot.workspace.find(bot.room(storm), "Opened just before")
    assert "paged" in bot.kinds(storm)


def test_a_storm_is_resolved_as_any_incident(bot: Client, world: World, hands: Hands) -> None:
    """Ends of its alerts close what they name and nothing else; when it is over, the next groups are on their own."""
    send(bot, *(group(n, alerts=2) for n in range(9)))
    storm = storm_of(bot)
    bot.wait_opened(storm)
    send(bot, group(7, named=1, alerts=2, status="resolved"))
    assert "7 firing, 1 resolved in 4 groups" in settled(world, bot, storm)
    bot.slash(f"{storm} resolve The network is back")
    assert bot.incident(storm)["status"] == "resolved"
    assert send(bot, group(8, alerts=2, status="resolved")) == [f"noted on {storm}"]
    assert "5 firing, 3 resolved" in settled(world, bot, storm)

    assert send(bot, group(20))[0].startswith("declared"), "it still rages: another storm, not another channel each"
    assert send(bot, group(21)) == [f"joined {storm_of(bot)}"]
    bot.slash(f"{storm_of(bot)} resolve Really")
    later(hands, minutes=6)
    (outcome,) = send(bot, group(22))
    assert "storm" not in bot.incident(outcome.removeprefix("declared "))["title"]
    before = world.snapshot()["rows"]["alerts"]
    assert [a for a in before if a["closed_at"] is None and "eu-1-7-1" in a["fingerprint"]]


def test_a_storm_goes_on_after_a_restart(
    bot: Client, world: World, service: InProcess, slack: Any, workspace: Any
) -> None:
    """What has been counted is in rows: the next process takes the next groups into the same incident."""
    outcomes = send(bot, *(group(n) for n in range(7)))
    storm = outcomes[5].removeprefix("declared ")
    service.stop()
    service.start()
    assert send(bot, *(group(n) for n in range(7, 12))) == [f"joined {storm}"] * 5
    bot.wait_opened(storm)
    assert "7 firing" in settled(world, bot, storm)
    assert len(channels(bot)) == 6


def test_a_storm_half_counted_goes_on_after_a_restart(bot: Client, service: InProcess) -> None:
    """The rate is in rows, too: five before the restart, and the sixth is a storm."""
    send(bot, *(group(n) for n in range(5)))
    service.stop()
    service.start()
    assert send(bot, group(5))[0].startswith("declared")
    assert storm_of(bot)


def test_the_worst_group_raises_the_storm_and_people_may_lower_it(bot: Client, world: World) -> None:
    """A group that is worse than all before it raises the severity, once; what people have lowered stays."""
    send(bot, *(group(n) for n in range(6)))
    storm = storm_of(bot)
    bot.wait_opened(storm)
    channel = bot.room(storm)
    assert send(bot, group(6, severity="page")) == [f"joined {storm}"]
    assert bot.incident(storm)["severity"] == "sev1"
    raised = bot.wait_event(storm, "severity_changed")
    assert raised["text"] == "Severity raised from sev2 to sev1: KubePodCrashLooping on service-6 joined"
    assert raised["actor"]["type"] == "alert"
    bot.slash("sev 3 Noise of the network test", channel=channel)
    assert bot.incident(storm)["severity"] == "sev3"
    send(bot, group(7, severity="page"), group(8))
    assert bot.incident(storm)["severity"] == "sev3"
    world.settle()


def test_warnings_in_a_storm_are_one_message(bot: Client, world: World, hands: Hands) -> None:
    """The first have a message each in the alerts channel; all others one, with a count, that is edited."""
    outcomes = send_at_once(bot, [group(n, alerts=3, severity="warning") for n in range(100)])
    assert words(outcomes) == {"triage": 100}

    def shown() -> list[str]:
        world.settle()
        return [m.text for m in bot.workspace.messages("ops-alerts")]

    storm = "Triage storm in cluster eu-1: 95 alert groups, "
    wait_for(lambda: f"{storm}285 firing." in shown(), what="the count")
    assert len(shown()) == 6
    send(bot, *(group(n, alerts=3, status="resolved", severity="warning") for n in range(100)))
    wait_for(lambda: f"{storm}all resolved." in shown(), what="the end")
    assert len(shown()) == 6
    assert bot.incidents() == []
    later(hands, minutes=31)
    send(bot, group(99, severity="warning", startsAt=hands.now().isoformat()))
    assert len(shown()) == 7
    assert "Triage (sev3)" in shown()[-1]


def test_pagerduty_passes_the_same_gate(bot: Client, world: World, hands: Hands) -> None:
    """Incidents of one PagerDuty service that come too fast join one incident; each is told or counted once."""

    def event(kind: str, number: int) -> str:
        made = pagerduty(f"incident.{kind}", event_id=f"{kind}-{number}", id=f"P{number}", incident_key=f"key-{number}")
        answer = bot.pagerduty(made)
        assert answer.status_code == 202
        return str(answer.json()["outcome"])

    outcomes = [event("triggered", n) for n in range(40)]
    assert words(outcomes) == {"declared": 6, "joined": 34}
    storm = storm_of(bot, "Alert storm in service Checkout API")
    for n in range(40):
        event("resolved", n)
    assert firing(world) == 0
    assert "0 firing, 35 resolved in 35 groups" in settled(world, bot, storm)
    later(hands, minutes=11)
    wait_for(lambda: counted(bot, storm, "resolved") == 35, what="the summing up")
    assert counted(bot, storm, "fired") == 35
    assert len(bot.events(storm)) < 50
    assert len(channels(bot)) == 6


@both_databases
def test_what_waits_for_a_lull_waits_from_the_last_request(database_url: str) -> None:
    """Each request puts it off; one for an earlier moment does not bring it forward."""

    def ask(wait: int) -> Delivery:
        return Delivery("suggest", f"suggest:{wait}", "suggestion", {}, coalesce=True, wait=wait, restarts=True)

    put(database_url)
    engine = connect(database_url)
    now = datetime(2026, 11, 21, 3, tzinfo=UTC)
    with engine.begin() as connection:
        assert deliveries.add(connection, "x", None, [ask(60)], now) == {now + timedelta(seconds=60)}
        assert deliveries.add(connection, "x", None, [ask(60)], now + timedelta(seconds=50)) == {
            now + timedelta(seconds=110)
        }
        assert deliveries.add(connection, "x", None, [ask(0)], now + timedelta(seconds=51)) == set()
        (row,) = deliveries.unfinished(connection, "x")
        assert row.next_at == now + timedelta(seconds=110)
    engine.dispose()


@both_databases
def test_an_edit_that_was_held_back_goes_out_with_the_next_one_that_is_not(database_url: str) -> None:
    """What a responder does is on the card at once; what failed and was put off keeps its reason to wait."""

    def edit(wait: int) -> Delivery:
        return Delivery("refresh_card", f"refresh_card:{wait}", "card_edit", {}, coalesce=True, wait=wait)

    put(database_url)
    engine = connect(database_url)
    now = datetime(2026, 11, 21, 3, tzinfo=UTC)
    later_ = now + timedelta(seconds=60)
    with engine.begin() as connection:
        assert deliveries.add(connection, "x", None, [edit(60)], now) == {later_}
        assert deliveries.add(connection, "x", None, [edit(60)], now + timedelta(seconds=1)) == set()
        assert deliveries.add(connection, "x", None, [edit(0)], now) == {now}
        (row,) = deliveries.unfinished(connection, "x")
        assert row.next_at == now
        assert deliveries.claim(connection, row, "me", now)
        assert deliveries.postpone(connection, row, State.PENDING, later_, "429", failed=True)
        assert deliveries.add(connection, "x", None, [edit(0)], now) == set()
        (row,) = deliveries.unfinished(connection, "x")
        assert row.next_at == later_
    engine.dispose()


# -- many replicas -----------------------------------------------------------------------------------------------------


@contextmanager
def stores(url: str, count: int) -> Iterator[list[Store]]:
    """Open a database as so many replicas do."""
    put(url)
    opened = [open_store(url, database_clock(url, SystemClock())) for _ in range(count)]
    try:
        yield opened
    finally:
        for store in opened:
            asyncio.run(store.close())


@pytest.mark.parametrize(("database_url", "replicas"), [("sqlite", 1), ("postgres", 3)], indirect=["database_url"])
def test_the_rate_holds_over_all_replicas(database_url: str, replicas: int) -> None:
    """Groups of one family come to all replicas at the same instant: as many incidents as one replica would open."""
    with stores(database_url, replicas) as opened:
        receptions = [Reception(Desk(UnmannedEngine(), Config().policy), Config().rules) for _ in opened]

        async def take(which: int, sent: dict[str, Any]) -> str:
            notification = alertmanager.read(json.dumps(sent).encode())
            while True:
                with suppress(DatabaseUnavailable):  # a busy machine's: it is sent again
                    return await opened[which].write(lambda tx: receptions[which].alertmanager(tx, notification))

        async def storm() -> list[str]:
            groups = [group(n, cluster="eu" if n % 3 else "us") for n in range(60)]
            return await asyncio.gather(*(take(n % replicas, sent) for n, sent in enumerate(groups)))

        outcomes = asyncio.run(storm())
        assert words(outcomes) == {"declared": 12, "joined": 48}
        assert len({o for o in outcomes if o.startswith("declared")}) == 12

        async def same() -> list[str]:
            return await asyncio.gather(*(take(n % replicas, group(99, cluster="eu")) for n in range(12)))

        assert words(asyncio.run(same())) == {"joined": 1, "repeat": 11}


# -- flapping ----------------------------------------------------------------------------------------------------------


class Flapper:
    """An alert that comes and goes."""

    def __init__(self, bot: Client, hands: Hands, make: Any = alert) -> None:
        self._bot, self._hands, self._make = bot, hands, make

    def fire(self) -> str:
        return send(self._bot, body(self._make("aa", startsAt=self._hands.now().isoformat())))[0]

    def end(self) -> str:
        over = self._make("aa", "resolved", endsAt=self._hands.now().isoformat())
        return send(self._bot, body(over, status="resolved"))[0]

    def flap(self, times: int) -> list[str]:
        """Fire and end every 15 s, so many times; it ends with an end."""
        told = []
        for _ in range(times):
            told.append(self.fire())
            later(self._hands, 15)
            told.append(self.end())
            later(self._hands, 15)
        return told


@pytest.fixture
def flapper(bot: Client, hands: Hands) -> Flapper:
    return Flapper(bot, hands)


def resolve(bot: Client, number: str) -> None:
    bot.slash(f"{number} resolve Rolled back")
    assert bot.incident(number)["status"] == "resolved"


def test_fault_19_an_alert_that_flaps_every_15_s_edits_one_card(
    bot: Client, world: World, hands: Hands, flapper: Flapper
) -> None:
    """Eleven minutes on and off: one incident, one channel, no further message, and few lines."""
    number = flapper.fire().removeprefix("declared ")
    bot.wait_opened(number)
    channel = bot.room(number)
    bot.slash("ack", channel=channel)
    world.settle()
    said = [(m.ts, m.text) for m in bot.workspace.messages(channel)[1:]]  # the card says what became of it
    later(hands, 15)
    flapper.end()
    later(hands, 15)
    assert set(flapper.flap(22)) == {f"attached to {number}"}
    world.settle()
    assert [(m.ts, m.text) for m in bot.workspace.messages(channel)[1:]] == said
    assert len(channels(bot)) == 1
    kinds = Counter(e["kind"] for e in bot.events(number) if e["actor"]["type"] == "alert")
    assert kinds == {"alert_fired": 3, "declared": 1, "alert_resolved": 3}
    told = [e for e in bot.events(number) if "Flapping: HighErrorRate" in e["text"]]
    assert len(told or [bot.wait_event(number, "note")]) == 1
    assert "Flapping: HighErrorRate; last changed" in world.card(number)
    assert firing(world) == 0


def test_a_flapping_alert_does_not_reopen_what_was_resolved_at_once(
    bot: Client, world: World, hands: Hands, flapper: Flapper
) -> None:
    """Within the hold it is noted on the resolved incident and said once; when it is quiet then, nothing follows."""
    number = flapper.flap(5)[0].removeprefix("declared ")
    bot.wait_opened(number)
    resolve(bot, number)
    channel = bot.room(number)
    assert flapper.flap(4) == [f"held on {number}", f"noted on {number}"] * 4
    world.settle()
    assert len([m for m in bot.workspace.messages(channel) if "is firing again: the alert is flapping" in m.text]) == 1
    later(hands, minutes=20)
    wait_for(lambda: not world.rows("SELECT key FROM timers WHERE kind = 'flap_hold' AND state = 'armed'"))
    assert bot.incident(number)["status"] == "resolved"
    assert len(channels(bot)) == 1


def test_what_fired_all_along_does_not_reopen(bot: Client, world: World, hands: Hands, flapper: Flapper) -> None:
    """Whoever resolved knew of it: only what began after the end counts when the hold is over."""
    send(bot, body(alert("bb")))
    number = flapper.flap(5)[0].removeprefix("attached to ")
    bot.wait_opened(number)
    resolve(bot, number)
    assert flapper.flap(1) == [f"held on {number}", f"noted on {number}"]
    later(hands, minutes=15)
    wait_for(lambda: not world.rows("SELECT key FROM timers WHERE kind = 'flap_hold' AND state = 'armed'"))
    assert bot.incident(number)["status"] == "resolved"
    assert firing(world) == 1


def test_one_that_fires_on_past_the_hold_is_acted_on_without_another_word_from_its_source(
    bot: Client, world: World, hands: Hands, flapper: Flapper
) -> None:
    """The hold's timer reopens the incident and pages: no alarm is lost because Alertmanager repeats it hours later."""
    number = flapper.flap(5)[0].removeprefix("declared ")
    bot.wait_opened(number)
    bot.slash("ack", channel=bot.room(number))
    resolve(bot, number)
    later(hands, 60)
    assert flapper.fire() == f"held on {number}"
    assert "reopens" in settled(world, bot, number)
    later(hands, 30, minutes=14)
    wait_for(lambda: bot.incident(number)["status"] == "investigating", what="the reopening")
    paged = bot.wait_event(number, "paged", count=2)
    assert paged["text"] == "Paged level 1, On-call SRE: its alerts are firing again"
    page = bot.wait_event(number, "page_delivered", count=2)
    assert page["data"]["level"] == 1
    assert bot.workspace.find(bot.room(number), "its alerts are firing again")
    assert len(channels(bot)) == 1
    assert bot.slash("ack", channel=bot.room(number)) is not None
    assert bot.kinds(number).count("acknowledged") == 2


def test_one_that_is_worse_than_its_incident_is_not_held_back(bot: Client, hands: Hands) -> None:
    """A flapping alert whose severity has risen is news."""
    flapper = Flapper(bot, hands)
    number = flapper.flap(5)[0].removeprefix("declared ")
    resolve(bot, number)
    worse = alert("aa", startsAt=hands.now().isoformat(), labels={**alert()["labels"], "severity": "page"})
    (outcome,) = send(bot, body(worse))
    assert outcome.startswith("declared")
    assert bot.incident(outcome.removeprefix("declared "))["severity"] == "sev1"


def test_another_alert_of_a_flapping_group_is_not_held_back(bot: Client, hands: Hands, flapper: Flapper) -> None:
    """Only what flaps itself is damped: a new member of the group opens an incident at once."""
    number = flapper.flap(5)[0].removeprefix("declared ")
    resolve(bot, number)
    now = hands.now().isoformat()
    assert send(bot, body(alert("aa", startsAt=now), alert("bb", startsAt=now)))[0].startswith("declared")


def test_a_warning_that_flaps_is_one_message(bot: Client, world: World, hands: Hands) -> None:
    """The first few times it has a message each; once it flaps, the last one is edited."""
    assert set(Flapper(bot, hands, warning).flap(12)) <= {"triage", "recorded"}
    world.settle()
    assert len(bot.workspace.messages("ops-alerts")) == 3
    assert "resolved" in bot.workspace.messages("ops-alerts")[-1].text


def test_trouble_that_pagerduty_reports_again_joins_its_open_incident(bot: Client, world: World) -> None:
    """PagerDuty gives each flap an incident of its own under the same key; one that is open here takes them all."""
    for n in range(8):
        for kind in ("triggered", "resolved"):
            bot.pagerduty(pagerduty(f"incident.{kind}", event_id=f"{kind}-{n}", id=f"P{n}", incident_key="the-same"))
    world.settle()
    assert len(bot.incidents()) == 1


# -- truncated ---------------------------------------------------------------------------------------------------------


def test_what_alertmanager_left_out_is_on_the_card_until_it_is_told(bot: Client, world: World) -> None:
    """The card counts what was left out of the last notification; the timeline says it once."""
    number = send(bot, body(alert("aa"), truncated=2))[0].removeprefix("declared ")
    bot.wait_opened(number)
    assert "Alertmanager left out 2 more alerts" in settled(world, bot, number)
    assert send(bot, body(alert("aa"), truncated=1)) == [f"repeat of {number}"]
    wait_for(lambda: "Alertmanager left out 1 more alert:" in world.card(number), what="the card")
    send(bot, body(alert("aa"), alert("bb"), alert("cc")))
    wait_for(lambda: "left out" not in world.card(number), what="the card")
    assert "3 firing" in world.card(number)
    assert [e["text"] for e in bot.events(number) if e["kind"] == "note"] == [
        "Alertmanager left 2 more alerts out of its notification"
    ]


@pytest.mark.parametrize("truncated", [-1, "many", 1.5])
def test_a_count_that_is_none_loses_no_alert(bot: Client, world: World, truncated: Any) -> None:
    """The alerts count, and nothing is said to be left out."""
    number = send(bot, body(alert("aa"), truncated=truncated))[0].removeprefix("declared ")
    bot.wait_opened(number)
    assert "left out" not in settled(world, bot, number)


def test_copies_of_one_fingerprint_are_one_alert(bot: Client, world: World) -> None:
    """A body that names an alert twice says nothing more than one that names it once."""
    number = send(bot, body(*(alert("aa") for _ in range(50))))[0].removeprefix("declared ")
    bot.wait_opened(number)
    assert firing(world) == 1
    over = alert("aa", "resolved", endsAt="2026-11-21T07:10:43Z")
    assert send(bot, body(over, over, status="resolved")) == [f"attached to {number}"]
    assert bot.kinds(number).count("alert_resolved") == 1

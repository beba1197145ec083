"""Two auditors on one database, look by look: what one of them has seen to, the other leaves alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from bot.clock import FileClock
from bot.desk import Desk
from bot.engine.auditor import Auditor
from bot.engine.heartbeat import Heartbeat
from bot.engine.port import Job, Work
from bot.engine.reconciler import Reconciler
from bot.engine.unheard import Unheard
from bot.engine.unmanned import UnmannedEngine
from bot.incidents import commands as c
from bot.incidents.intake import DEFAULT_RULES, complete
from bot.incidents.model import Actor, Alert, Delivery
from bot.incidents.policy import DEFAULT_POLICY, Severity
from bot.incidents.reconcile import Look, Reported
from bot.migrate import migrate
from bot.reception import Notification, Reception
from bot.store import alerts, deliveries
from bot.store.database import Database, database_clock, open_store
from bot.store.tables import deliveries as delivery_rows
from bot.store.tables import incidents as incident_rows
from bot.store.tables import timers
from bot.store.tx import Tx
from tests.conftest import Hands, both_databases

pytestmark = pytest.mark.anyio

ALICE = Actor("human", "U1", "Alice")


class Noted(UnmannedEngine):
    """An engine that notes what it was asked to wake for."""

    def __init__(self) -> None:
        self.asked: list[Job] = []

    def enqueue(self, tx: Tx, job: Job, at: datetime | None = None) -> None:  # noqa: ARG002
        tx.on_commit(lambda: self.asked.append(job))


class Fires:
    """A source that reports what the test says."""

    name = "alertmanager"

    def __init__(self) -> None:
        self.answer = Look()

    async def look(self) -> Look:
        return self.answer


class Replica:
    """A store of its own with an auditor."""

    def __init__(self, url: str, hands: Hands, source: Fires, beats: list[str]) -> None:
        self.store: Database = open_store(url, database_clock(url, FileClock(hands.path)))
        self.engine = Noted()
        self.desk = Desk(self.engine, DEFAULT_POLICY)
        self.living: frozenset[str] = frozenset()

        def receive(request: httpx.Request) -> httpx.Response:
            beats.append(str(request.url))
            return httpx.Response(200)

        self.http = httpx.AsyncClient(transport=httpx.MockTransport(receive))
        self.auditor = Auditor(
            self.store,
            self.engine,
            self.desk,
            Reconciler(
                self.store,
                self.desk,
                [source],
                timedelta(minutes=10),
                Unheard(self.store, self.desk, self._take_in, timedelta(minutes=10)),
            ),
            alive=lambda _tx: self.living,
            heartbeat=Heartbeat("https://beat.example", self.http),
        )

    def _take_in(self, tx: Tx, source: str, key: str, firing: Sequence[Alert]) -> str:
        reception = Reception(self.desk, complete(DEFAULT_RULES))
        return reception.alertmanager(tx, Notification(key, tuple(firing), (), source=source))

    async def close(self) -> None:
        await self.http.aclose()
        await self.store.close()


class Pair:
    """Two replicas, run at the same moment."""

    def __init__(self, url: str, hands: Hands) -> None:
        self.hands = hands
        self.source = Fires()
        self.beats: list[str] = []
        self.replicas = [Replica(url, hands, self.source, self.beats) for _ in range(2)]

    @property
    def first(self) -> Replica:
        return self.replicas[0]

    async def look(self, minutes: float = 0) -> list[Job]:
        """Let time pass, then let both look; gives what they have woken for."""
        self.hands.advance(minutes=minutes)
        await asyncio.sleep(0.03)  # until the clocks have seen it
        for replica in self.replicas:
            replica.engine.asked.clear()
        await asyncio.gather(*(replica.auditor.run() for replica in self.replicas))
        return [job for replica in self.replicas for job in replica.engine.asked]

    async def write(self, work: Callable[[Tx], Any]) -> Any:
        return await self.first.store.write(work)

    async def declare(self, *opened: Alert) -> str:
        """Open an incident with its alerts, of which everything that opens it is delivered."""

        def work(tx: Tx) -> str:
            declared = c.Declare("", "Checkout is down", Severity.SEV2, ALICE, alerts=opened)
            incident, incident_id = self.first.desk.declare(tx, declared)
            if opened:
                group = alerts.group(tx.connection, "alertmanager", "{}:{}", "")
                alerts.open_alerts(tx.connection, group.id, incident_id, opened, tx.now)
            tx.connection.execute(update(delivery_rows).values(state="delivered"))
            return incident.number

        return str(await self.write(work))

    async def told(self, scope: str) -> list[str]:
        """Give the texts that wait to be said in a scope, or in those whose name begins so."""
        found = await self.first.store.read(
            lambda connection: (
                connection.execute(
                    select(delivery_rows.c.data).where(
                        delivery_rows.c.scope.startswith(scope), delivery_rows.c.kind.in_(["say", "operators"])
                    )
                )
                .scalars()
                .all()
            )
        )
        return [str(data["text"]) for data in found]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def pair(database_url: str, hands: Hands) -> AsyncIterator[Pair]:
    await asyncio.to_thread(migrate, database_url)
    both = Pair(database_url, hands)
    yield both
    for replica in both.replicas:
        await replica.close()


def an_alert(fingerprint: str = "aa") -> Alert:
    labels = {"alertname": "HighErrorRate", "instance": fingerprint}
    return Alert("alertmanager", "{}:{}", fingerprint, "HighErrorRate", labels)


def row(number: str, pair: Pair, minutes: float, **facts: Any) -> Callable[[Tx], None]:
    """Make a unit of work that leaves a delivery as it is after some minutes."""

    def work(tx: Tx) -> None:
        before = tx.now - timedelta(minutes=minutes)
        deliveries.add(tx.connection, number, None, [Delivery("say", "lost", "lost", {"text": "x"})], before)
        if facts:
            values = {"tried_at": before, "attempts": 1, **facts}
            tx.connection.execute(update(delivery_rows).where(delivery_rows.c.slot == "lost").values(values))

    return work


@both_databases
async def test_a_database_in_order_is_left_alone(pair: Pair) -> None:
    """Nothing is late: no wake-up, no word, and a sign of life from each replica."""
    await pair.declare(an_alert())
    pair.source.answer = Look((Reported("aa", {}),))
    assert await pair.look() == []
    assert await pair.look(11) == []
    assert len(pair.beats) == 4
    assert await pair.told("") == []


@both_databases
async def test_a_timer_is_woken_for_when_it_is_late(pair: Pair) -> None:
    """Half a minute late it is woken for by whoever looks; several minutes late nothing is well any more."""
    number = await pair.declare()  # whose first reminder is due at minute 12
    assert await pair.look(12.4) == []
    assert set(await pair.look(0.2)) == {Job(Work.TIMERS, number)}
    assert len(pair.beats) == 4
    assert set(await pair.look(5)) == {Job(Work.TIMERS, number)}
    assert len(pair.beats) == 4
    await pair.write(lambda tx: pair.first.desk.fire_timers(tx, number))
    assert await pair.look() == []
    assert len(pair.beats) == 6


@both_databases
@pytest.mark.parametrize(
    ("minutes", "facts", "stuck"),
    [
        (1.9, {}, False),
        (2.1, {}, True),
        (2.1, {"state": "unknown"}, True),
        (1.9, {"state": "sending", "claimed_by": "alive"}, False),
        (2.1, {"state": "sending", "claimed_by": "alive"}, True),
        (0.1, {"state": "sending", "claimed_by": "dead"}, True),
        (0.1, {"state": "sending", "claimed_by": None}, False),
        (2.1, {"state": "sending", "claimed_by": None}, True),
    ],
)
async def test_when_a_delivery_is_stuck(pair: Pair, minutes: float, facts: dict[str, Any], stuck: bool) -> None:
    """One that waits past its moment, one that is on its way for too long, and one whose sender has died."""
    number = await pair.declare()
    for replica in pair.replicas:
        replica.living = frozenset({"alive"})
    await pair.write(row(number, pair, minutes, **facts))
    assert set(await pair.look()) == ({Job(Work.DELIVERIES, number)} if stuck else set())
    assert len(pair.beats) == 2


@both_databases
async def test_a_delivery_that_has_moved_since_is_not_stuck(pair: Pair) -> None:
    """One that is tried again after an hour was claimed when its turn came, not when it was tried first."""
    number = await pair.declare()
    for replica in pair.replicas:
        replica.living = frozenset({"alive"})
    await pair.write(row(number, pair, 60, state="sending", claimed_by="alive"))
    recently = pair.hands.now() - timedelta(minutes=1)
    again = update(delivery_rows).where(delivery_rows.c.slot == "lost").values(next_at=recently, attempts=40)
    await pair.write(lambda tx: tx.connection.execute(again))
    assert await pair.look() == []


@both_databases
async def test_what_waits_for_another_delivery_is_not_stuck(pair: Pair) -> None:
    """Neither behind the head of its lane nor without the slot that it needs; the head alone counts."""
    number = await pair.declare()

    def work(tx: Tx) -> None:
        before = tx.now - timedelta(minutes=3)
        head = Delivery("say", "head", "one", {"text": "x"})
        behind = Delivery("say", "behind", "one", {"text": "x"})
        needs = Delivery("say", "needs", "two", {"text": "x"}, needs=("head",))
        after = Delivery("say", "after", "three", {"text": "x"}, after=("head",))
        deliveries.add(tx.connection, number, None, [head, behind, needs, after], before)
        soon = update(delivery_rows).where(delivery_rows.c.slot == "head").values(next_at=tx.now)
        tx.connection.execute(soon)

    await pair.write(work)
    assert await pair.look() == []
    assert set(await pair.look(2.1)) == {Job(Work.DELIVERIES, number)}


@both_databases
async def test_what_stays_stuck_silences_the_heartbeat(pair: Pair) -> None:
    """Found late it is woken for; minutes later it was so in vain, and silence raises the alarm."""
    number = await pair.declare()
    await pair.write(row(number, pair, 3))
    await pair.look()
    assert len(pair.beats) == 2
    assert set(await pair.look(2.1)) == {Job(Work.DELIVERIES, number)}
    assert len(pair.beats) == 2


@both_databases
async def test_an_opening_that_hangs_is_warned_of_once(pair: Pair) -> None:
    """Both see it at the same moment; one of them tells, whatever comes later."""
    number = await pair.declare()
    hangs = update(delivery_rows).where(delivery_rows.c.slot.in_(["card", "channel"]))
    await pair.write(lambda tx: tx.connection.execute(hangs.values(state="pending", error="ratelimited: later")))
    await pair.look(4.9)
    assert await pair.told("operators:") == []
    for minutes in (0.2, 0, 60):
        await pair.look(minutes)
        (text,) = await pair.told("operators:opening:")
        assert len(pair.beats) == 2, "all is not well"
    assert f"{number} was still not set up" in text
    assert "after 5 min. Not delivered: channel, card. Error of the channel: ratelimited: later." in text
    await pair.write(lambda tx: tx.connection.execute(update(incident_rows).values(status="cancelled")))
    await pair.write(lambda tx: tx.connection.execute(update(timers).values(state="cancelled")))
    await pair.write(lambda tx: tx.connection.execute(update(delivery_rows).values(state="delivered")))
    await pair.look()
    assert len(pair.beats) == 4


@both_databases
async def test_a_difference_is_flagged_once(pair: Pair) -> None:
    """Both see at the same moment that it has lasted; its incident hears of it once, however often they look."""
    number = await pair.declare(an_alert("aa"), an_alert("bb"))
    await pair.look()
    await pair.look(9.9)
    assert await pair.told(number) == []
    for minutes in (0.2, 0, 20):
        await pair.look(minutes)
        (text,) = await pair.told(number)
    assert "no longer reports HighErrorRate on aa, HighErrorRate on bb" in text
    pair.source.answer = Look((Reported("aa", {}), Reported("bb", {})))
    for _ in range(2):
        await pair.look()
        assert len(await pair.told(number)) == 2


@both_databases
async def test_an_alert_without_an_incident_is_told_to_the_operators_once(pair: Pair) -> None:
    """There is no incident whose row could be waited for: the alert's own decides."""

    def work(tx: Tx) -> None:
        group = alerts.group(tx.connection, "alertmanager", "{}:{}", "")
        alerts.open_alerts(tx.connection, group.id, None, [an_alert()], tx.now)

    await pair.write(work)
    await pair.look()
    for _ in range(2):
        await pair.look(11)
        assert len(await pair.told("operators:flag:")) == 1


@both_databases
@pytest.mark.parametrize("name", ["alertmanager", "alertmanager/eu"])
async def test_an_alert_that_never_came_is_taken_in_once(pair: Pair, name: str) -> None:
    """Both see at the same moment that it has lasted: one incident, one message; both see its end: one correction."""
    pair.source.name = name
    labels = {"alertname": "DatabaseDown", "severity": "critical"}
    pair.source.answer = Look((Reported("zz", labels, receivers=("sitrep",)),))
    await pair.look()
    await pair.look(9.9)
    assert await pair.told("operators:unheard:") == []
    for minutes in (0.2, 0, 30):
        await pair.look(minutes)
        (text,) = await pair.told("operators:unheard:")
    assert "never reached the bot: DatabaseDown" in text
    numbers = await pair.first.store.read(
        lambda connection: connection.execute(select(incident_rows.c.number)).scalars().all()
    )
    assert len(numbers) == 1
    pair.source.answer = Look()
    for _ in range(2):
        await pair.look(1)
    assert len(await pair.told("operators:unheard:")) == 2


@both_databases
async def test_each_source_is_compared_with_its_own_alerts(pair: Pair) -> None:
    """What fires with us from one Alertmanager is missing all the same where another one holds it active."""
    await pair.declare(an_alert("aa"))
    pair.source.name = "alertmanager/eu"
    found = Reported("aa", {**an_alert("aa").labels, "severity": "critical"}, receivers=("sitrep",))
    pair.source.answer = Look((found,))
    await pair.look()
    await pair.look(11)
    (text,) = await pair.told("operators:unheard:")
    assert text.startswith("1 alert active in Alertmanager eu for sitrep never reached the bot")


async def test_a_database_that_is_away_silences_the_heartbeat(pair: Pair) -> None:
    """An auditor that cannot look says nothing, and looks again the next time."""
    await pair.first.store.close()
    await pair.first.auditor.run()
    assert pair.beats == []


async def test_a_merged_pagerduty_incident_is_expected_to_be_gone(pair: Pair) -> None:
    """It lives on in another one, so its absence is no news."""
    pair.source.name = "pagerduty"

    def work(tx: Tx) -> None:
        for key, status in (("P1", "merged"), ("P2", "triggered")):
            group = alerts.group(tx.connection, "pagerduty", key, "")
            alerts.set_group(tx.connection, group.id, data={"status": status})
            alerts.open_alerts(tx.connection, group.id, None, [Alert("pagerduty", key, key, f"Incident {key}")], tx.now)

    await pair.write(work)
    await pair.look()
    await pair.look(11)
    (text,) = await pair.told("operators:flag:")
    assert "PagerDuty no longer reports Incident P2, and" in text

"""The auditor: what was lost on the way is found and put right or told, once, and silence means trouble."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from bot.clock import FileClock
from bot.incidents.model import Delivery
from bot.sandbox.faults import Fault
from bot.store import deliveries
from bot.store.database import database_clock, open_store
from bot.store.tables import deliveries as delivery_rows
from bot.store.tables import incidents as incident_rows
from bot.store.tables import timers
from tests.conftest import Client, Hands, InProcess, both_databases, wait_for
from tests.integration.bodies import alert, body, warning
from tests.integration.outside import AlertmanagerApi, Outside
from tests.integration.world import World
from tests.ports import free_port

NEVER_CAME = "the resolved notification never came"
RESOLVED = body(alert("aa", "resolved"), status="resolved")
OTHER = {"labels": {"alertname": "HighErrorRate", "severity": "critical", "instance": "b"}}


@pytest.fixture
def source() -> Iterator[AlertmanagerApi]:
    api = AlertmanagerApi()
    yield api
    api.stop()


@pytest.fixture
def receiver() -> Iterator[Outside]:
    server = Outside()
    yield server
    server.stop()


@pytest.fixture
def environ(
    environ: dict[str, str], source: AlertmanagerApi, receiver: Outside, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    monkeypatch.setattr("bot.app.SWEEP", 3600)  # so that nobody but the auditor finds what was lost
    monkeypatch.setattr("bot.app.AUDIT_TURNED", 0.1)
    return {**environ, "ALERTMANAGER_API_URL": source.url, "SITREP_HEARTBEAT_URL": f"{receiver.url}/beat/secret"}


class Beside:
    """Changes rows beside the service, which is not told."""

    def __init__(self, url: str, hands: Hands) -> None:
        self._url = url
        self.hands = hands

    def change(self, work: Callable[[Connection], Any]) -> None:
        async def write() -> None:
            store = open_store(self._url, database_clock(self._url, FileClock(self.hands.path)))
            try:
                await store.write(lambda tx: work(tx.connection))
            finally:
                await store.close()

        asyncio.run(write())

    def leave(self, number: str, **facts: Any) -> None:
        """Leave a delivery as it is when its wake-up was lost 3 minutes ago."""
        before = self.hands.now() - timedelta(minutes=3)

        def work(connection: Connection) -> None:
            incident_id = connection.execute(
                select(incident_rows.c.id).where(incident_rows.c.number == number)
            ).scalar_one()
            lost = Delivery("say", "lost", "lost", {"text": "Lost and found"})
            deliveries.add(connection, number, incident_id, [lost], before)
            if facts:
                values = {"tried_at": before, "attempts": 1, **facts}
                connection.execute(update(delivery_rows).where(delivery_rows.c.slot == "lost").values(values))

        self.change(work)


@pytest.fixture
def beside(environ: dict[str, str], hands: Hands) -> Beside:
    return Beside(environ["SITREP_DATABASE_URL"], hands)


def count(bot: Client, name: str) -> float:
    """Give a metric's value; they are counted over all tests of the process."""
    lines = bot.http.get("/metrics").text.splitlines()
    return next((float(line.removeprefix(name)) for line in lines if line.startswith(f"{name} ")), 0.0)


def repairs(bot: Client, what: str) -> float:
    return count(bot, f'sitrep_auditor_repairs_total{{what="{what}"}}')


def declare(bot: Client, *alerts: dict[str, Any]) -> tuple[str, str]:
    """Let alerts declare an incident; gives its number and channel."""
    outcome, _, number = bot.alertmanager(body(*(alerts or (alert("aa"),)))).json()["outcome"].partition(" ")
    assert outcome == "declared"
    bot.wait_opened(number)
    return number, bot.room(number)


def later(source: Outside, hands: Hands, minutes: float = 11) -> None:
    """Let the auditor look, then look again after some minutes, and once more."""
    source.wait_asked()
    hands.advance(minutes=minutes)
    source.wait_asked(2)


def notes(bot: Client, number: str) -> list[str]:
    return [e["text"] for e in bot.events(number) if e["kind"] == "note"]


def said(bot: Client, channel: str, needle: str) -> list[str]:
    """Give the messages that say it; a page's briefing repeats what was said."""
    return [m.text for m in bot.workspace.messages(channel) if needle in m.text and "So far:" not in m.text]


# -- what was lost --------------------------------------------------------------------------------------------------


@both_databases
def test_a_timer_that_is_past_due_without_effect_fires(bot: Client, world: World, beside: Beside) -> None:
    """Its wake-up was lost: the auditor finds it half a minute late, and it has its effect once."""
    number, _ = declare(bot)
    before = repairs(bot, "timers")
    due = beside.hands.now() - timedelta(seconds=31)
    level_2 = (timers.c.kind == "ladder") & (timers.c.level == 2)
    beside.change(lambda c: c.execute(update(timers).where(level_2).values(due_at=due)))
    bot.wait_event(number, "escalated")
    time.sleep(1)  # some more looks
    assert bot.kinds(number).count("escalated") == 1
    assert repairs(bot, "timers") > before
    world.settle()


def test_a_timer_that_has_only_just_become_due_is_left_to_the_engine(bot: Client, beside: Beside) -> None:
    """Less than half a minute is no lateness."""
    number, _ = declare(bot)
    before = repairs(bot, "timers")
    due = beside.hands.now() - timedelta(seconds=20)
    level_2 = (timers.c.kind == "ladder") & (timers.c.level == 2)
    beside.change(lambda c: c.execute(update(timers).where(level_2).values(due_at=due)))
    time.sleep(1)
    assert "escalated" not in bot.kinds(number)
    assert repairs(bot, "timers") == before


@both_databases
@pytest.mark.parametrize(
    "facts",
    [{}, {"state": "sending", "claimed_by": "a replica that died"}],
    ids=["pending", "sending"],
)
def test_a_delivery_that_is_stuck_goes_out(bot: Client, world: World, beside: Beside, facts: dict[str, Any]) -> None:
    """Whatever state it was left in, it is sent, and once."""
    number, channel = declare(bot)
    world.settle()
    before = repairs(bot, "deliveries")
    beside.leave(number, **facts)
    wait_for(lambda: said(bot, channel, "Lost and found"), what="the message")
    world.settle()
    time.sleep(0.5)
    assert len(said(bot, channel, "Lost and found")) == 1
    assert repairs(bot, "deliveries") > before


def test_a_delivery_that_waits_its_turn_is_not_stuck(bot: Client, world: World, hands: Hands) -> None:
    """Behind one that is tried again and again, the rest of its lane is late for a good reason."""
    number, channel = declare(bot)
    world.settle()
    before = repairs(bot, "deliveries")
    fault = Fault("chat.postMessage", "http500", times=None)
    bot.workspace.faults.add(fault)
    for text in ("one", "two"):
        bot.slash(f"update {text}", channel=channel)
    for _ in range(6):
        hands.advance(61)
        time.sleep(0.6)
    assert repairs(bot, "deliveries") == before
    bot.workspace.faults.clear()
    hands.advance(61)
    wait_for(lambda: said(bot, channel, "two"), what="the second update")
    assert number in bot.incidents()[0]["number"]


# -- openings -------------------------------------------------------------------------------------------------------


def test_an_opening_that_hangs_is_told_to_the_operators_once(
    bot: Client, world: World, hands: Hands, receiver: Outside, service: InProcess
) -> None:
    """The message names the steps, the reason and what to do; silence raises the alarm until it is complete."""
    before = repairs(bot, "openings")
    bot.workspace.faults.add(Fault("conversations.create", "http500", times=None))
    outcome = bot.alertmanager(body(alert("aa"))).json()["outcome"]
    number = outcome.removeprefix("declared ")
    receiver.wait_asked()
    hands.advance(minutes=4)
    time.sleep(0.5)
    assert not said(bot, "ops-alerts", "was still not set up")
    hands.advance(minutes=2)
    (text,) = wait_for(lambda: said(bot, "ops-alerts", "was still not set up"), what="the warning")
    assert number in text
    assert "Not delivered: channel, card, " in text
    assert "Error of the channel: internal_error: conversations.create" in text
    assert "outbox list" in text
    time.sleep(0.3)
    beats = len(receiver.asked)
    service.stop()
    service.start()
    hands.advance(minutes=3)
    time.sleep(1)
    assert len(said(bot, "ops-alerts", "was still not set up")) == 1
    assert repairs(bot, "openings") - before == 1
    assert len(receiver.asked) == beats

    bot.workspace.faults.clear()
    hands.advance(61)
    bot.wait_opened(number)
    receiver.wait_asked()


# -- alerts beside their source -------------------------------------------------------------------------------------


@both_databases
def test_an_alert_whose_resolved_never_comes_is_flagged_once(
    bot: Client, world: World, hands: Hands, source: AlertmanagerApi
) -> None:
    """Its incident is told what to check and stays open; nothing is resolved by silence."""
    source.lists(alert("aa"))
    number, channel = declare(bot, alert("aa"), alert("bb", **OTHER))
    bot.slash("ack", channel=channel)
    later(source, hands)
    (note,) = wait_for(lambda: [n for n in notes(bot, number) if NEVER_CAME in n], what="the note")
    assert note == f"Alertmanager no longer reports HighErrorRate on b, and {NEVER_CAME}"
    (text,) = wait_for(lambda: said(bot, channel, NEVER_CAME), what="the message")
    assert "/incident resolve" in text
    assert "no longer reported by its source" in world.card(number)
    assert "2 firing, 0 resolved" in world.card(number)
    for _ in range(3):
        later(source, hands, 12)
    assert len(said(bot, channel, NEVER_CAME)) == 1
    assert len([n for n in notes(bot, number) if NEVER_CAME in n]) == 1
    assert bot.incident(number)["status"] == "investigating"
    rows = world.rows("SELECT fingerprint, flag, flagged_at, closed_at FROM alerts ORDER BY fingerprint")
    assert [(r["fingerprint"], r["flag"], r["closed_at"]) for r in rows] == [("aa", None, None), ("bb", "missed", None)]
    assert rows[1]["flagged_at"] is not None


def test_a_resolved_notification_under_way_is_not_overtaken(
    bot: Client, world: World, hands: Hands, source: AlertmanagerApi
) -> None:
    """Alertmanager forgets an alert at once and tells of it a group_interval later: nothing is flagged until then."""
    source.lists(alert("aa"))
    number, channel = declare(bot)
    source.lists()
    later(source, hands, 9)
    bot.alertmanager(RESOLVED)
    later(source, hands, 20)
    assert notes(bot, number) == []
    assert bot.kinds(number).count("alert_resolved") == 1
    assert not said(bot, channel, NEVER_CAME)


def test_a_flagged_alert_that_is_resolved_after_all_is_resolved(
    bot: Client, world: World, hands: Hands, source: AlertmanagerApi
) -> None:
    """The late notification has its effect, and the card shows no doubt any more."""
    number, channel = declare(bot)
    later(source, hands)
    wait_for(lambda: said(bot, channel, NEVER_CAME), what="the message")
    bot.alertmanager(RESOLVED)
    bot.wait_event(number, "alert_resolved")
    card = world.card(number)
    assert "0 firing, 1 resolved" in card
    assert "no longer reported" not in card
    later(source, hands, 20)
    assert len(notes(bot, number)) == 1


def test_a_flagged_alert_that_is_reported_again_is_taken_back(
    bot: Client, world: World, hands: Hands, source: AlertmanagerApi
) -> None:
    """Its source had lost it for a while: whoever was about to resolve the incident hears that it fires."""
    number, channel = declare(bot)
    later(source, hands)
    wait_for(lambda: said(bot, channel, NEVER_CAME), what="the message")
    source.lists(alert("aa"))
    wait_for(lambda: said(bot, channel, "as firing again"), what="the correction")
    assert len(notes(bot, number)) == 2
    assert "no longer reported" not in world.card(number)
    assert world.rows("SELECT flag, flagged_at FROM alerts") == [{"flag": None, "flagged_at": None}]
    later(source, hands, 20)
    assert len(notes(bot, number)) == 2


@pytest.mark.parametrize("state", ["active", "suppressed", "unprocessed"])
def test_an_alert_that_its_source_still_has_is_in_order(
    bot: Client, hands: Hands, source: AlertmanagerApi, state: str
) -> None:
    """A silence keeps Alertmanager from telling of an alert; it fires all the same."""
    source.lists(alert("aa"), state=state)
    number, channel = declare(bot)
    later(source, hands, 30)
    assert notes(bot, number) == []
    assert not said(bot, channel, "Alertmanager")


def test_an_alert_that_is_over_here_and_fires_there_is_flagged_once(
    bot: Client, world: World, hands: Hands, source: AlertmanagerApi
) -> None:
    """A resolved that was not true, or a firing that was lost: its incident is told; when it ends, the flag goes."""
    source.lists(alert("aa"))
    number, channel = declare(bot)
    bot.alertmanager(RESOLVED)
    bot.wait_event(number, "alert_resolved")
    later(source, hands)
    later(source, hands, 20)
    (text,) = wait_for(lambda: said(bot, channel, "Resolved in Sitrep, but still firing"), what="the message")
    assert "before you resolve" in text
    assert len(notes(bot, number)) == 1
    assert "still firing at its source" in world.card(number)
    source.lists()
    wait_for(lambda: "still firing at its source" not in world.card(number), what="the card")
    assert len(notes(bot, number)) == 1


def test_an_alert_that_outlives_its_incident_is_flagged_once(
    bot: Client, world: World, hands: Hands, source: AlertmanagerApi
) -> None:
    """Somebody resolved too early: the incident's channel hears of it, and nothing is reopened."""
    source.lists(alert("aa"))
    number, channel = declare(bot)
    bot.slash("resolve Rolled back", channel=channel)
    bot.wait_event(number, "resolved")
    later(source, hands)
    later(source, hands, 20)
    (text,) = wait_for(lambda: said(bot, channel, "still reports"), what="the message")
    assert f"though {number} is resolved. " in text
    assert "/incident reopen" in text
    assert len(notes(bot, number)) == 1
    assert bot.incident(number)["status"] == "resolved"


def test_nobody_waits_for_alerts_of_an_incident_that_is_over(
    bot: Client, hands: Hands, source: AlertmanagerApi
) -> None:
    """Once a human has resolved the incident, an end that never came is no news."""
    number, channel = declare(bot)
    bot.slash("resolve Rolled back", channel=channel)
    bot.wait_event(number, "resolved")
    later(source, hands, 30)
    assert notes(bot, number) == []
    assert not said(bot, channel, NEVER_CAME)


def test_an_alert_without_an_incident_is_told_to_the_operators(
    bot: Client, world: World, hands: Hands, source: AlertmanagerApi
) -> None:
    """There is no channel to tell it in; it is told once, with the fix for the lost notification."""
    bot.alertmanager(body(warning("ww"), group="{}:{w}"))
    wait_for(lambda: said(bot, "ops-alerts", "Triage"), what="the alert")
    later(source, hands)
    later(source, hands, 20)
    (text,) = wait_for(lambda: said(bot, "ops-alerts", NEVER_CAME), what="the message")
    assert "DiskFills" in text
    assert "send_resolved: true" in text
    assert bot.incidents() == []


def test_alerts_of_other_receivers_are_none_of_ours(
    bot: Client, world: World, hands: Hands, source: AlertmanagerApi
) -> None:
    """What other receivers are told of stays with them."""
    source.lists(alert("zz", receivers=["payments"]), warning("yy", receivers=["web.hook"]))
    before = world.snapshot()
    later(source, hands, 30)
    assert world.snapshot() == before


def test_what_cannot_be_understood_flags_nothing(
    bot: Client, hands: Hands, source: AlertmanagerApi, receiver: Outside
) -> None:
    """An Alertmanager that is broken is warned of and counted; all alerts are left as they are."""
    name = 'sitrep_auditor_looks_total{outcome="unclear",source="alertmanager"}'
    before = count(bot, name)
    source.instead = (200, "<html>Sign in</html>")
    number, channel = declare(bot)
    later(source, hands, 30)
    assert notes(bot, number) == []
    assert not said(bot, channel, NEVER_CAME)
    assert count(bot, name) > before
    receiver.wait_asked()  # Alertmanager's health is not ours

    source.instead = None
    later(source, hands)
    wait_for(lambda: said(bot, channel, NEVER_CAME), what="the message, once it answers")


def test_an_alertmanager_that_is_down_flags_nothing(
    environ: dict[str, str], service: InProcess, bot: Client, hands: Hands, source: AlertmanagerApi
) -> None:
    """With one of two peers away, what the other one lists counts, and what it does not list proves nothing."""
    service.stop()
    service.environ["ALERTMANAGER_API_URL"] = f"{source.url}, http://127.0.0.1:{free_port()}"
    service.start()
    source.lists(alert("bb", **OTHER))
    number, channel = declare(bot, alert("aa"), alert("bb", **OTHER))
    bot.alertmanager(body(alert("bb", "resolved", **OTHER)))
    bot.wait_event(number, "alert_resolved")
    later(source, hands, 30)
    wait_for(lambda: said(bot, channel, "Resolved in Sitrep, but still firing"), what="the message")
    assert len(notes(bot, number)) == 1


def test_an_alert_that_one_of_two_peers_has_is_in_order(
    service: InProcess, bot: Client, hands: Hands, source: AlertmanagerApi
) -> None:
    """A peer that has just come up knows little; an alert fires while any of them reports it."""
    other = AlertmanagerApi()
    try:
        service.stop()
        service.environ["ALERTMANAGER_API_URL"] = f"{source.url},{other.url}"
        service.start()
        other.lists(alert("aa"))
        number, _ = declare(bot)
        later(source, hands, 30)
        assert notes(bot, number) == []
    finally:
        other.stop()


def test_a_restart_begins_to_count_anew_and_says_nothing_twice(
    service: InProcess, bot: Client, hands: Hands, source: AlertmanagerApi
) -> None:
    """How long a difference has lasted is forgotten with the process; what was said of it is in the rows."""
    number, channel = declare(bot)
    later(source, hands, 9)
    service.stop()
    service.start()
    later(source, hands, 9)
    assert notes(bot, number) == []
    later(source, hands, 2)
    wait_for(lambda: said(bot, channel, NEVER_CAME), what="the message")
    service.stop()
    service.start()
    later(source, hands, 30)
    assert len(notes(bot, number)) == 1
    assert len(said(bot, channel, NEVER_CAME)) == 1


def test_a_source_that_hangs_holds_up_no_stop(
    service: InProcess, source: AlertmanagerApi, caplog: pytest.LogCaptureFixture
) -> None:
    """A stop cuts a look short; that is no failure worth a word."""
    source.go_on.clear()
    begun = source.begun
    try:
        wait_for(lambda: source.begun > begun, what="a look")
        service.stop()
    finally:
        source.go_on.set()
    assert not [r for r in caplog.records if r.levelname == "ERROR"]


# -- the heartbeat --------------------------------------------------------------------------------------------------


def test_the_heartbeat_beats_while_all_is_well(bot: Client, receiver: Outside) -> None:
    """The address is asked as it was given, again and again."""
    receiver.wait_asked(2)
    assert set(receiver.asked) == {"/beat/secret"}


def test_a_receiver_that_fails_disturbs_nothing(bot: Client, receiver: Outside) -> None:
    """It misses the beat itself; the bot goes on."""
    name = 'sitrep_heartbeats_total{outcome="refused"}'
    before = count(bot, name)
    receiver.instead = (500, "oops")
    receiver.wait_asked(2)
    assert count(bot, name) > before
    declare(bot)

"""Fault 12: replicas whose clocks differ by 5 minutes, and a change to or from daylight saving time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.sandbox.faults import Fault
from tests.conftest import Client, room_of, wait_for
from tests.faults.cluster import Cluster, Replica, cluster_for, cluster_on, declare, doubled, posted
from tests.integration.bodies import alert, body
from tests.patience import PATIENCE, TAKE_OVER

FAKETIME = next(iter(sorted(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"))), None)
OFF = 300  # seconds
NEXT_LEVEL = 4  # seconds after the declaration
LAG = 20  # seconds by which a busy machine may be late
CONFIG = f"""
runbooks: {{checklists: false}}
storms: {{over: 1000, overall: 1000}}
ladders:
  default:
    - {{after: 0s, name: On-call SRE, slack: [alice@example.com]}}
    - {{after: {NEXT_LEVEL}s, name: SRE Team Lead, slack: [bob@example.com]}}
"""

# Lanes whose next wake-up waits for a moment that is minutes away.
HELD_UP = """
    SELECT count(*) AS n FROM procrastinate_jobs WHERE lock IS NOT NULL AND scheduled_at > now() + interval '1 minute'
"""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def ladder(client: Client, number: str) -> float:
    """Give the seconds from the declaration to the next level, by the moments that the timeline holds."""
    events = {event["kind"]: event for event in client.events(number)}
    return (at(events["escalated"]["recorded_at"]) - at(events["declared"]["recorded_at"])).total_seconds()


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed (Debian: faketime)")
def test_fault_12_the_databases_clock_decides_whatever_a_replicas_says(postgres: str, tmp_path: Path) -> None:
    """Two replicas 10 minutes apart take requests, fire timers on time and once, wait as asked, and take over."""
    with cluster_on(postgres, tmp_path, 0, config=CONFIG, turned=False) as cluster:
        shifted = {"LD_PRELOAD": str(FAKETIME), "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        ahead, behind = (cluster.prepare(**shifted, FAKETIME=f"{sign}{OFF}s") for sign in "+-")
        for replica in (ahead, behind):
            replica.launch()
        for replica in (ahead, behind):
            replica.wait_ready()

        # Slack's own signature holds a moment that must be near; so do the moments that people see.
        numbers = []
        for replica in (ahead, behind):
            before = datetime.now(UTC)
            number = declare(replica.client)
            assert before <= at(replica.client.incident(number)["declared_at"]) <= datetime.now(UTC)
            numbers.append(number)
        cluster.wait_settled()

        # A wait that Slack has asked for is as long as it says, for both.
        fault = Fault("chat.postMessage", "ratelimited", retry_after=2, where=lambda args: "bandwidth" in args["text"])
        cluster.workspace.faults.add(fault)
        behind.client.slash(f"{numbers[0]} update Short of bandwidth")
        text = f"Update on {numbers[0]}: Short of bandwidth"
        wait_for(
            lambda: posted(cluster.workspace, room_of(cluster.workspace, numbers[0]), text), PATIENCE, "the update"
        )

        for number in numbers:
            cluster.wait_event(number, "escalated")
            assert NEXT_LEVEL <= ladder(behind.client, number) < NEXT_LEVEL + LAG
        cluster.wait_settled()
        for number in numbers:
            assert behind.client.kinds(number).count("escalated") == 1
            assert len(posted(cluster.workspace, room_of(cluster.workspace, number), "you are paged as")) == 1

        # What the one that dies has begun comes back at once, by the clock of the one that lives too.
        snare = cluster.snare(Replica.end, "before", method="conversations.create", of=behind)
        taken = 0
        while not snare.sprung:  # either of them may take an opening
            (behind, ahead)[taken % 2].client.alertmanager(body(alert(f"aa dies {taken}"), group=f"dies {taken}"))
            taken += 1
            wait_for(lambda: snare.sprung or cluster.settled(), PATIENCE, "an opening")
        wait_for(cluster.settled, TAKE_OVER, "the end of what was begun")
        assert cluster.rows(HELD_UP)[0]["n"] == 0
        for number in cluster.wait_opened(len(numbers) + taken):
            kinds = ahead.client.kinds(number)
            assert [kinds.count(kind) for kind in ("declared", "channel_opened", "runbook_posted")] == [1, 1, 1]
        assert doubled(cluster.workspace) == []
        assert posted(cluster.workspace, "ops-alerts") == []


@pytest.fixture(params=["sqlite", "postgres"])
def zones(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    """Two replicas in Berlin; the second one of PostgreSQL's is moved to New York by the test."""
    with cluster_for(request, tmp_path, 1, environ={"TZ": "Europe/Berlin"}) as running:
        yield running


# Berlin skips an hour; New York lives through an hour twice.
CHANGES = (datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 11, 7, 6, tzinfo=UTC))


def test_fault_12_a_change_to_or_from_summer_time_moves_no_timer(zones: Cluster) -> None:
    """Across the change an update is due after as many minutes as ever, in whatever time zone a replica runs."""
    replicas = [zones[0]]
    if zones.url.startswith("postgres"):
        replicas.append(zones.add(TZ="America/New_York"))
    for change in CHANGES:
        begun = change - timedelta(minutes=10)
        zones.hands.set((begun - datetime.now(UTC)).total_seconds())
        number = declare(replicas[-1].client)
        zones.wait_settled()
        declared = at(replicas[0].client.incident(number)["declared_at"])
        assert abs(declared - begun) < timedelta(minutes=1)
        for minutes, kind in ((5, "escalated"), (12, "update_due"), (15, "update_overdue")):
            due = declared + timedelta(minutes=minutes)
            zones.hands.set((due - datetime.now(UTC)).total_seconds() - 10)
            zones.wait_settled()
            assert kind not in replicas[0].client.kinds(number)
            zones.hands.advance(seconds=11)
            event = zones.wait_event(number, kind)
            assert timedelta() <= at(event["recorded_at"]) - due < timedelta(minutes=1)
            zones.wait_settled()
        assert posted(zones.workspace, room_of(zones.workspace, number), "Update overdue")
        due = f"{declared + timedelta(minutes=15):%H:%M}"
        assert re.search(rf"was due at ([0-9]+ \w+ )?{due} UTC", event["text"])  # the day too, around midnight
        replicas[-1].client.slash(f"{number} resolve It was a test")
    assert doubled(zones.workspace) == []

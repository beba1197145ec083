"""Fault 14: Slack is down for half an hour, in every way in which a service can be down."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.faults import Fault, Kind
from bot.sandbox.model import Message
from bot.sandbox.pagerduty import Account
from bot.sandbox.server import SandboxServer
from bot.sandbox.workspace import Workspace
from tests.conftest import Client, Hands, both_databases, room_of, wait_for
from tests.crash.world import QuickProcess
from tests.integration.bodies import alert, body
from tests.integration.world import World
from tests.patience import PATIENCE, UNFINISHED

LADDER = """
runbooks: {checklists: false}
pagerduty: {service: PSERVICE}
ladders:
  default:
    - {after: 0s,  name: On-call SRE,         slack: [alice@example.com]}
    - {after: 5m,  name: SRE Team Lead,       pagerduty: {escalation_policy: PLEADS01}}
    - {after: 15m, name: Engineering Manager, slack: [charlie@example.com]}
    - {after: 18m, name: VP Engineering,      slack: [dana@example.com]}
"""
KINDS: tuple[Kind, ...] = ("http500", "html", "hang", "drop_before", "refuse")
DAY = r"(?:[0-9]+ \w+ |[0-9-]{10} )?"  # where the outage spans midnight
# How each of them reads in the log; the last is that of a server that is not there at all.
TROUBLES = ("HTTP 500", "HTTP 503", "TimeoutError", "ServerDisconnectedError", "ClientOSError", "no connection")


@pytest.fixture
def environ(environ: dict[str, str], pagerduty_environ: dict[str, str]) -> dict[str, str]:
    """The service with a PagerDuty account, whose escalation policy is the ladder's second level."""
    Path(environ["SITREP_CONFIG"]).write_text(LADDER)
    return environ | pagerduty_environ


def all_kinds() -> list[Fault]:
    """Every call fails, one after the other in each of the ways."""
    turns = itertools.count()
    turn = 0

    def mine(place: int, _args: Mapping[str, Any]) -> bool:
        nonlocal turn
        if place == 0:
            turn = next(turns)
        return turn % len(KINDS) == place

    return [
        Fault("*", kind, times=None, where=lambda args, place=place: mine(place, args))
        for place, kind in enumerate(KINDS)
    ]


def having(workspace: Workspace, channel: str, needle: str) -> list[Message]:
    return [m for m in workspace.messages(channel) if not m.subtype and needle in m.text]


@both_databases
def test_fault_14_slack_is_down_for_half_an_hour(
    bot: Client,
    world: World,
    hands: Hands,
    workspace: Workspace,
    slack: SandboxServer,
    account: Account,
    process: QuickProcess,
) -> None:
    """An ordered drain of what still holds, once each; PagerDuty pages meanwhile; what is late says so."""
    number, channel = bot.open_one()
    world.settle()
    before = len(workspace.calls)
    hands.advance(minutes=1)
    workspace.faults.extend(all_kinds())

    def move(*statuses: str) -> None:
        for status in statuses:
            assert bot.slash(f"status {status}", channel=channel).endswith(f"is {status}.")

    move("identified")
    since = datetime.fromisoformat(bot.wait_event(number, "status_changed")["occurred_at"])
    wait_for(lambda: len(workspace.calls) > before, what="the first attempt")
    hands.advance(minutes=4.5)  # 5.5: the second level, by PagerDuty
    bot.wait_event(number, "escalated")
    wait_for(lambda: [n.policy for n in account.notices] == ["PLEADS01"], PATIENCE, "the page through PagerDuty")
    bot.wait_event(number, "page_delivered", count=2)
    move("investigating")
    assert bot.alertmanager(body(alert("aa"))).status_code == 202
    other = next(i["number"] for i in bot.incidents() if i["number"] != number)
    move("identified", "investigating")
    hands.advance(minutes=7)  # 12.5: the reminder
    bot.wait_event(number, "update_due")
    wait_for(lambda: all(t in process.log.read_text() for t in TROUBLES[:-1]), PATIENCE, "troubles of all kinds")
    slack.stop()
    hands.advance(minutes=3)  # 15.5: the third level, and the overdue notice
    bot.wait_event(number, "escalated", count=2)
    bot.wait_event(number, "update_overdue")
    move("identified")
    hands.advance(minutes=5)  # 20.5: the fourth level; the top, so the climb of the overdue update is one more notice
    bot.wait_event(number, "escalated", count=3)
    bot.wait_event(number, "update_overdue", count=2)
    move("investigating", "monitoring")
    hands.advance(minutes=10.5)  # 31
    wait_for(lambda: TROUBLES[-1] in process.log.read_text(), PATIENCE, "a refused connection")
    assert [call for call in workspace.calls[before:] if call.ok] == []
    assert workspace.find(channel, "set the status") is None

    workspace.faults.clear()
    workspace.latency_by_method["chat.update"] = 1.0  # what changes meanwhile makes one more edit, however slow we are
    wait_for(lambda: not sending(world), PATIENCE, "the attempts under way")  # none may fail after the clock has moved
    slack.start()
    back_at, during = hands.now(), len(workspace.calls)
    hands.advance(minutes=1.1)  # past the longest back-off
    wait_for(lambda: settled(world), PATIENCE, "the drain")

    # In order, once each; what time has overtaken is left out.
    statuses = (
        "identified",
        "investigating",
        "identified",
        "investigating",
        "identified",
        "investigating",
        "monitoring",
    )
    notices = [f"set the status to *{status}*" for status in statuses]
    notices.insert(5, "Update overdue")
    said = [m.text for m in workspace.messages(channel) if not m.subtype and ":rotating_light:" not in m.text]
    assert re.findall("|".join(re.escape(n) for n in dict.fromkeys(notices)), " ".join(said)) == notices
    assert having(workspace, channel, "Post an update by") == []
    (overdue,) = having(workspace, channel, "Post one now:")
    late = re.search(r"Update overdue by (\d+) min", overdue.text)
    assert late is not None
    assert 15 <= int(late[1]) <= 19  # as of now, not of the moment at which it was decided
    pages = having(workspace, channel, "you are paged as")
    paged = [next(name for name in ("charlie", "dana") if workspace.user(name).id in m.text) for m in pages]
    assert paged == ["charlie", "dana"]
    keys = [m.metadata["event_payload"]["key"] for c in workspace.channels.values() for m in c.log if m.metadata]
    assert len(keys) == len(set(keys))
    assert bot.kinds(number).count("page_delivered") == 4
    assert not {"delivery_failed", "page_failed"} & {*bot.kinds(number), *bot.kinds(other)}

    # Six changes of the card were one or two edits, and the last says that messages were held up, and how long.
    (card,) = workspace.pinned(channel)
    edits = [c for c in workspace.calls[during:] if c.method == "chat.update" and c.args["ts"] == card.ts]
    assert len(edits) <= 4
    shown = str(card.blocks)
    assert "is monitoring" in card.text
    told = re.search(rf"Slack could not be reached from {DAY}(\d\d:\d\d) UTC to {DAY}(\d\d:\d\d) UTC", shown)
    assert told is not None
    assert told[1] in {f"{since:%H:%M}", f"{since + timedelta(seconds=5):%H:%M}"}
    assert told[2] in {f"{back_at + timedelta(seconds=late):%H:%M}" for late in range(0, 100, 5)}

    # Each late message says when it was written; what shows the moment does not.
    first = having(workspace, channel, "set the status to *identified*")[0]
    assert re.search(rf"Written at {DAY}{since:%H:%M} UTC", first.text)
    assert re.search(r"delivered 3[0-3] min late", first.text)
    assert all("late." in m.text for m in pages)
    assert "Written at" not in shown

    # What was declared meanwhile is opened once, as if it had just happened.
    bot.wait_opened(other)
    (declared,) = having(workspace, room_of(workspace, other), "declared:")
    assert re.search(r"delivered 2[5-8] min late", declared.text)
    assert [m.text for m in having(workspace, "incidents", other) if "Written" in m.text] == []


def sending(world: World) -> bool:
    return bool(world.rows("SELECT id FROM deliveries WHERE state = 'sending'"))


def settled(world: World) -> bool:
    return not world.rows(f"SELECT id FROM deliveries WHERE {UNFINISHED}")  # noqa: S608 - a constant

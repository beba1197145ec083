"""Fault 20: merges, nulls and news from PagerDuty; runbooks that change under an incident; rosters without people."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.model import Message
from bot.sandbox.pagerduty import Account
from bot.sandbox.workspace import Workspace
from bot.slack.directory import GROUPS_EVERY, JITTER
from tests.conftest import Client, Hands, both_databases, room_of, wait_for
from tests.crash.world import QuickProcess, said
from tests.integration.bodies import alert, body, pagerduty
from tests.integration.world import World
from tests.patience import PATIENCE

LADDER = """
runbooks: {checklists: false}
pagerduty: {service: PSERVICE}
ladders:
  default:
    - {after: 0s,  name: On-call SRE,         slack: ['@oncall']}
    - {after: 5m,  name: SRE Team Lead,       pagerduty: {escalation_policy: PLEADS01}}
    - {after: 10m, name: Backup,              slack: ['@nobody']}
    - {after: 15m, name: Engineering Manager, slack: [charlie@example.com]}
    - {after: 30m, name: VP Engineering,      slack: [dana@example.com]}
"""
NULLS = {"agent": None, "priority": None, "assignees": None, "teams": None, "urgency": "high", "service": None}


@pytest.fixture
def environ(environ: dict[str, str], pagerduty_environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Nobody is in the first two levels' rosters unless a test puts somebody there; the runbooks can be changed."""
    Path(environ["SITREP_CONFIG"]).write_text(LADDER)
    runbooks = shutil.copytree(environ["SITREP_RUNBOOKS"], tmp_path / "runbooks")
    return environ | pagerduty_environ | {"SITREP_RUNBOOKS": str(runbooks)}


@pytest.fixture
def workspace(workspace: Workspace) -> Workspace:
    workspace.add_usergroup("oncall", ["alice"])
    workspace.add_usergroup("nobody", [])
    return workspace


def declared(bot: Client, event: dict[str, Any]) -> str:
    answer = bot.pagerduty(event)
    assert answer.status_code == 202
    word, number = answer.json()["outcome"].split()
    assert word == "declared"
    bot.wait_opened(number)
    return str(number)


@both_databases
def test_fault_20_pagerduty_merges_and_says_what_nobody_foresaw(bot: Client, world: World) -> None:
    """A merge is no fix; absent facts are absent; a type that is not known is a line on the timeline; all are kept."""
    number = declared(bot, pagerduty("incident.triggered"))
    merged = bot.pagerduty(pagerduty("incident.resolved-merged"))
    assert merged.status_code == 202
    merge = "PagerDuty incident merged into Orders database is down, not resolved"
    wait_for(
        lambda: merge in [event["text"] for event in bot.events(number) if event["kind"] == "note"], what="the note"
    )
    assert bot.incident(number)["status"] == "investigating"
    assert "alert_resolved" not in bot.kinds(number)
    assert "1 firing, 0 resolved" in world.card(number)

    nulls = pagerduty("incident.triggered-nulls", **NULLS)
    nulls["event"]["agent"] = nulls["event"]["client"] = None
    other = declared(bot, nulls)
    about = {"id": nulls["event"]["data"]["id"]}
    for kind in ("acknowledged", "escalated", "priority_updated", "responder.added-nulls", "something_new.happened"):
        below = {"incident": about} if kind in {"responder.added-nulls", "something_new.happened"} else about
        event = pagerduty(f"incident.{kind}", event_id=f"nulls {kind}", after=60, **{**NULLS, **below})
        event["event"]["agent"] = None
        assert bot.pagerduty(event).status_code == 202, kind
    for kind in ("incident.something_new.happened", "service.updated"):
        assert bot.pagerduty(pagerduty(kind)).status_code == 202, kind
    assert "PagerDuty: something new happened" in [event["text"] for event in bot.events(number)]
    texts = [event["text"] for event in bot.events(other)]
    assert "PagerDuty: something new happened" in texts
    assert "acknowledged" not in bot.kinds(other), "nobody has: the event names no person"
    assert not [text for text in texts if "None" in text or "null" in text]
    world.settle()
    assert len(world.rows("SELECT id FROM inbox")) == 10
    assert world.dead() == []
    assert world.rows("SELECT id FROM deliveries WHERE state = 'failed'") == []


def posted_runbook(workspace: Workspace, channel: str) -> list[Message]:
    return [m for m in workspace.messages(channel) if m.text.startswith("Runbook for this incident:")]


def restart(process: QuickProcess) -> None:
    process.kill()
    process.wait_dead()
    process.start()


@both_databases
def test_fault_20_a_runbook_changes_under_an_incident(
    bot: Client, world: World, workspace: Workspace, process: QuickProcess, environ: dict[str, str]
) -> None:
    """Edited or deleted, with or without a restart: the posted steps stay, and the incident goes on."""
    file = Path(environ["SITREP_RUNBOOKS"]) / "api-error-rate.md"
    answer = bot.alertmanager(body(alert("aa")))
    number = answer.json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    world.settle()
    (first,) = posted_runbook(workspace, room_of(workspace, number))
    before = (first.ts, first.text, str(first.blocks))
    told = bot.wait_event(number, "runbook_posted")
    assert told["data"]["runbook_id"] == "ops.api.error-rate"

    text = file.read_text()
    file.write_text(text.replace("Split the failures by code", "Restart everything"))
    bot.slash(f"{number} status identified")
    restart(process)
    bot.slash(f"{number} status monitoring")
    later = bot.alertmanager(body(alert("bb"), group="another")).json()["outcome"].removeprefix("declared ")
    bot.wait_opened(later)
    (edited,) = posted_runbook(workspace, room_of(workspace, later))
    assert "Restart everything" in str(edited.blocks)

    file.unlink()
    restart(process)
    assert bot.alertmanager(body(alert("aa"), alert("ab"))).status_code == 202
    for status in ("identified", "investigating"):
        bot.slash(f"{number} status {status}")
    last = bot.alertmanager(body(alert("cc"), group="a third")).json()["outcome"].removeprefix("declared ")
    bot.wait_opened(last)
    world.settle()
    assert "ops.general.first-response" in str(posted_runbook(workspace, room_of(workspace, last))[0].blocks)
    (still,) = posted_runbook(workspace, room_of(workspace, number))
    assert (still.ts, still.text, str(still.blocks)) == before
    assert "is investigating" in world.card(number)
    assert "Runbook `ops.api.error-rate`" in world.card(number)
    assert bot.kinds(number).count("runbook_posted") == 1
    assert f"Runbook ops.api.error-rate posted: {told['data']['reason']}" in [e["text"] for e in bot.events(number)]
    assert world.rows("SELECT id FROM deliveries WHERE state = 'failed'") == []


@both_databases
def test_fault_20_an_empty_roster_climbs_to_the_next_level(
    bot: Client, world: World, workspace: Workspace, account: Account, hands: Hands
) -> None:
    """Nobody in the Slack group, nobody on call in PagerDuty: each is recorded, and the first with people is paged."""
    known = "SELECT 1 FROM slack_names WHERE spec = '@oncall' AND answered_at IS NOT NULL"
    wait_for(lambda: world.rows(known), PATIENCE, "the group")  # else its first answer may come at the later time
    next(group for group in workspace.usergroups.values() if group.handle == "oncall").users.clear()
    hands.advance(GROUPS_EVERY.total_seconds() * (1 + JITTER))  # the group is listed anew in the background
    now_empty = "SELECT 1 FROM slack_names WHERE spec = '@oncall' AND CAST(users AS TEXT) = '[]'"
    wait_for(lambda: world.rows(now_empty), PATIENCE, "the empty group")
    account.oncall["PLEADS01"] = []
    said_back = bot.slash("declare Checkout is down sev2")
    number = next(word for word in said_back.split() if word.startswith("INC-"))
    charlie = workspace.user("charlie").id
    place = bot.room(number)
    wait_for(lambda: said(workspace, place, f"<@{charlie}> you are paged"), PATIENCE, "the fourth level's page")
    world.settle()
    lines = [e for e in bot.events(number) if e["kind"] in {"paged", "page_failed", "escalated", "page_delivered"}]
    # The invitation to the channel fails beside the page.
    assert list(dict.fromkeys((e["kind"], e["data"].get("level")) for e in lines)) == [
        ("paged", 1),
        ("page_failed", 1),
        ("escalated", 2),
        ("page_failed", 2),
        ("escalated", 3),
        ("page_failed", 3),
        ("escalated", 4),
        ("page_delivered", 4),
    ]
    assert all("could be reached" in e["text"] for e in lines if e["kind"] == "escalated")
    assert all(e["data"]["fix"] for e in lines if e["kind"] == "page_failed")
    assert account.notices == []
    assert said(workspace, "ops-alerts", "nobody is on call")
    assert "dana" not in [workspace.user(m).name for m in workspace.channel(place).members]

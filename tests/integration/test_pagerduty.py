"""PagerDuty's V3 events: what each type leads to, and that the same one again leads to nothing."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from tests.conftest import Client, Hands
from tests.integration.bodies import FIXTURES, GROUP, alert, body, pagerduty, warning
from tests.integration.world import World

NOTED = "noted on {}"
KEY = hashlib.sha256(GROUP.encode()).hexdigest()  # what Alertmanager's own PagerDuty receiver sends as its key
LADDER = "SELECT * FROM timers WHERE kind = 'ladder' AND state = 'armed'"

BRIDGE = "https://meet.example.com/war-room, +1 1234123412,,987654321#"

# Every documented type in an order in which they can happen: its line on the timeline, and the status on the card.
TYPES = [
    ("incident.acknowledged", "acknowledged", "Acknowledged by Olivia Oncall in PagerDuty", "acknowledged"),
    ("incident.unacknowledged", "note", "The acknowledgement in PagerDuty timed out", "triggered"),
    ("incident.escalated", "escalated", "Escalated in PagerDuty to Maeve Lead", "triggered"),
    ("incident.delegated", "note", "Delegated in PagerDuty to Maeve Lead", "triggered"),
    ("incident.reassigned", "note", "Reassigned in PagerDuty to Olivia Oncall, Maeve Lead", "triggered"),
    (
        "incident.priority_updated",
        "note",
        "PagerDuty priority is now P2 (was P1); the severity stays sev1",
        "triggered",
    ),
    ("incident.service_updated", "note", "PagerDuty service is now Orders database (was Checkout API)", "triggered"),
    ("incident.incident_type.changed", "note", "PagerDuty incident type is now major_incident", "triggered"),
    ("incident.annotated", "note", "PagerDuty note: The pool of db-3 is exhausted", "triggered"),
    (
        "incident.status_update_published",
        "note",
        "PagerDuty status update: A fix for this incident is being developed",
        "triggered",
    ),
    (
        "incident.responder.added",
        "note",
        "Olivia Oncall asked Maeve Lead (Databases) to respond: Please help with the orders database",
        "triggered",
    ),
    (
        "incident.responder.replied",
        "note",
        "Maeve Lead (Databases) accepted the request to respond: On my way",
        "triggered",
    ),
    (
        "incident.conference_bridge.updated",
        "note",
        "Conference bridge (PagerDuty): https://meet.example.com/war-room, +1-555-555-5555",
        "triggered",
    ),
    ("incident.custom_field_values.updated", "note", "PagerDuty fields: environment = production", "triggered"),
    ("incident.workflow.started", "note", "PagerDuty workflow started: Major incident workflow", "triggered"),
    ("incident.workflow.completed", "note", "PagerDuty workflow completed: Major incident workflow", "triggered"),
    ("incident.something_new.happened", "note", "PagerDuty: something new happened", "triggered"),
    ("incident.responder.added-nulls", "note", "PagerDuty asked someone to respond", "triggered"),
    ("incident.resolved", "alert_resolved", "PagerDuty incident resolved by Olivia Oncall", "resolved"),
    ("incident.reopened", "note", "PagerDuty incident reopened by Maeve Lead: Checkout answers 5xx", "triggered"),
    ("pagey.ping", None, "", "triggered"),
    ("service.updated", None, "", "triggered"),
]


def send(bot: Client, sent: dict[str, Any]) -> str:
    answer = bot.pagerduty(sent)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["outcome"])


def declare(bot: Client, sent: dict[str, Any] | None = None) -> str:
    outcome, _, number = send(bot, sent or pagerduty("incident.triggered")).partition(" ")
    assert outcome == "declared"
    bot.wait_opened(number)
    return number


def is_told(event: dict[str, Any]) -> bool:
    """True for a line that says what happened in PagerDuty, and not what follows from it here."""
    return "pagerduty_event" in event["data"] or event["data"].get("via") == "pagerduty"


def status(world: World, number: str) -> str:
    """Give PagerDuty's status as the card shows it."""
    _, _, rest = world.card(number).partition("*PagerDuty*")
    return rest[: rest.index('"')].partition("|")[2].removesuffix(">")


def test_the_table_holds_every_fixture() -> None:
    """No recorded type is left out of the table."""
    names = {path.stem for path in (FIXTURES / "pagerduty").glob("*.json")}
    elsewhere = {"incident.triggered", "incident.triggered-nulls", "incident.resolved-merged"}
    assert names == {row[0] for row in TYPES} | elsewhere


def test_a_triggered_incident_declares_once(bot: Client, world: World) -> None:
    """A P1 opens a sev1 with its facts; twice it changes nothing, and wrongly signed it is told to the operators."""
    triggered = pagerduty("incident.triggered")
    assert bot.pagerduty(triggered, secret="wrong").status_code == 401
    assert bot.incidents() == []
    number = declare(bot, triggered)
    incident = bot.incident(number)
    assert (incident["severity"], incident["source"]) == ("sev1", "pagerduty")
    assert incident["title"] == "Checkout answers 5xx"
    assert incident["service"] == "Checkout API"
    assert incident["declared_by"] == {"type": "alert", "id": "pagerduty", "name": "Checkout answers 5xx"}
    assert bot.kinds(number)[:3] == ["alert_fired", "declared", "paged"]
    assert "https://acme.pagerduty.com/incidents/PGR0VU2" in world.card(number)
    assert status(world, number) == "triggered"
    before = world.snapshot()
    assert send(bot, triggered) == "duplicate"
    assert world.snapshot() == before
    rows = before["rows"]
    assert bot.pagerduty(triggered, secret="wrong").status_code == 401
    assert {**world.snapshot()["rows"], "deliveries": rows["deliveries"]} == rows


def test_each_type_has_its_effect_once(bot: Client, world: World) -> None:
    """Each documented type, and unknown ones, leave their line; twice or wrongly signed they change nothing."""
    number = declare(bot)
    for name, kind, text, shown in TYPES:
        world.settle()
        known = len(bot.events(number))
        event = pagerduty(name)
        assert bot.pagerduty(event, secret="wrong").status_code == 401, name
        assert len(bot.events(number)) == known, name
        outcome = send(bot, event)
        assert outcome == (NOTED.format(number) if kind else f"recorded: {name}"), name
        lines = [(e["kind"], e["text"]) for e in bot.events(number)[known:] if is_told(e)]
        assert lines == ([(kind, text)] if kind else []), name
        assert status(world, number) == shown, name
        before = world.snapshot()
        assert send(bot, event) == "duplicate", name
        assert world.snapshot() == before, name
    assert [i["status"] for i in bot.incidents()] == ["investigating"]
    assert "1 firing, 0 resolved" in world.card(number)
    sources = {e["source"] for e in bot.events(number) if e["data"].get("pagerduty_event")}
    assert sources == {"https://acme.pagerduty.com/incidents/PGR0VU2"}


def test_unknown_incidents_are_recorded_only(bot: Client, world: World) -> None:
    """Events about an incident that was triggered before this bot was set up are kept, and open nothing."""
    for name, *_ in TYPES:
        if name != "incident.reopened":  # which is a beginning
            assert send(bot, pagerduty(name)).startswith("recorded"), name
    world.settle()
    assert bot.incidents() == []
    assert not bot.workspace.messages("ops-alerts")


def test_nulls_are_no_obstacle(bot: Client, world: World) -> None:
    """An event whose agent, client, service, priority, assignees and key are null declares by its urgency."""
    number = declare(bot, pagerduty("incident.triggered-nulls"))
    incident = bot.incident(number)
    assert (incident["severity"], incident["title"], incident["service"]) == ("sev2", "The queue grows", "")
    nulls = {"priority": None, "assignees": None, "service": None, "id": "PNULLS1", "incident_key": None}
    for name in ("escalated", "reassigned", "priority_updated", "acknowledged", "resolved"):
        sent = pagerduty(f"incident.{name}", event_id=f"nulls-{name}", **nulls)
        sent["event"]["agent"] = sent["event"]["client"] = None
        assert send(bot, sent) == NOTED.format(number)
    texts = [e["text"] for e in bot.events(number) if e["data"].get("pagerduty_event")]
    assert texts == [
        "Escalated in PagerDuty",
        "Reassigned in PagerDuty",
        "PagerDuty priority is now unset",
        "Acknowledged in PagerDuty by an unnamed agent, not by a person: paging goes on",
        "PagerDuty incident resolved by PagerDuty",
    ]
    assert bot.incident(number)["acknowledged_by"] is None
    assert status(world, number) == "resolved"


def test_priority_and_urgency_decide(bot: Client, world: World) -> None:
    """P1 declares sev1, P2 or high urgency sev2, and the rest is one message in the alerts channel."""
    table = [
        ("P1", "high", "sev1"),
        ("P1", "low", "sev1"),
        ("P2", "high", "sev2"),
        ("P2", "low", "sev2"),
        ("P3", "high", "sev2"),
        (None, "high", "sev2"),
        ("P3", "low", None),
        (None, "low", None),
    ]
    for number, (priority, urgency, severity) in enumerate(table):
        facts = {"id": f"PRULE{number}", "incident_key": None, "urgency": urgency}
        facts["priority"] = {"summary": priority, "type": "priority_reference"} if priority else None
        outcome = send(bot, pagerduty("incident.triggered", event_id=f"rule-{number}", **facts))
        if severity:
            assert bot.incident(outcome.removeprefix("declared "))["severity"] == severity, (priority, urgency)
        else:
            assert outcome == "triage", (priority, urgency)
    world.settle()
    assert len(bot.incidents()) == 6
    told = [m.text for m in bot.workspace.messages("ops-alerts")]
    assert told == ["Triage (sev3): Checkout answers 5xx, 1 firing on Checkout API."] * 2


def test_a_triage_message_follows_its_incident(bot: Client, world: World) -> None:
    """The message about a PagerDuty incident below the bar is edited when it is resolved; reopened, it asks anew."""

    def shown() -> str:
        world.settle()
        return bot.workspace.messages("ops-alerts")[-1].text

    low = {"priority": None, "urgency": "low"}
    assert send(bot, pagerduty("incident.triggered", **low)) == "triage"
    assert "1 firing" in shown()
    send(bot, pagerduty("incident.resolved", **low))
    assert "1 firing" not in shown()
    assert "resolved" in shown()
    assert len(bot.workspace.messages("ops-alerts")) == 1
    assert send(bot, pagerduty("incident.reopened", **low)) == "triage"
    assert "1 firing" in shown()
    assert len(bot.workspace.messages("ops-alerts")) == 2
    assert bot.incidents() == []


def test_an_acknowledgement_stops_the_ladder(bot: Client, world: World, hands: Hands) -> None:
    """Who acknowledges in PagerDuty is named, and nobody further is paged."""
    number = declare(bot)
    world.settle()
    assert len(world.rows(LADDER)) == 3
    assert send(bot, pagerduty("incident.acknowledged")) == NOTED.format(number)
    assert bot.incident(number)["acknowledged_by"] == {"type": "human", "id": "PTUXL6G", "name": "Olivia Oncall"}
    assert world.rows(LADDER) == []
    assert "None (Olivia Oncall acknowledged" in world.card(number)
    channel = bot.room(number)
    assert "Acknowledged by Olivia Oncall in PagerDuty" in world.card(number)
    assert not bot.workspace.find(channel, "acknowledged in PagerDuty")
    paged = bot.kinds(number).count("escalated")
    hands.advance(minutes=14)
    bot.wait_event(number, "update_due")
    world.settle()
    assert bot.kinds(number).count("escalated") == paged == 0


def test_resolved_in_pagerduty_resolves_nothing_here(bot: Client, world: World) -> None:
    """PagerDuty's resolution is noted on card and timeline; the incident stays open, its timers too."""
    number = declare(bot)
    world.settle()
    timers = world.rows("SELECT * FROM timers WHERE state = 'armed'")
    send(bot, pagerduty("incident.resolved"))
    assert bot.incident(number)["status"] == "investigating"
    assert world.rows("SELECT * FROM timers WHERE state = 'armed'") == timers
    assert status(world, number) == "resolved"
    assert "0 firing, 1 resolved" in world.card(number)


def test_a_reopened_incident_fires_again(bot: Client, world: World) -> None:
    """After `incident.reopened` the card no longer shows the alert as over."""
    number = declare(bot)
    send(bot, pagerduty("incident.resolved"))
    assert "0 firing, 1 resolved" in world.card(number)
    send(bot, pagerduty("incident.reopened"))
    assert status(world, number) == "triggered"
    assert "1 firing, 0 resolved" in world.card(number)
    assert len(bot.incidents()) == 1


def test_a_merge_is_no_fix(bot: Client, world: World) -> None:
    """A resolution by merging is a note that names the target; nothing is shown as resolved."""
    number = declare(bot)
    assert send(bot, pagerduty("incident.resolved-merged")) == NOTED.format(number)
    assert bot.events(number)[-1]["text"] == "PagerDuty incident merged into Orders database is down, not resolved"
    assert "alert_resolved" not in bot.kinds(number)
    assert bot.incident(number)["status"] == "investigating"
    assert status(world, number) == "merged"
    assert "1 firing, 0 resolved" in world.card(number)
    before = world.snapshot()
    assert send(bot, pagerduty("incident.resolved-merged")) == "duplicate"
    assert world.snapshot() == before


def test_resolved_before_triggered_opens_nothing(bot: Client, world: World) -> None:
    """When the resolution overtakes the trigger, the later `occurred_at` wins: it is over."""
    send(bot, pagerduty("incident.resolved"))
    assert send(bot, pagerduty("incident.triggered")) == "recorded: newer events came before it"
    world.settle()
    assert bot.incidents() == []


def test_acknowledged_before_triggered_opens_an_acknowledged_incident(bot: Client, world: World) -> None:
    """When the acknowledgement overtakes the trigger, the incident is declared, and its ladder does not start."""
    assert send(bot, pagerduty("incident.acknowledged")) == "recorded: incident.acknowledged"
    number = declare(bot)
    assert bot.incident(number)["acknowledged_by"] == {"type": "human", "id": "PTUXL6G", "name": "Olivia Oncall"}
    assert world.rows(LADDER) == []
    assert status(world, number) == "acknowledged"


def test_a_trigger_that_comes_late_still_declares(bot: Client, world: World) -> None:
    """A newer event that leaves the PagerDuty incident open does not swallow the trigger that it overtook."""
    send(bot, pagerduty("incident.unacknowledged"))
    number = declare(bot)
    assert status(world, number) == "triggered"


def test_a_reopened_incident_that_nobody_knew_of_is_a_beginning(bot: Client, world: World) -> None:
    """What is reopened there and was never heard of here meets the rules; its late trigger adds nothing."""
    number = declare(bot, pagerduty("incident.reopened"))
    assert bot.kinds(number).count("paged") == 1
    assert send(bot, pagerduty("incident.triggered")) == f"repeat of {number}"
    assert len(bot.incidents()) == 1
    assert status(world, number) == "triggered"


def test_a_late_acknowledgement_does_not_undo_the_resolution(bot: Client, world: World) -> None:
    """The newer `occurred_at` is shown; that somebody had acknowledged still counts."""
    number = declare(bot)
    send(bot, pagerduty("incident.resolved", after=600))
    assert send(bot, pagerduty("incident.acknowledged", after=60)) == NOTED.format(number)
    assert status(world, number) == "resolved"
    assert "0 firing, 1 resolved" in world.card(number)
    assert bot.incident(number)["acknowledged_by"]["name"] == "Olivia Oncall"
    assert world.rows(LADDER) == []


def test_a_late_priority_does_not_undo_a_newer_one(bot: Client, world: World) -> None:
    """Of two priorities the one that occurred later stays."""
    declare(bot)
    send(bot, pagerduty("incident.priority_updated", event_id="newer", after=600))
    p3 = {"summary": "P3", "type": "priority_reference"}
    send(bot, pagerduty("incident.priority_updated", event_id="older", after=60, priority=p3))
    (group,) = world.rows("SELECT data FROM alert_groups")
    assert re.search(r"['\"]priority['\"]: ['\"]P2['\"]", str(group["data"]))


def test_events_after_the_end_are_noted(bot: Client, world: World) -> None:
    """On an incident that a human has resolved, each type but a reopening is a line more, and no new incident."""
    number = declare(bot)
    bot.slash("resolve Rolled back", channel=bot.room(number))
    for name, kind, _, _ in TYPES:
        if name != "incident.reopened":
            assert send(bot, pagerduty(name)) == (NOTED.format(number) if kind else f"recorded: {name}"), name
    again = pagerduty("incident.triggered", event_id="once-more")
    assert send(bot, again) == "recorded: newer events came before it"
    world.settle()
    assert [i["status"] for i in bot.incidents()] == ["resolved"]


def test_a_pagerduty_incident_joins_its_alertmanager_group(bot: Client, world: World) -> None:
    """Alertmanager first: what it sent to PagerDuty as well joins its incident, and is acknowledged there."""
    number = bot.alertmanager(body(alert("aa"))).json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    triggered = pagerduty("incident.triggered", incident_key=KEY)
    assert send(bot, triggered) == f"attached to {number}"
    assert status(world, number) == "triggered"
    assert [e["text"] for e in bot.events(number)[-2:]] == [
        "PagerDuty incident triggered: Checkout answers 5xx",
        f"Conference bridge (PagerDuty): {BRIDGE}",
    ]
    before = world.snapshot()
    assert send(bot, triggered) == "duplicate"
    assert world.snapshot() == before
    send(bot, pagerduty("incident.acknowledged", incident_key=KEY))
    assert bot.incident(number)["acknowledged_by"]["name"] == "Olivia Oncall"
    assert world.rows(LADDER) == []
    assert len(bot.incidents()) == 1


def test_an_alertmanager_group_joins_its_pagerduty_incident(bot: Client, world: World) -> None:
    """PagerDuty first: the group's own notification joins, and both are on one card."""
    number = declare(bot, pagerduty("incident.triggered", incident_key=KEY))
    sent = body(alert("aa"), alert("bb"))
    assert bot.alertmanager(sent).json()["outcome"] == f"attached to {number}"
    assert "3 firing, 0 resolved" in world.card(number)
    before = world.snapshot()
    assert bot.alertmanager(sent).json()["outcome"] == f"repeat of {number}"
    assert world.snapshot() == before
    bot.alertmanager(body(alert("aa", "resolved"), alert("bb", "resolved"), status="resolved"))
    send(bot, pagerduty("incident.resolved", incident_key=KEY))
    assert "0 firing, 3 resolved" in world.card(number)
    assert [i["status"] for i in bot.incidents()] == ["investigating"]
    assert bot.workspace.count("conversations.create") == 1


def test_a_page_below_the_bar_joins_when_its_group_declares(bot: Client, world: World) -> None:
    """A PagerDuty incident that was only triaged belongs to the incident that its group opens afterwards."""
    low = {"incident_key": KEY, "priority": None, "urgency": "low"}
    assert send(bot, pagerduty("incident.triggered", **low)) == "triage"
    number = bot.alertmanager(body(alert("aa"))).json()["outcome"].removeprefix("declared ")
    bot.wait_opened(number)
    assert status(world, number) == "triggered"
    assert send(bot, pagerduty("incident.acknowledged", **low)) == NOTED.format(number)
    assert world.rows(LADDER) == []
    assert len(bot.incidents()) == 1


def test_a_group_below_the_bar_joins_when_pagerduty_declares(bot: Client, world: World) -> None:
    """An Alertmanager group that was only triaged belongs to the incident that PagerDuty's P1 opens afterwards."""
    assert bot.alertmanager(body(warning("aa"))).json()["outcome"] == "triage"
    number = declare(bot, pagerduty("incident.triggered", incident_key=KEY))
    assert "2 firing, 0 resolved" in world.card(number)
    end = body(warning("aa", "resolved"), status="resolved")
    assert bot.alertmanager(end).json()["outcome"] == f"attached to {number}"
    assert len(bot.incidents()) == 1


def test_last_weeks_page_stays_with_last_weeks_incident(bot: Client, world: World) -> None:
    """The same key comes back with every occurrence of a group; a page that is over does not move on."""
    first = bot.alertmanager(body(alert("aa"))).json()["outcome"].removeprefix("declared ")
    bot.wait_opened(first)
    send(bot, pagerduty("incident.triggered", incident_key=KEY))
    bot.alertmanager(body(alert("aa", "resolved"), status="resolved"))
    send(bot, pagerduty("incident.resolved", incident_key=KEY))
    bot.slash("resolve Rolled back", channel=bot.room(first))
    again = body(alert("aa", startsAt="2026-11-21T08:00:00Z"))
    second = bot.alertmanager(again).json()["outcome"].removeprefix("declared ")
    bot.wait_opened(second)
    assert "*PagerDuty*" not in world.card(second)
    page = pagerduty("incident.triggered", event_id="this-week", id="PTHIS01", incident_key=KEY)
    assert send(bot, page) == f"attached to {second}"
    assert (status(world, first), status(world, second)) == ("resolved", "triggered")

"""Every command: what it leads to, and how it is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.incidents import commands as c
from bot.incidents.machine import decide
from bot.incidents.model import SYSTEM, Actor, Event, Person, Refused, Role, Status, derive
from bot.incidents.policy import Level, Severity
from bot.incidents.responding import SETTABLE
from tests.unit.incidents.story import (
    ALICE,
    ALICE_PERSON,
    BOB,
    BOB_PERSON,
    LADDER,
    NUMBER,
    POLICY,
    START,
    Story,
    an_alert,
    moment,
    policy_with,
)

REFRESH = ["refresh_card", "refresh_announcement", "topic"]


def resolved(severity: Severity = Severity.SEV2) -> Story:
    """Tell of an incident that was resolved at minute 10."""
    story = Story(severity).at(10)
    story.do(c.Resolve(ALICE, "Rolled back"))
    return story


def closed() -> Story:
    """Tell of an incident that was closed after it was resolved."""
    story = resolved().at(20)
    story.do(c.SetStatus(Status.CLOSED, ALICE))
    return story


def acknowledged() -> Story:
    """Tell of an incident that Bob acknowledged at minute 2."""
    story = Story().at(2)
    story.do(c.Acknowledge(BOB))
    return story


def led() -> Story:
    """Tell of an incident that Alice leads."""
    story = Story()
    story.do(c.AssignRole(ALICE_PERSON, ALICE))
    return story


@pytest.mark.parametrize(
    ("command", "events", "deliveries"),
    [
        pytest.param(
            c.AlertsChanged((an_alert("bb"),), (an_alert("aa"),)),
            ["alert_fired", "alert_resolved"],
            ["suggest_resolve", "rematch_runbook", "refresh_card"],
            id="alerts changed",
        ),
        pytest.param(c.AlertsChanged(), [], ["refresh_card"], id="alerts say something new"),
        pytest.param(
            c.PostUpdate("Looking", ALICE), ["update_posted"], ["update", "announced_update", *REFRESH], id="update"
        ),
        pytest.param(
            c.PostUpdate("A bad deploy", ALICE, status=Status.IDENTIFIED),
            ["status_changed", "update_posted"],
            ["update", "announced_update", *REFRESH],
            id="update with a status",
        ),
        pytest.param(
            c.PostUpdate("Rolled back", ALICE, status=Status.MONITORING),
            ["status_changed", "mitigated", "update_posted"],
            ["update", "announced_update", *REFRESH],
            id="update that mitigates",
        ),
        pytest.param(
            c.PostUpdate("Looking", ALICE, status=Status.INVESTIGATING),
            ["update_posted"],
            ["update", "announced_update", *REFRESH],
            id="update with the status that is",
        ),
        pytest.param(c.KeepCadence(ALICE), ["update_posted"], ["update", *REFRESH], id="no change"),
        pytest.param(c.PauseCadence(600, ALICE), ["cadence_paused"], REFRESH, id="pause"),
        pytest.param(c.SetStatus(Status.IDENTIFIED, ALICE), ["status_changed"], ["say", *REFRESH], id="status"),
        pytest.param(
            c.SetStatus(Status.MONITORING, ALICE), ["status_changed", "mitigated"], ["say", *REFRESH], id="monitoring"
        ),
        pytest.param(c.SetStatus(Status.RESOLVED, ALICE), ["resolved"], ["resolution", *REFRESH], id="status resolved"),
        pytest.param(c.SetSeverity(Severity.SEV1, ALICE), ["severity_changed"], ["say", *REFRESH], id="raise"),
        pytest.param(c.SetSeverity(Severity.SEV4, ALICE), ["severity_changed"], ["say", *REFRESH], id="lower"),
        pytest.param(c.AssignRole(BOB_PERSON, ALICE), ["role_assigned"], ["say", "invite", *REFRESH], id="lead"),
        pytest.param(c.AssignRole(BOB_PERSON, BOB, Role.SCRIBE), ["role_assigned"], ["invite", *REFRESH], id="scribe"),
        pytest.param(c.Acknowledge(ALICE), ["acknowledged"], ["refresh_pages", *REFRESH], id="acknowledge"),
        pytest.param(c.AddNote("Disk is full", ALICE), ["note"], ["refresh_card"], id="note"),
        pytest.param(
            c.Resolve(ALICE, "Rolled back", follow_ups=("Test it", "Alert on it")),
            ["resolved", "followup_added", "followup_added"],
            ["resolution", *REFRESH],
            id="resolve",
        ),
        pytest.param(
            c.Delivered("channel", "channel", {"channel": "C1", "name": "x"}), ["channel_opened"], [], id="channel"
        ),
        pytest.param(
            c.Delivered("runbook", "runbook", {"runbook_id": "disk-full", "reason": "by its label"}),
            ["runbook_posted"],
            REFRESH,
            id="runbook",
        ),
        pytest.param(
            c.Delivered("page", "page:7", {"people": ["Bob"]}, {"level": 2}),
            ["page_delivered"],
            [],
            id="page delivered",
        ),
        pytest.param(
            c.Delivered("notification", "notification", {"people": []}),
            ["page_failed", "escalated"],
            ["invite", "page", *REFRESH],
            id="nobody was paged",
        ),
        pytest.param(c.Delivered("card", "card", {"channel": "C1", "ts": "1.2"}), [], [], id="card delivered"),
        pytest.param(
            c.DeliveryFailed("page", "page:7", "nobody_found", "Correct it."), ["page_failed"], [], id="page failed"
        ),
        pytest.param(
            c.DeliveryFailed("pin", "pin", "no_permission", "Add it."), ["delivery_failed"], [], id="pin failed"
        ),
        pytest.param(c.Record("pinned", "Look here", ALICE), ["pinned"], REFRESH, id="record"),
        pytest.param(c.Record("note", "Seen", refresh=False), ["note"], [], id="record without a refresh"),
        pytest.param(c.Export("md", ALICE), ["exported"], ["export"], id="export"),
        pytest.param(c.Refresh(), [], REFRESH, id="refresh"),
    ],
)
def test_what_a_command_leads_to(command: c.Command, events: list[str], deliveries: list[str]) -> None:
    """Each command on a fresh sev2 leaves these lines on the timeline and asks for these calls, in this order."""
    decision = Story().at(1).do(command)
    assert [event.kind for event in decision.events] == events
    assert [delivery.kind for delivery in decision.deliveries] == deliveries
    assert {event.recorded_at for event in decision.events} <= {moment(1)}


@pytest.mark.parametrize(
    ("given", "command", "code", "fix"),
    [
        pytest.param(Story, c.PostUpdate(" \n", ALICE), "no_text", "/incident update <text>", id="empty update"),
        pytest.param(Story, c.AddNote("\t", ALICE), "no_text", "/incident note <text>", id="empty note"),
        pytest.param(resolved, c.AddNote("", ALICE), "no_text", "/incident note <text>", id="empty note when resolved"),
        pytest.param(resolved, c.PostUpdate("x", ALICE), "not_open", "/incident reopen", id="update when resolved"),
        pytest.param(closed, c.PostUpdate("x", ALICE), "not_open", "/incident reopen", id="update when closed"),
        pytest.param(resolved, c.KeepCadence(ALICE), "not_open", "/incident reopen", id="no change when resolved"),
        pytest.param(resolved, c.PauseCadence(60, ALICE), "not_open", "/incident reopen", id="pause when resolved"),
        pytest.param(resolved, c.Acknowledge(ALICE), "not_open", "/incident reopen", id="acknowledge when resolved"),
        pytest.param(
            resolved, c.AssignRole(BOB_PERSON, ALICE), "not_open", "/incident reopen", id="lead when resolved"
        ),
        pytest.param(
            resolved, c.SetStatus(Status.IDENTIFIED, ALICE), "not_open", "/incident reopen", id="status when resolved"
        ),
        pytest.param(
            resolved, c.SetSeverity(Severity.SEV1, ALICE), "not_open", "/incident reopen", id="severity when resolved"
        ),
        pytest.param(resolved, c.Resolve(ALICE), "not_open", "is already resolved", id="resolve twice"),
        pytest.param(closed, c.Resolve(ALICE), "not_open", "is already closed", id="resolve when closed"),
        pytest.param(closed, c.SetStatus(Status.RESOLVED, ALICE), "not_open", "is already closed", id="un-close"),
        pytest.param(Story, c.Reopen(ALICE), "open", "/incident resolve <text>", id="reopen an open one"),
        pytest.param(
            Story, c.SetStatus(Status.CLOSED, ALICE), "not_resolved", "/incident resolve <text>", id="close an open one"
        ),
        pytest.param(
            Story,
            c.SetStatus(Status.MERGED, ALICE),
            "bad_status",
            "investigating, identified, monitoring, resolved, closed",
            id="a status that has no verb",
        ),
        pytest.param(
            Story,
            c.SetStatus(Status.TRIAGE, ALICE),
            "bad_status",
            "investigating, identified, monitoring, resolved, closed",
            id="back to triage",
        ),
        pytest.param(
            Story, c.SetStatus(Status.INVESTIGATING, ALICE), "no_change", "is already investigating", id="same status"
        ),
        pytest.param(Story, c.SetSeverity(Severity.SEV2, ALICE), "no_change", "is already sev2", id="same severity"),
        pytest.param(led, c.AssignRole(ALICE_PERSON, BOB), "no_change", "Alice already has this role", id="same lead"),
        pytest.param(
            acknowledged, c.Acknowledge(ALICE), "no_change", "Bob acknowledged at 03:02 UTC", id="acknowledge twice"
        ),
        pytest.param(
            lambda: Story(Severity.SEV3),
            c.KeepCadence(ALICE),
            "no_cadence",
            "/incident update <text>",
            id="sev3: no change",
        ),
        pytest.param(
            lambda: Story(Severity.SEV3), c.PauseCadence(60, ALICE), "no_cadence", "/incident sev 2", id="sev3: pause"
        ),
    ],
)
def test_what_is_refused(given: Callable[[], Story], command: c.Command, code: str, fix: str) -> None:
    """A command that does not fit changes nothing, and its refusal says why or what to do instead."""
    story = given()
    before = story.incident
    with pytest.raises(Refused) as refused:
        story.do(command)
    assert refused.value.code == code
    assert fix in str(refused.value)
    assert story.incident is before


@pytest.mark.parametrize("status", [s for s in Status if s not in SETTABLE])
def test_an_update_cannot_end_an_incident(status: Status) -> None:
    """An update that carries a status with a verb of its own is refused, so that nothing stays armed behind it."""
    with pytest.raises(Refused) as refused:
        Story().do(c.PostUpdate("All is well", ALICE, status=status))
    assert refused.value.code == "bad_status"
    assert "investigating, identified, monitoring" in str(refused.value)


def test_a_command_needs_an_incident() -> None:
    """Only a declaration starts from nothing; all else is told to name an incident."""
    with pytest.raises(Refused, match="begin with its number") as refused:
        decide(None, c.AddNote("x", ALICE), POLICY, START)
    assert refused.value.code == "no_incident"


def test_a_declaration_takes_everything_over() -> None:
    """What the declaration says of the incident stands on it, with the policy in force and the moments."""
    facts = {
        "summary": "5xx above 5%",
        "impact": "Nobody can pay",
        "service": "checkout",
        "region": "eu-west-1",
        "tenants": "acme",
        "runbook_id": "disk-full",
        "source": "alertmanager",
    }
    ids = {"correlation_id": "c-1", "trace_id": "t-1", "resource_name": "db-1", "host_role": "primary"}
    incident = Story(started_at=moment(-4), ids=ids, **facts).incident
    assert {name: getattr(incident, name) for name in (*facts, *ids)} == facts | ids
    assert (incident.number, incident.title, incident.declared_by) == (NUMBER, "Checkout is down", ALICE)
    assert (incident.started_at, incident.detected_at, incident.declared_at) == (moment(-4), START, START)
    assert incident.policy is POLICY
    assert (incident.status, incident.acknowledged_at, incident.duration) == (Status.INVESTIGATING, None, None)


def test_the_alerts_come_before_the_declaration() -> None:
    """An alert keeps the time at which it began, its labels and its link; a start in the future is taken as now."""
    story = Story(
        alerts=(an_alert("aa", url="http://p/1"), an_alert("bb", starts_at=moment(5)), an_alert("cc", starts_at=None))
    )
    assert story.kinds() == ["alert_fired", "alert_fired", "alert_fired", "declared", "paged"]
    first, second, third = story.of("alert_fired")
    assert (first.text, first.source) == ("HighErrorRate firing on eu-west-1, value 7.5%", "http://p/1")
    assert first.data["fingerprint"] == "aa"
    assert first.actor == Actor("alert", "alertmanager", "HighErrorRate")
    assert [e.occurred_at for e in (first, second, third)] == [moment(-4), START, START]


def test_a_channel_opens_with_everything_in_order() -> None:
    """Sev1 and sev2 ask for the channel first; the notification waits for the card and the invitation."""
    story = Story()
    kinds = [d.kind for d in story.deliveries]
    assert kinds == [
        "channel", "card", "invite", "announcement", "invite", "topic", "pin", "notification", "runbook",
    ]  # fmt: skip
    by_kind = {d.kind: d for d in reversed(story.deliveries)}
    assert [d.data["people"] for d in story.deliveries if d.kind == "invite"][1:] == [["U1"]]  # who has declared it
    assert by_kind["channel"].needs == ()
    assert by_kind["pin"].needs == ("card",)
    assert by_kind["notification"].after == ("card", by_kind["invite"].slot)
    assert by_kind["invite"].data["people"] == ["alice@example.com"]
    assert story.incident.home_slot == "channel"
    assert story.armed() == {"ladder 2": 5, "ladder 3": 15, "ladder 4": 30, "update_reminder": 12}


def test_a_thread_opens_quietly() -> None:
    """Sev3 asks for a thread and the runbook in it; nobody is paged and no timer is armed."""
    story = Story(Severity.SEV3)
    assert [(d.kind, d.needs) for d in story.deliveries] == [("thread", ()), ("runbook", ("thread",))]
    assert (story.kinds(), story.armed()) == (["declared"], {})
    assert story.incident.home_slot == "thread"


def test_without_a_ladder_nobody_is_paged() -> None:
    """A sev1 without a ladder opens and keeps its cadence; it invites who declared it alone and claims no page."""
    story = Story(Severity.SEV1, policy_with())
    assert story.kinds() == ["declared"]
    assert [d.data["people"] for d in story.deliveries if d.kind == "invite"] == [["U1"]]
    assert story.armed() == {"update_reminder": 12}


def test_a_first_level_that_waits() -> None:
    """A ladder whose first level has a delay pages nobody at once; then the page mentions its people itself."""
    ladder = (Level("Night watch", 120, ("bob@example.com",)),)
    story = Story(policy=policy_with(sev2={"ladder": ladder}))
    assert (story.kinds(), story.armed()) == (["declared"], {"ladder 1": 2, "update_reminder": 12})
    assert story.at(2).table()[1:] == [(2, "paged 1 declared")]
    assert [d.kind for d in story.deliveries[-5:-3]] == ["invite", "page"]


@pytest.mark.parametrize("given", ["declared", "raised"])
def test_a_ladder_in_a_thread_pages_its_first_level(given: str) -> None:
    """Without a channel no notification mentions the first level: a page in the thread does, and invites nobody."""
    policy = policy_with(sev2={"channel": False, "ladder": LADDER})
    story = Story(Severity.SEV2 if given == "declared" else Severity.SEV3, policy)
    if given == "raised":
        story.do(c.SetSeverity(Severity.SEV2, ALICE))
    assert [event.data["level"] for event in story.of("paged")] == [1]
    pages = [d for d in story.deliveries if d.kind == "page"]
    assert [(d.data["people"], d.needs) for d in pages] == [(["alice@example.com"], ("thread",))]
    assert "invite" not in [d.kind for d in story.deliveries]
    assert story.armed() == {"ladder 2": 5, "ladder 3": 15, "ladder 4": 30, "update_reminder": 12}


def test_a_page_invites_mentions_and_briefs() -> None:
    """A step of the ladder asks for an invitation and then a page that waits for it, with the level's people."""
    story = Story().at(4)
    told = len(story.deliveries)
    story.at(5)
    invite, page, *rest = story.deliveries[told:]
    assert (invite.kind, page.kind) == ("invite", "page")
    assert page.after == (invite.slot,)
    assert invite.data == page.data
    assert page.data["people"] == ["bob@example.com"]
    assert [d.kind for d in rest] == REFRESH


def test_raising_from_sev3_opens_what_is_missing() -> None:
    """The channel with all that belongs in it is opened once, and the ladder and the cadence count from the raise."""
    story = Story(Severity.SEV3).at(30)
    told = len(story.deliveries)
    story.do(c.SetSeverity(Severity.SEV2, ALICE, "all tenants"))
    kinds = [d.kind for d in story.deliveries[told:]]
    for kind in ("channel", "card", "announcement", "pin", "notification", "runbook", "moved", "came_from"):
        assert kinds.count(kind) == 1, kind
    assert story.incident.home_slot == "channel"
    assert story.armed() == {"ladder 2": 35, "ladder 3": 45, "ladder 4": 60, "update_reminder": 42}
    story.do(
        c.SetSeverity(Severity.SEV1, ALICE), c.SetSeverity(Severity.SEV3, ALICE), c.SetSeverity(Severity.SEV1, ALICE)
    )
    assert [d.kind for d in story.deliveries].count("channel") == 1
    slots = [d.slot for d in story.deliveries]
    assert len(slots) == len(set(slots))


def test_raising_to_a_ladder_where_a_channel_was_open_already() -> None:
    """A sev3 with a channel but no ladder starts the ladder when it is raised, not with all its levels in arrear."""
    story = Story(Severity.SEV3, policy_with(sev3={"channel": True}, sev2={"ladder": LADDER})).at(60)
    story.do(c.SetSeverity(Severity.SEV2, ALICE))
    assert story.table() == [(0, "declared"), (60, "severity_changed"), (60, "paged 1 raised")]
    assert story.armed() == {"ladder 2": 65, "ladder 3": 75, "ladder 4": 90, "update_reminder": 72}


def test_raising_within_one_ladder_keeps_its_time() -> None:
    """From sev2 to sev1 with the same ladder and interval, no timer moves."""
    story = Story().at(7)
    story.do(c.SetSeverity(Severity.SEV1, ALICE))
    assert story.armed() == {"ladder 3": 15, "ladder 4": 30, "update_reminder": 12}


def test_raising_to_a_shorter_interval_counts_anew() -> None:
    """Where the new severity asks for updates at another pace, the first is due one interval after the change."""
    policy = policy_with(sev1={"update_every": 600}, sev2={"update_every": 1800})
    story = Story(policy=policy).at(10)
    story.do(c.SetSeverity(Severity.SEV1, ALICE))
    assert story.armed() == {"update_reminder": 18}


def test_lowering_stops_cadence_and_ladder_and_keeps_the_channel() -> None:
    """Lowered to sev3, nothing is armed any more, a pause is over too, and messages still go to the channel."""
    story = Story().at(1)
    story.do(c.PauseCadence(600, ALICE))
    decision = story.do(c.SetSeverity(Severity.SEV3, ALICE, "one tenant"))
    assert decision.events[0].text == "Severity lowered from sev2 to sev3: one tenant"
    assert (story.armed(), story.incident.paused_until, story.incident.next_update_at) == ({}, None, None)
    assert story.incident.home_slot == "channel"
    story.do(c.PostUpdate("Nearly done", ALICE))
    assert story.armed() == {}


def test_a_policy_is_frozen_when_the_incident_opens() -> None:
    """Another policy in force later changes nothing for an incident that is open."""
    story = Story()
    story.policy = policy_with(sev1={"update_every": 60}, sev2={"update_every": 60})
    story.at(1).do(c.KeepCadence(ALICE))
    assert story.incident.policy is POLICY
    assert story.armed()["update_reminder"] == 13


def test_an_update_says_when_the_next_is_due() -> None:
    """An update's event and message carry what was said and the moment of the next; impact and text stay on show."""
    story = Story().at(10)
    decision = story.do(
        c.PostUpdate("A bad deploy", ALICE, "Rolling back", "10 min", "Nobody can pay", Status.IDENTIFIED)
    )
    event, delivery = decision.events[-1], decision.deliveries[0]
    assert event.data == {
        "state": "A bad deploy",
        "action": "Rolling back",
        "eta": "10 min",
        "impact": "Nobody can pay",
        "status": "identified",
        "next_update_at": moment(25).isoformat(),
    }
    assert delivery.data == {**event.data, "author": "<@U1>"}
    assert story.incident.next_update_at == moment(25)
    assert (story.incident.last_update, story.incident.impact) == ("A bad deploy", "Nobody can pay")
    story.do(c.PostUpdate("Rolling back", ALICE))
    assert story.incident.impact == "Nobody can pay"


def test_no_change_says_so() -> None:
    """`No change` counts as an update, and what the last real one said stays on show."""
    story = Story().at(10)
    story.do(c.PostUpdate("A bad deploy", ALICE))
    event = story.at(20).do(c.KeepCadence(BOB)).events[0]
    assert (event.text, event.actor, event.data["no_change"]) == ("No change", BOB, True)
    assert event.data["next_update_at"] == moment(35).isoformat()
    assert story.incident.last_update == "A bad deploy"


def test_a_pause_says_until_when_and_why() -> None:
    """The pause stands on the timeline with its end and its reason, and one timer waits for the end."""
    story = Story().at(2)
    event = story.do(c.PauseCadence(1800, ALICE, "the restore runs")).events[0]
    assert event.text == "Updates paused until 03:32 UTC: the restore runs"
    assert event.data == {"until": moment(32).isoformat(), "why": "the restore runs"}
    assert (story.armed()["cadence_resume"], story.incident.paused_until) == (32, moment(32))
    assert "update_reminder" not in story.armed()
    story.do(c.PauseCadence(60, ALICE))
    assert story.armed()["cadence_resume"] == 3


def test_acknowledging_stops_the_ladder_only() -> None:
    """After an acknowledgement no level is armed, the cadence goes on, and it is known who came and when."""
    story = acknowledged()
    assert story.armed() == {"update_reminder": 12}
    assert (story.incident.acknowledged_by, story.incident.acknowledged_at) == (BOB, moment(2))
    assert "say" not in [delivery.kind for delivery in story.deliveries]


def test_a_late_acknowledgement_counts_from_when_it_was_given() -> None:
    """PagerDuty's acknowledgement of minute 3 that arrives at 7 stops the ladder then and counts from minute 3."""
    story = Story().at(7)
    (event,) = story.do(c.Acknowledge(Actor("human", "PD1", "Bob"), "pagerduty", moment(3))).events
    assert (event.occurred_at, event.recorded_at) == (moment(3), moment(7))
    assert (event.text, event.data) == ("Acknowledged by Bob in PagerDuty", {"via": "pagerduty"})
    assert story.incident.acknowledged_at == moment(3)
    assert story.armed() == {"update_reminder": 12}


def test_an_acknowledgement_from_the_future_is_taken_as_now() -> None:
    """A source whose clock is ahead does not put an event after the moment at which it was recorded."""
    story = Story().at(7)
    (event,) = story.do(c.Acknowledge(BOB, "pagerduty", moment(9))).events
    assert event.occurred_at == event.recorded_at == story.incident.acknowledged_at == moment(7)


def test_an_acknowledgement_survives_a_change_of_severity() -> None:
    """Once somebody is on it, raising the severity arms no level again."""
    story = acknowledged()
    story.do(c.SetSeverity(Severity.SEV1, ALICE))
    assert story.armed() == {"update_reminder": 12}


def test_roles_pass_on() -> None:
    """Each role has one holder; taking one over names who had it."""
    story = led()
    assert story.incident.lead == ALICE_PERSON
    decision = story.do(c.AssignRole(BOB_PERSON, ALICE))
    assert decision.events[0].text == "Incident commander: Bob (was Alice)"
    assert decision.events[0].data == {
        "role": "lead",
        "person": {"id": "U2", "name": "Bob"},
        "previous": {"id": "U1", "name": "Alice"},
    }
    assert decision.deliveries[0].data["text"] == "<@U1> made <@U2> incident commander (was <@U1>)."
    story.do(c.AssignRole(ALICE_PERSON, ALICE, Role.SCRIBE), c.AssignRole(BOB_PERSON, BOB, Role.TECH_LEAD))
    assert story.incident.roles == {"lead": BOB_PERSON, "scribe": ALICE_PERSON, "tech_lead": BOB_PERSON}


def test_nobody_is_invited_to_a_thread() -> None:
    """A role in an incident without a channel of its own invites nobody."""
    decision = Story(Severity.SEV3).do(c.AssignRole(Person("U3", "Charlie"), ALICE))
    assert [d.kind for d in decision.deliveries] == ["say", "refresh_card"]


def test_resolving_tells_how_long_it_took() -> None:
    """The duration counts from the start, and the resolution carries cause, fix and follow-ups."""
    story = Story(started_at=moment(-5)).at(60)
    decision = story.do(c.Resolve(ALICE, root_cause="A full disk", fix="Grew it", follow_ups=("Alert at 80%",)))
    first, second = decision.events
    assert first.text == "Resolved after 1 h 05 min: Grew it"
    assert (first.data["duration_seconds"], first.data["root_cause"], first.data["fix"]) == (
        3900,
        "A full disk",
        "Grew it",
    )
    assert (first.data["from"], first.data["to"]) == ("investigating", "resolved")
    assert (second.text, second.data) == ("Alert at 80%", {"text": "Alert at 80%"})
    (told,) = [delivery for delivery in decision.deliveries if delivery.kind == "resolution"]
    assert told.data["follow_ups"] == ["Alert at 80%"]
    assert (story.incident.resolved_at, story.incident.timers) == (moment(60), ())


def test_the_text_of_resolve_is_the_fix() -> None:
    """`/incident resolve rolled back` has that as its fix."""
    assert resolved().of("resolved")[0].data["fix"] == "Rolled back"


@pytest.mark.parametrize("given", [resolved, closed])
def test_reopening_goes_back_to_work(given: Callable[[], Story]) -> None:
    """A reopened incident is open, its end is forgotten, its cadence and ladder run from then; it can end again."""
    story = given()
    story.at(100).do(c.Reopen(BOB, "it is back"))
    incident = story.incident
    assert incident.status is Status.INVESTIGATING
    assert (incident.resolved_at, incident.closed_at, incident.mitigated_at) == (None, None, None)
    assert story.armed() == {"update_reminder": 112, "ladder 3": 115, "ladder 4": 130}
    assert story.events[-1].text == "Reopened: it is back"
    story.at(101).do(c.Resolve(ALICE))
    assert story.incident.resolved_at == moment(101)


def test_mitigated_again_after_reopening() -> None:
    """The first time that a fix is watched counts as the mitigation, once; after a reopening it counts again."""
    story = Story().at(5)
    story.do(*(c.SetStatus(s, ALICE) for s in (Status.MONITORING, Status.IDENTIFIED, Status.MONITORING)))
    assert (story.incident.mitigated_at, len(story.of("mitigated"))) == (moment(5), 1)
    story.do(c.Resolve(ALICE), c.Reopen(ALICE))
    story.at(9).do(c.SetStatus(Status.MONITORING, ALICE))
    assert (story.incident.mitigated_at, len(story.of("mitigated"))) == (moment(9), 2)


@pytest.mark.parametrize("given", [resolved, closed, lambda: resolved(Severity.SEV3)])
def test_what_is_over_still_takes_notes_alerts_and_exports(given: Callable[[], Story]) -> None:
    """After the end, notes, late alerts, failures and exports are recorded, and nothing is armed by them."""
    story = given()
    card = "card" if story.incident.opened_channel else "thread"
    decision = story.at(200).do(
        c.AlertsChanged((), (an_alert(ends_at=moment(150)),)),
        c.DeliveryFailed("pin", "pin", "no_permission", "Add it."),
        c.Export("json", ALICE),
        c.AddNote("The graph looks fine", ALICE),
    )
    assert story.kinds()[-4:] == ["alert_resolved", "delivery_failed", "exported", "note"]
    assert story.of("alert_resolved")[0].occurred_at == moment(150)
    assert [(d.kind, d.needs) for d in decision.deliveries] == [("refresh_card", (card,))]
    assert story.incident.timers == ()


def test_closing_comes_after_resolving() -> None:
    """A resolved incident is closed once, and its moments stay in order."""
    story = closed()
    assert (story.incident.status, story.incident.closed_at) == (Status.CLOSED, moment(20))
    assert story.events[-1].data == {"from": "resolved", "to": "closed"}
    assert derive(story.events) == (Status.CLOSED, Severity.SEV2)


def test_what_was_delivered_is_known() -> None:
    """The channel's id and name come back to the incident, and who was reached."""
    story = Story()
    story.do(
        c.Delivered("channel", "channel", {"channel": "C9", "name": "incident-20261121-001"}),
        c.Delivered("runbook", "runbook", {"runbook_id": "disk-full", "reason": "by its label"}),
        c.Delivered("notification", "notification", {"people": ["Alice"]}),
    )
    assert (story.incident.channel_id, story.incident.channel_name) == ("C9", "incident-20261121-001")
    assert story.events[-2].text == "Runbook disk-full posted: by its label"
    assert story.events[-1].text == "Page delivered to Alice"
    assert story.events[-1].data == {"level": 1, "people": ["Alice"]}


def test_a_failed_page_names_the_fix() -> None:
    """A page that failed for good stands on the timeline with its reason, its level and what to do."""
    command = c.DeliveryFailed("page", "page:9", "nobody_found", "Correct the ladder.", {"level": 2})
    event = Story().do(command).events[0]
    assert event.text == "Page failed: nobody_found. Correct the ladder."
    assert event.data == {"delivery": "page", "reason": "nobody_found", "fix": "Correct the ladder.", "level": 2}


CHANNEL_FAILED = c.DeliveryFailed("channel", "channel", "restricted_action", "Let the bot create channels.")


def test_without_a_channel_it_goes_on_in_a_thread() -> None:
    """A channel that can't be opened leads to a thread with the runbook, and whoever was paged is mentioned there."""
    story = Story().at(6)
    decision = story.do(CHANNEL_FAILED)
    assert [event.kind for event in decision.events] == ["delivery_failed"]
    assert [(d.kind, d.needs) for d in decision.deliveries] == [
        ("thread", ()),
        ("runbook", ("thread",)),
        ("page", ("thread",)),
    ]
    assert decision.deliveries[-1].data["people"] == ["bob@example.com"]
    assert story.incident.home_slot == "thread"
    assert story.armed() == {"ladder 3": 15, "ladder 4": 30, "update_reminder": 12}
    assert [d.needs for d in story.do(c.AddNote("Going on", ALICE)).deliveries] == [("thread",)]
    before = len(story.deliveries)
    story.do(c.SetSeverity(Severity.SEV1, ALICE))
    assert "channel" not in [d.kind for d in story.deliveries[before:]]


@pytest.mark.parametrize("command", [c.Acknowledge(BOB), c.Resolve(BOB)])
def test_without_a_channel_nobody_is_mentioned_again_when_somebody_came(command: c.Command) -> None:
    """After an acknowledgement or the end, a channel that can't be opened pages nobody."""
    story = Story().at(1)
    story.do(command)
    assert "page" not in [d.kind for d in story.do(CHANNEL_FAILED).deliveries]


def test_a_raised_one_without_a_channel_stays_in_its_thread() -> None:
    """A sev3 whose channel can't be opened when it is raised keeps the thread that it has."""
    story = Story(Severity.SEV3)
    story.do(c.SetSeverity(Severity.SEV1, ALICE))
    asked = next(d for d in story.deliveries if d.kind == "channel")
    decision = story.do(replace(CHANNEL_FAILED, data=dict(asked.data)))
    assert [(d.kind, d.needs) for d in decision.deliveries] == [("page", ("thread",))]


def test_a_level_beyond_a_shorter_ladder_is_no_trouble() -> None:
    """Lowered to a shorter ladder after its top was reached, an incident that loses its channel mentions that top."""
    story = Story(policy=policy_with(sev2={"ladder": LADDER}, sev3={"ladder": LADDER[:2], "channel": True})).at(31)
    story.do(c.SetSeverity(Severity.SEV3, ALICE))
    page = story.do(CHANNEL_FAILED).deliveries[-1]
    assert (page.kind, page.data["people"]) == ("page", ["bob@example.com"])


def test_a_severity_without_a_ladder_arms_no_step_of_another() -> None:
    """Raised from a thread with a ladder to a channel without one, no step of the old ladder is left."""
    story = Story(policy=policy_with(sev2={"ladder": LADDER, "channel": False}))
    story.do(c.SetSeverity(Severity.SEV1, ALICE))
    assert story.armed() == {"update_reminder": 12}


def test_a_timer_that_is_not_due_or_not_armed_does_nothing() -> None:
    """A wake-up that comes early, twice, or for a timer that was cancelled changes nothing."""
    story = Story()
    reminder = next(t.key for t in story.incident.timers if t.key.startswith("update_reminder"))
    before = story.incident
    assert story.do(c.TimerFired(reminder)).incident == before
    assert story.do(c.TimerFired("ladder:99")).incident == before
    story.at(12)
    told = len(story.events)
    story.do(c.TimerFired(reminder))
    assert len(story.events) == told


def test_a_record_keeps_its_source_and_time() -> None:
    """What happened outside keeps its own time, never after the recording, and by default nobody is its actor."""
    story = Story().at(4)
    (event,) = story.do(c.Record("pinned", "Look", occurred_at=moment(3), data={"a": 1}, source="http://s/1")).events
    assert event == Event(3, moment(3), moment(4), "pinned", SYSTEM, "Look", {"a": 1}, "http://s/1")
    (late,) = story.do(c.Record("note", "Ahead", occurred_at=moment(9))).events
    assert late.occurred_at == late.recorded_at == moment(4)


def test_a_timeline_without_its_beginning_is_refused() -> None:
    """Status and severity cannot be derived without the declaration, and the error says so."""
    with pytest.raises(ValueError, match="holds its declared event"):
        derive(Story().events[1:])

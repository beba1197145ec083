"""How PagerDuty's events read on the timeline."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.pagerduty.event import Bridge, PagerDutyEvent, RoleChange
from bot.pagerduty.words import words

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def an_event(kind: str, **facts: Any) -> PagerDutyEvent:
    """Make an event that Robin caused, unless it says otherwise."""
    robin = {"agent_id": "PROBIN1", "agent_name": "Robin", "agent_is_user": True}
    return PagerDutyEvent("e1", f"incident.{kind}", NOW, **{**robin, **facts})


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            an_event("responder.added", policy="Databases", text="Please help"),
            "Robin asked the escalation policy Databases to respond: Please help",
        ),
        (an_event("responder.added", person="Maeve"), "Robin asked Maeve to respond"),
        (
            an_event("responder.added", agent_is_user=False, agent_name="", person="Maeve", policy="Databases"),
            "PagerDuty asked Maeve (Databases) to respond",
        ),
        (an_event("responder.added"), "Robin asked someone to respond"),
        (
            an_event("responder.replied", person="Maeve", policy="Databases", state="declined"),
            "Maeve (Databases) declined the request to respond",
        ),
        (
            an_event("responder.replied", person="Maeve", state="ACCEPTED", text="On my way"),
            "Maeve accepted the request to respond: On my way",
        ),
        (
            an_event("responder.replied", person="Maeve", state="pending"),
            "Maeve has not answered the request to respond yet",
        ),
        (an_event("responder.replied", policy="Databases"), "Databases replied to the request to respond"),
        (
            an_event("responder.replied", person="Maeve", state="on_hold"),
            "Maeve replied to the request to respond (on hold)",
        ),
        (
            an_event("role.assigned", roles=(RoleChange("Incident Commander", "Sam"),)),
            "Incident Commander in PagerDuty is Sam",
        ),
        (
            an_event("role.assigned", roles=(RoleChange("Scribe", "", "Ann"), RoleChange("Deputy", "Bo", "Ann"))),
            "Scribe in PagerDuty is nobody (was Ann); Deputy in PagerDuty is Bo (was Ann)",
        ),
        (
            an_event("task.created", named="Call the bank", detail="Ask whether 3DS is down", state="todo"),
            "PagerDuty task created: Call the bank (Ask whether 3DS is down)",
        ),
        (
            an_event("task.updated", named="Call the bank", state="in_progress", assignees=("Sam",)),
            "PagerDuty task Call the bank: in progress, for Sam",
        ),
        (an_event("task.completed", named="Call the bank", state="complete"), "PagerDuty task Call the bank: done"),
        (an_event("task.deleted", named="Call the bank", state="todo"), "PagerDuty task Call the bank: deleted"),
        (
            an_event("action_invocation.terminated", named="Restart checkout", state="completed"),
            "PagerDuty action Restart checkout: done",
        ),
        (an_event("action_invocation.created", named="Restart checkout"), "PagerDuty action Restart checkout: created"),
        (
            an_event("custom_field_values.updated", fields=(("environment", "production"), ("region", "unset"))),
            "PagerDuty fields: environment = production, region = unset",
        ),
        (an_event("workflow.started", named="Major incident"), "PagerDuty workflow started: Major incident"),
        (an_event("workflow.started"), "PagerDuty: workflow started"),
        (
            an_event("conference_bridge.updated", bridge=Bridge("https://meet.example/1", ("+1 555", "+49 30"))),
            "Conference bridge (PagerDuty): https://meet.example/1, +1 555, +49 30",
        ),
        (an_event("conference_bridge.updated", bridge=Bridge()), "The conference bridge in PagerDuty was removed"),
        (an_event("conference_bridge.updated"), "The conference bridge in PagerDuty was removed"),
        (an_event("something_new.happened", named="x"), "PagerDuty: something new happened"),
        (an_event("something_new.happened", text="look"), "PagerDuty: something new happened: look"),
    ],
)
def test_each_event_says_what_happened(event: PagerDutyEvent, text: str) -> None:
    """Who asked whom, who has which role, what is to be done: by name where PagerDuty gives one."""
    assert words(event, {}).text == text


def test_changes_name_what_was() -> None:
    """A priority or a service that changed is told with what it was; where nothing was known, without."""
    before = {"priority": "P3", "service": "Checkout"}
    moved = an_event("service_updated", service="Payments")
    assert words(moved, before).text == "PagerDuty service is now Payments (was Checkout)"
    assert words(moved, {}).text == "PagerDuty service is now Payments"
    assert words(an_event("priority_updated", priority="P1"), before).text == "PagerDuty priority is now P1 (was P3)"
    assert words(an_event("priority_updated"), {}).text == "PagerDuty priority is now unset"


def test_what_responders_look_for_is_said_in_the_channel() -> None:
    """A bridge, an answer, a role, a note and a reopening are said aloud; what only moves things about is not."""
    loud = ("conference_bridge.updated", "responder.replied", "annotated", "status_update_published", "reopened")
    quiet = ("escalated", "reassigned", "workflow.started", "custom_field_values.updated", "something.new", "triggered")
    assert all(words(an_event(kind), {}).aloud for kind in loud)
    assert not any(words(an_event(kind), {}).aloud for kind in quiet)


def test_an_integration_says_that_paging_goes_on_only_where_it_does() -> None:
    """Where somebody is on it, or it is our own answer that comes back, there is nothing to warn of."""
    by = an_event("acknowledged", agent_is_user=False, agent_name="Prometheus")
    assert words(by, {}).text == "Acknowledged in PagerDuty by Prometheus, not by a person: paging goes on"
    assert words(by, {}).aloud
    answered = words(by, {}, answered=True)
    assert (answered.text, answered.aloud) == ("Acknowledged in PagerDuty by Prometheus", False)


def test_a_line_is_bounded() -> None:
    """Very many roles or fields are cut to the first ones."""
    many = tuple((f"field {n}", "x") for n in range(500))
    text = words(an_event("custom_field_values.updated", fields=many), {}).text
    assert text.endswith("and 490 more")
    roles = tuple(RoleChange(f"Role {n}", "Sam") for n in range(500))
    assert words(an_event("role.assigned", roles=roles), {}).text.count("Sam") == 10

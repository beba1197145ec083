"""A channel that failed and was tried again comes late: the incident moves in, and nothing is asked for twice."""

from __future__ import annotations

from bot.incidents import commands as c
from bot.incidents.policy import Severity
from tests.unit.incidents.story import ALICE_PERSON, BOB, Story

FAILED = c.DeliveryFailed("channel", "channel", "missing_scope", "Add the scope.")
OPENED = c.Delivered("channel", "channel", {"channel": "C1", "name": "incident-20261121-001"})


def asked(story: Story, since: int) -> list[tuple[str, tuple[str, ...]]]:
    return [(delivery.kind, delivery.needs) for delivery in story.deliveries[since:]]


def test_a_channel_in_time_asks_for_nothing_more() -> None:
    """What an opening needs was asked for at the declaration."""
    story = Story(Severity.SEV1)
    before = len(story.deliveries)
    story.do(OPENED)
    assert asked(story, before) == []
    assert story.incident.channel_id == "C1"


def test_an_incident_moves_into_a_channel_that_comes_late() -> None:
    """Those who were paged in the thread and the lead are invited, the thread is told, the card is edited."""
    story = Story(Severity.SEV1)
    story.do(FAILED)
    assert story.incident.home_slot == "thread"
    story.at(6)
    story.do(c.AssignRole(ALICE_PERSON, BOB))
    before = len(story.deliveries)
    story.do(OPENED)
    assert story.incident.home_slot == "channel"
    assert asked(story, before)[:2] == [("moved", ("thread",)), ("invite", ("channel",))]
    assert story.deliveries[before + 1].data["people"] == ["alice@example.com", "bob@example.com", "U1"]
    assert {kind for kind, _ in asked(story, before)[2:]} == {"refresh_card", "refresh_announcement", "topic"}
    assert not [kind for kind, _ in asked(story, before) if kind in {"page", "thread", "runbook", "notification"}]


def test_a_second_failure_changes_nothing_but_the_timeline() -> None:
    """The thread is there already, and its people have been mentioned."""
    story = Story(Severity.SEV1)
    story.do(FAILED)
    before = len(story.deliveries)
    incident = story.incident
    story.do(FAILED)
    assert story.deliveries[before:] == []
    assert [event.kind for event in story.events].count("delivery_failed") == 2
    assert story.incident.timers == incident.timers

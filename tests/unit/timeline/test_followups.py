from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.incidents.model import Event
from bot.timeline.followups import follow_ups

MakeEvent = Callable[..., Event]


@pytest.mark.parametrize(
    ("added", "done"),
    [
        ({"id": "f1"}, {"id": "f1"}),
        ({}, {"followup": 1}),
        ({}, {"followup_seq": "1"}),
        ({}, {"text": "one"}),
    ],
)
def test_a_done_event_ends_its_followup(make_event: MakeEvent, added: dict[str, str], done: dict[str, str]) -> None:
    """By id, by seq or by text: the right follow-up is done, and the other stays open."""
    events = [
        make_event(1, "followup_added", text="one", data=added),
        make_event(2, "followup_added", text="two"),
        make_event(3, "followup_done", text="done", data=done),
    ]
    first, second = follow_ups(events)
    assert (first.text, first.done_at) == ("one", events[2].occurred_at)
    assert (second.text, second.done_at) == ("two", None)


def test_a_done_event_that_fits_nothing_is_listed(make_event: MakeEvent) -> None:
    """What is on the timeline is not lost because its beginning is."""
    event = make_event(1, "followup_done", text="mend it", data={"followup": 9})
    (item,) = follow_ups([event])
    assert (item.text, item.done_at) == ("mend it", event.occurred_at)


def test_owner_and_due_are_read(make_event: MakeEvent, at: Callable[[float], object]) -> None:
    """A person gives the name, a moment its text; without data both are empty."""
    named = make_event(1, "followup_added", text="a", data={"owner": {"id": "U1", "name": "Alice"}, "due": at(0)})
    bare = make_event(2, "followup_added", text="ignored", data={"text": "b"})
    first, second = follow_ups([bare, named])
    assert (first.owner, first.due) == ("Alice", "2026-11-20T14:32:05.123Z")
    assert (second.text, second.owner, second.due) == ("b", "", "")

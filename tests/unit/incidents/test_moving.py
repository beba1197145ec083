"""Where an incident goes on while its channel cannot be written, decided without Slack."""

from __future__ import annotations

import pytest

from bot.incidents import commands as c
from bot.incidents.away import Away, fix_of, what_is_wrong
from bot.incidents.moving import LOOK_AFTER, LOOK_AT_LEAST, goes_on
from bot.incidents.policy import Severity
from tests.unit.incidents.story import ALICE, BOB, START, Story

OPENED = c.Delivered("channel", "channel", {"channel": "C1", "name": "war-room"})
CHECKED = c.Delivered("channel_check", "channel_check:1", {"written": True, "card": True, "name": "war-room"})


def opened(severity: Severity = Severity.SEV1, **facts: bool) -> Story:
    story = Story(severity, **facts)
    story.do(OPENED)
    return story


def asked(story: Story, since: int) -> list[str]:
    return [delivery.kind for delivery in story.deliveries[since:]]


@pytest.mark.parametrize("reason", ["is_archived", "not_in_channel", "channel_not_found", "restricted_action"])
def test_a_public_incident_moves_into_the_thread(reason: str) -> None:
    """Its card is posted there, the level that nobody has answered is paged there, once."""
    story = opened()
    before = len(story.deliveries)
    story.do(c.ChannelShut(reason, "C1"), c.ChannelShut(reason, "C1"))
    assert story.incident.home_slot == "thread"
    assert asked(story, before).count("thread") == 1
    assert asked(story, before).count("page") == 1
    assert reason not in story.events[-1].text
    assert f"{what_is_wrong('war-room', reason)}: continuing" in story.of("delivery_failed")[0].text.replace(
        "The", "the"
    )
    assert fix_of(reason) in goes_on(story.incident)


def test_a_page_on_its_way_is_not_asked_for_again() -> None:
    """It goes out in the thread itself."""
    story = opened()
    before = len(story.deliveries)
    story.do(c.ChannelShut("is_archived", "C1", paging=True))
    assert "page" not in asked(story, before)


def test_nobody_is_paged_again_after_an_acknowledgement() -> None:
    """Whoever acknowledged is told where it goes on."""
    story = opened()
    story.do(c.Acknowledge(BOB))
    before = len(story.deliveries)
    story.do(c.ChannelShut("is_archived", "C1"))
    assert "page" not in asked(story, before)
    (text,) = [str(d.data["text"]) for d in story.deliveries[before:] if d.kind == "say"]
    assert "<@U2>" in text
    assert "unarchive it" in text


def test_a_private_incident_has_no_thread() -> None:
    """The operators hear that it is so, and those who are told may use the buttons."""
    story = opened(private=True)
    story.do(c.Acknowledge(BOB))
    before = len(story.deliveries)
    story.do(c.ChannelShut("is_archived", "C1"))
    assert story.incident.home_slot == "channel"
    assert not {"thread", "announcement", "runbook"} & set(asked(story, before))
    (told,) = [str(d.data["text"]) for d in story.deliveries[before:] if d.kind == "operators"]
    assert "Checkout" not in told
    assert story.incident.is_shown_to("U2")
    story.do(c.Delivered("page", "page:1", {"people": ["Dana"], "told": ["U9"]}))
    assert story.incident.is_shown_to("U9")


@pytest.mark.parametrize(
    "shut",
    [c.ChannelShut("is_archived", "C2"), c.ChannelShut("is_archived", "")],
    ids=["another channel", "none"],
)
def test_what_is_about_another_channel_changes_nothing(shut: c.ChannelShut) -> None:
    """Only the incident's own channel counts."""
    story = opened()
    before = story.incident
    story.do(shut)
    assert story.incident == before


def test_an_edit_of_what_is_over_moves_nothing() -> None:
    """A channel that is archived after the end is as it should be; something that must be said is another matter."""
    story = opened()
    story.do(c.Resolve(ALICE, "Done"))
    before = len(story.deliveries)
    story.do(c.ChannelShut("is_archived", "C1", said=False))
    assert story.incident.away is None
    assert asked(story, before) == []
    story.do(c.ChannelShut("is_archived", "C1"))
    assert story.incident.home_slot == "thread"
    assert not {"page", "channel_check", "runbook"} & set(asked(story, before))


def test_looks_become_rarer_and_end_with_the_incident() -> None:
    """Two minutes at first, half an hour at most; none once it is over."""
    story = opened()
    story.do(c.ChannelShut("is_archived", "C1"))
    waits = [d.wait for d in story.deliveries if d.kind == "channel_check"]
    for minute in (2, 10, 60, 300):
        story.at(minute)
        story.do(c.Delivered("channel_check", "channel_check:1", {"shut": "is_archived"}))
        waits.append(story.deliveries[-1].wait)
    assert waits == [LOOK_AFTER, LOOK_AFTER, 150, 900, LOOK_AT_LEAST]
    story.do(c.Resolve(ALICE, "Done"))
    before = len(story.deliveries)
    story.do(c.Delivered("channel_check", "channel_check:1", {"shut": "is_archived"}))
    assert asked(story, before) == []


def test_only_a_written_message_brings_it_home() -> None:
    """A look that began before the incident went away says nothing of now."""
    story = opened()
    story.do(c.ChannelShut("is_archived", "C1"), c.Delivered("channel_check", "channel_check:1", {"name": "war-room"}))
    assert story.incident.away is not None
    before = len(story.deliveries)
    story.do(CHECKED)
    assert story.incident.home_slot == "channel"
    assert {"moved", "invite", "refresh_card", "topic"} <= set(asked(story, before))
    assert "card" not in asked(story, before)


def test_a_card_that_never_came_is_posted_at_home() -> None:
    """Archived between the channel and the card: at home the card is posted and pinned."""
    story = opened()
    story.do(c.ChannelShut("is_archived", "C1"))
    before = len(story.deliveries)
    story.do(c.Delivered("channel_check", "channel_check:1", {"written": True, "card": False}))
    assert [kind for kind in asked(story, before) if kind in {"card", "pin"}] == ["card", "pin"]


def test_reopening_brings_the_channel_back_first() -> None:
    """What is said waits for it; where Slack refuses, it goes on in the thread."""
    story = opened()
    story.do(c.Resolve(ALICE, "Done"))
    before = len(story.deliveries)
    story.do(c.Reopen(ALICE, "It is back"))
    first = story.deliveries[before]
    assert (first.kind, first.slot) == ("unarchive", "channel")
    story.do(c.Delivered("unarchive", "channel", {"shut": "is_archived"}))
    assert story.incident.home_slot == "thread"


def test_it_is_kept_as_it_was_written() -> None:
    """What is in the row comes back from it."""
    away = Away("is_archived", START, {"ops.api": "runbook"}, ("U1",))
    assert Away.from_json(away.to_json()) == away


def test_a_look_at_what_was_over_moves_nothing_that_is_reopened() -> None:
    """It was archived because it was over; the reopening brings the channel back by itself."""
    story = opened()
    story.do(c.Resolve(ALICE, "Done"))
    story.do(c.Reopen(ALICE))
    story.do(c.Delivered("channel_check", "channel_check:1", {"shut": "is_archived", "open": False}))
    assert story.incident.away is None
    story.do(c.Delivered("channel_check", "channel_check:2", {"shut": "is_archived", "open": True}))
    assert story.incident.away is not None

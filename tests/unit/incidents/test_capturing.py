"""Messages become lines, and what becomes of them supersedes those; nothing is overwritten."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.incidents import commands as c
from bot.incidents.capturing import (
    NO_TEXT,
    PIN,
    REACTION,
    Kept,
    check_undone_by,
    digest,
    kept_as,
    reworded,
    stamp,
)
from bot.incidents.machine import decide
from bot.incidents.model import Actor, Decision, Incident, Person, Refused
from bot.incidents.policy import DEFAULT_POLICY, Severity

NOW = datetime(2026, 11, 21, 3, 12, tzinfo=UTC)
ALICE = Actor("human", "U1", "alice")
SAID = c.Said(Person("U2", "bob"), "C1", "1795230000.000100", "It <is> DNS", "It &lt;is&gt; DNS", NOW, "https://x/p1")


@pytest.fixture
def incident() -> Incident:
    declared = c.Declare(number="INC-20261121-001", title="Down", severity=Severity.SEV2, actor=ALICE)
    return decide(None, declared, DEFAULT_POLICY, NOW).incident


def after(incident: Incident, command: c.Command, minutes: int = 5) -> Decision:
    return decide(incident, command, DEFAULT_POLICY, NOW + timedelta(minutes=minutes))


def test_a_message_stands_at_its_own_time(incident: Incident) -> None:
    """The actor is whoever put it there, the author is in the data, and a reaction is asked for."""
    decision = after(incident, c.CaptureMessage(SAID, ALICE, PIN))
    (event,) = decision.events
    assert (event.kind, event.text, event.actor, event.source) == ("pinned", "It <is> DNS", ALICE, "https://x/p1")
    assert event.occurred_at == NOW
    assert event.recorded_at == NOW + timedelta(minutes=5)
    assert event.data["author"] == {"id": "U2", "name": "bob"}
    (delivery,) = decision.deliveries
    assert (delivery.kind, delivery.lane, delivery.data["name"]) == ("react", "reactions", "white_check_mark")


@pytest.mark.parametrize("minutes", [5, -5])
def test_no_message_is_from_the_future(incident: Incident, minutes: int) -> None:
    """A clock that is ahead of ours puts nothing behind the present."""
    (event,) = after(incident, c.CaptureMessage(SAID, ALICE, PIN), minutes).events
    assert event.occurred_at == min(NOW, NOW + timedelta(minutes=minutes))


def test_a_message_is_taken_once(incident: Incident) -> None:
    """The refusal names the line."""
    with pytest.raises(Refused, match="line 7"):
        after(incident, c.CaptureMessage(SAID, ALICE, PIN, known=7))


def test_without_words_or_place_for_a_reaction(incident: Incident) -> None:
    """A message without text says so; elsewhere nothing is asked of Slack."""
    decision = after(incident, c.CaptureMessage(replace(SAID, text=""), ALICE, PIN, mark=False))
    assert decision.events[0].text == NO_TEXT
    assert decision.deliveries == ()


@pytest.mark.parametrize(
    ("command", "told", "asked"),
    [
        (c.ReleaseMessage(4, "C1", SAID.ts, ALICE), {"supersedes": 4, "removed": True}, ["unreact"]),
        (c.RewordMessage(4, SAID, ALICE), {"supersedes": 4, "edited": True, "text": "It <is> DNS"}, []),
        (c.LoseMessage(4, "C1", SAID.ts), {"supersedes": 4, "deleted": True}, []),
    ],
)
def test_what_comes_later_supersedes(
    incident: Incident, command: c.Command, told: dict[str, object], asked: list[str]
) -> None:
    """One more line of the same kind that names the line before; the state stays."""
    decision = after(incident, command)
    (event,) = decision.events
    assert event.kind == "pinned"
    assert {**event.data, **told} == event.data
    assert [delivery.kind for delivery in decision.deliveries] == asked
    assert decision.incident.status is incident.status


KEPT = kept_as(SAID, "INC-20261121-001", 4, "U1", REACTION)


@pytest.mark.parametrize(
    ("kept", "user", "via", "undone"),
    [
        (KEPT, "U1", REACTION, True),
        (KEPT, "U1", PIN, False),
        (KEPT, "U2", REACTION, False),
        (replace(KEPT, removed=True), "U1", REACTION, False),
    ],
)
def test_only_the_same_hand_undoes(kept: Kept, user: str, via: str, undone: bool) -> None:
    """In the way in which it was done."""
    assert kept.is_undone_by(user, via) is undone


@pytest.mark.parametrize(
    ("kept", "text", "edited", "changed"),
    [
        (KEPT, SAID.raw, "", False),
        (KEPT, "It is not", "", True),
        (replace(KEPT, edited="20.5"), "It is not", "20.5", False),
        (replace(KEPT, edited="9.5"), "It is not", "10.1", True),
        (replace(KEPT, removed=True), "It is not", "", False),
    ],
)
def test_an_edit_is_news_or_not(kept: Kept, text: str, edited: str, changed: bool) -> None:
    """By other words, unless they are older than those that are known."""
    assert kept.is_changed_by(text, edited) is changed


def test_an_edit_is_remembered() -> None:
    """Its line, its words and its time stamp."""
    later = reworded(KEPT, replace(SAID, raw="No", edited="20.5"), 9)
    assert (later.seq, later.digest, later.edited, later.by) == (9, digest("No"), "20.5", "U1")


@pytest.mark.parametrize(
    ("ts", "read"),
    [
        ("1795230000.000100", (1795230000, 100)),
        ("1795230000", (1795230000, 0)),
        ("12.5", (12, 500000)),
        ("", (0, 0)),
        ("-1.0", (0, 0)),
        ("9" * 40, (0, 0)),
        ("12.x", (12, 0)),
        ("\u0661.0", (0, 0)),
    ],
)
def test_time_stamps_are_read(ts: str, read: tuple[int, int]) -> None:
    """What is none reads as zero."""
    assert stamp(ts) == read


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (None, "It is no longer on the timeline of INC-20261121-001."),
        (replace(KEPT, removed=True), "It is no longer on the timeline of INC-20261121-001."),
        (replace(KEPT, via=PIN), "You added it again by a pin. Undo that to take it off."),
        (replace(KEPT, by="U2"), "Someone else added it by a reaction. Ask them to undo that."),
    ],
)
def test_whoever_can_not_take_it_off_is_told_why(kept: Kept | None, said: str) -> None:
    """It is off, or on by another way or another hand."""
    with pytest.raises(Refused) as refused:
        check_undone_by(kept, "INC-20261121-001", "U1", REACTION)
    assert str(refused.value) == said
    assert check_undone_by(KEPT, KEPT.number, "U1", REACTION) is KEPT


def test_where_there_is_no_reaction_none_is_removed(incident: Incident) -> None:
    """What was put there from elsewhere is taken off without a word to Slack."""
    decision = after(incident, c.ReleaseMessage(4, "C1", SAID.ts, ALICE, marked=False))
    assert decision.events[0].data["removed"] is True
    assert decision.deliveries == ()

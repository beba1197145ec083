"""An acknowledgement that no longer covers the incident: it is taken back, said, and the ladder starts anew."""

from __future__ import annotations

import pytest

from bot.incidents import commands as c
from bot.incidents.model import Actor
from bot.incidents.policy import Level
from bot.incidents.reasons import why_paged
from tests.unit.incidents.story import ALICE, LADDER, Story, policy_with

PAGERDUTY = Actor("alert", "pagerduty", "PagerDuty")
VOID = c.VoidAcknowledgement("CartDown is critical & <new>", PAGERDUTY)


def test_it_is_taken_back_and_the_ladder_starts_from_now() -> None:
    """Level 1 is paged again at once, and the others count from the moment at which it became void."""
    story = Story().at(6)
    story.do(c.Acknowledge(ALICE))
    story.at(14).do(VOID)
    assert (story.incident.acknowledged_at, story.incident.acknowledged_by) == (None, None)
    assert story.table()[-1] == (14, "paged 1 acknowledgement_void")
    told = [(m, what) for m, what in story.at(45).table() if m >= 14 and "not_acknowledged" in what]
    expected = [(19, "escalated 2 not_acknowledged"), (29, "escalated 3 not_acknowledged")]
    assert told == [*expected, (44, "escalated 4 not_acknowledged")]


def test_it_is_said_once_with_its_reason() -> None:
    """Timeline, place and page name who had acknowledged and why it no longer counts, each escaped for its medium."""
    story = Story().at(6)
    story.do(c.Acknowledge(ALICE))
    decision = story.do(VOID)
    (note,) = [e for e in decision.events if e.kind == "note"]
    assert note.text == "The acknowledgement by Alice (03:06 UTC) no longer counts: CartDown is critical & <new>"
    assert (note.actor, note.data["void"]) == (PAGERDUTY, "acknowledgement")
    (line,) = [d.data["text"] for d in decision.deliveries if d.kind == "say"]
    assert line == (
        ":warning: <@U1>'s acknowledgement (03:06 UTC) no longer counts: CartDown is critical &amp; &lt;new&gt;. "
        "Paging again."
    )
    (page,) = [d for d in decision.deliveries if d.kind == "page"]
    assert (page.data["level"], page.data["people"]) == (1, ["alice@example.com"])
    assert why_paged(page.data) == "the acknowledgement no longer counts: CartDown is critical & <new>"
    assert "refresh_card" in [d.kind for d in decision.deliveries]


@pytest.mark.parametrize("over", [False, True])
def test_nothing_happens_where_there_is_none(over: bool) -> None:
    """An incident that nobody had acknowledged, or that is over, stays as it is."""
    story = Story().at(6)
    if over:
        story.do(c.Acknowledge(ALICE), c.Resolve(ALICE))
    before = story.incident
    decision = story.do(VOID)
    assert (decision.incident, decision.events, decision.deliveries) == (before, (), ())


def test_it_can_be_given_again() -> None:
    """The same person acknowledges anew, and the ladder stops."""
    story = Story().at(6)
    story.do(c.Acknowledge(ALICE), VOID)
    story.do(c.Acknowledge(ALICE))
    assert story.incident.next_page is None
    assert story.incident.acknowledged_by == ALICE


def test_without_a_ladder_it_asks_for_a_hand() -> None:
    """Where nobody can be paged, the line says so and asks whoever reads it."""
    story = Story(policy=policy_with(sev2={"ladder": ()}))
    story.do(c.Acknowledge(ALICE))
    (line,) = [d.data["text"] for d in story.do(VOID).deliveries if d.kind == "say"]
    assert line.endswith("Nobody is paged: acknowledge if you are working on it.")


def test_a_first_level_that_waits_is_armed() -> None:
    """A ladder whose first level comes after some minutes counts them from the void acknowledgement."""
    later = (Level("On-call SRE", 120, ("alice@example.com",)), *LADDER[1:])
    story = Story(policy=policy_with(sev2={"ladder": later})).at(1)
    story.do(c.Acknowledge(ALICE))
    story.at(10).do(VOID)
    assert story.armed()["ladder 1"] == 12

"""Levels that are paged through PagerDuty, and levels of which nobody can be reached."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bot.incidents import commands as c
from bot.incidents.escalation import is_needless
from bot.incidents.model import Delivery, Role
from bot.incidents.policy import Level, PagerDutyTarget, Policy, Severity
from tests.unit.incidents.story import ALICE, ALICE_PERSON, LADDER, POLICY, START, Story, policy_with

TARGET = PagerDutyTarget("PLEADS01", "PSERVICE")
MIXED = (
    Level("On-call SRE", 0, ("alice@example.com",)),
    Level("SRE Team Lead", 5 * 60, (), TARGET),
    Level("Engineering Manager", 15 * 60, ("charlie@example.com",), TARGET),
    Level("VP Engineering", 30 * 60, ("dana@example.com",)),
)
MIXED_POLICY = policy_with(sev1={"ladder": MIXED}, sev2={"ladder": MIXED})
Climbs = list[tuple[int, str]]


def a_story(*levels: Level) -> Story:
    return Story(policy=policy_with(sev2={"ladder": levels}) if levels else MIXED_POLICY)


def pages(story: Story, kind: str = "page_pagerduty") -> list[Delivery]:
    return [d for d in story.deliveries if d.kind == kind]


def climbs(story: Story) -> Climbs:
    return [(e.data["level"], e.data["reason"]) for e in story.events if e.kind in {"paged", "escalated"}]


def fail(story: Story, delivery: Delivery) -> None:
    story.do(c.DeliveryFailed(delivery.kind, delivery.slot, "gone", "Mend it.", dict(delivery.data)))


def reach(story: Story, delivery: Delivery, **result: Any) -> None:
    story.do(c.Delivered(delivery.kind, delivery.slot, result, dict(delivery.data)))


def test_a_level_is_paged_beside_slack_in_a_lane_that_needs_nothing() -> None:
    """Its page names whom to notify and waits for nothing of Slack; a level without PagerDuty has none."""
    story = a_story().at(16)
    second, third = pages(story)
    assert (second.lane, second.needs, second.after) == ("pagerduty", (), ())
    assert second.data["level"] == 2
    assert (second.data["escalation_policy"], second.data["service"]) == ("PLEADS01", "PSERVICE")
    assert (second.data["people"], third.data["people"]) == ([], ["charlie@example.com"])
    assert [d.data["level"] for d in pages(story, "page")] == [2, 3]
    assert [d.data["level"] for d in pages(story, "invite") if "level" in d.data] == [1, 3]


def test_each_paging_of_a_level_is_a_page_of_its_own() -> None:
    """A level that an overdue update reaches first, and the ladder again, is paged twice, by two keys."""
    story = a_story(*LADDER[:1], Level("Lead", 30 * 60, (), TARGET)).at(31)
    assert climbs(story) == [(1, "declared"), (2, "update_overdue"), (2, "not_acknowledged")]
    assert len({d.slot for d in pages(story)}) == 2


def test_a_page_that_went_out_is_told() -> None:
    """The timeline says through what, whom, and where it can be seen."""
    story = a_story().at(5)
    reach(story, pages(story)[0], people=["Maeve"], incident="Q1", way="incident", problems=[])
    event = story.events[-1]
    assert (event.kind, event.text) == ("page_delivered", "Page delivered through PagerDuty to Maeve")
    assert event.data == {
        "level": 2, "people": ["Maeve"], "incident": "Q1", "way": "incident", "problems": [], "via": "pagerduty"
    }  # fmt: skip
    nameless = a_story().at(5)
    reach(nameless, pages(nameless)[0], people=[], way="event")
    assert nameless.events[-1].text == "Page delivered through PagerDuty to SRE Team Lead"


def test_a_failed_page_is_a_failed_page() -> None:
    """It stands on the timeline as one, with the fix."""
    story = a_story().at(5)
    fail(story, pages(story)[0])
    (event,) = story.of("page_failed")
    assert event.text == "Page through PagerDuty failed: gone. Mend it."
    assert event.data["level"] == 2


def test_the_only_way_to_a_level_fails() -> None:
    """The next level is paged at once, after the failure on the timeline, and its turn does not come again."""
    story = a_story().at(5)
    fail(story, pages(story)[0])
    assert story.kinds()[-2:] == ["page_failed", "escalated"]
    escalated = story.events[-1]
    assert escalated.text == ("Escalated to level 3, Engineering Manager: nobody on level 2 could be reached")
    assert escalated.data["unreached"] == 2
    assert story.at(31).table()[-1] == (30, "escalated 4 not_acknowledged")
    assert [level for level, reason in climbs(story) if reason == "not_acknowledged"] == [2, 4]


@pytest.mark.parametrize("first", ["page", "page_pagerduty"])
def test_a_level_with_two_ways_is_reached_by_either(first: str) -> None:
    """One that fails leaves the other; one that arrives is enough, whenever the other fails."""
    story = a_story().at(15)
    level = {d.kind: d for d in story.deliveries if d.data.get("level") == 3}
    other = level[({"page", "page_pagerduty"} - {first}).pop()]
    fail(story, level[first])
    assert climbs(story)[-1] == (3, "not_acknowledged")
    fail(story, other)
    assert climbs(story)[-1] == (4, "nobody_reached")

    happy = a_story().at(15)
    level = {d.kind: d for d in happy.deliveries if d.data.get("level") == 3}
    reach(happy, level[first], people=["Charlie"])
    fail(happy, other)
    assert climbs(happy)[-1] == (3, "not_acknowledged")


@pytest.mark.parametrize("people", [[], ["Alice"]])
def test_the_first_level_is_reached_by_the_notification(people: list[str]) -> None:
    """The notification that opens a channel mentions level 1: where it could mention nobody, level 2 is paged."""
    story = a_story()
    reach(story, pages(story, "notification")[0], people=people, problems=["alice@example.com: not found"])
    if people:
        assert story.kinds()[-1] == "page_delivered"
        assert climbs(story) == [(1, "declared")]
    else:
        (failed,) = story.of("page_failed")
        assert failed.data["problems"] == ["alice@example.com: not found"]
        assert climbs(story) == [(1, "declared"), (2, "nobody_reached")]
        assert len(pages(story)) == 1


def test_an_invitation_that_fails_is_no_lost_level() -> None:
    """Whoever can't be invited can still be mentioned."""
    story = a_story(*LADDER)
    fail(story, pages(story, "invite")[0])
    assert story.kinds()[-1] == "page_failed"
    assert climbs(story) == [(1, "declared")]


def test_levels_that_name_nobody_are_passed_over() -> None:
    """Each is recorded, and the ladder goes on to somebody at once; at its top it ends."""
    story = a_story(Level("A"), Level("B", 60), *LADDER[2:3], Level("D", 1900))
    assert climbs(story) == [(1, "declared"), (2, "nobody_reached"), (3, "nobody_reached")]
    assert [e.data["level"] for e in story.of("page_failed")] == [1, 2]
    assert story.armed()["ladder 4"] == 1900 / 60
    assert climbs(a_story(Level("A"), Level("B"))) == [(1, "declared"), (2, "nobody_reached")]


def test_a_ladder_of_the_unreachable_ends_at_its_top() -> None:
    """Every page fails: each level is climbed to once, and the last failure leads nowhere."""
    story = a_story()
    fail(story, pages(story, "notification")[0])
    for number in (2, 3, 4):
        for delivery in [d for d in story.deliveries if d.data.get("level") == number and d.kind.startswith("page")]:
            fail(story, delivery)
    assert [level for level, _ in climbs(story)] == [1, 2, 3, 4]
    assert story.armed() == {"update_reminder": 12}
    assert climbs(story.at(11)) == [(1, "declared"), *((n, "nobody_reached") for n in (2, 3, 4))]


def test_nobody_is_climbed_to_after_an_acknowledgement() -> None:
    """A page that fails when somebody is there already is recorded and wakes nobody."""
    story = a_story().at(5)
    story.do(c.Acknowledge(ALICE))
    fail(story, pages(story)[0])
    assert story.kinds()[-1] == "page_failed"
    assert climbs(story) == [(1, "declared"), (2, "not_acknowledged")]
    over = a_story().at(5)
    over.do(c.Resolve(ALICE))
    fail(over, pages(over)[0])
    assert climbs(over)[-1] == (2, "not_acknowledged")


@pytest.mark.parametrize("updated", [False, True])
def test_the_climb_of_an_overdue_update_goes_on_as_one(updated: bool) -> None:
    """It survives the acknowledgement as itself; once the update has come, nobody more is wanted."""
    story = a_story()
    story.do(c.Acknowledge(ALICE))
    story.at(20)
    assert climbs(story)[-1] == (2, "update_overdue")
    if updated:
        story.do(c.PostUpdate("Found it", ALICE))
    fail(story, pages(story)[0])
    if updated:
        assert climbs(story)[-1] == (2, "update_overdue")
    else:
        assert story.events[-1].data["late_seconds"] == 5 * 60
        assert climbs(story)[-1] == (3, "update_overdue")


def test_an_earlier_level_that_fails_late_changes_nothing() -> None:
    """When the next level has been paged meanwhile, it is not paged again."""
    story = a_story(Level("A", 0, (), TARGET), *LADDER[1:]).at(6)
    fail(story, pages(story)[0])
    assert climbs(story) == [(1, "declared"), (2, "not_acknowledged")]


def test_a_page_lost_with_its_channel_is_repeated_before_anybody_climbs() -> None:
    """Without a channel the page goes to the thread: the loss of the first one does not count, that one does."""
    story = a_story(*LADDER)
    story.do(c.DeliveryFailed("channel", "channel", "restricted_action", "Let the bot create channels."))
    story.do(c.PageLost("notification", "notification", "what it needs is not there", "Mend it.", {"level": 1}))
    assert "page_failed" not in story.kinds()
    (again,) = pages(story, "page")
    story.do(c.PageLost("page", again.slot, "what it needs is not there", "Mend it.", {"level": 1}))
    assert climbs(story) == [(1, "declared"), (2, "nobody_reached")]


def test_without_a_channel_pagerduty_still_counts() -> None:
    """A level with two ways that loses its place in Slack waits for the other way."""
    story = a_story(Level("A", 0, ("alice@example.com",), TARGET), *LADDER[1:])
    story.do(c.DeliveryFailed("channel", "channel", "restricted_action", "Let the bot create channels."))
    fail(story, pages(story, "page")[0])
    assert climbs(story) == [(1, "declared")]
    fail(story, pages(story)[0])
    assert climbs(story)[-1] == (2, "nobody_reached")


@pytest.mark.parametrize(
    ("command", "state"),
    [(c.Acknowledge(ALICE), "acknowledged"), (c.Resolve(ALICE), "resolved"), (c.AssignRole(ALICE_PERSON, ALICE), None)],
)
def test_what_is_answered_there(command: c.Command, state: str | None) -> None:
    """An acknowledgement and the end are told to PagerDuty, after what waits in its lane; a lead is not."""
    story = a_story().at(5)
    told = [d for d in story.do(command).deliveries if d.kind == "pagerduty_state"]
    assert [(d.data["state"], d.lane, d.needs, d.coalesce) for d in told] == (
        [(state, "pagerduty", (), True)] if state else []
    )


def test_the_live_messages_are_refreshed_beside_it() -> None:
    """What is told to PagerDuty does not keep the card from showing the new state."""
    kinds = [d.kind for d in a_story().at(5).do(c.Acknowledge(ALICE)).deliveries]
    assert kinds == ["refresh_pages", "pagerduty_state", "refresh_card", "refresh_announcement", "topic"]


def test_an_update_answers_the_page_of_an_overdue_one() -> None:
    """Posted while overdue it is told to PagerDuty; in time there is nothing to answer."""
    story = a_story().at(4)
    assert "pagerduty_state" not in [d.kind for d in story.do(c.PostUpdate("Looking", ALICE)).deliveries]
    story.at(25)
    assert "pagerduty_state" in [d.kind for d in story.do(c.KeepCadence(ALICE)).deliveries]


def test_without_pagerduty_nothing_is_told_there() -> None:
    """A policy that never names it asks for no delivery."""
    story = Story()
    story.do(c.Acknowledge(ALICE), c.AssignRole(ALICE_PERSON, ALICE, Role.LEAD), c.Resolve(ALICE))
    assert {d.lane for d in story.deliveries}.isdisjoint({"pagerduty"})


def test_a_page_is_needless_once_its_reason_is_gone() -> None:
    """An acknowledgement, the end, and the update that was missing each stop what has not gone out."""
    story = a_story()
    assert [is_needless(story.incident, r) for r in ("declared", "update_overdue")] == [False, True]
    story.do(c.Acknowledge(ALICE))
    assert [is_needless(story.incident, r) for r in ("declared", "nobody_reached")] == [True, True]
    assert not is_needless(story.at(20).incident, "update_overdue")
    story.do(c.PostUpdate("Found it", ALICE))
    assert is_needless(story.incident, "update_overdue")
    story.at(40).do(c.Resolve(ALICE))
    assert is_needless(story.incident, "update_overdue")


def test_a_policy_frozen_by_an_older_version_is_read() -> None:
    """An incident that opened before levels could name PagerDuty goes on with the levels that it has."""
    frozen = json.loads(json.dumps(POLICY.to_json()))
    for row in frozen.values():
        for level in row["ladder"]:
            del level["pagerduty"]
    assert Policy.from_json(frozen) == POLICY
    assert not POLICY.names_pagerduty


def test_a_policy_keeps_whom_it_pages_there() -> None:
    """Escalation policy and service survive the way through JSON."""
    assert Policy.from_json(json.loads(json.dumps(MIXED_POLICY.to_json()))) == MIXED_POLICY
    assert MIXED_POLICY.names_pagerduty
    assert MIXED_POLICY.of(Severity.SEV2).ladder[1].pagerduty == TARGET


def test_an_incident_of_an_older_version_knows_of_no_page_on_its_way() -> None:
    """A page that an older version asked for fails or arrives without a level that waits for it."""
    story = a_story().at(5)
    story.incident = replace(story.incident, paging={})
    fail(story, pages(story)[0])
    assert climbs(story) == [(1, "declared"), (2, "not_acknowledged")]
    assert story.now > START

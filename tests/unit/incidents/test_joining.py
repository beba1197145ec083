"""Alerts that join an open incident: what is worse, what is something else, and more of the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.incidents import commands as c
from bot.incidents.heard import KINDS, WAITING, Heard, Joined
from bot.incidents.model import Delivery
from bot.incidents.policy import Severity
from bot.incidents.telling import PACE
from tests.unit.incidents.story import ALICE, ALICE_PERSON, BOB, Story, an_alert, policy_with

DISK = "DiskFills on db"
WARNING = Joined(DISK, Severity.SEV3, declares=False)
CRITICAL = Joined(DISK, Severity.SEV2, declares=True)
WORST = Joined(DISK, Severity.SEV1, declares=True)
DATABASE = Joined("PostgresDown on postgres", Severity.SEV2, declares=True)


def joins(story: Story, *joined: Joined, expected: bool = False) -> Story:
    """Let alerts join, one each."""
    opened = tuple(an_alert(f"j{n}", name=each.kind.split()[0]) for n, each in enumerate(joined))
    story.do(c.AlertsChanged(opened, joined=joined, expected=expected))
    return story


def quiet(story: Story, *more: c.Command) -> Story:
    """Acknowledge, and let no update be due for a day."""
    story.do(c.Acknowledge(BOB), c.PauseCadence(24 * 3600, BOB), *more)
    return story


def told(story: Story) -> list[Delivery]:
    """Give the messages about what joined."""
    return [delivery for delivery in story.deliveries if delivery.kind == "alerts_joined"]


def pages(story: Story) -> list[tuple[float, str]]:
    """Give the pages, and what raised or voided before them."""
    return [line for line in story.table() if line[1].startswith(("paged", "escalated", "severity"))]


def test_a_critical_alert_raises_what_a_warning_opened() -> None:
    """Accepted as sev3 and acknowledged, it becomes a sev2 with channel and ladder, and the first level is paged."""
    story = Story(Severity.SEV3, heard=Heard.of([WARNING]))
    story.at(1).do(c.Acknowledge(ALICE))
    joins(story.at(780), WARNING, CRITICAL)
    assert story.incident.severity is Severity.SEV2
    assert story.incident.acknowledged_at is None
    assert story.incident.opened_channel
    assert pages(story) == [(780, "severity_changed"), (780, "paged 1 raised")]
    assert story.of("severity_changed")[0].data["why"] == "DiskFills on db joined"
    assert pages(story.at(799))[2:] == [(785, "escalated 2 not_acknowledged"), (795, "escalated 3 not_acknowledged")]


def test_what_is_worse_voids_an_acknowledgement_and_starts_the_ladder_anew() -> None:
    """Alice acknowledged a sev2: she has not heard of the sev1, so that everybody's turn comes again."""
    story = quiet(Story(heard=Heard.of([CRITICAL])).at(6))
    joins(story.at(30), WORST)
    assert [event.data.get("void") for event in story.of("note")] == ["acknowledgement"]
    assert pages(story.at(36))[2:] == [
        (30, "severity_changed"),
        (30, "paged 1 raised"),
        (35, "escalated 2 not_acknowledged"),
    ]


def test_a_ladder_that_is_under_way_goes_on() -> None:
    """Where nobody has acknowledged, the levels come when their time comes; nobody is paged twice."""
    story = joins(Story(heard=Heard.of([CRITICAL])).at(2), WORST)
    assert story.incident.severity is Severity.SEV1
    assert pages(story.at(16)) == [
        (0, "paged 1 declared"),
        (2, "severity_changed"),
        (5, "escalated 2 not_acknowledged"),
        (15, "escalated 3 not_acknowledged"),
    ]


def test_what_people_have_lowered_stays_low() -> None:
    """One more alert that is no worse than those that they knew of raises nothing."""
    story = Story(heard=Heard.of([CRITICAL])).at(3)
    story.do(c.SetSeverity(Severity.SEV3, ALICE, "one shop only"))
    joins(story.at(60), CRITICAL)
    assert story.incident.severity is Severity.SEV3
    assert told(story) == []


def test_more_of_the_same_is_an_edit_of_the_card() -> None:
    """Another pod of the same trouble says nothing in the channel."""
    story = Story(heard=Heard.of([CRITICAL])).at(3)
    before = len(story.deliveries)
    joins(story, replace(CRITICAL), replace(WARNING))
    assert {delivery.kind for delivery in story.deliveries[before:]} == {"refresh_card"}


def test_something_else_is_told_to_the_lead() -> None:
    """With a lead it is a message, loud where a rule declares it, that stands on the timeline too."""
    story = Story(heard=Heard.of([CRITICAL])).at(1)
    quiet(story, c.AssignRole(ALICE_PERSON, ALICE))
    joins(story.at(600), DATABASE)
    (message,) = told(story)
    assert message.data == {"joined": "PostgresDown on postgres", "more": 0, "loud": True}
    assert message.lane == "page"
    assert story.of("note")[-1].text == "Joined this incident: PostgresDown on postgres"
    assert story.incident.acknowledged_at is not None
    assert len(pages(story)) == 1


def test_without_a_lead_the_first_level_is_paged_again() -> None:
    """It was acknowledged ten hours ago and nobody leads: whoever is on call must hear of the database."""
    story = quiet(Story(heard=Heard.of([CRITICAL])).at(6))
    joins(story.at(606), DATABASE)
    assert pages(story)[-1] == (606, "paged 1 joined")
    assert told(story) == []
    page = next(d for d in reversed(story.deliveries) if d.kind == "page")
    assert page.data["joined"] == "PostgresDown on postgres"


def test_who_cannot_be_reached_for_something_else_is_passed_by() -> None:
    """The first level is away; the second was paged for the trouble before, and hears of this one too."""
    story = quiet(Story(heard=Heard.of([CRITICAL])).at(6))
    joins(story.at(606), DATABASE)
    slot = next(d.slot for d in reversed(story.deliveries) if d.kind == "page")
    story.do(c.DeliveryFailed("page", slot, "nobody_found", "Correct the ladder."))
    assert pages(story)[-2:] == [(606, "paged 1 joined"), (606, "escalated 2 joined")]


def test_a_warning_of_another_kind_pages_nobody() -> None:
    """It is a message; whoever has the lead is mentioned by it, and no page goes out."""
    story = quiet(Story(heard=Heard.of([CRITICAL])).at(6))
    joins(story.at(606), Joined("SlowQueries on postgres", Severity.SEV3, declares=False))
    assert [message.data["loud"] for message in told(story)] == [False]
    assert len(pages(story)) == 2


def test_where_no_ladder_is_configured_it_is_a_message() -> None:
    """There is nobody to page: the message stands in the channel."""
    story = Story(policy=policy_with(sev2={"ladder": ()}), heard=Heard.of([CRITICAL])).at(6)
    joins(story, DATABASE)
    assert len(told(story)) == 1


def test_many_kinds_are_told_together() -> None:
    """The first is told at once; what comes within five minutes is told in one message after them."""
    story = Story(heard=Heard.of([CRITICAL])).at(1)
    story.do(c.AssignRole(ALICE_PERSON, ALICE), c.Acknowledge(ALICE))
    for n in range(WAITING + 5):
        joins(story.at(10 + n / 10), Joined(f"Down{n} on svc{n}", Severity.SEV2, declares=True))
    assert [message.data["joined"] for message in told(story)] == ["Down0 on svc0"]
    story.at(10 + PACE.total_seconds() / 60)
    assert len(told(story)) == 2
    second = told(story)[1].data
    assert second["joined"].startswith("Down1 on svc1, Down2 on svc2, ")
    assert second["more"] == 4
    joins(story.at(60), Joined("Down3 on svc3", Severity.SEV2, declares=True))
    assert len(told(story.at(70))) == 2, "known by now"


@pytest.mark.parametrize("end", [c.Resolve(ALICE), c.Cancel(ALICE), c.MergeInto("INC-20261121-002", ALICE)])
def test_what_waits_is_told_before_the_end(end: c.Command) -> None:
    """Whoever ends the incident within the pace of the messages hears what else has joined; nobody is paged for it."""
    story = Story(heard=Heard.of([CRITICAL])).at(1)
    story.do(c.Acknowledge(ALICE))
    joins(story, DATABASE)
    joins(story.at(2), Joined("CacheDown on redis", Severity.SEV2, declares=True))
    before = pages(story)
    story.do(end)
    assert [message.data["joined"] for message in told(story)] == ["CacheDown on redis"]
    assert story.incident.timers == ()
    assert (len(told(story.at(10))), pages(story)) == (1, before)


def test_what_a_person_has_had_join_is_no_news() -> None:
    """Merged by hand from triage, and from another incident: its people know."""
    story = joins(Story(heard=Heard.of([CRITICAL])).at(6), DATABASE, expected=True)
    story.do(c.MergedFrom("INC-20261121-002", "Cache", ALICE, Heard.of([Joined("CacheDown", Severity.SEV1, True)])))
    joins(story.at(7), DATABASE, Joined("CacheDown", Severity.SEV1, declares=True))
    assert told(story) == []
    assert story.incident.severity is Severity.SEV2


def test_what_follows_its_group_into_an_incident_may_be_the_worst() -> None:
    """It fires since before: no message tells of it, but an incident is never less severe than what fires in it."""
    story = Story(heard=Heard.of([CRITICAL])).at(6)
    story.do(c.AlertsChanged(carried=(DATABASE,)))
    assert (story.incident.severity, told(story)) == (Severity.SEV2, [])
    story.do(c.AlertsChanged(carried=(WORST,)))
    assert story.incident.severity is Severity.SEV1
    assert told(joins(story, DATABASE)) == []


def test_a_storm_takes_all_kinds_and_is_raised_by_the_worst() -> None:
    """Its channel is about everything; only what is worse than all before is more than a count."""
    story = joins(Story(heard=Heard.of([CRITICAL], of_all=True)).at(6), DATABASE)
    assert told(story) == []
    assert joins(story, WORST).incident.severity is Severity.SEV1


@pytest.mark.parametrize("end", [c.Resolve(ALICE), c.Cancel(ALICE)])
def test_an_incident_that_is_over_is_not_raised(end: c.Command) -> None:
    """What still comes for it is on its card."""
    story = Story(heard=Heard.of([CRITICAL])).at(6)
    story.do(end)
    joins(story, WORST)
    assert story.incident.severity is Severity.SEV2
    assert told(story) == []


def test_it_is_remembered_as_it_was() -> None:
    """What was written is read again, and it stays bounded."""
    many = [Joined(f"Down on svc{n}", Severity.SEV2, declares=True) for n in range(KINDS + 10)]
    heard = Heard.of(many).with_waiting(many[:3])
    assert Heard.from_json(heard.to_json()) == heard
    assert len(heard.kinds) == KINDS
    assert Heard().to_json() is None
    assert Heard.from_json(None) == Heard()

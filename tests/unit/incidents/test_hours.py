"""Hours of an incident, minute by minute: what happens on its own, what people do, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from bot.incidents import commands as c
from bot.incidents.model import Role, Status, Timer, TimerKind
from bot.incidents.policy import Level, Severity
from tests.unit.incidents.story import ALICE, ALICE_PERSON, BOB, START, Story, policy_with

Table = list[tuple[float, str]]
Timers = tuple[Timer, ...]

OPENED: Table = [(0, "declared"), (0, "paged 1 declared")]


def overdue_from(first: int, last: int) -> Table:
    """Give the notices where the ladder has no level left: three an interval apart, then one an hour to operators.

    The update was due at minute 15.
    """
    minutes = [*range(first, first + 45, 15), *range(first + 45, last + 1, 60)]
    return [(minute, f"update_overdue by {minute - 15}") for minute in minutes]


@pytest.mark.parametrize("severity", [Severity.SEV1, Severity.SEV2])
def test_three_hours_without_a_soul(severity: Severity) -> None:
    """Nobody comes: the ladder at 5, 15 and 30, the cadence at 12, 15 and 20, then ever rarer notices."""
    assert Story(severity).at(180).table() == [
        *OPENED,
        (5, "escalated 2 not_acknowledged"),
        (12, "update_due"),
        (15, "escalated 3 not_acknowledged"),
        (15, "update_overdue by 0"),
        (20, "escalated 4 update_overdue"),
        (30, "escalated 4 not_acknowledged"),
        *overdue_from(35, 180),
    ]


def test_acknowledged_but_never_updated() -> None:
    """An acknowledgement at minute 3 stops the ladder, and what climbs it from then on is the overdue update alone."""
    story = Story().at(3)
    story.do(c.Acknowledge(ALICE))
    assert story.at(180).table() == [
        *OPENED,
        (3, "acknowledged"),
        (12, "update_due"),
        (15, "update_overdue by 0"),
        (20, "escalated 2 update_overdue"),
        (35, "escalated 3 update_overdue"),
        (50, "escalated 4 update_overdue"),
        *overdue_from(65, 180),
    ]


def test_updated_in_time() -> None:
    """Each update, and each `No change`, begins a new interval: one reminder each, nothing overdue, nobody paged."""
    story = Story().at(2)
    story.do(c.Acknowledge(ALICE))
    expected: Table = [*OPENED, (2, "acknowledged")]
    for minute in range(13, 13 * 13, 13):
        story.at(minute).do(c.PostUpdate("Still looking", ALICE) if minute % 2 else c.KeepCadence(ALICE))
        expected += [(minute - 1, "update_due"), (minute, "update_posted")]
    story.at(minute + 11).do(c.Resolve(ALICE, "Rolled back"))
    assert story.at(180).table() == [*expected, (minute + 11, "resolved")]


def test_an_update_before_the_reminder_moves_it() -> None:
    """An update at minute 10 puts the reminder at 22, the overdue notice at 25 and the climb at 30."""
    story = Story().at(1)
    story.do(c.Acknowledge(ALICE))
    story.at(10).do(c.PostUpdate("A bad deploy", ALICE, status=Status.IDENTIFIED))
    assert story.at(31).table()[3:] == [
        (10, "status_changed"),
        (10, "update_posted"),
        (22, "update_due"),
        (25, "update_overdue by 0"),
        (30, "escalated 2 update_overdue"),
    ]


def test_an_update_while_overdue_ends_the_climb() -> None:
    """An update at minute 21, after the climb of 20, counts a full interval again and keeps the level reached."""
    story = Story().at(3)
    story.do(c.Acknowledge(ALICE))
    story.at(21).do(c.PostUpdate("Found it", ALICE))
    assert story.at(56).table()[5:] == [
        (20, "escalated 2 update_overdue"),
        (21, "update_posted"),
        (33, "update_due"),
        (36, "update_overdue by 0"),
        (41, "escalated 3 update_overdue"),
        (56, "escalated 4 update_overdue"),
    ]


def test_paused() -> None:
    """A pause of 40 minutes asks for nothing, and at its end a full interval begins; the ladder does not pause."""
    story = Story().at(7)
    story.do(c.PauseCadence(40 * 60, ALICE, "waiting for the restore"))
    assert story.incident.next_update_at is None
    assert story.at(68).table() == [
        *OPENED,
        (5, "escalated 2 not_acknowledged"),
        (7, "cadence_paused"),
        (15, "escalated 3 not_acknowledged"),
        (30, "escalated 4 not_acknowledged"),
        (47, "cadence_paused"),  # with data.resumed
        (59, "update_due"),
        (62, "update_overdue by 0"),
        (67, "update_overdue by 5"),
    ]
    assert [event.data.get("resumed", False) for event in story.of("cadence_paused")] == [False, True]


@pytest.mark.parametrize("command", [c.PostUpdate("Restored", ALICE), c.KeepCadence(ALICE)])
def test_an_update_ends_a_pause(command: c.Command) -> None:
    """Whoever posts during a pause has ended it: the next reminder comes 12 minutes later."""
    story = Story().at(1)
    story.do(c.Acknowledge(ALICE), c.PauseCadence(3600, ALICE))
    story.at(10).do(command)
    assert story.incident.paused_until is None
    assert story.armed() == {"update_reminder": 22}


def test_raised_from_sev3() -> None:
    """A sev3 is silent for half an hour; raised, it has a ladder and a cadence that count from that minute."""
    story = Story(Severity.SEV3).at(30)
    story.do(c.SetSeverity(Severity.SEV1, ALICE, "all regions"))
    assert story.at(66).table() == [
        (0, "declared"),
        (30, "severity_changed"),
        (30, "paged 1 raised"),
        (35, "escalated 2 not_acknowledged"),
        (42, "update_due"),
        (45, "escalated 3 not_acknowledged"),
        (45, "update_overdue by 0"),
        (50, "escalated 4 update_overdue"),
        (60, "escalated 4 not_acknowledged"),
        (65, "update_overdue by 20"),
    ]


def test_lowered_to_sev3() -> None:
    """Lowered at minute 8, nothing more happens on its own."""
    story = Story().at(8)
    story.do(c.SetSeverity(Severity.SEV3, ALICE, "one tenant only"))
    assert story.armed() == {}
    assert story.at(180).table() == [*OPENED, (5, "escalated 2 not_acknowledged"), (8, "severity_changed")]


@pytest.mark.parametrize("left_at", [1, 11, 12.5, 14])
def test_away_before_the_update_was_due(left_at: float) -> None:
    """Back after 40 minutes, whichever cadence timer was armed: one overdue notice that says how late, no reminder."""
    story = Story().at(0.5)
    story.do(c.Acknowledge(ALICE))
    story.at(left_at)
    told = len(story.events)
    back = left_at + 40
    assert story.away(back).table()[told:] == [(back, f"update_overdue by {back - 15:g}")]
    assert story.armed() == {"update_climb": back + 5}
    assert story.at(back + 20).table()[told + 1 :] == [
        (back + 5, "escalated 2 update_overdue"),
        (back + 20, "escalated 3 update_overdue"),
    ]


def test_away_while_overdue() -> None:
    """Away from minute 16 to 56, the climb of minute 20 is made up for once, and the next comes an interval later."""
    story = Story().at(3)
    story.do(c.Acknowledge(ALICE))
    story.at(16).away(56)
    assert story.table()[5:] == [(56, "escalated 2 update_overdue")]
    assert story.of("escalated")[-1].data["late_seconds"] == 41 * 60
    assert story.armed() == {"update_climb": 71}


def test_away_with_nobody_there() -> None:
    """Back after 40 minutes without an acknowledgement: every level that is due is paged once, lowest first."""
    story = Story().at(1).away(41)
    assert sorted(story.table()[2:]) == [
        (41, "escalated 2 not_acknowledged"),
        (41, "escalated 3 not_acknowledged"),
        (41, "escalated 4 not_acknowledged"),
        (41, "update_overdue by 26"),
    ]
    assert [event.data["level"] for event in story.of("escalated")] == [2, 3, 4]
    assert [event.data["waited_seconds"] for event in story.of("escalated")] == [41 * 60] * 3


def test_a_little_late_is_still_a_reminder() -> None:
    """A reminder that comes at minute 14 is no overdue notice: that is still to come at 15."""
    story = Story().at(3)
    story.do(c.Acknowledge(ALICE))
    story.away(14)
    assert story.table()[3:] == [(14, "update_due")]
    assert story.armed() == {"update_overdue": 15}


def test_a_pause_that_ended_while_away() -> None:
    """Back long after a pause ended: a full interval begins then, and nothing is overdue."""
    story = Story().at(3)
    story.do(c.Acknowledge(ALICE), c.PauseCadence(600, ALICE))
    story.away(60)
    assert story.table()[4:] == [(60, "cadence_paused")]
    assert story.armed() == {"update_reminder": 72}


@pytest.mark.parametrize("minute", [0.5, 6, 13, 16, 21, 31, 100])
def test_resolving_stops_everything(minute: float) -> None:
    """Resolved at whatever minute: no timer is armed, and three hours later nothing has been added."""
    story = Story().at(minute)
    story.do(c.Resolve(ALICE, "Rolled back"))
    assert story.incident.timers == ()
    told = len(story.events)
    assert len(story.at(minute + 180).events) == told


def test_reopened() -> None:
    """A reopened incident has its cadence again, counted from that minute, and the acknowledgement still stands."""
    story = Story().at(3)
    story.do(c.Acknowledge(ALICE))
    story.at(10).do(c.Resolve(ALICE, "Rolled back"))
    story.at(60).do(c.Reopen(BOB, "it is back"))
    assert story.at(81).table()[3:] == [
        (10, "resolved"),
        (60, "reopened"),
        (72, "update_due"),
        (75, "update_overdue by 0"),
        (80, "escalated 2 update_overdue"),
    ]


def test_a_whole_night() -> None:
    """Due, reminder, overdue, ladder, acknowledge, update, pause, monitor, resolve: in order, at the right minute."""
    story = Story()
    story.at(6).do(c.Acknowledge(BOB))
    story.at(7).do(c.AssignRole(ALICE_PERSON, BOB))
    story.at(18).do(c.PostUpdate("The database is full", ALICE, action="Growing the disk", eta="30 min"))
    story.at(31).do(c.KeepCadence(ALICE))
    story.at(40).do(c.SetSeverity(Severity.SEV1, ALICE))
    story.at(44).do(c.PauseCadence(1800, ALICE))
    story.at(80).do(c.PostUpdate("It grows", ALICE, status=Status.MONITORING))
    story.at(90).do(c.Resolve(ALICE, "Grew the disk", "A full disk", follow_ups=("Alert at 80%",)))
    story.at(91).do(c.AddNote("Thank you all", BOB))
    story.at(1500).do(c.SetStatus(Status.CLOSED, ALICE))
    assert story.at(1600).table() == [
        *OPENED,
        (5, "escalated 2 not_acknowledged"),
        (6, "acknowledged"),
        (7, "role_assigned"),
        (12, "update_due"),
        (15, "update_overdue by 0"),
        (18, "update_posted"),
        (30, "update_due"),
        (31, "update_posted"),
        (40, "severity_changed"),
        (43, "update_due"),
        (44, "cadence_paused"),
        (74, "cadence_paused"),
        (80, "status_changed"),
        (80, "mitigated"),
        (80, "update_posted"),
        (90, "resolved"),
        (90, "followup_added"),
        (91, "note"),
        (1500, "closed"),
    ]


def test_an_interval_of_one_second() -> None:
    """The shortest interval that can be configured keeps its proportions: 0.8 s, 1 s, 4/3 s, then each second."""
    story = Story(policy=policy_with(sev2={"update_every": 1})).at(4.5 / 60)
    seconds = [(e.kind, round((e.recorded_at - START).total_seconds(), 3)) for e in story.events[1:]]
    assert seconds == [
        ("update_due", 0.8),
        ("update_overdue", 1),
        *(("update_overdue", n + 1.333) for n in (0, 1, 2, 3)),
    ]


@pytest.mark.parametrize("stored", [lambda timers: timers, reversed])
def test_levels_that_are_due_at_one_moment_go_in_their_order(stored: Callable[[Timers], Iterable[Timer]]) -> None:
    """Levels with the same offset are paged lowest first, however their timers were stored."""
    ladder = tuple(Level(f"Level {n}", after=0 if n == 1 else 300) for n in (1, 2, 3, 4))
    story = Story(policy=policy_with(sev2={"ladder": ladder})).at(4)
    story.incident = replace(story.incident, timers=tuple(stored(story.incident.timers)))
    assert [event.data["level"] for event in story.at(6).of("escalated")] == [2, 3, 4]


def test_a_ladder_that_was_stopped_counts_from_the_moment_it_goes_on() -> None:
    """Lowered before anybody came and raised much later: the next levels get their time, not all of them at once."""
    story = Story().at(4)
    story.do(c.SetSeverity(Severity.SEV3, ALICE))
    story.at(40).do(c.SetSeverity(Severity.SEV2, ALICE))
    reached = [(e.data["level"], e.data["reason"]) for e in story.at(59).of("escalated")]
    assert reached == [(2, "not_acknowledged"), (3, "not_acknowledged")]


def test_taking_the_lead_is_no_acknowledgement() -> None:
    """Whoever takes the lead without acknowledging has not stopped the ladder."""
    story = Story()
    story.do(c.AssignRole(ALICE_PERSON, ALICE, Role.LEAD))
    assert {t.level for t in story.incident.timers if t.kind is TimerKind.LADDER} == {2, 3, 4}


def test_after_three_notices_the_operators_hear_instead() -> None:
    """Above the top of the ladder nobody is mentioned more than three times; then the operators hear once an hour."""
    story = Story().at(180)
    told = [d for d in story.deliveries if d.kind == "operators"]
    assert [d.kind for d in story.deliveries].count("overdue") == 4  # when it became overdue, and three more
    assert len(told) == 2
    assert all("overdue" in d.data["text"] for d in told)
    story.do(c.PostUpdate("Back at it", ALICE))
    assert story.at(196).table()[-2:] == [(192, "update_due"), (195, "update_overdue by 0")]


def test_a_watched_fix_is_updated_on_half_as_often() -> None:
    """Monitoring has a slower cadence from the moment it is set; the old one is back with the status before."""
    story = Story().at(2)
    story.do(c.Acknowledge(ALICE), c.Mitigate(ALICE, "Rolled back"))
    assert story.armed() == {"update_reminder": 24}  # from the last update, or the declaration
    story.at(10).do(c.PostUpdate("Holds", ALICE, next_in=600))
    story.do(c.SetStatus(Status.IDENTIFIED, ALICE))
    assert story.armed() == {"update_reminder": 18}  # as the update has said
    story.at(11).do(c.KeepCadence(ALICE))
    assert story.armed() == {"update_reminder": 23}


def test_a_status_is_no_update_in_disguise() -> None:
    """What is overdue stays overdue whatever status is set."""
    story = Story().at(16)
    story.do(c.SetStatus(Status.MONITORING, ALICE))
    assert story.incident.update_is_overdue
    assert "update_climb" in story.armed()


def test_reopened_after_days_it_starts_afresh() -> None:
    """A new acknowledgement and lead are asked for, and the first level is paged; soon after its end both stand."""
    story = Story().at(2)
    story.do(c.Acknowledge(ALICE), c.AssignRole(ALICE_PERSON, ALICE), c.Resolve(ALICE, "Done"))
    story.at(10).do(c.Reopen(ALICE))
    assert (story.incident.lead, story.incident.acknowledged_by) == (ALICE_PERSON, ALICE)
    story.do(c.Resolve(ALICE, "Done again"))
    story.at(3 * 24 * 60).do(c.Reopen(BOB, "it is back"))
    assert (story.incident.lead, story.incident.acknowledged_by) == (None, None)
    assert story.table()[-1][1] == "paged 1 reopened"

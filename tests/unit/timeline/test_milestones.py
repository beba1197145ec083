from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.incidents.model import Event, Incident, Status
from bot.timeline.milestones import business_days_after, milestones

At = Callable[[float], datetime]
MakeEvent = Callable[..., Event]
MakeIncident = Callable[..., Incident]


def test_moments_come_from_the_incident(make_incident: MakeIncident, at: At) -> None:
    """Every moment of the incident is a milestone, and what has not happened is None."""
    moments = milestones(make_incident())
    assert (moments.started, moments.detected, moments.declared) == (at(0), at(30), at(60))
    assert (moments.acknowledged, moments.mitigated, moments.resolved) == (at(120), at(900), at(1680.9))
    assert moments.closed is None


def test_durations_are_whole_seconds(make_incident: MakeIncident) -> None:
    """The acknowledgement counts from the declaration, all else from the start; fractions are cut off."""
    moments = milestones(make_incident())
    assert moments.time_to_detect == 30
    assert moments.time_to_acknowledge == 60
    assert moments.time_to_mitigate == 900
    assert moments.time_to_resolve == 1680


def test_without_a_start_the_declaration_counts(make_incident: MakeIncident) -> None:
    """An incident of unknown start is measured from its declaration, and its detection is not."""
    moments = milestones(make_incident(started_at=None))
    assert (moments.time_to_resolve, moments.time_to_detect) == (1620, None)


def test_missing_moments_come_from_the_timeline(make_incident: MakeIncident, make_event: MakeEvent, at: At) -> None:
    """The first event of a kind gives a moment that the incident lacks, and never overrules one that it has."""
    events = [
        make_event(1, "alert_fired", when=10),
        make_event(2, "alert_fired", when=20),
        make_event(3, "acknowledged", when=130),
        make_event(4, "mitigated", when=910),
    ]
    moments = milestones(make_incident(detected_at=None, acknowledged_at=None), events)
    assert (moments.detected, moments.acknowledged, moments.mitigated) == (at(10), at(130), at(900))


def test_a_reopening_takes_the_resolution_back(make_incident: MakeIncident, make_event: MakeEvent) -> None:
    """What was resolved before the last reopening is not resolved."""
    incident = make_incident(status=Status.INVESTIGATING, resolved_at=None, mitigated_at=None)
    events = [make_event(1, "mitigated"), make_event(2, "resolved"), make_event(3, "reopened")]
    moments = milestones(incident, events)
    assert (moments.mitigated, moments.resolved, moments.time_to_resolve) == (None, None, None)
    again = make_event(4, "resolved")
    assert milestones(incident, [*events, again]).resolved == again.occurred_at


def test_the_first_acknowledgement_counts(make_incident: MakeIncident, make_event: MakeEvent, at: At) -> None:
    """The incident holds the acknowledgement after the reopening; the one after the page is the milestone."""
    events = [
        make_event(1, "acknowledged", when=61),
        make_event(2, "resolved", when=600),
        make_event(3, "reopened", when=9000),
        make_event(4, "acknowledged", when=9060),
    ]
    moments = milestones(make_incident(acknowledged_at=at(9060)), events)
    assert (moments.acknowledged, moments.time_to_acknowledge) == (at(61), 1)


@pytest.mark.parametrize(("again", "counts"), [(None, None), (300, 300)])
def test_an_acknowledgement_taken_back_does_not_count(
    make_incident: MakeIncident, make_event: MakeEvent, at: At, again: int | None, counts: int | None
) -> None:
    """The next acknowledgement is the first one, and without one there is none."""
    events = [
        make_event(1, "acknowledged", when=70),
        make_event(2, "note", when=200, data={"void": "acknowledgement"}),
    ]
    events += [make_event(3, "acknowledged", when=again)] if again else []
    moment = at(again) if again else None
    assert milestones(make_incident(acknowledged_at=moment), events).acknowledged == (at(counts) if counts else None)


def test_an_acknowledgement_that_stopped_nothing_does_not_count(
    make_incident: MakeIncident, make_event: MakeEvent, at: At
) -> None:
    """PagerDuty told of one that had been taken back already: it is on the timeline only."""
    told = make_event(1, "acknowledged", when=70, data={"pagerduty_event": "incident.acknowledged"})
    assert milestones(make_incident(acknowledged_at=at(90)), [told]).acknowledged == at(90)


def test_the_time_in_which_it_was_over_is_known(make_incident: MakeIncident, make_event: MakeEvent, at: At) -> None:
    """It counts from the first end to the reopening, and another incident merged into this one is no end."""
    events = [
        make_event(1, "merged", when=100, data={"from_incident": "INC-20261120-002"}),
        make_event(2, "resolved", when=600),
        make_event(3, "closed", when=700),
        make_event(4, "reopened", when=1000),
        make_event(5, "resolved", when=1680),
    ]
    moments = milestones(make_incident(), events)
    assert moments.seconds_over(at(0), at(1680)) == 400
    assert moments.seconds_over(at(0), at(800)) == 200
    assert moments.seconds_over(at(1000), at(1680)) == 0


def test_no_duration_is_negative(make_incident: MakeIncident, at: At) -> None:
    """Clocks of two sources may disagree; a report then says zero."""
    assert milestones(make_incident(acknowledged_at=at(0))).time_to_acknowledge == 0


@pytest.mark.parametrize(
    ("resolved", "due"),
    [
        (date(2026, 11, 16), date(2026, 11, 23)),  # Monday
        (date(2026, 11, 20), date(2026, 11, 27)),  # Friday
        (date(2026, 11, 21), date(2026, 11, 27)),  # Saturday
        (date(2026, 11, 22), date(2026, 11, 27)),  # Sunday
        (date(2026, 12, 28), date(2027, 1, 4)),
    ],
)
def test_the_retrospective_is_due_on_the_fifth_business_day(
    make_incident: MakeIncident, resolved: date, due: date
) -> None:
    """Only weekdays after the day of the resolution count."""
    moment = datetime(resolved.year, resolved.month, resolved.day, 23, 59, tzinfo=UTC)
    assert milestones(make_incident(resolved_at=moment)).retrospective_due == due


def test_an_open_incident_has_no_retrospective_yet(make_incident: MakeIncident) -> None:
    """Without a resolution there is nothing to count from."""
    assert milestones(make_incident(resolved_at=None)).retrospective_due is None


@given(st.dates(max_value=date(9000, 1, 1)), st.integers(1, 30))
def test_business_days_fall_on_weekdays(day: date, count: int) -> None:
    """The day found is a weekday, with exactly so many weekdays since."""
    found = business_days_after(day, count)
    between = [day + timedelta(days=n) for n in range(1, (found - day).days + 1)]
    assert found.weekday() < 5
    assert sum(one.weekday() < 5 for one in between) == count

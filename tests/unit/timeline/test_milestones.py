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

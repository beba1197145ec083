from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from bot.incidents.model import Actor, Alert, Event
from bot.timeline.dossier import AlertRow
from bot.timeline.occurrences import Occurrence, rows

At = Callable[[float], datetime]
MakeEvent = Callable[..., Event]
HIGH = Actor("alert", "alertmanager", "HighErrorRate")
FACTS: dict[str, Any] = {"fingerprint": "f1", "group_key": "g1", "labels": {"a": "1"}}


def stored(starts: datetime, ends: datetime | None = None, opened: datetime | None = None) -> Occurrence:
    alert = Alert("alertmanager", "g1", "f1", "HighErrorRate", {"a": "1"}, {"value": "7"}, starts, ends)
    return Occurrence(alert, opened or starts, "resolved" if ends else "firing")


def test_every_occurrence_is_listed_oldest_first(at: At) -> None:
    """An alert that fired twice has two rows, with the value of each."""
    assert rows([stored(at(600)), stored(at(30), at(300))], []) == (
        AlertRow("HighErrorRate", "resolved", {"a": "1"}, at(30), at(300), "7"),
        AlertRow("HighErrorRate", "firing", {"a": "1"}, at(600), None, "7"),
    )


def test_what_ended_before_the_incident_had_it_comes_from_the_timeline(make_event: MakeEvent, at: At) -> None:
    """The alert that opened the incident is listed although only the next occurrence belongs to it."""
    events = [
        make_event(3, "alert_fired", when=600, actor=HIGH, data=FACTS),
        make_event(2, "alert_resolved", when=300, actor=HIGH, data=FACTS),
        make_event(1, "alert_fired", when=30, actor=HIGH, data=FACTS),
    ]
    assert rows([stored(at(600))], events) == (
        AlertRow("HighErrorRate", "resolved", {"a": "1"}, at(30), at(300)),
        AlertRow("HighErrorRate", "firing", {"a": "1"}, at(600), None, "7"),
    )


@pytest.mark.parametrize(("starts", "told"), [(30, 30), (90, 40)])
def test_what_both_tell_is_listed_once(make_event: MakeEvent, at: At, starts: float, told: float) -> None:
    """Also where the source's clock is ahead, so that the timeline has the moment at which Sitrep heard of it."""
    events = [
        make_event(1, "alert_fired", when=told, actor=HIGH, data=FACTS),
        make_event(2, "alert_resolved", when=300, actor=HIGH, data=FACTS),
    ]
    (row,) = rows([stored(at(starts), at(300), opened=at(40))], events)
    assert (row.starts_at, row.value) == (at(starts), "7")


def test_an_alert_that_another_incident_took_over_is_listed(make_event: MakeEvent, at: At) -> None:
    """After a merge no row belongs to the incident; what opened it is there nevertheless."""
    (row,) = rows([], [make_event(1, "alert_fired", when=30, actor=HIGH, data=FACTS)])
    assert row == AlertRow("HighErrorRate", "handed over", {"a": "1"}, at(30))


def test_a_sum_of_alerts_is_no_alert(make_event: MakeEvent) -> None:
    """A line that counts alerts names none of them."""
    assert rows([], [make_event(1, "alert_fired", actor=HIGH, text="In 5 min: 30 alerts fired")]) == ()

"""The moments of an incident that reports are made of, and the durations between them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from bot.incidents.model import Event, Incident

RETROSPECTIVE_DAYS = 5  # business days after the resolution (seed 001, "Audit And Postmortem")
SATURDAY = 5
_ROUND = frozenset({"mitigated", "resolved", "closed", "cancelled", "declined", "merged", "reopened"})


@dataclass(frozen=True, slots=True)
class Milestones:
    """Moments in the order in which they should come; None for what has not happened or is not known."""

    started: datetime | None
    detected: datetime | None
    declared: datetime
    acknowledged: datetime | None
    mitigated: datetime | None
    resolved: datetime | None
    closed: datetime | None

    @property
    def time_to_detect(self) -> int | None:
        """Whole seconds from the start to the detection."""
        return _seconds(self.started, self.detected)

    @property
    def time_to_acknowledge(self) -> int | None:
        """Whole seconds from the declaration, when the paging begins, to the acknowledgement."""
        return _seconds(self.declared, self.acknowledged)

    @property
    def time_to_mitigate(self) -> int | None:
        """Whole seconds from the start, or else the declaration, to the mitigation."""
        return _seconds(self.started or self.declared, self.mitigated)

    @property
    def time_to_resolve(self) -> int | None:
        """Whole seconds from the start, or else the declaration, to the resolution."""
        return _seconds(self.started or self.declared, self.resolved)

    @property
    def retrospective_due(self) -> date | None:
        """The day (UTC) by which the retrospective is due; None while the incident is not resolved."""
        return (
            None
            if self.resolved is None
            else business_days_after(self.resolved.astimezone(UTC).date(), RETROSPECTIVE_DAYS)
        )


def milestones(incident: Incident, events: Iterable[Event] = ()) -> Milestones:
    """Take the moments from the incident, and those that it lacks from its timeline.

    What came before the last reopening is no resolution any more, so only later events count for that.
    """
    ordered = sorted(events, key=lambda event: event.seq)
    reopened = max((index for index, event in enumerate(ordered) if event.kind == "reopened"), default=-1)
    since = ordered[reopened + 1 :]
    return Milestones(
        started=incident.started_at,
        detected=incident.detected_at or _first(ordered, "alert_fired"),
        declared=incident.declared_at,
        acknowledged=incident.acknowledged_at or _first(ordered, "acknowledged"),
        mitigated=incident.mitigated_at or _first(since, "mitigated"),
        resolved=incident.resolved_at or _first(since, "resolved"),
        closed=incident.closed_at or _first(since, "closed"),
    )


def earlier_rounds(events: Iterable[Event]) -> list[tuple[str, datetime]]:
    """Return the milestones up to the last reopening, by seq: each kind and its time.

    Empty for an incident that was never reopened.
    """
    ordered = sorted(events, key=lambda event: event.seq)
    last = max((index for index, event in enumerate(ordered) if event.kind == "reopened"), default=-1)
    return [(event.kind, event.occurred_at) for event in ordered[: last + 1] if event.kind in _ROUND]


def business_days_after(day: date, count: int) -> date:
    """Count on so many days from Monday to Friday; the day itself is not counted, and holidays are not known."""
    while count > 0:
        day += timedelta(days=1)
        if day.weekday() < SATURDAY:
            count -= 1
    return day


def _first(events: Iterable[Event], kind: str) -> datetime | None:
    return min((event.occurred_at for event in events if event.kind == kind), default=None)


def _seconds(start: datetime | None, end: datetime | None) -> int | None:
    if start is None or end is None:
        return None
    return max(int((end - start).total_seconds()), 0)  # clocks of two sources may disagree

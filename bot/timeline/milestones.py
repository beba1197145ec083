"""The moments of an incident that reports are made of, and the durations between them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from bot.incidents.model import Event, Incident

RETROSPECTIVE_DAYS = 5  # business days after the resolution (seed 001, "Audit And Postmortem")
SATURDAY = 5
_ENDS = frozenset({"resolved", "closed", "cancelled", "declined", "merged"})


@dataclass(frozen=True, slots=True)
class Milestones:
    """Moments in the order in which they should come; None for what has not happened or is not known.

    `acknowledged` is the first acknowledgement that was not taken back. `over` are the spans between an end and the
    reopening after it.
    """

    started: datetime | None
    detected: datetime | None
    declared: datetime
    acknowledged: datetime | None
    mitigated: datetime | None
    resolved: datetime | None
    closed: datetime | None
    over: tuple[tuple[datetime, datetime], ...] = ()

    @property
    def time_to_detect(self) -> int | None:
        """Whole seconds from the start to the detection."""
        return _seconds(self.started, self.detected)

    @property
    def time_to_acknowledge(self) -> int | None:
        """Whole seconds from the declaration, when the paging begins, to the first acknowledgement."""
        return _seconds(self.declared, self.acknowledged)

    @property
    def time_to_mitigate(self) -> int | None:
        """Whole seconds from the start, or else the declaration, to the mitigation; `seconds_over` are part of it."""
        return _seconds(self.started or self.declared, self.mitigated)

    @property
    def time_to_resolve(self) -> int | None:
        """Whole seconds from the start, or else the declaration, to the resolution; `seconds_over` are part of it."""
        return _seconds(self.started or self.declared, self.resolved)

    def seconds_over(self, start: datetime | None, end: datetime | None) -> int:
        """Return for how many whole seconds between two moments the incident was over, until it was reopened."""
        if start is None or end is None:
            return 0
        spans = ((max(since, start), min(until, end)) for since, until in self.over)
        return sum(_seconds(since, until) or 0 for since, until in spans)

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
    given = [event.occurred_at for event in _acknowledgements(ordered)]
    return Milestones(
        started=incident.started_at,
        detected=incident.detected_at or _first(ordered, "alert_fired"),
        declared=incident.declared_at,
        # A reopening makes the incident forget who acknowledged before it.
        acknowledged=min((m for m in (incident.acknowledged_at, *given) if m), default=None),
        mitigated=incident.mitigated_at or _first(since, "mitigated"),
        resolved=incident.resolved_at or _first(since, "resolved"),
        closed=incident.closed_at or _first(since, "closed"),
        over=_over(ordered),
    )


def earlier_rounds(events: Iterable[Event]) -> list[tuple[str, datetime]]:
    """Return the milestones up to the last reopening, by seq: each kind and its time.

    Empty for an incident that was never reopened.
    """
    ordered = sorted(events, key=lambda event: event.seq)
    last = max((index for index, event in enumerate(ordered) if event.kind == "reopened"), default=-1)
    kept = (event for event in ordered[: last + 1] if event.kind in {"mitigated", "reopened"} or ends(event))
    return [(event.kind, event.occurred_at) for event in kept]


def later_acknowledgements(events: Iterable[Event]) -> list[datetime]:
    """Return the first acknowledgement after each reopening, by seq; of those that were not taken back."""
    ordered = sorted(events, key=lambda event: event.seq)
    found: dict[int, datetime] = {}
    for event in _acknowledgements(ordered):
        rounds = sum(other.kind == "reopened" and other.seq < event.seq for other in ordered)
        if rounds:
            found.setdefault(rounds, event.occurred_at)
    return list(found.values())


def ends(event: Event) -> bool:
    """Return True for an event that ends the incident; another incident that was merged into this one is no end."""
    return event.kind in _ENDS and not event.data.get("from_incident")


def _acknowledgements(ordered: Iterable[Event]) -> list[Event]:
    """Return the acknowledgements that count, by seq: those that stopped the paging and were not taken back."""
    found: list[Event] = []
    for event in ordered:
        # PagerDuty's own events tell of an acknowledgement that changed nothing here.
        if event.kind == "acknowledged" and not event.data.get("pagerduty_event"):
            found.append(event)
        elif event.data.get("void") == "acknowledgement":
            del found[-1:]
    return found


def _over(ordered: Iterable[Event]) -> tuple[tuple[datetime, datetime], ...]:
    """Return the spans from an end to the reopening after it."""
    found: list[tuple[datetime, datetime]] = []
    since: datetime | None = None
    for event in ordered:
        if ends(event):
            since = since or event.occurred_at
        elif event.kind == "reopened":
            found += [(since, event.occurred_at)] if since else []
            since = None
    return tuple(found)


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

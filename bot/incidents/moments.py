"""How an incident's moments are written: the time alone within one day, and with the day where it spans several."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from bot.incidents.model import Event, Incident


def clock(incident: Incident, moment: datetime) -> str:
    """Write a moment in UTC: `03:12`, or `2 Dec 03:12` where readers could take it for another day's."""
    moment = moment.astimezone(UTC)
    alone = moment.date() == incident.declared_at.astimezone(UTC).date() and not _spans_days(incident)
    return f"{moment:%H:%M}" if alone else f"{moment:%-d %b %H:%M}"


def at_or_on(moment: datetime, beside: datetime) -> str:
    """Say when something was: `at 03:12 UTC`, or `on 2026-12-02 at 03:12 UTC` where `beside` is another day."""
    alone = moment.date() == beside.date()
    return f"at {moment:%H:%M} UTC" if alone else f"on {moment:%Y-%m-%d} at {moment:%H:%M} UTC"


def in_time(events: Iterable[Event]) -> list[Event]:
    """Return events in the order in which they happened: a note may have been typed later."""
    return sorted(events, key=lambda event: (event.occurred_at, event.seq))


def _spans_days(incident: Incident) -> bool:
    """True when what has happened or is due lies on other days than the declaration."""
    known = (
        incident.started_at,
        incident.acknowledged_at,
        incident.mitigated_at,
        incident.resolved_at,
        incident.ended_at,
        incident.ladder_from,
        incident.cadence_from,
        incident.paused_until,
        *(timer.due_at for timer in incident.timers),
    )
    day = incident.declared_at.astimezone(UTC).date()
    return any(moment.astimezone(UTC).date() != day for moment in known if moment)

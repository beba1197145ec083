"""The occurrences of an incident's alerts, from the rows of the alerts and from its timeline. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.incidents import alert_text
from bot.incidents.model import Alert, Event
from bot.timeline.dossier import AlertRow, plain
from bot.timeline.words import word


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An alert that fired once. `status` is firing, resolved, or handed over to the incident that goes on for this."""

    alert: Alert
    opened_at: datetime
    status: str

    @property
    def began(self) -> datetime:
        """When it began: as its source tells, else when Sitrep heard of it."""
        return self.alert.starts_at or self.opened_at


def rows(stored: Iterable[Occurrence], events: Iterable[Event]) -> tuple[AlertRow, ...]:
    """List every occurrence, oldest first.

    Of an alert that ended before the incident had it, or that belongs to another incident since a merge, the timeline
    alone tells.

    Args:
        stored: the occurrences that belong to the incident.
        events: the incident's timeline.
    """
    found = list(stored)
    # A timeline does not put a start into the future, whatever the source says.
    known = {(one.alert.fingerprint, min(one.began, one.opened_at)) for one in found}
    fingerprints = {fingerprint for fingerprint, _ in known}
    for one in _told(events):
        alert = one.alert
        is_known = (alert.fingerprint, one.began) in known
        if not is_known and (alert.ends_at is not None or alert.fingerprint not in fingerprints):
            found.append(one)
    found.sort(key=lambda one: (one.began, one.opened_at, one.alert.name, one.alert.group_key, one.alert.fingerprint))
    return tuple(
        AlertRow(
            name=alert_text.called(one.alert),
            status=one.status,
            labels=one.alert.labels,
            starts_at=one.alert.starts_at,
            ends_at=one.alert.ends_at,
            value=alert_text.value(one.alert),
        )
        for one in found
    )


def _told(events: Iterable[Event]) -> list[Occurrence]:
    """Return the occurrences that a timeline tells of."""
    found: list[Occurrence] = []
    begun: dict[tuple[str, str], Event] = {}
    for event in sorted(events, key=lambda event: event.seq):
        fingerprint = word(event.data, "fingerprint")
        which = (word(event.data, "group_key"), fingerprint)
        if fingerprint and event.kind == "alert_fired":
            begun[which] = event
        elif event.kind == "alert_resolved" and (first := begun.pop(which, None)):
            found.append(Occurrence(_alert(first, ends_at=event.occurred_at), first.recorded_at, "resolved"))
    return found + [Occurrence(_alert(event), event.recorded_at, "handed over") for event in begun.values()]


def _alert(event: Event, ends_at: datetime | None = None) -> Alert:
    labels = plain(event.data.get("labels"))
    said = word(event.data, "description")
    return Alert(
        event.actor.id,
        word(event.data, "group_key"),
        word(event.data, "fingerprint"),
        event.actor.name,
        {name: str(value) for name, value in labels.items()} if isinstance(labels, Mapping) else {},
        {"description": said} if said else {},
        event.occurred_at,
        ends_at,
        event.source,
    )

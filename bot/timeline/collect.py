"""Gathers an incident's rows into a dossier."""

from __future__ import annotations

from sqlalchemy import Connection

from bot.incidents import alert_text
from bot.store import alerts, incidents
from bot.timeline.dossier import AlertRow, Dossier


def collect(connection: Connection, number: str, *, up_to: int | None = None) -> Dossier | None:
    """Read what is exported of an incident; `up_to` leaves out events after that seq. None: there is no such one."""
    incident = incidents.load(connection, number)
    incident_id = incidents.identity(connection, number)
    if incident is None or incident_id is None:
        return None
    rows = tuple(
        AlertRow(
            name=alert_text.called(shown.alert),
            status="firing" if shown.firing else "resolved",
            labels=shown.alert.labels,
            starts_at=shown.alert.starts_at,
            ends_at=shown.alert.ends_at,
            value=alert_text.value(shown.alert),
        )
        for shown in alerts.of_incident(connection, incident_id)
    )
    events = incidents.timeline(connection, number)
    return Dossier(incident, tuple(e for e in events if up_to is None or e.seq <= up_to), rows)

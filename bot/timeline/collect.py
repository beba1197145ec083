"""Gathers an incident's rows into a dossier."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from bot.store import incidents
from bot.store.alerts import alert_of
from bot.store.tables import alert_groups, alerts
from bot.timeline.dossier import Dossier
from bot.timeline.occurrences import Occurrence, rows

_OCCURRENCES = (
    select(alerts, alert_groups.c.source, alert_groups.c.group_key)
    .join(alert_groups, alert_groups.c.id == alerts.c.group_id)
    .where(alerts.c.incident_id == bindparam("of"))
    .order_by(alerts.c.id)
)


def collect(connection: Connection, number: str, *, up_to: int | None = None) -> Dossier | None:
    """Read what is exported of an incident; `up_to` leaves out events after that seq. None: there is no such one."""
    incident = incidents.load(connection, number)
    incident_id = incidents.identity(connection, number)
    if incident is None or incident_id is None:
        return None
    stored = [
        Occurrence(alert_of(row), row["opened_at"], "resolved" if row["closed_at"] else "firing")
        for row in connection.execute(_OCCURRENCES, {"of": incident_id}).mappings()
    ]
    events = tuple(e for e in incidents.timeline(connection, number) if up_to is None or e.seq <= up_to)
    return Dossier(incident, events, rows(stored, events))

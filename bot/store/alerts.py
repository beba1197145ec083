"""Alert groups and the occurrences of their alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, insert, select, update

from bot.incidents.intake import Occurrence
from bot.incidents.model import Alert
from bot.incidents.reconcile import Flag
from bot.store.tables import alert_groups, alerts
from bot.store.upsert import upsert


@dataclass(frozen=True, slots=True)
class Group:
    """What a source sends together: an Alertmanager group, or one PagerDuty incident."""

    id: int
    source: str
    key: str
    hash: str
    incident_id: int | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """An alert with its occurrence, as the card and the export show it."""

    alert: Alert
    opened_at: datetime
    closed_at: datetime | None
    flag: Flag | None = None

    @property
    def firing(self) -> bool:
        """True until its resolved notification came."""
        return self.closed_at is None


def group(connection: Connection, source: str, key: str, hash_: str) -> Group:
    """Give the group, made if it is new; an empty hash leaves the one it has."""
    query = select(alert_groups).where(alert_groups.c.source == source, alert_groups.c.group_key == key)
    row = connection.execute(query.with_for_update()).mappings().first()
    if row is not None and hash_ and row["group_hash"] != hash_:
        connection.execute(update(alert_groups).where(alert_groups.c.id == row["id"]).values(group_hash=hash_))
        row = connection.execute(query).mappings().one()
    if row is None:
        made = upsert(connection, alert_groups).values(
            source=source, group_key=key, group_hash=hash_, incident_id=None, data={}
        )
        connection.execute(made.on_conflict_do_nothing(index_elements=["source", "group_key"]))
        row = connection.execute(query.with_for_update()).mappings().one()
    return _group(row)


def relatives(connection: Connection, hash_: str, source: str) -> list[Group]:
    """Give the groups of the other source with this hash: Alertmanager's dedup key is PagerDuty's incident key."""
    if not hash_:
        return []
    rows = connection.execute(
        select(alert_groups)
        .where(alert_groups.c.group_hash == hash_, alert_groups.c.source != source)
        .order_by(alert_groups.c.id)
    )
    return [_group(row) for row in rows.mappings()]


def set_group(
    connection: Connection, group_id: int, *, incident_id: int | None = None, data: Mapping[str, Any] | None = None
) -> None:
    """Link a group to an incident, or save its facts; its alerts that still fire follow."""
    if incident_id is not None:
        connection.execute(update(alert_groups).where(alert_groups.c.id == group_id).values(incident_id=incident_id))
        connection.execute(
            update(alerts)
            .where(alerts.c.group_id == group_id, alerts.c.closed_at.is_(None))
            .values(incident_id=incident_id)
        )
    if data is not None:
        connection.execute(update(alert_groups).where(alert_groups.c.id == group_id).values(data=dict(data)))


def groups_of(connection: Connection, incident_id: int) -> list[Group]:
    """Give the groups that are linked to an incident."""
    rows = connection.execute(
        select(alert_groups).where(alert_groups.c.incident_id == incident_id).order_by(alert_groups.c.id)
    )
    return [_group(row) for row in rows.mappings()]


def known(connection: Connection, group_id: int) -> dict[str, Occurrence]:
    """Give the newest occurrence of each fingerprint of a group."""
    rows = connection.execute(
        select(alerts.c.fingerprint, alerts.c.starts_at, alerts.c.ends_at, alerts.c.closed_at)
        .where(alerts.c.group_id == group_id)
        .order_by(alerts.c.id)
    )
    return {r.fingerprint: Occurrence(r.fingerprint, r.starts_at, r.ends_at, r.closed_at) for r in rows}


def open_alert(connection: Connection, group_id: int, incident_id: int | None, alert: Alert, now: datetime) -> None:
    """Begin an occurrence."""
    connection.execute(
        insert(alerts).values(
            group_id=group_id,
            incident_id=incident_id,
            fingerprint=alert.fingerprint,
            name=alert.name,
            labels=dict(alert.labels),
            annotations=dict(alert.annotations),
            url=alert.url,
            starts_at=alert.starts_at,
            opened_at=now,
        )
    )


def close_alert(connection: Connection, group_id: int, alert: Alert, now: datetime) -> None:
    """End the open occurrence."""
    connection.execute(
        update(alerts)
        .where(
            alerts.c.group_id == group_id,
            alerts.c.fingerprint == alert.fingerprint,
            alerts.c.closed_at.is_(None),
        )
        .values(ends_at=alert.ends_at, closed_at=now)
    )


def repeat_alert(connection: Connection, group_id: int, alert: Alert) -> bool:
    """Take over what a repeated alert says now (its current value, say); True when that differs."""
    where = (
        alerts.c.group_id == group_id,
        alerts.c.fingerprint == alert.fingerprint,
        alerts.c.closed_at.is_(None),
    )
    row = connection.execute(select(alerts.c.annotations).where(*where)).first()
    if row is None or row.annotations == dict(alert.annotations):
        return False
    connection.execute(update(alerts).where(*where).values(annotations=dict(alert.annotations)))
    return True


def of_incident(connection: Connection, incident_id: int) -> list[Shown]:
    """Give an incident's alerts: the newest occurrence of each, firing ones first."""
    return _newest(connection, alerts.c.incident_id == incident_id)


def of_group(connection: Connection, group_id: int) -> list[Shown]:
    """Give a group's alerts, as `of_incident` does."""
    return _newest(connection, alerts.c.group_id == group_id)


def _newest(connection: Connection, which: ColumnElement[bool]) -> list[Shown]:
    rows = connection.execute(
        select(alerts, alert_groups.c.source, alert_groups.c.group_key)
        .join(alert_groups, alert_groups.c.id == alerts.c.group_id)
        .where(which)
        .order_by(alerts.c.id)
    ).mappings()
    newest = {(row["group_id"], row["fingerprint"]): _shown(row) for row in rows}
    return sorted(newest.values(), key=lambda s: (not s.firing, s.opened_at, s.alert.fingerprint))


def firing(alerts_: Iterable[Shown]) -> list[Shown]:
    """Keep those that fire."""
    return [shown for shown in alerts_ if shown.firing]


def _group(row: RowMapping) -> Group:
    return Group(row["id"], row["source"], row["group_key"], row["group_hash"], row["incident_id"], row["data"])


def alert_of(row: RowMapping) -> Alert:
    """Give the alert of an occurrence's row, joined with its group's source and key."""
    return Alert(
        source=row["source"],
        group_key=row["group_key"],
        fingerprint=row["fingerprint"],
        name=row["name"],
        labels=row["labels"],
        annotations=row["annotations"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        url=row["url"],
    )


def _shown(row: RowMapping) -> Shown:
    return Shown(alert_of(row), row["opened_at"], row["closed_at"], Flag(row["flag"]) if row["flag"] else None)

"""Alert groups and the occurrences of their alerts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    RowMapping,
    ScalarSelect,
    Select,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    update,
)

from bot.incidents.intake import Occurrence
from bot.incidents.model import OPEN_STATUSES, Alert
from bot.incidents.reconcile import Flag
from bot.incidents.sources import ALERTMANAGER, is_alertmanager
from bot.store.tables import alert_groups, alerts, incidents
from bot.store.upsert import upsert

RELATIVES = 10  # groups of one hash that are looked at; only the newest can belong to an open incident
SHOWN = 50  # alerts that messages, and the choice of a runbook, look at
LOOKED_AT = 500  # alerts of a group that tell which kinds of trouble it has had


@dataclass(frozen=True, slots=True)
class Group:
    """What a source sends together: an Alertmanager group, or one PagerDuty incident.

    `storm` names the message in which it waits for a look together with many others.
    """

    id: int
    source: str
    key: str
    hash: str
    incident_id: int | None
    data: Mapping[str, Any]
    storm: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """An alert with its occurrence, as the card and the export show it."""

    alert: Alert
    opened_at: datetime
    closed_at: datetime | None
    flag: Flag | None = None
    said_at: datetime | None = None

    @property
    def told_at(self) -> datetime:
        """When it said what it says now."""
        return self.said_at or self.opened_at

    @property
    def firing(self) -> bool:
        """True until its resolved notification came."""
        return self.closed_at is None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many alerts there are; `names` counts the firing ones by name, most first."""

    firing: int = 0
    resolved: int = 0
    groups: int = 0
    names: tuple[tuple[str, int], ...] = ()

    @property
    def total(self) -> int:
        """All of them."""
        return self.firing + self.resolved

    @classmethod
    def made(cls, firing: Mapping[str, int], total: int, groups: int) -> Counts:
        """Count from the firing ones by name."""
        ranked = sorted(((n, c) for n, c in firing.items() if c), key=lambda item: (-item[1], item[0]))
        fires = sum(count for _, count in ranked)
        return cls(fires, total - fires, groups, tuple(ranked))

    @classmethod
    def of(cls, shown: Sequence[Shown]) -> Counts:
        """Count alerts that are all at hand."""
        names = Counter(s.alert.name for s in shown if s.firing)
        return cls.made(names, len(shown), len({(s.alert.source, s.alert.group_key) for s in shown}))


@dataclass(frozen=True, slots=True)
class Roll:
    """The first alerts, firing ones before the others, and how many there are."""

    shown: tuple[Shown, ...]
    counts: Counts


def group(connection: Connection, source: str, key: str, hash_: str) -> Group:
    """Give the group, made if it is new, and locked; an empty hash leaves the one it has."""
    query = (
        select(alert_groups).where(alert_groups.c.source == source, alert_groups.c.group_key == key).with_for_update()
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        made = upsert(connection, alert_groups).values(
            source=source, group_key=key, group_hash=hash_, incident_id=None, data={}
        )
        connection.execute(made.on_conflict_do_nothing(index_elements=["source", "group_key"]))
        row = connection.execute(query).mappings().one()
    if hash_ and row["group_hash"] != hash_:
        connection.execute(update(alert_groups).where(alert_groups.c.id == row["id"]).values(group_hash=hash_))
        row = connection.execute(query).mappings().one()
    return group_of(row)


def relatives(connection: Connection, group_: Group) -> list[Group]:
    """Give the other groups with a group's hash, the newest first.

    Alertmanager's dedup key is PagerDuty's incident key; and one that PagerDuty has seen before is the same trouble.
    Groups of two Alertmanagers are no relatives, nor are they by a PagerDuty incident that belongs to the other.
    Another replica that looks for the same waits until the transaction ends, and then sees what it has declared.
    """
    if not group_.hash:
        return []
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(group_.hash, 0))))
    query = (
        select(alert_groups)
        .where(alert_groups.c.group_hash == group_.hash, alert_groups.c.id != group_.id)
        .order_by(alert_groups.c.id.desc())
        .limit(RELATIVES)
    )
    if is_alertmanager(group_.source):
        others = alert_groups.alias()
        foreign = others.c.source.startswith(ALERTMANAGER) & (others.c.source != group_.source)
        taken = select(others.c.incident_id).where(
            others.c.group_hash == group_.hash, foreign, others.c.incident_id.is_not(None)
        )
        query = query.where(
            or_(alert_groups.c.source == group_.source, ~alert_groups.c.source.startswith(ALERTMANAGER)),
            or_(alert_groups.c.incident_id.is_(None), alert_groups.c.incident_id.not_in(taken)),
        )
    return [group_of(row) for row in connection.execute(query).mappings()]


def add_facts(connection: Connection, group_id: int, facts: Mapping[str, Any]) -> None:
    """Add to what is known of a group; it is locked, so that nothing that comes meanwhile is lost."""
    query = select(alert_groups.c.data).where(alert_groups.c.id == group_id).with_for_update()
    known = connection.execute(query).scalar_one()
    set_group(connection, group_id, data={**known, **facts})


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


def hand_over(connection: Connection, from_id: int, to_id: int) -> None:
    """Let an incident's groups and its alerts that still fire belong to another; those that are over stay."""
    connection.execute(update(alert_groups).where(alert_groups.c.incident_id == from_id).values(incident_id=to_id))
    still = (alerts.c.incident_id == from_id) & alerts.c.closed_at.is_(None)
    connection.execute(update(alerts).where(still).values(incident_id=to_id))


def hand_back(connection: Connection, from_id: int, to_id: int, groups: Sequence[int]) -> None:
    """Let groups that were handed over, and their alerts that still fire, belong to their first incident again."""
    there = alert_groups.c.id.in_(groups) & (alert_groups.c.incident_id == from_id)
    moved = update(alert_groups).where(there).values(incident_id=to_id).returning(alert_groups.c.id)
    back = list(connection.execute(moved).scalars())
    still = alerts.c.group_id.in_(back) & (alerts.c.incident_id == from_id) & alerts.c.closed_at.is_(None)
    connection.execute(update(alerts).where(still).values(incident_id=to_id))


def put_in_storm(connection: Connection, group_id: int, scope: str | None) -> None:
    """Say in which message the group waits for a look together with many others; None: in one of its own."""
    connection.execute(update(alert_groups).where(alert_groups.c.id == group_id).values(storm=scope))


_GROUPS_OF = select(alert_groups).where(alert_groups.c.incident_id == bindparam("of")).order_by(alert_groups.c.id)


def groups_of(connection: Connection, incident_id: int) -> list[Group]:
    """Give the groups that are linked to an incident."""
    return [group_of(row) for row in connection.execute(_GROUPS_OF, {"of": incident_id}).mappings()]


def of_open_incidents(connection: Connection, source: str) -> list[Group]:
    """Return the groups of a source that belong to open incidents, the oldest first."""
    rows = connection.execute(
        select(alert_groups)
        .join(incidents, incidents.c.id == alert_groups.c.incident_id)
        .where(alert_groups.c.source == source, incidents.c.status.in_([s.value for s in OPEN_STATUSES]))
        .order_by(alert_groups.c.id)
    )
    return [group_of(row) for row in rows.mappings()]


def known(connection: Connection, group_id: int) -> dict[str, Occurrence]:
    """Give the newest occurrence of each fingerprint of a group."""
    rows = connection.execute(
        select(
            alerts.c.fingerprint, alerts.c.starts_at, alerts.c.ends_at, alerts.c.closed_at, alerts.c.opened_at
        ).where(alerts.c.id.in_(_newest(alerts.c.group_id == group_id)))
    )
    return {r.fingerprint: Occurrence(*r) for r in rows}


def latest(connection: Connection, group_: Group) -> list[Alert]:
    """Return the latest alerts of a group, firing or not, the newest first."""
    query = (
        select(alerts, alert_groups.c.source, alert_groups.c.group_key)
        .join(alert_groups, alert_groups.c.id == alerts.c.group_id)
        .where(alerts.c.group_id == group_.id)
    )
    rows = connection.execute(query.order_by(alerts.c.id.desc()).limit(LOOKED_AT)).mappings()
    return [alert_of(row) for row in rows]


def begun(connection: Connection, group_id: int, since: datetime) -> dict[str, int]:
    """Count how often each alert of a group has begun after a moment, by fingerprint."""
    rows = connection.execute(
        select(alerts.c.fingerprint, func.count().label("times"))
        .where(alerts.c.group_id == group_id, alerts.c.opened_at > since)
        .group_by(alerts.c.fingerprint)
    )
    return {row.fingerprint: row.times for row in rows}


def open_fingerprints(connection: Connection, group_id: int, incident_id: int | None = None) -> set[str]:
    """Give the alerts of a group that fire; with an incident only those that belong to it."""
    query = select(alerts.c.fingerprint).where(alerts.c.group_id == group_id, alerts.c.closed_at.is_(None))
    if incident_id is not None:
        query = query.where(alerts.c.incident_id == incident_id)
    return set(connection.execute(query).scalars())


def firing_since(connection: Connection, number: str, since: datetime) -> int:
    """Count the alerts of an incident that began after a moment and fire."""
    query = (
        select(func.count())
        .select_from(alerts.join(incidents, incidents.c.id == alerts.c.incident_id))
        .where(incidents.c.number == number, alerts.c.closed_at.is_(None), alerts.c.opened_at > since)
    )
    return connection.execute(query).scalar_one()


def open_alerts(
    connection: Connection, group_id: int, incident_id: int | None, new: Sequence[Alert], now: datetime
) -> None:
    """Begin occurrences."""
    rows = [
        {
            "group_id": group_id,
            "incident_id": incident_id,
            "fingerprint": alert.fingerprint,
            "name": alert.name,
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "url": alert.url,
            "starts_at": alert.starts_at,
            "opened_at": now,
        }
        for alert in new
    ]
    if rows:
        connection.execute(insert(alerts), rows)


def close_alerts(connection: Connection, group_id: int, ended: Sequence[Alert], now: datetime) -> None:
    """End the open occurrences."""
    rows = [{"which": alert.fingerprint, "ended": alert.ends_at} for alert in ended]
    if rows:
        query = update(alerts).where(
            alerts.c.group_id == group_id,
            alerts.c.fingerprint == bindparam("which"),
            alerts.c.closed_at.is_(None),
        )
        connection.execute(query.values(ends_at=bindparam("ended"), closed_at=now), rows)


def close_group(connection: Connection, group_id: int, ends_at: datetime, now: datetime) -> None:
    """End everything that is open in a group."""
    connection.execute(
        update(alerts)
        .where(alerts.c.group_id == group_id, alerts.c.closed_at.is_(None))
        .values(ends_at=ends_at, closed_at=now)
    )


def repeat_alerts(connection: Connection, group_id: int, repeated: Sequence[Alert], now: datetime) -> bool:
    """Take over what repeated alerts say now (their current values, say); True when any of it differs."""
    if not repeated:
        return False
    rows = connection.execute(
        select(alerts.c.id, alerts.c.fingerprint, alerts.c.annotations).where(
            alerts.c.group_id == group_id, alerts.c.closed_at.is_(None)
        )
    )
    said = {row.fingerprint: row for row in rows}
    changed = [
        {"which": row.id, "says": dict(alert.annotations)}
        for alert in repeated
        if (row := said.get(alert.fingerprint)) is not None and row.annotations != dict(alert.annotations)
    ]
    if changed:
        query = update(alerts).where(alerts.c.id == bindparam("which"))
        query = query.values(annotations=bindparam("says"), said_at=now)
        connection.execute(query, changed)
    return bool(changed)


def incident_roll(connection: Connection, incident_id: int) -> Roll:
    """Give the first of an incident's alerts, and count all of them."""
    return _roll(connection, "incident", incident_id)


def group_roll(connection: Connection, group_id: int) -> Roll:
    """Give the first of a group's alerts, and count all of them."""
    return _roll(connection, "group", group_id)


def storm_roll(connection: Connection, scope: str) -> Roll:
    """Give the first of the alerts that wait for a look in one message, and count all of them."""
    return _roll(connection, "storm", scope)


def _newest(which: ColumnElement[bool]) -> ScalarSelect[Any]:
    newest = select(func.max(alerts.c.id)).where(which).group_by(alerts.c.group_id, alerts.c.fingerprint)
    return newest.scalar_subquery()


def _shown_query(which: ColumnElement[bool], limit: int | None = None) -> Select[Any]:
    return (
        select(alerts, alert_groups.c.source, alert_groups.c.group_key)
        .join(alert_groups, alert_groups.c.id == alerts.c.group_id)
        .where(alerts.c.id.in_(_newest(which)))
        .order_by(alerts.c.closed_at.is_not(None), alerts.c.opened_at, alerts.c.fingerprint)
        .limit(limit)
    )


def _roll_queries(which: ColumnElement[bool]) -> tuple[Select[Any], Select[Any], Select[Any]]:
    """Make what counts alerts by name, what counts their groups, and what gives the first of them."""
    fires = func.count(case((alerts.c.closed_at.is_(None), 1)))
    by_name = select(alerts.c.name, fires.label("firing"), func.count().label("total"))
    newest = by_name.where(alerts.c.id.in_(_newest(which))).group_by(alerts.c.name)
    return newest, select(func.count(alerts.c.group_id.distinct())).where(which), _shown_query(which, SHOWN)


_OF: BindParameter[Any] = bindparam("of")
# Made once: building a statement anew takes longer than running it, and every message of an incident asks these.
_ROLLS = {
    "incident": _roll_queries(alerts.c.incident_id == _OF),
    "group": _roll_queries(alerts.c.group_id == _OF),
    "storm": _roll_queries(alerts.c.group_id.in_(select(alert_groups.c.id).where(alert_groups.c.storm == _OF))),
}


def _roll(connection: Connection, kind: str, of: int | str) -> Roll:
    counted, grouped, first = _ROLLS[kind]
    by_name = connection.execute(counted, {"of": of}).all()
    if not by_name:
        return Roll((), Counts.made({}, 0, 0))
    groups = connection.execute(grouped, {"of": of}).scalar_one()
    counts = Counts.made({row.name: row.firing for row in by_name}, sum(row.total for row in by_name), groups)
    return Roll(tuple(_shown(row) for row in connection.execute(first, {"of": of}).mappings()), counts)


def group_of(row: RowMapping) -> Group:
    """Give the group of its row."""
    return Group(
        row["id"], row["source"], row["group_key"], row["group_hash"], row["incident_id"], row["data"], row["storm"]
    )


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
    flag = Flag(row["flag"]) if row["flag"] else None
    return Shown(alert_of(row), row["opened_at"], row["closed_at"], flag, row["said_at"])


@dataclass(frozen=True, slots=True)
class LastSaid:
    """What a group said last, and the incident that it belongs to."""

    digest: str | None
    number: str | None
    status: str | None


# Made once: building a statement anew takes longer than running it.
_LAST_SAID = (
    select(alert_groups.c.group_key, alert_groups.c.digest, incidents.c.number, incidents.c.status)
    .select_from(alert_groups.outerjoin(incidents, incidents.c.id == alert_groups.c.incident_id))
    .where(
        alert_groups.c.source == bindparam("source"), alert_groups.c.group_key.in_(bindparam("keys", expanding=True))
    )
)


def last_said(connection: Connection, source: str, keys: Collection[str]) -> dict[str, LastSaid]:
    """Give what groups said last, by their keys; one that has not been seen is left out."""
    rows = connection.execute(_LAST_SAID, {"source": source, "keys": sorted(keys)})
    return {row.group_key: LastSaid(row.digest, row.number, row.status) for row in rows}


_KEEP_SAID = (
    update(alert_groups)
    .where(alert_groups.c.source == bindparam("of"), alert_groups.c.group_key == bindparam("key"))
    .values(digest=bindparam("said"))
)


def keep_said(connection: Connection, source: str, key: str, digest: str) -> None:
    """Keep what a group says now."""
    connection.execute(_KEEP_SAID, {"of": source, "key": key, "said": digest})

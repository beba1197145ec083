"""Alerts that never reached us, by source and fingerprint, and the receivers from which notifications have come.

A row is `waiting` until the difference has lasted; then it is `told`, or `quiet` where a rule records the alert only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, delete, select, tuple_, update

from bot.incidents.reconcile import Reported
from bot.incidents.unheard import OWN_KEY
from bot.store.tables import alert_groups, alerts, receivers, unheard
from bot.store.upsert import upsert

NOTED_EACH = timedelta(hours=1)  # how exact the last notification of a receiver is known
GROUPS = 2000  # groups of a source that are looked at, the newest first


class State(StrEnum):
    """What has become of an alert that did not come."""

    WAITING = "waiting"
    QUIET = "quiet"
    TOLD = "told"


@dataclass(frozen=True, slots=True)
class Row:
    """An alert that did not come, as it was seen first; `heard_at` is when it came after all."""

    fingerprint: str
    labels: Mapping[str, str]
    first_at: datetime
    state: State
    heard_at: datetime | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a notification says of where it belongs: its source, receiver and group, and its alerts."""

    source: str
    receiver: str
    key: str
    fingerprints: frozenset[str]


def arrived(connection: Connection, arrival: Arrival, now: datetime) -> None:
    """Note that a notification has come: for which receiver, and which alerts are no longer missing."""
    source = arrival.source
    if arrival.receiver:
        mine = (receivers.c.source == source) & (receivers.c.name == arrival.receiver)
        last = connection.execute(select(receivers.c.last_at).where(mine)).scalar_one_or_none()
        if last is None or now - last > NOTED_EACH:
            row = upsert(connection, receivers).values(source=source, name=arrival.receiver, last_at=now)
            connection.execute(row.on_conflict_do_update(index_elements=["source", "name"], set_={"last_at": now}))
    missing = set(connection.execute(select(unheard.c.fingerprint).where(unheard.c.source == source)).scalars())
    came = sorted(missing & arrival.fingerprints)
    for fingerprint in came:
        mine = (unheard.c.source == source) & (unheard.c.fingerprint == fingerprint) & unheard.c.heard_at.is_(None)
        connection.execute(update(unheard).where(mine).values(heard_at=now))
    if came:
        _name(connection, arrival, came)


def _name(connection: Connection, arrival: Arrival, came: Sequence[str]) -> None:
    """Give the group that was made for alerts which had not come the key that it turns out to have."""
    of_source = alert_groups.c.source == arrival.source
    there = select(alert_groups.c.id).where(of_source, alert_groups.c.group_key == arrival.key)
    if connection.execute(there).first() is not None:
        return
    made = (
        select(alert_groups.c.id)
        .join(alerts, alerts.c.group_id == alert_groups.c.id)
        .where(of_source, alert_groups.c.group_key.startswith(OWN_KEY, autoescape=True))
        .where(alerts.c.fingerprint.in_(came), alerts.c.closed_at.is_(None))
        .order_by(alert_groups.c.id)
    )
    own = connection.execute(made).scalars().first()
    if own is not None:
        connection.execute(update(alert_groups).where(alert_groups.c.id == own).values(group_key=arrival.key))


def receivers_of(connection: Connection, source: str, since: datetime) -> frozenset[str]:
    """Return the receivers from which a source's notifications have come after a moment."""
    query = select(receivers.c.name).where(receivers.c.source == source, receivers.c.last_at >= since)
    return frozenset(connection.execute(query).scalars())


def rows(connection: Connection, source: str) -> dict[str, Row]:
    """Return what is known to be missing of a source, by fingerprint."""
    found = connection.execute(select(unheard).where(unheard.c.source == source)).mappings()
    return {
        row["fingerprint"]: Row(
            row["fingerprint"], row["labels"], row["first_at"], State(row["state"]), row["heard_at"]
        )
        for row in found
    }


def begin(connection: Connection, source: str, missing: Iterable[Reported], now: datetime) -> None:
    """Note alerts that are missing from now on."""
    new = [
        {
            "source": source,
            "fingerprint": alert.fingerprint,
            "labels": dict(alert.labels),
            "first_at": now,
            "state": State.WAITING.value,
            "heard_at": None,
        }
        for alert in missing
    ]
    if new:
        made = upsert(connection, unheard).on_conflict_do_nothing(index_elements=["source", "fingerprint"])
        connection.execute(made, new)


def take(connection: Connection, source: str, fingerprints: Collection[str]) -> dict[str, Row]:
    """Return, locked, those of the alerts that still wait: another replica that looks at the same finds none."""
    query = select(unheard.c.fingerprint).where(unheard.c.source == source).order_by(unheard.c.fingerprint)
    connection.execute(query.with_for_update()).all()
    there = rows(connection, source)
    return {f: row for f, row in there.items() if f in fingerprints and row.state is State.WAITING}


def settle(connection: Connection, source: str, fingerprints: Iterable[str], state: State) -> None:
    """Say what has become of alerts."""
    for fingerprint in sorted(fingerprints):
        mine = (unheard.c.source == source) & (unheard.c.fingerprint == fingerprint)
        connection.execute(update(unheard).where(mine).values(state=state.value))


def forget(connection: Connection, source: str, fingerprints: Iterable[str]) -> set[str]:
    """Delete rows; returns those that were there, so that of several replicas one says what it takes back."""
    gone = set()
    for fingerprint in sorted(fingerprints):
        mine = (unheard.c.source == source) & (unheard.c.fingerprint == fingerprint)
        if connection.execute(delete(unheard).where(mine)).rowcount == 1:
            gone.add(fingerprint)
    return gone


def keys(connection: Connection, source: str) -> list[tuple[str, int]]:
    """Return the keys of the groups that have come of a source, the newest first, and how many alerts each left out."""
    query = select(alert_groups.c.group_key, alert_groups.c.data).where(alert_groups.c.source == source)
    found = connection.execute(query.order_by(alert_groups.c.id.desc()).limit(GROUPS))
    return [(row.group_key, int(row.data.get("truncated") or 0)) for row in found]


def ended(connection: Connection, source: str, fingerprints: Collection[str]) -> dict[str, datetime]:
    """Return when alerts of a source ended last, by fingerprint; those that never fired with us are left out."""
    query = (
        select(alerts.c.fingerprint, alerts.c.ends_at, alerts.c.closed_at)
        .join(alert_groups, alert_groups.c.id == alerts.c.group_id)
        .where(tuple_(alert_groups.c.source, alerts.c.fingerprint).in_([(source, f) for f in sorted(fingerprints)]))
        .where(alerts.c.closed_at.is_not(None))
        .order_by(alerts.c.id)
    )
    return {row.fingerprint: row.ends_at or row.closed_at for row in connection.execute(query)} if fingerprints else {}

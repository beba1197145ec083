"""Alerts that fire under several group keys: a route has changed, or two routes send them."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, bindparam, func, select

from bot.incidents.intake import Occurrence
from bot.incidents.model import Alert
from bot.store.alerts import Group
from bot.store.tables import alert_groups, alerts

PORTION = 1_000  # fingerprints in one query
BUCKETS = 32  # of alert names that are held at once


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An alert that fires in another group of its source: a route has changed, or two routes send it."""

    group: Group
    occurrence: Occurrence


def find(connection: Connection, group_: Group, sent: Collection[Alert]) -> dict[str, Elsewhere]:
    """Return where alerts fire in other groups of the source, by fingerprint: the same labels are the same alert."""
    found: dict[str, Elsewhere] = {}
    labels = {alert.fingerprint: dict(alert.labels) for alert in sent}
    for some in _portions(sorted(labels)):
        rows = connection.execute(
            _ELSEWHERE, {"source": group_.source, "own": group_.id, "fingerprints": some}
        ).mappings()
        for row in rows:
            fingerprint = row["fingerprint"]
            if row["labels"] == labels[fingerprint]:
                occurrence = Occurrence(fingerprint, row["starts_at"], opened_at=row["opened_at"])
                found[fingerprint] = Elsewhere(_group_of_alert(row), occurrence)
    return found


def hold(connection: Connection, sent: Collection[Alert]) -> None:
    """Let other replicas wait that want to open something for alerts of the same names under another group key."""
    if connection.dialect.name != "postgresql":
        return
    for bucket in sorted({zlib.crc32(alert.name.encode()) % BUCKETS for alert in sent}):
        connection.execute(_HOLD, {"bucket": f"alerts:{bucket}"})


def _portions(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), PORTION):
        yield values[start : start + PORTION]


def _group_of_alert(row: RowMapping) -> Group:
    return Group(
        row["group_id"],
        row["source"],
        row["group_key"],
        row["group_hash"],
        row["of_incident"],
        row["data"],
        row["storm"],
    )


_ELSEWHERE = (
    select(
        alerts.c.fingerprint,
        alerts.c.labels,
        alerts.c.starts_at,
        alerts.c.opened_at,
        alerts.c.group_id,
        alert_groups.c.source,
        alert_groups.c.group_key,
        alert_groups.c.group_hash,
        alert_groups.c.incident_id.label("of_incident"),
        alert_groups.c.data,
        alert_groups.c.storm,
    )
    .join(alert_groups, alert_groups.c.id == alerts.c.group_id)
    .where(
        alerts.c.fingerprint.in_(bindparam("fingerprints", expanding=True)),
        alerts.c.closed_at.is_(None),
        alerts.c.group_id != bindparam("own"),
        alert_groups.c.source == bindparam("source"),
    )
    .order_by(alerts.c.id.desc())
)
_HOLD = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("bucket"), 0)))

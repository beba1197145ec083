"""What the auditor asks of the rows: what is late, what hangs, and how alerts stand beside their source."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, func, or_, select, update

from bot.incidents.model import OPEN_STATUSES, Alert, Status
from bot.incidents.reconcile import Flag, Held
from bot.store import deliveries as outbox
from bot.store.alerts import alert_of
from bot.store.deliveries import UNFINISHED, Outgoing, State
from bot.store.tables import alert_groups, alerts, deliveries, incidents, timers

# The steps without which responders stand in the dark; the others are trimmings.
OPENING = ("channel", "thread", "card", "notification", "invite", "page", "runbook")


@dataclass(frozen=True, slots=True)
class Late:
    """A scope with something that should have happened: how many, and since when the worst of it is due."""

    scope: str
    count: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Hanging:
    """An open incident's steps that are not delivered, oldest first."""

    number: str
    steps: tuple[Outgoing, ...]


@dataclass(frozen=True, slots=True)
class Ours:
    """An alert's occurrence beside the incident that it belongs to, where there is one."""

    held: Held
    alert: Alert
    number: str


def late_timers(connection: Connection, before: datetime) -> list[Late]:
    """Give the incidents with armed timers that were due before a moment."""
    rows = connection.execute(
        select(incidents.c.number, func.count().label("total"), func.min(timers.c.due_at).label("since"))
        .join(incidents, incidents.c.id == timers.c.incident_id)
        .where(timers.c.state == "armed", timers.c.due_at <= before)
        .group_by(incidents.c.number)
        .order_by(incidents.c.number)
    )
    return [Late(row.number, row.total, row.since) for row in rows]


def stuck(connection: Connection, before: datetime, alive: Collection[str]) -> list[Late]:
    """Give the scopes with deliveries that should have moved before a moment, or whose sender is not `alive`."""
    scopes = connection.execute(
        select(deliveries.c.scope)
        .where(
            or_(
                deliveries.c.state == State.SENDING.value,
                deliveries.c.state.in_([State.PENDING.value, State.UNKNOWN.value]) & (deliveries.c.next_at <= before),
            )
        )
        .group_by(deliveries.c.scope)
        .order_by(deliveries.c.scope)
    ).scalars()
    found = []
    for scope in list(scopes):
        since = [s for row in _heads(outbox.unfinished(connection, scope)) if (s := _since(row, before, alive))]
        if since:
            found.append(Late(scope, len(since), min(since)))
    return found


def _heads(unfinished: Sequence[Outgoing]) -> list[Outgoing]:
    """Keep the deliveries that nothing in their scope holds up: neither their lane nor a slot that they name."""
    slots = {row.slot for row in unfinished}
    first: dict[str, Outgoing] = {}
    for row in unfinished:
        first.setdefault(row.lane, row)
    return [row for row in first.values() if slots.isdisjoint((*row.needs, *row.after))]


def _since(row: Outgoing, before: datetime, alive: Collection[str]) -> datetime | None:
    if row.state is not State.SENDING:
        return row.next_at if row.next_at <= before else None
    claimed_at = max(row.tried_at or row.next_at, row.next_at)
    abandoned = row.claimed_by and row.claimed_by not in alive
    return claimed_at if abandoned or claimed_at <= before else None


def hanging_openings(connection: Connection, before: datetime) -> list[Hanging]:
    """Give the open incidents with steps of their opening that were asked for before a moment and are not delivered."""
    numbers = connection.execute(
        select(incidents.c.number)
        .join(deliveries, deliveries.c.incident_id == incidents.c.id)
        .where(
            deliveries.c.state.in_([s.value for s in UNFINISHED]),
            deliveries.c.kind.in_(OPENING),
            deliveries.c.created_at <= before,
            incidents.c.status.in_([s.value for s in OPEN_STATUSES]),
        )
        .group_by(incidents.c.number)
        .order_by(incidents.c.number)
    ).scalars()
    found = []
    for number in list(numbers):
        waiting = outbox.unfinished(connection, number)
        steps = tuple(row for row in waiting if row.kind in OPENING and row.created_at <= before)
        if steps:  # they may have been delivered between the two queries
            found.append(Hanging(number, steps))
    return found


def told(connection: Connection, scopes: Collection[str]) -> set[str]:
    """Give those of the scopes that have a delivery, finished or not."""
    return set(connection.execute(select(deliveries.c.scope).where(deliveries.c.scope.in_(scopes))).scalars())


def ours(connection: Connection, source: str, since: datetime) -> list[Ours]:
    """Give a source's occurrences that are open, or were closed after a moment."""
    rows = connection.execute(
        select(
            alerts,
            alert_groups.c.group_key,
            alert_groups.c.source,
            alert_groups.c.data.label("facts"),
            incidents.c.number,
            incidents.c.status,
        )
        .join(alert_groups, alert_groups.c.id == alerts.c.group_id)
        .outerjoin(incidents, incidents.c.id == alerts.c.incident_id)
        .where(or_(alerts.c.closed_at.is_(None), alerts.c.closed_at >= since))
    ).mappings()
    # To pick the source or to sort, the database would read all that there has ever been.
    # A merged PagerDuty incident is not fixed, but lives on in another one: it is expected to be gone.
    wanted = [row for row in rows if row["source"] == source and row["facts"].get("status") != "merged"]
    return [_ours(row) for row in sorted(wanted, key=lambda row: int(row["id"]))]


def put_flag(connection: Connection, held: Held, flag: Flag, now: datetime) -> bool:
    """Flag an occurrence; False when it has the flag already, or has opened or closed meanwhile."""
    done = connection.execute(
        update(alerts)
        .where(
            alerts.c.id == held.id,
            alerts.c.closed_at.is_(None) if held.is_open else alerts.c.closed_at.is_not(None),
            or_(alerts.c.flag.is_(None), alerts.c.flag != flag.value),
        )
        .values(flag=flag.value, flagged_at=now)
    )
    return done.rowcount == 1


def take_flag(connection: Connection, held: Held, flag: Flag) -> bool:
    """Take a flag off again; False when it is off already."""
    done = connection.execute(
        update(alerts).where(alerts.c.id == held.id, alerts.c.flag == flag.value).values(flag=None, flagged_at=None)
    )
    return done.rowcount == 1


def by_incident(rows: Iterable[Ours]) -> dict[str, list[Ours]]:
    """Sort occurrences by the incident's number; those without one come under the empty string."""
    sorted_: dict[str, list[Ours]] = {}
    for row in rows:
        sorted_.setdefault(row.number, []).append(row)
    return dict(sorted(sorted_.items()))


def _ours(row: RowMapping) -> Ours:
    held = Held(
        id=row["id"],
        fingerprint=row["fingerprint"],
        labels=row["labels"],
        is_open=row["closed_at"] is None,
        flag=Flag(row["flag"]) if row["flag"] else None,
        incident_status=Status(row["status"]) if row["status"] else None,
        begun_at=row["opened_at"],
        ended_at=row["ends_at"] or row["closed_at"],
    )
    return Ours(held, alert_of(row), row["number"] or "")

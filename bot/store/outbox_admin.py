"""The outbox as an operator sees it: what waits, what failed, what can be tried again or dropped."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select, update

from bot.store.deliveries import State
from bot.store.tables import deliveries

HOPELESS = "what it needs is not there"  # the error of a delivery that ended because another one had


@dataclass(frozen=True, slots=True)
class Entry:
    """A delivery's row. `maybe_done` says of a failed one that it may have happened all the same."""

    id: int
    scope: str
    incident_id: int | None
    kind: str
    slot: str
    data: Mapping[str, Any]
    needs: tuple[str, ...]
    coalesce: bool
    state: State
    attempts: int
    created_at: datetime
    next_at: datetime
    finished_at: datetime | None
    error: str
    fix: str
    maybe_done: bool
    claimed_by: str

    @property
    def name(self) -> str:
        """How it is called before people: `12 (refresh card of INC-20261121-001)`."""
        return f"{self.id} ({self.kind.replace('_', ' ')} of {self.scope})"


def listing(connection: Connection, states: Iterable[State], limit: int) -> tuple[list[Entry], int]:
    """Give the newest deliveries in these states, oldest of them first, and how many there are in all."""
    which = deliveries.c.state.in_([s.value for s in states])
    total = connection.execute(select(func.count()).select_from(deliveries).where(which)).scalar_one()
    rows = connection.execute(select(deliveries).where(which).order_by(deliveries.c.id.desc()).limit(limit)).mappings()
    return [_entry(row) for row in rows][::-1], total


def find(connection: Connection, delivery_id: int) -> Entry | None:
    """Give one delivery; it stays locked until the transaction ends, where there are locks."""
    query = select(deliveries).where(deliveries.c.id == delivery_id).with_for_update()
    row = connection.execute(query).mappings().first()
    return _entry(row) if row else None


def in_slots(connection: Connection, scope: str, slots: Collection[str]) -> dict[str, Entry]:
    """Give a scope's deliveries by slot; the last of a slot counts."""
    query = select(deliveries).where(deliveries.c.scope == scope, deliveries.c.slot.in_(sorted(slots)))
    rows = connection.execute(query.order_by(deliveries.c.id)).mappings()
    return {row["slot"]: _entry(row) for row in rows}


def given_up(connection: Connection, scope: str) -> list[Entry]:
    """Give a scope's deliveries that ended because what they needed was not there, oldest first."""
    query = select(deliveries).where(
        deliveries.c.scope == scope,
        deliveries.c.state == State.SUPERSEDED.value,
        deliveries.c.error == HOPELESS,
    )
    return [_entry(row) for row in connection.execute(query.order_by(deliveries.c.id)).mappings()]


def note_failure(connection: Connection, delivery_id: int, fix: str, *, maybe_done: bool) -> None:
    """Keep what an operator needs to know of a delivery that has just failed for good."""
    connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(fix=fix, maybe_done=maybe_done))


def make_due(connection: Connection, entry: Entry, state: State, now: datetime) -> bool:
    """Have a delivery tried at once, as if for the first time; False when it is no longer as `entry` says.

    Its id, creation and number of attempts stay: they are its key and the mark of its claims.
    """
    return _change(
        connection,
        entry,
        state=state.value,
        next_at=now,
        tried_at=None,
        finished_at=None,
        error="",
        fix=None,
        maybe_done=None,
        failures=None,
    )


def drop(connection: Connection, entry: Entry, now: datetime, why: str) -> bool:
    """End an unfinished delivery; False when it is no longer as `entry` says."""
    return _change(connection, entry, state=State.SUPERSEDED.value, finished_at=now, error=why, claimed_by=None)


def _change(connection: Connection, entry: Entry, **values: Any) -> bool:
    done = connection.execute(
        update(deliveries)
        .where(
            deliveries.c.id == entry.id,
            deliveries.c.state == entry.state.value,
            deliveries.c.attempts == entry.attempts,
        )
        .values(values)
    )
    return done.rowcount == 1


def _entry(row: RowMapping) -> Entry:
    return Entry(
        id=row["id"],
        scope=row["scope"],
        incident_id=row["incident_id"],
        kind=row["kind"],
        slot=row["slot"],
        data=row["data"],
        needs=tuple(row["needs"]),
        coalesce=row["coalesce"],
        state=State(row["state"]),
        attempts=row["attempts"],
        created_at=row["created_at"],
        next_at=row["next_at"],
        finished_at=row["finished_at"],
        error=row["error"],
        fix=row["fix"] or "",
        maybe_done=row["maybe_done"] is not False,  # not known of one that failed under an older version
        claimed_by=row["claimed_by"] or "",
    )

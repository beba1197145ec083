"""The outbox: calls to the outside that must happen, as rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, bindparam, func, insert, select, update

from bot.incidents.model import Delivery
from bot.store.tables import deliveries


class State(StrEnum):
    """Where a delivery stands. `sending` that is found at start, and `unknown`, mean: it may have happened."""

    PENDING = "pending"
    SENDING = "sending"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    SUPERSEDED = "superseded"
    FAILED = "failed"


UNFINISHED = (State.PENDING, State.SENDING, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A delivery's row. `key` makes it recognisable outside; `tried` says that an earlier attempt may have acted."""

    id: int
    scope: str
    incident_id: int | None
    kind: str
    slot: str
    lane: str
    data: Mapping[str, Any]
    needs: tuple[str, ...]
    after: tuple[str, ...]
    coalesce: bool
    state: State
    attempts: int
    next_at: datetime
    created_at: datetime
    tried_at: datetime | None
    result: Mapping[str, Any]
    error: str
    claimed_by: str = ""
    failures: int = 0  # attempts that failed; one that was told to wait has not

    @property
    def key(self) -> str:
        """The idempotency key: the same for every attempt, never used by another delivery.

        The moment is in it because a database that is made anew counts numbers and ids from 1 again.
        """
        return f"{self.scope}/{self.kind}/{self.id}/{int(self.created_at.timestamp() * 1_000_000)}"

    @property
    def tried(self) -> bool:
        """True when an attempt was made whose outcome is not known."""
        return self.state in {State.SENDING, State.UNKNOWN}


# Made once: building a statement anew takes longer than running it.
_ADD = insert(deliveries).inline()
_UNFINISHED = (
    select(deliveries)
    .where(deliveries.c.scope == bindparam("scope"), deliveries.c.state.in_([s.value for s in UNFINISHED]))
    .order_by(deliveries.c.id)
)
_SLOTS = deliveries.c.slot.in_(bindparam("slots", expanding=True))
_BY_SLOTS = select(deliveries).where(deliveries.c.scope == bindparam("scope"), _SLOTS).order_by(deliveries.c.id)
_STATES = (
    select(deliveries.c.slot, deliveries.c.state)
    .where(deliveries.c.scope == bindparam("scope"), _SLOTS)
    .order_by(deliveries.c.id)
)
_WAITING = (
    select(deliveries.c.id, deliveries.c.next_at, deliveries.c.attempts)
    .where(
        deliveries.c.scope == bindparam("scope"),
        deliveries.c.kind == bindparam("kind"),
        deliveries.c.state == State.PENDING.value,
        deliveries.c.coalesce.is_(True),
    )
    .limit(1)
    # Locked, so that it does not go out with what it shows now before our change is committed.
    .with_for_update()
)
# The number of attempts is a claim's own mark: whoever takes over counts one more.
_AS_SEEN = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("its_id"))
    .where(deliveries.c.state == bindparam("seen_state"))
    .where(deliveries.c.attempts == bindparam("seen_attempts"))
)
_CLAIM = _AS_SEEN.values({name: bindparam(name) for name in ("state", "attempts", "tried_at", "claimed_by")})
_END = _AS_SEEN.values({name: bindparam(name) for name in ("state", "finished_at", "error")} | {"claimed_by": None})
_FINISH = _END.values(result=bindparam("result"))
_POSTPONE = _AS_SEEN.values(
    {name: bindparam(name) for name in ("state", "next_at", "error", "failures")} | {"claimed_by": None}
)


def add(
    connection: Connection, scope: str, incident_id: int | None, new: Iterable[Delivery], now: datetime
) -> set[datetime]:
    """Put deliveries into a scope's outbox; gives the moments at which there is more to send than before."""
    moments: set[datetime] = set()
    rows: list[dict[str, Any]] = []
    for delivery in new:
        next_at = now + timedelta(seconds=delivery.wait)
        beside = next((row for row in rows if row["coalesce"] and row["kind"] == delivery.kind), None)
        if delivery.coalesce and beside:
            beside["next_at"] = min(beside["next_at"], next_at)
            moments.add(beside["next_at"])
            continue
        if delivery.coalesce and (waiting := _waiting(connection, scope, delivery.kind)):
            if _reschedule(connection, waiting, next_at, later=delivery.restarts):
                moments.add(next_at)
            continue
        rows.append(
            {
                "scope": scope,
                "incident_id": incident_id,
                "kind": delivery.kind,
                "slot": delivery.slot,
                "lane": delivery.lane,
                "data": dict(delivery.data),
                "needs": list(delivery.needs),
                "after": list(delivery.after),
                "coalesce": delivery.coalesce,
                "state": State.PENDING.value,
                "attempts": 0,
                "created_at": now,
                "next_at": next_at,
                "result": {},
                "error": "",
            }
        )
        moments.add(next_at)
    if rows:
        connection.execute(_ADD, rows)
    return moments


def _waiting(connection: Connection, scope: str, kind: str) -> Row[int, datetime, int] | None:
    return connection.execute(_WAITING, {"scope": scope, "kind": kind}).first()


def _reschedule(connection: Connection, waiting: Row[int, datetime, int], next_at: datetime, *, later: bool) -> bool:
    """Send what waits later, for a lull, or else sooner; what was tried and put off has a reason to wait."""
    fits = waiting.next_at < next_at if later else waiting.next_at > next_at
    if waiting.attempts or not fits:
        return False
    connection.execute(update(deliveries).where(deliveries.c.id == waiting.id).values(next_at=next_at))
    return True


def unfinished(connection: Connection, scope: str) -> list[Outgoing]:
    """Give what a scope has still to send, oldest first."""
    return [_outgoing(row) for row in connection.execute(_UNFINISHED, {"scope": scope}).mappings()]


def by_slots(connection: Connection, scope: str, slots: Collection[str]) -> list[Outgoing]:
    """Give a scope's deliveries with these slots, oldest first: the last of a slot counts."""
    if not slots:
        return []
    rows = connection.execute(_BY_SLOTS, {"scope": scope, "slots": sorted(slots)})
    return [_outgoing(row) for row in rows.mappings()]


def states(connection: Connection, scope: str, slots: Collection[str]) -> dict[str, State]:
    """Give where a scope's slots stand; one that was never asked for is left out."""
    if not slots:
        return {}
    rows = connection.execute(_STATES, {"scope": scope, "slots": sorted(slots)})
    return {row.slot: State(row.state) for row in rows}


def of_kind(connection: Connection, scope: str, kind: str) -> list[Outgoing]:
    """Give a scope's deliveries of a kind, oldest first, whatever has become of them."""
    rows = connection.execute(
        select(deliveries).where(deliveries.c.scope == scope, deliveries.c.kind == kind).order_by(deliveries.c.id)
    )
    return [_outgoing(row) for row in rows.mappings()]


def by_key(connection: Connection, key: str) -> Outgoing | None:
    """Find the delivery that has this key; a text from outside that looks like one finds nothing."""
    number = key.split("/")[-2:][0]
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        return None
    row = connection.execute(select(deliveries).where(deliveries.c.id == int(number))).mappings().first()
    found = _outgoing(row) if row else None
    return found if found and found.key == key else None


def wakes(connection: Connection) -> list[tuple[str, datetime]]:
    """Give the scopes that have something to send, each with the moments at which."""
    query = (
        select(deliveries.c.scope, deliveries.c.next_at)
        .where(deliveries.c.state.in_([s.value for s in UNFINISHED]))
        .distinct()
        .order_by(deliveries.c.next_at, deliveries.c.scope)
    )
    return [(row.scope, row.next_at) for row in connection.execute(query)]


def due_scopes(connection: Connection, now: datetime, alive: Collection[str]) -> list[str]:
    """Give the scopes with a delivery whose time has come, or whose holder is not among those that live."""
    waiting = deliveries.c.state.in_([State.PENDING.value, State.UNKNOWN.value]) & (deliveries.c.next_at <= now)
    held = func.coalesce(deliveries.c.claimed_by, "").in_(sorted(alive))
    orphaned = (deliveries.c.state == State.SENDING.value) & ~held
    query = select(deliveries.c.scope).where(waiting | orphaned).group_by(deliveries.c.scope)
    return [row.scope for row in connection.execute(query)]


def claim(connection: Connection, delivery: Outgoing, by: str, now: datetime) -> bool:
    """Mark a delivery as being sent by a process; False when another one got there first."""
    values = {
        **_seen(delivery.id, delivery.state, delivery.attempts),
        "state": State.SENDING.value,
        "attempts": delivery.attempts + 1,
        "tried_at": delivery.tried_at or now,
        "claimed_by": by,
    }
    return connection.execute(_CLAIM, values).rowcount == 1


def finish(
    connection: Connection,
    claimed: Outgoing,
    state: State,
    now: datetime,
    *,
    result: Mapping[str, Any] | None = None,
    error: str = "",
) -> bool:
    """End a delivery that was claimed: delivered, superseded or failed; False when it is no longer ours.

    Without a `result`, what it has reached so far stays: it may be retried.
    """
    values: dict[str, Any] = {"state": state.value, "finished_at": now, "error": error}
    seen = _seen(claimed.id, State.SENDING, claimed.attempts + 1)
    if result is None:
        return connection.execute(_END, seen | values).rowcount == 1
    return connection.execute(_FINISH, seen | values | {"result": dict(result)}).rowcount == 1


def postpone(
    connection: Connection, claimed: Outgoing, state: State, next_at: datetime, error: str, *, failed: bool
) -> bool:
    """Try again later: `pending` when it surely did not happen, `unknown` when it may have; False as `finish`."""
    values = {"state": state.value, "next_at": next_at, "error": error, "failures": claimed.failures + failed}
    seen = _seen(claimed.id, State.SENDING, claimed.attempts + 1)
    return connection.execute(_POSTPONE, seen | values).rowcount == 1


def need(connection: Connection, delivery_id: int, needs: Collection[str]) -> None:
    """Have a delivery wait for other slots than before."""
    connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(needs=list(needs)))


def _seen(delivery_id: int, state: State, attempts: int) -> dict[str, Any]:
    return {"its_id": delivery_id, "seen_state": state.value, "seen_attempts": attempts}


def give_up(connection: Connection, delivery: Outgoing, now: datetime, why: str) -> bool:
    """End a delivery that nobody has claimed and that can never go out; False when another one got there first."""
    done = connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery.id, deliveries.c.state == delivery.state.value)
        .values(state=State.SUPERSEDED.value, finished_at=now, error=why)
    )
    return done.rowcount == 1


def failed_alike(connection: Connection, delivery: Outgoing, error: str) -> bool:
    """True when a delivery of the same kind and scope has failed for the same reason before."""
    query = select(deliveries.c.id).where(
        deliveries.c.scope == delivery.scope,
        deliveries.c.kind == delivery.kind,
        deliveries.c.state == State.FAILED.value,
        deliveries.c.error == error,
        deliveries.c.id != delivery.id,
    )
    return connection.execute(query.limit(1)).first() is not None


def keep_progress(connection: Connection, delivery_id: int, result: Mapping[str, Any]) -> None:
    """Save what a delivery of several calls has reached so far."""
    connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(result=dict(result)))


def _outgoing(row: RowMapping) -> Outgoing:
    return Outgoing(
        id=row["id"],
        scope=row["scope"],
        incident_id=row["incident_id"],
        kind=row["kind"],
        slot=row["slot"],
        lane=row["lane"],
        data=row["data"],
        needs=tuple(row["needs"]),
        after=tuple(row["after"]),
        coalesce=row["coalesce"],
        state=State(row["state"]),
        attempts=row["attempts"],
        next_at=row["next_at"],
        created_at=row["created_at"],
        tried_at=row["tried_at"],
        result=row["result"],
        error=row["error"],
        claimed_by=row["claimed_by"] or "",
        failures=row["failures"] or 0,
    )

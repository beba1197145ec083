"""The replicas that live, by the database's own clock. PostgreSQL only: on SQLite there is one process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, delete, func, select

from bot.store.tables import replicas
from bot.store.upsert import upsert


def beat(connection: Connection, replica: str) -> None:
    """Give a sign of life."""
    # Not the unit of work's moment: a clock that is moved in a test must not declare everybody dead.
    now = func.clock_timestamp()
    row = upsert(connection, replicas).values(id=replica, started_at=now, beat_at=now)
    connection.execute(row.on_conflict_do_update(index_elements=["id"], set_={"beat_at": now}))


def alive(connection: Connection, within: float) -> frozenset[str]:
    """Give the replicas that have given a sign of life within so many seconds."""
    since = func.clock_timestamp() - timedelta(seconds=within)
    return frozenset(connection.execute(select(replicas.c.id).where(replicas.c.beat_at > since)).scalars())


def leave(connection: Connection, replica: str, within: float) -> None:
    """Take a replica out, and those that have been gone for long."""
    gone = func.clock_timestamp() - timedelta(seconds=within)
    connection.execute(delete(replicas).where((replicas.c.id == replica) | (replicas.c.beat_at < gone)))


def bury(connection: Connection, ids: Sequence[str]) -> bool:
    """Take replicas out that have ended for certain; True where one of them was known here."""
    return bool(connection.execute(delete(replicas).where(replicas.c.id.in_(ids))).rowcount)

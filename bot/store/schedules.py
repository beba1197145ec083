"""When what comes round has come round last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, select, update

from bot.store.tables import schedules
from bot.store.upsert import upsert


def seen(connection: Connection) -> Mapping[str, datetime]:
    """Give each known schedule's last moment, or when it was seen for the first time."""
    return {row.name: row.last_at for row in connection.execute(select(schedules))}


def begin(connection: Connection, names: Iterable[str], now: datetime) -> None:
    """Note schedules that are seen for the first time: only what comes after counts."""
    rows = [{"name": name, "last_at": now} for name in sorted(names)]
    if rows:
        made = upsert(connection, schedules).values(rows)
        connection.execute(made.on_conflict_do_nothing(index_elements=["name"]))


def advance(connection: Connection, name: str, last_at: datetime, moment: datetime) -> bool:
    """Take a moment as one's own; False when another replica has taken it."""
    taken = connection.execute(
        update(schedules).where(schedules.c.name == name, schedules.c.last_at == last_at).values(last_at=moment)
    )
    return taken.rowcount == 1


def once(connection: Connection, name: str, now: datetime) -> bool:
    """Note that something is done now; False where it has been done before, by any replica."""
    made = upsert(connection, schedules).values(name=name, last_at=now)
    made = made.on_conflict_do_nothing(index_elements=["name"])
    return connection.execute(made.returning(schedules.c.name)).first() is not None

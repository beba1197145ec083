"""What Slack has asked to leave alone for a while, known to all replicas."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, select

from bot.store.tables import throttles
from bot.store.upsert import upsert

_ACTIVE = select(throttles.c.key, throttles.c.until).where(throttles.c.until > bindparam("now"))


def put(connection: Connection, key: str, until: datetime) -> None:
    """Leave `key` alone until a moment; the later one of two counts."""
    row = upsert(connection, throttles).values(key=key, until=until)
    later = func.greatest if connection.dialect.name == "postgresql" else func.max
    connection.execute(
        row.on_conflict_do_update(index_elements=["key"], set_={"until": later(throttles.c.until, row.excluded.until)})
    )


def active(connection: Connection, now: datetime) -> Mapping[str, datetime]:
    """Give what is to be left alone now, and until when."""
    rows = connection.execute(_ACTIVE, {"now": now})
    return {row.key: row.until for row in rows}


def forget(connection: Connection, now: datetime) -> None:
    """Take out what is over."""
    connection.execute(delete(throttles).where(throttles.c.until <= now))

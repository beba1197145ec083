"""What the operators were told of, and how often it has happened since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, or_, select, update

from bot.incidents.sources import ALERTMANAGER
from bot.store.inbox import ACCEPTED
from bot.store.tables import inbox, notices
from bot.store.upsert import upsert

KEPT = 8  # moments at which they were told
LOOKED_AT = 500  # of the newest bodies, for one that was taken in


@dataclass(frozen=True, slots=True)
class Notice:
    """A subject of which the operators are told once; `count` is how often it has happened since the last time."""

    id: int
    told: tuple[datetime, ...]
    count: int


def take(connection: Connection, subject: str) -> Notice:
    """Return a subject's notice, made if it is new, and locked."""
    query = select(notices).where(notices.c.subject == subject).with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None:
        made = upsert(connection, notices).values(subject=subject, told=[], count=0)
        connection.execute(made.on_conflict_do_nothing(index_elements=["subject"]))
        row = connection.execute(query).mappings().one()
    return Notice(row["id"], tuple(datetime.fromisoformat(moment) for moment in row["told"]), row["count"])


def keep(connection: Connection, notice_id: int, told: Sequence[datetime], count: int) -> None:
    """Save when the operators were told, and how often it has happened since."""
    moments = [moment.isoformat() for moment in told[-KEPT:]]
    connection.execute(update(notices).where(notices.c.id == notice_id).values(told=moments, count=count))


def was_well(connection: Connection, source: str, since: datetime) -> bool:
    """Return True where a source's body was taken in after a moment; for `alertmanager` that of a named one too."""
    newest = (
        select(inbox.c.source, inbox.c.received_at)
        .where(inbox.c.state == ACCEPTED)
        .order_by(inbox.c.id.desc())
        .limit(LOOKED_AT)
        .subquery()
    )
    own = newest.c.source == source
    if source == ALERTMANAGER:
        own = or_(own, newest.c.source.startswith(f"{ALERTMANAGER}/", autoescape=True))
    found = connection.execute(select(newest.c.source).where(own, newest.c.received_at > since).limit(1))
    return found.first() is not None

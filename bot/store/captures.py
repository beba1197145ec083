"""Which Slack messages are on which incident's timeline, and whose conversation a message is part of."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, literal_column, select

from bot.incidents.capturing import Kept
from bot.store.incidents import identity
from bot.store.tables import captures, deliveries, incidents
from bot.store.upsert import upsert

# Written out, so that both databases take the index that holds threads alone.
_IS_THREAD = deliveries.c.slot == literal_column("'thread'")
_FACTS = ("seq", "digest", "by", "via", "edited", "removed")


def by_thread(connection: Connection, channel: str, ts: str) -> str | None:
    """Give the number of the incident whose thread begins with a message."""
    newest = _threads(channel, deliveries.c.result["ts"].as_string() == ts).order_by(deliveries.c.id.desc())
    return connection.execute(newest.limit(1)).scalars().first()


def has_threads(connection: Connection, channel: str) -> bool:
    """True where incidents are handled in threads of a channel."""
    return connection.execute(_threads(channel).limit(1)).first() is not None


def of_message(connection: Connection, channel: str, ts: str) -> list[Kept]:
    """Give what is known of a message, an entry for each incident, in the order of their numbers."""
    joined = select(captures, incidents.c.number).join(incidents, incidents.c.id == captures.c.incident_id)
    mine = joined.where(captures.c.channel == channel, captures.c.ts == ts).order_by(incidents.c.number)
    return [_kept(row) for row in connection.execute(mine).mappings()]


def find(connection: Connection, number: str, channel: str, ts: str) -> Kept | None:
    """Give what is known of a message in an incident."""
    return next((kept for kept in of_message(connection, channel, ts) if kept.number == number), None)


def is_marked(connection: Connection, kept: Kept) -> bool:
    """True where the bot has put its reaction on a message, or is about to; from elsewhere it has not."""
    mine = (deliveries.c.scope == kept.number) & (deliveries.c.kind == "react")
    there = (deliveries.c.data["channel"].as_string() == kept.channel) & (
        deliveries.c.data["ts"].as_string() == kept.ts
    )
    return connection.execute(select(deliveries.c.id).where(mine, there).limit(1)).first() is not None


def keep(connection: Connection, kept: Kept) -> None:
    """Remember a message, or what has become of it."""
    row = {name: getattr(kept, name) for name in ("channel", "ts", *_FACTS)}
    made = upsert(connection, captures).values(incident_id=identity(connection, kept.number), **row)
    changes = {name: made.excluded[name] for name in _FACTS}
    connection.execute(made.on_conflict_do_update(index_elements=_KEY, set_=changes))


_KEY: Iterable[str] = ("channel", "ts", "incident_id")


def _threads(channel: str, *also: ColumnElement[bool]) -> Select[str]:
    joined = select(incidents.c.number).join(deliveries, deliveries.c.incident_id == incidents.c.id)
    return joined.where(_IS_THREAD, deliveries.c.result["channel"].as_string() == channel, *also)


def _kept(row: RowMapping) -> Kept:
    return Kept(**{name: row[name] for name in ("number", "channel", "ts", *_FACTS)})

"""Periodic checklists as they were posted, and who has ticked off what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from bot.store.tables import postings
from bot.store.upsert import upsert


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to do, as its file had it; `code` is empty where there is no block under it."""

    number: int
    text: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Who last said of an item that it is done, or took that back, and when."""

    done: bool
    user: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Posting:
    """A checklist that was posted, of its file's content at that moment. `scope` is its delivery's too."""

    scope: str
    checklist: str
    version: str
    title: str
    owner: str
    items: tuple[Item, ...]
    due_at: datetime
    channel: str
    marks: Mapping[int, Mark] = field(default_factory=dict)

    def item(self, number: str) -> Item | None:
        """Find an item by its number."""
        return next((item for item in self.items if str(item.number) == number), None)

    def is_done(self, item: Item) -> bool:
        """True while an item is ticked off."""
        mark = self.marks.get(item.number)
        return mark is not None and mark.done


def add(connection: Connection, posting: Posting, now: datetime) -> bool:
    """Keep what is to be posted; False when it was posted before."""
    document = {
        "id": posting.checklist,
        "version": posting.version,
        "title": posting.title,
        "owner": posting.owner,
        "due_at": posting.due_at.isoformat(),
        "items": [{"number": item.number, "text": item.text, "code": item.code} for item in posting.items],
    }
    row = {"scope": posting.scope, "document": document, "ticks": {}, "posted_at": now, "channel": posting.channel}
    once = upsert(connection, postings).on_conflict_do_nothing(index_elements=["scope"])
    return connection.execute(once.returning(postings.c.scope), row).first() is not None


def load(connection: Connection, scope: str) -> Posting | None:
    """Give a posting, or None where there is none of this scope."""
    return _find(connection, scope, lock=False)


def take(connection: Connection, scope: str) -> Posting | None:
    """Give a posting to change: whoever else asks for it waits until the transaction ends."""
    return _find(connection, scope, lock=True)


def mark(connection: Connection, posting: Posting, item: Item, made: Mark) -> None:
    """Write what was said of an item of a posting that was taken."""
    ticks = {str(number): _document(old) for number, old in posting.marks.items()} | {str(item.number): _document(made)}
    connection.execute(update(postings).where(postings.c.scope == posting.scope).values(ticks=ticks))


def _document(made: Mark) -> dict[str, Any]:
    return {"done": made.done, "user": made.user, "at": made.at.isoformat()}


def _find(connection: Connection, scope: str, *, lock: bool) -> Posting | None:
    query = select(postings).where(postings.c.scope == scope)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        return None
    document: Mapping[str, Any] = row["document"]
    ticks: Mapping[str, Mapping[str, Any]] = row["ticks"]
    return Posting(
        scope=row["scope"],
        checklist=document["id"],
        version=document["version"],
        title=document["title"],
        owner=document["owner"],
        items=tuple(Item(item["number"], item["text"], item["code"]) for item in document["items"]),
        due_at=datetime.fromisoformat(document["due_at"]),
        channel=row["channel"],
        marks={
            int(number): Mark(tick["done"], tick["user"], datetime.fromisoformat(tick["at"]))
            for number, tick in ticks.items()
        },
    )

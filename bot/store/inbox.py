"""The inbox: every inbound body as it came, for replay and as dead letters."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from bot.store.tables import inbox
from bot.store.upsert import upsert

ACCEPTED = "accepted"
DEAD = "dead"
REPLAYED = "replayed"

# Made once: building a statement anew takes longer than running it.
_KEEP = insert(inbox).inline()


@dataclass(frozen=True, slots=True)
class Letter:
    """A body that came in; `outcome` says what became of it."""

    receipt: str
    source: str
    received_at: datetime
    body: bytes
    state: str
    outcome: str


def keep_all(
    connection: Connection, source: str, bodies: Sequence[tuple[bytes, str]], now: datetime, *, state: str = ACCEPTED
) -> list[str]:
    """Keep bodies with what became of each, and give their receipts."""
    rows = [
        {
            "receipt": str(uuid.uuid4()),
            "source": source,
            "dedup_key": None,
            "received_at": now,
            "body": body,
            "state": state,
            "outcome": outcome,
        }
        for body, outcome in bodies
    ]
    if rows:
        connection.execute(_KEEP, rows)
    return [str(row["receipt"]) for row in rows]


def keep_once(connection: Connection, source: str, body: bytes, now: datetime, dedup_key: str) -> str | None:
    """Keep a body and give its receipt; None when a body with this key has come before."""
    row = {
        "receipt": str(uuid.uuid4()),
        "source": source,
        "dedup_key": dedup_key,
        "received_at": now,
        "body": body,
        "state": ACCEPTED,
        "outcome": "",
    }
    # Two replicas with the same event at once: the second waits for the first, and then knows.
    once = upsert(connection, inbox).on_conflict_do_nothing(index_elements=["source", "dedup_key"])
    return str(row["receipt"]) if connection.execute(once.returning(inbox.c.id), row).first() else None


def bury(connection: Connection, source: str, body: bytes, why: str, now: datetime) -> str:
    """Keep a body that cannot be read, once however often it comes, and return its receipt."""
    row: dict[str, Any] = {
        "receipt": str(uuid.uuid4()),
        "source": source,
        "dedup_key": f"~{hashlib.sha256(body).hexdigest()}",  # after all that vendors call their events
        "received_at": now,
        "body": body,
        "state": DEAD,
        "outcome": why,
    }
    once = upsert(connection, inbox).on_conflict_do_nothing(index_elements=["source", "dedup_key"])
    if connection.execute(once.returning(inbox.c.id), row).first() is None:
        there = by_key(connection, source, row["dedup_key"])
        if there is not None and there.state == DEAD:
            return there.receipt
        return keep_all(connection, source, [(body, why)], now, state=DEAD)[0]
    return str(row["receipt"])


def note(connection: Connection, receipt: str, outcome: str, *, state: str = ACCEPTED) -> None:
    """Say what became of a body."""
    connection.execute(update(inbox).where(inbox.c.receipt == receipt).values(outcome=outcome, state=state))


def dead(connection: Connection) -> list[Letter]:
    """Give the bodies that could not be read, oldest first."""
    rows = connection.execute(select(inbox).where(inbox.c.state == DEAD).order_by(inbox.c.id)).mappings()
    return [_letter(row) for row in rows]


def find(connection: Connection, receipt: str) -> Letter | None:
    """Give one body by its receipt."""
    row = connection.execute(select(inbox).where(inbox.c.receipt == receipt)).mappings().first()
    return _letter(row) if row else None


def by_key(connection: Connection, source: str, dedup_key: str) -> Letter | None:
    """Give the body that came with a key."""
    mine = (inbox.c.source == source) & (inbox.c.dedup_key == dedup_key)
    row = connection.execute(select(inbox).where(mine)).mappings().first()
    return _letter(row) if row else None


def came_between(connection: Connection, source: str, after: str, until: str) -> bool:
    """True where a body has come whose key lies between two others."""
    between = (inbox.c.source == source) & (inbox.c.dedup_key > after) & (inbox.c.dedup_key < until)
    return connection.execute(select(inbox.c.id).where(between).limit(1)).first() is not None


def _letter(row: RowMapping) -> Letter:
    return Letter(row["receipt"], row["source"], row["received_at"], row["body"], row["state"], row["outcome"])

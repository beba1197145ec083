"""The de-duplication keys of what we open at PagerDuty, by which it is known again when it comes back as a webhook."""

from __future__ import annotations

from sqlalchemy import Connection

from bot.store import deliveries
from bot.store.deliveries import Outgoing

PREFIX = "sitrep/"


def key_of(page: Outgoing) -> str:
    """Give the key of what a page opens; at most 255 characters, as PagerDuty has it."""
    return f"{PREFIX}{page.key}"


def is_ours(key: str) -> bool:
    """True for a key that a Sitrep has made, this one or another."""
    return key.startswith(PREFIX)


def page_of(connection: Connection, key: str) -> Outgoing | None:
    """Find the page that a key belongs to; None where this Sitrep has not made it."""
    return deliveries.by_key(connection, key.removeprefix(PREFIX)) if is_ours(key) else None

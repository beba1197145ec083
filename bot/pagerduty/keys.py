"""PagerDuty's de-duplication keys: those of what we open, known again when it comes back, and those of others."""

from __future__ import annotations

import hashlib
import re

from sqlalchemy import Connection

from bot.store import deliveries
from bot.store.deliveries import Outgoing

PREFIX = "sitrep/"
_GROUP_HASH = re.compile(r"[0-9a-f]{64}")


def key_of(page: Outgoing) -> str:
    """Give the key of what a page opens; at most 255 characters, as PagerDuty has it."""
    return f"{PREFIX}{page.key}"


def is_ours(key: str) -> bool:
    """True for a key that a Sitrep has made, this one or another."""
    return key.startswith(PREFIX)


def page_of(connection: Connection, key: str) -> Outgoing | None:
    """Find the page that a key belongs to; None where this Sitrep has not made it."""
    return deliveries.by_key(connection, key.removeprefix(PREFIX)) if is_ours(key) else None


def trouble_of(key: str, service_id: str) -> str:
    """Return what two PagerDuty incidents share that are the same trouble; empty where there is no key.

    PagerDuty tells keys apart within one service only: two services with one key have two troubles. A key of ours, and
    the hash by which Alertmanager names a group, mean the same wherever they come from.
    """
    if not key or not service_id or is_ours(key) or _GROUP_HASH.fullmatch(key):
        return key
    return f"service/{hashlib.sha256(f'{len(service_id)}/{service_id}/{key}'.encode()).hexdigest()}"

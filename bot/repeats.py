"""Repeats: Alertmanager says the same again every few minutes, and each peer of a cluster says it once more.

What a group said last is kept as a digest; the same again about an open incident is no news, and costs one look.
"""

from __future__ import annotations

import hashlib
import json

from bot.incidents.model import OPEN_STATUSES, Alert
from bot.reception import ALERTMANAGER, Notification
from bot.store import alerts
from bot.store.tx import Tx

_OPEN = frozenset(status.value for status in OPEN_STATUSES)


def digest(notification: Notification) -> str:
    """Name what a notification says, whatever the order of its alerts."""
    groups = (("firing", notification.firing), ("resolved", notification.resolved))
    said = sorted(_said(status, alert) for status, alerts_ in groups for alert in alerts_)
    what = json.dumps([notification.truncated, said], separators=(",", ":"), sort_keys=True)
    return hashlib.blake2b(what.encode(), digest_size=32).hexdigest()


def _said(status: str, alert: Alert) -> tuple[str, str, str, str, str]:
    return alert.fingerprint, status, str(alert.starts_at), str(alert.ends_at), json.dumps(dict(alert.annotations))


def recognise(tx: Tx, notification: Notification, said: str) -> str:
    """Give the outcome of a notification that says nothing new about an open incident; empty for any other."""
    last = alerts.last_said(tx.connection, ALERTMANAGER, notification.group_key)
    if last is None or last.digest != said or last.status not in _OPEN:
        return ""
    return f"repeat of {last.number}"


def remember(tx: Tx, notification: Notification, said: str) -> None:
    """Keep what a group said last."""
    alerts.keep_said(tx.connection, ALERTMANAGER, notification.group_key, said)

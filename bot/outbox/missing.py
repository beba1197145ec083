"""Has messages posted again that somebody has deleted: each once, however many edits find it gone."""

from __future__ import annotations

from sqlalchemy import Connection

from bot.desk import Desk
from bot.incidents import commands as c
from bot.store import deliveries, incidents
from bot.store.deliveries import Outgoing
from bot.store.tx import Tx

LIVE = frozenset({"card", "thread", "announcement"})
BOOKS = frozenset({"runbook", "checklist"})


def posted_at(connection: Connection, channel: str, ts: str) -> Outgoing | None:
    """Return what had posted a message that is kept live in an incident's channel; None where it is another one."""
    incident = incidents.by_channel(connection, channel)
    if incident is None:
        return None
    slots = {*LIVE, *(run.slot for run in incident.runs)}
    rows = deliveries.by_slots(connection, incident.number, slots)
    return next((row for row in rows if row.result.get("channel") == channel and row.result.get("ts") == ts), None)


def post_again(tx: Tx, desk: Desk, gone: Outgoing) -> None:
    """Post a message again, unless that is asked for already or nobody works with it any more."""
    incident = incidents.take(tx.connection, gone.scope)  # of two that find it gone the second sees the first
    if incident is None or gone.kind not in LIVE | BOOKS:
        return
    if gone.kind in LIVE:
        newest = deliveries.by_slots(tx.connection, gone.scope, {gone.slot})[-1]
        is_asked = newest.id != gone.id
    else:
        under_way = [row for row in deliveries.unfinished(tx.connection, gone.scope) if row.kind == "runbook"]
        asked = {str(row.data.get("book")) for row in under_way}
        is_asked = any(run.book in asked for run in incident.runs if run.slot == gone.slot)
    if not is_asked:
        desk.apply(tx, gone.scope, c.PostAgain(gone.kind, gone.slot))

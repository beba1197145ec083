"""Brings back what ended because another delivery had failed, once that one was tried again and got through."""

from __future__ import annotations

from bot.store import incidents, outbox_admin
from bot.store.deliveries import Outgoing, State
from bot.store.outbox_admin import Entry
from bot.store.tx import Tx


def bring_back(tx: Tx, delivered: Outgoing) -> None:
    """Have everything sent that ended for want of this delivery and still makes sense."""
    if delivered.attempts == 0:  # before this one, so nothing can have ended for want of it
        return
    for entry in wanting(tx, delivered.scope, delivered.slot):
        outbox_admin.make_due(tx.connection, entry, State.PENDING, tx.now)


def wanting(tx: Tx, scope: str, slot: str) -> list[Entry]:
    """Give what ended for want of a slot, directly or not, and would be sent if that slot were there."""
    lost = outbox_admin.given_up(tx.connection, scope)
    if not lost:
        return []
    incident = incidents.load(tx.connection, scope)
    acknowledged = incident is not None and incident.acknowledged_at is not None
    needed = outbox_admin.in_slots(tx.connection, scope, {need for entry in lost for need in entry.needs})
    there = {name for name, entry in needed.items() if entry.state is State.DELIVERED}
    back: dict[str, Entry] = {}
    for entry in lost:  # what needs another one is younger than that
        comes = {slot, *back}
        if not comes.intersection(entry.needs) or not (there | comes).issuperset(entry.needs):
            continue
        if entry.coalesce:
            continue  # an edit of a message that is posted only now would change nothing in it
        if slot == "channel" and entry.kind == "page":
            continue  # it was repeated in the thread that took the channel's place
        if entry.kind == "notification" and acknowledged:
            continue  # it mentions the first level, and nobody is paged after an acknowledgement
        back[entry.slot] = entry
    return list(back.values())

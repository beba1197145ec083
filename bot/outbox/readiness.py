"""When a channel is ready for its responders: the card stands in it and the first level of the ladder is invited."""

from __future__ import annotations

from functools import partial

from bot import telemetry
from bot.store import deliveries
from bot.store.deliveries import Outgoing, State
from bot.store.tx import Tx


def note(tx: Tx, delivered: Outgoing) -> None:
    """Observe the seconds since the declaration when this delivery was the last that made a channel ready.

    The initial notification waits for exactly the two: its row names them.
    """
    if delivered.kind not in {"card", "invite"}:
        return
    notification = deliveries.by_slots(tx.connection, delivered.scope, {"notification"})
    first = notification[-1].after if notification else ()
    if delivered.slot not in first or delivered.id > notification[-1].id:  # it was posted again
        return
    states = {row.slot: row.state for row in deliveries.by_slots(tx.connection, delivered.scope, first)}
    if all(states.get(slot) is State.DELIVERED for slot in first):
        seconds = (tx.now - notification[-1].created_at).total_seconds()
        tx.on_commit(partial(telemetry.READY_SECONDS.observe, seconds))

"""What an operator can do to deliveries: try one again, or drop it. Each answer says what was done, or why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bot.desk import Desk
from bot.incidents import commands as c
from bot.outbox import revival
from bot.outbox.worker import FACTS
from bot.store import deliveries, incidents, outbox_admin
from bot.store.deliveries import UNFINISHED, State
from bot.store.outbox_admin import HOPELESS, Entry
from bot.store.tx import Tx

LIST = "See `sitrep outbox list`."
CHANGED = f"its state has just changed. {LIST}"


class _Refused(Exception):  # noqa: N818 - an answer, not an error
    """What was asked makes no sense; the message names the fix."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a wish about one delivery."""

    done: bool
    text: str


def retry(tx: Tx, ids: Iterable[int]) -> list[Answer]:
    """Have deliveries tried again at once; what may have happened already is looked for before it is sent."""
    return [_answer(tx, delivery_id, lambda entry: _retry(tx, entry)) for delivery_id in sorted(set(ids))]


def drop(tx: Tx, desk: Desk, ids: Iterable[int], why: str, is_held: Callable[[Tx, Entry], bool]) -> list[Answer]:
    """End deliveries that have not gone out, and say so on the timeline.

    Args:
        tx: the transaction.
        desk: where the incidents hear of it.
        ids: the deliveries.
        why: who dropped them, and for what reason.
        is_held: whether a process that lives is sending a delivery at this moment.
    """
    return [_answer(tx, id_, lambda entry: _drop(tx, desk, entry, why, is_held)) for id_ in sorted(set(ids))]


def _answer(tx: Tx, delivery_id: int, act: Callable[[Entry], str]) -> Answer:
    entry = outbox_admin.find(tx.connection, delivery_id)
    if entry is None:
        return Answer(done=False, text=f"{delivery_id}: there is no such delivery. {LIST}")
    try:
        return Answer(done=True, text=f"{entry.name}: {act(entry)}")
    except _Refused as error:
        return Answer(done=False, text=f"{entry.name}: {error}")


def _retry(tx: Tx, entry: Entry) -> str:
    if entry.state is State.FAILED:
        return _try_again(tx, entry)
    if entry.state is State.DELIVERED:
        raise _Refused(f"it was delivered at {entry.finished_at:%Y-%m-%d %H:%M:%S} UTC; there is nothing to retry.")
    if entry.state is State.SENDING:
        raise _Refused(f"it is being sent. Look again in a moment: {LIST}")
    if entry.state is State.SUPERSEDED:
        raise _Refused(_why_not(tx, entry))
    if not outbox_admin.make_due(tx.connection, entry, entry.state, tx.now):
        raise _Refused(CHANGED)
    return "it is due now; the service sends it within 15 seconds."


def _try_again(tx: Tx, entry: Entry) -> str:
    newest = outbox_admin.in_slots(tx.connection, entry.scope, {entry.slot, *entry.needs})
    newer = newest[entry.slot]
    if newer.id != entry.id:
        raise _Refused(f"{newer.name} took its place and is {newer.state.value}. {LIST}")
    for need in entry.needs:
        needed = newest.get(need)
        if needed is None or needed.state in {State.FAILED, State.SUPERSEDED}:
            fix = f"retry {needed.name} first" if needed else "there is nothing to retry"
            raise _Refused(f"it depends on the {need}, which was not delivered: {fix}.")
    if entry.kind == "whisper" and entry.maybe_done:
        raise _Refused("it may already have been shown, and the bot can't check: ask them to type the command again.")
    incident = incidents.load(tx.connection, entry.scope) if entry.kind == "channel" else None
    if incident is not None and not incident.status.is_open:
        raise _Refused(f"{entry.scope} is {incident.status.value}: reopen it before you retry its channel.")
    state = State.UNKNOWN if entry.maybe_done else State.PENDING
    if not outbox_admin.make_due(tx.connection, entry, state, tx.now):
        raise _Refused(CHANGED)
    first = " unless it already went out," if entry.maybe_done else ""
    said = f"it is due now;{first} the service sends it within 15 seconds."
    after = [other.kind.replace("_", " ") for other in revival.wanting(tx, entry.scope, entry.slot)]
    return said + (f" Sent after it: {', '.join(after)}." if after else "")


def _why_not(tx: Tx, entry: Entry) -> str:
    if entry.error != HOPELESS:
        return "it ended without being sent" + (f" ({entry.error})." if entry.error else ": it was no longer needed.")
    newest = outbox_admin.in_slots(tx.connection, entry.scope, entry.needs)
    missing = [
        newest[need].name for need in entry.needs if need in newest and newest[need].state is not State.DELIVERED
    ]
    return (
        f"it was cancelled because it depends on another delivery. Retry that one: {', '.join(missing)}."
        if missing
        else "it was no longer needed."
    )


def _drop(tx: Tx, desk: Desk, entry: Entry, why: str, is_held: Callable[[Tx, Entry], bool]) -> str:
    if entry.state not in UNFINISHED:
        ended = "failed for good and is not tried again" if entry.state is State.FAILED else f"is {entry.state.value}"
        raise _Refused(f"it {ended}; there is nothing to drop.")
    if entry.state is State.SENDING and is_held(tx, entry):
        raise _Refused(f"it is being sent. Look again in a moment: {LIST}")
    if not outbox_admin.drop(tx.connection, entry, tx.now, why):
        raise _Refused(CHANGED)
    said = "it is dropped."
    if entry.incident_id is not None:
        facts = {k: v for k, v in entry.data.items() if k in FACTS}
        desk.apply(tx, entry.scope, c.DeliveryFailed(entry.kind, entry.slot, why, "It is not tried again.", facts))
        said = "it is dropped, and the timeline says so."
    if entry.kind == "channel":
        said += " The incident continues in a thread in the alerts channel."
    unfinished = deliveries.unfinished(tx.connection, entry.scope)
    ends = [row.kind.replace("_", " ") for row in unfinished if entry.slot in row.needs]
    return said + (f" Also ended, because they depend on it: {', '.join(ends)}." if ends else "")

"""Which deliveries can go out now. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.store.deliveries import UNFINISHED, Outgoing, State


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with a scope's unfinished deliveries.

    `ready` can go out now; `hopeless` never can, because what they need is not there.
    """

    ready: tuple[Outgoing, ...]
    hopeless: tuple[Outgoing, ...]


def plan(unfinished: Sequence[Outgoing], states: Mapping[str, State], busy: set[int], now: datetime) -> Plan:
    """Sort the unfinished deliveries of a scope, oldest first.

    The first of each lane is its head; the rest of the lane waits for it. `states` says where the slots stand that
    the deliveries name; one that it does not hold was never asked for. `busy` holds the ids that are on their way,
    here or in another replica.
    """
    known = dict(states)
    rows, hopeless = list(unfinished), []
    while lost := [row for row in rows if row.id not in busy and _hopeless(row, known)]:
        hopeless += lost
        known.update({row.slot: State.SUPERSEDED for row in lost})
        rows = [row for row in rows if row not in lost]
    ready: list[Outgoing] = []
    lanes: set[str] = set()
    for row in rows:
        if row.lane in lanes:
            continue
        lanes.add(row.lane)
        if row.id in busy or _blocked(row, known):
            continue
        # One found as "sending" that nobody holds was on its way when its process died: its turn is now.
        if row.next_at <= now or row.state is State.SENDING:
            ready.append(row)
    return Plan(tuple(ready), tuple(hopeless))


def _hopeless(row: Outgoing, states: Mapping[str, State]) -> bool:
    lost = {State.FAILED, State.SUPERSEDED}
    return not row.tried and any(states.get(slot, State.FAILED) in lost for slot in row.needs)


def _blocked(row: Outgoing, states: Mapping[str, State]) -> bool:
    if any(states.get(slot) is not State.DELIVERED for slot in row.needs):
        return True
    return any(states.get(slot) in UNFINISHED for slot in row.after)

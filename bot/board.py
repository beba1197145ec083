"""An incident as it stands, with what its messages show: alerts, timers, and where its messages are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from bot.incidents.model import Event, Incident
from bot.store import alerts, deliveries, incidents, lateness
from bot.store.alerts import Counts, Group, Shown
from bot.store.deliveries import Outgoing, State
from bot.store.lateness import HeldUp

LATEST = 3  # acts that the card lists
LIVE = ("card", "thread", "announcement")  # the slots of messages that are edited in place


@dataclass(frozen=True, slots=True)
class Board:
    """A consistent view of one incident.

    `alerts` holds the first of them, firing ones first; `counts` counts all. `latest` and `held_up` are what the card
    shows besides.
    """

    incident: Incident
    alerts: tuple[Shown, ...] = ()
    slots: Mapping[str, Outgoing] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    groups: tuple[Group, ...] = ()
    counts: Counts = Counts()  # noqa: RUF009 - frozen
    held_up: HeldUp | None = None
    latest: tuple[Event, ...] = ()

    def result(self, slot: str) -> Mapping[str, Any]:
        """What a delivered slot brought back; empty while it is not delivered."""
        row = self.slots.get(slot)
        return row.result if row and row.state is State.DELIVERED else {}

    def fact(self, *names: str) -> str:
        """The first value of these names among the alerts, firing ones first."""
        for shown in self.alerts:
            value = shown.alert.fact(*names)
            if value:
                return value
        return ""


def load(connection: Connection, number: str, *, with_events: bool = False, for_card: bool = False) -> Board | None:
    """Read an incident's board."""
    incident = incidents.load(connection, number)
    incident_id = incidents.identity(connection, number)
    if incident is None or incident_id is None:
        return None
    roll = alerts.incident_roll(connection, incident_id)
    return Board(
        incident=incident,
        alerts=roll.shown,
        slots={row.slot: row for row in deliveries.by_slots(connection, number, LIVE)},
        events=incidents.timeline(connection, number) if with_events else (),
        groups=tuple(alerts.groups_of(connection, incident_id)),
        counts=roll.counts,
        held_up=lateness.held_up(connection, number) if for_card else None,
        latest=incidents.acts(connection, number, LATEST) if for_card else (),
    )

"""What the rows say at the moment of a scrape: how much waits, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import nan

from sqlalchemy import Connection, func, select

from bot import telemetry
from bot.clock import Clock
from bot.errors import DatabaseUnavailable
from bot.incidents.model import OPEN_STATUSES
from bot.incidents.policy import Severity
from bot.store.deliveries import UNFINISHED
from bot.store.tables import deliveries, incidents, timers
from bot.store.tx import Store

WITHIN = 1.0  # seconds; Prometheus gives a scrape 10 by default


@dataclass(frozen=True, slots=True)
class Standing:
    """What waits: deliveries by state with the moment of the oldest, armed timers with the earliest, open incidents."""

    deliveries: Mapping[str, int]
    oldest: datetime | None
    armed: int
    earliest: datetime | None
    open: Mapping[str, int]


def standing(connection: Connection) -> Standing:
    """Count what waits; each query reads an index's entries of unfinished rows only."""
    waiting = connection.execute(
        select(deliveries.c.state, func.count().label("total"), func.min(deliveries.c.created_at).label("oldest"))
        .where(deliveries.c.state.in_([s.value for s in UNFINISHED]))
        .group_by(deliveries.c.state)
    ).all()
    armed = connection.execute(
        select(func.count().label("total"), func.min(timers.c.due_at).label("earliest")).where(
            timers.c.state == "armed"
        )
    ).one()
    opened = connection.execute(
        select(incidents.c.severity, func.count().label("total"))
        .where(incidents.c.status.in_([s.value for s in OPEN_STATUSES]))
        .group_by(incidents.c.severity)
    ).all()
    return Standing(
        deliveries={s.value: 0 for s in UNFINISHED} | {row.state: row.total for row in waiting},
        oldest=min((row.oldest for row in waiting), default=None),
        armed=armed.total,
        earliest=armed.earliest,
        open={s.value: 0 for s in Severity} | {row.severity: row.total for row in opened},
    )


class Gauges:
    """Brings the gauges up to date when they are asked for; a database that is away fails no scrape."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._look: asyncio.Task[Standing | None] | None = None

    async def refresh(self) -> None:
        """Look at the rows, for a second at most; a look that hangs is waited for, not doubled."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._read())
        await asyncio.wait([self._look], timeout=WITHIN)
        show(self._look.result() if self._look.done() else None, self._clock.now())

    async def _read(self) -> Standing | None:
        try:
            return await self._store.read(standing)
        except DatabaseUnavailable:
            return None


def show(found: Standing | None, now: datetime) -> None:
    """Set the gauges; without a look at the rows they say nothing rather than something old."""
    telemetry.DATABASE_UP.set(found is not None)
    for gauge in (telemetry.OUTBOX, telemetry.INCIDENTS_OPEN):
        gauge.clear()
    for gauge in (telemetry.OUTBOX_OLDEST, telemetry.TIMERS_ARMED, telemetry.TIMER_OVERDUE):
        gauge.set(nan)
    if found is None:
        return
    for state, total in found.deliveries.items():
        telemetry.OUTBOX.labels(state).set(total)
    for severity, total in found.open.items():
        telemetry.INCIDENTS_OPEN.labels(severity).set(total)
    telemetry.TIMERS_ARMED.set(found.armed)
    telemetry.OUTBOX_OLDEST.set(_since(found.oldest, now))
    telemetry.TIMER_OVERDUE.set(_since(found.earliest, now))


def _since(moment: datetime | None, now: datetime) -> float:
    return max((now - moment).total_seconds(), 0.0) if moment else 0.0

"""What the outbox could only deliver late: from when until when. Only Slack's: PagerDuty has a lane of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from bot.store.deliveries import Outgoing, State
from bot.store.tables import deliveries

LATE = timedelta(minutes=2)  # what goes out this long after it was written says so

ELSEWHERE = "pagerduty"  # the lane of what does not go to Slack


@dataclass(frozen=True, slots=True)
class HeldUp:
    """A time in which deliveries were tried in vain, from the first attempt to the last that got through."""

    since: datetime
    until: datetime


def was_held_up(row: Outgoing, now: datetime) -> bool:
    """True of a delivery that has got through just now, long after it was first tried."""
    return row.tried_at is not None and now - row.tried_at >= LATE and row.lane != ELSEWHERE


def held_up(connection: Connection, scope: str) -> HeldUp | None:
    """Give the last time in which a scope's deliveries were held up; None where they never were for long."""
    rows = connection.execute(
        select(deliveries.c.tried_at, deliveries.c.finished_at)
        .where(
            deliveries.c.scope == scope,
            deliveries.c.state == State.DELIVERED.value,
            deliveries.c.attempts > 1,
            deliveries.c.lane != ELSEWHERE,
        )
        .order_by(deliveries.c.tried_at)
    )
    last: HeldUp | None = None
    for tried_at, finished_at in rows:
        if finished_at - tried_at < LATE:
            continue
        if last is None or tried_at > last.until:
            last = HeldUp(tried_at, finished_at)
        else:
            last = HeldUp(last.since, max(last.until, finished_at))
    return last

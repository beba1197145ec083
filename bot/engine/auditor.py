"""Looks each minute for what should have happened and has not, puts it right or says so.

Idempotent: it changes rows by conditional updates only and wakes for what the rows say, so that a tick that is doubled,
missed or run by every replica changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot import telemetry
from bot.engine.heartbeat import Heartbeat
from bot.engine.port import Engine, Job, Work
from bot.engine.reconciler import Reconciler
from bot.engine.unheard import Desk
from bot.errors import DatabaseUnavailable
from bot.incidents.cadence import spell
from bot.incidents.model import Delivery
from bot.store import audit, incidents
from bot.store.audit import Hanging, Late
from bot.store.tx import Store, Tx

log = structlog.get_logger()

EVERY = 60.0  # seconds between looks
TIMER_LATE = timedelta(seconds=30)
DELIVERY_STUCK = timedelta(minutes=2)  # a call has a deadline of seconds, a back-off ends within a minute
OPENING_WITHIN = timedelta(minutes=5)
UNREPAIRED = timedelta(minutes=5)  # what is still late then, was looked at several times in vain

# A scope that has a delivery says that its incident's opening was warned of.
WARNED = "operators:opening:{}"


@dataclass(frozen=True, slots=True)
class Findings:
    """What one look at the rows has found."""

    now: datetime
    timers: list[Late]
    deliveries: list[Late]
    openings: list[Hanging]

    @property
    def troubles(self) -> Iterator[str]:
        """What a wake-up does not seem to repair, in words for the log."""
        for late in self.timers:
            if self.now - late.since > UNREPAIRED:
                yield f"timers of {late.scope} have been due since {late.since:%H:%M:%S} UTC"
        for late in self.deliveries:
            if self.now - late.since > UNREPAIRED:
                yield f"deliveries of {late.scope} have been stuck since {late.since:%H:%M:%S} UTC"
        for opening in self.openings:
            yield f"the opening of {opening.number} is not complete"


class Auditor:
    """Audits one database. `alive` gives the replicas whose claims count; `heartbeat` is None where none is wanted."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        desk: Desk,
        reconciler: Reconciler,
        *,
        alive: Callable[[Tx], frozenset[str]],
        heartbeat: Heartbeat | None,
    ) -> None:
        self._store = store
        self._engine = engine
        self._desk = desk
        self._reconciler = reconciler
        self._alive = alive
        self._heartbeat = heartbeat

    async def run(self) -> None:
        """Look once; with nothing in the way, say that all is well."""
        try:
            found = await self._store.write(self._look)
            await self._follow_up(found)
            await self._reconciler.run()
            troubles = list(found.troubles)
        except DatabaseUnavailable as error:
            troubles = [f"the database does not answer: {error}"]
        if troubles:
            telemetry.HEARTBEATS.labels("withheld").inc()
            log.error("audit_failed", heartbeat="withheld", why=troubles)
        elif self._heartbeat is not None:
            await self._heartbeat.beat()

    def _look(self, tx: Tx) -> Findings:
        """Find what is late and wake for it."""
        found = Findings(
            now=tx.now,
            timers=audit.late_timers(tx.connection, tx.now - TIMER_LATE),
            deliveries=audit.stuck(tx.connection, tx.now - DELIVERY_STUCK, self._alive(tx)),
            openings=audit.hanging_openings(tx.connection, tx.now - OPENING_WITHIN),
        )
        # At a moment, so that no lane that is held up by a dead worker holds this up too.
        for late in found.timers:
            self._engine.enqueue(tx, Job(Work.TIMERS, late.scope), tx.now)
        for scope in sorted({late.scope for late in found.deliveries} | {o.number for o in found.openings}):
            self._engine.enqueue(tx, Job(Work.DELIVERIES, scope), tx.now)
        return found

    async def _follow_up(self, found: Findings) -> None:
        """Count and log what was found, and warn of openings that hang."""
        for what, some in (("timers", found.timers), ("deliveries", found.deliveries)):
            for late in some:
                telemetry.AUDITOR_REPAIRS.labels(what).inc(late.count)
                log.warning("late", what=what, scope=late.scope, count=late.count, since=late.since.isoformat())
        scopes = {WARNED.format(opening.number): opening for opening in found.openings}
        known = await self._store.read(lambda connection: audit.told(connection, scopes)) if scopes else set()
        for scope in scopes.keys() - known:
            if await self._store.write(lambda tx, s=scope: self._warn(tx, s, scopes[s])):  # type: ignore[misc]
                telemetry.AUDITOR_REPAIRS.labels("openings").inc()

    def _warn(self, tx: Tx, scope: str, opening: Hanging) -> bool:
        """Tell the operators of an opening that hangs; False when another replica has."""
        incidents.take(tx.connection, opening.number)  # locked: two replicas look for the mark one after the other
        if audit.told(tx.connection, [scope]):
            return False
        text = warning(opening, tx.now)
        log.warning("opening_hangs", incident=opening.number, what=text)
        self._desk.post(tx, scope, Delivery("operators", "operators", "operators", {"text": text}))
        return True


def warning(opening: Hanging, now: datetime) -> str:
    """Say which steps of an opening hang, why, and what to do."""
    steps = ", ".join(dict.fromkeys(step.kind for step in opening.steps))
    age = spell((now - opening.steps[0].created_at).total_seconds())
    cause = next((step for step in opening.steps if step.error), opening.steps[0])
    why = cause.error or ("no answer yet" if cause.attempts else "it has not been tried yet")
    return (
        f"{opening.number} was still not set up at {now:%H:%M} UTC, after {age}. Not delivered: {steps}. "
        f"Error of the {cause.kind}: {why}. The bot keeps retrying. Check Slack and `sitrep outbox list`. "
        "Until then, reach the responders another way."
    )

"""Compares our alerts with those that their sources report, and says once where they differ. It closes nothing.

Alerts of which we know nothing are `Unheard`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import structlog

from bot import telemetry
from bot.engine.unheard import Desk, Unheard
from bot.incidents import commands as c
from bot.incidents.flagging import finding, names
from bot.incidents.model import Delivery
from bot.incidents.reconcile import Flag, Look, Since, compare, remember, ripe
from bot.incidents.sources import is_alertmanager, kind_of
from bot.store import audit, incidents
from bot.store.audit import Ours
from bot.store.tx import Store, Tx

log = structlog.get_logger()

# How long after its end an occurrence is still compared: a source that never stopped reporting it shows within minutes.
LOOK_BACK = timedelta(days=1)


class Source(Protocol):
    """A place where alerts come from, asked which of them still fire."""

    @property
    def name(self) -> str:
        """How its alerts are marked."""
        ...

    async def look(self) -> Look:
        """Ask it. What it does not answer is a problem of the look, never an exception."""
        ...


class Reconciler:
    """Looks at every source. Since when a difference lasts is remembered here; what was said of it is in the rows."""

    def __init__(
        self,
        store: Store,
        desk: Desk,
        sources: Sequence[Source],
        flag_after: timedelta,
        unheard: Unheard | None = None,
    ) -> None:
        self._store = store
        self._desk = desk
        self._sources = sources
        self._flag_after = flag_after
        self._unheard = unheard
        self._since: dict[str, dict[int, Since]] = {}

    async def run(self) -> None:
        """Look at every source once.

        Raises:
            DatabaseUnavailable: nothing, or not everything, was compared.
        """
        for source in self._sources:
            look = await source.look()
            for problem in look.problems:
                log.warning("source_unclear", source=source.name, reason=problem)
            telemetry.LOOKS.labels(kind_of(source.name), "unclear" if look.problems else "clear").inc()
            await self._compare(source.name, look)

    async def _compare(self, source: str, look: Look) -> None:
        now = await self._store.write(lambda tx: tx.now)
        rows = await self._store.read(lambda connection: audit.ours(connection, source, now - LOOK_BACK))
        found = compare((row.held for row in rows), look)
        since = remember(found, self._since.get(source, {}), (row.held.id for row in rows), now)
        self._since[source] = since
        lasting = ripe(found, since, now, self._flag_after)
        for flag in Flag:
            news = [r for r in rows if r.held.id in lasting and found[r.held.id] is flag and _is_news(r, flag)]
            over = [r for r in rows if _shows(r, flag) and found.get(r.held.id, flag) is not flag]
            for number, some in audit.by_incident(over).items():
                await self._store.write(lambda tx, n=number, f=flag, s=some: self._take_back(tx, n, f, s))  # type: ignore[misc]
            for number, some in audit.by_incident(news).items():
                told = await self._store.write(lambda tx, n=number, f=flag, s=some: self._flag(tx, n, f, s))  # type: ignore[misc]
                telemetry.FLAGS.labels(kind_of(source), flag.value).inc(told)
        if self._unheard is not None and is_alertmanager(source):
            await self._unheard.compare(source, look, rows, now)

    def _flag(self, tx: Tx, number: str, flag: Flag, rows: Sequence[Ours]) -> int:
        """Flag what is not flagged yet, and say so; gives how many that were."""
        # Locked first, as a notification that comes meanwhile does.
        incident = incidents.take(tx.connection, number) if number else None
        if incident is not None and flag is not Flag.STILL and incident.status.is_open != (flag is Flag.MISSED):
            return 0
        fresh = [row.alert for row in rows if audit.put_flag(tx.connection, row.held, flag, tx.now)]
        if not fresh:
            return 0
        log.warning("alerts_flagged", flag=flag.value, incident=number, alerts=names(fresh))
        if incident is not None:
            self._desk.apply(tx, number, c.AlertsFlagged(flag, tuple(fresh)))
        else:
            advice = "Check that the receiver reaches the bot, with `send_resolved: true`."
            text = f"{finding(flag, fresh)}. It belongs to no incident. {advice}"
            self._desk.post(
                tx, f"operators:flag:{rows[0].held.id}", Delivery("operators", "operators", "operators", {"text": text})
            )
        return len(fresh)

    def _take_back(self, tx: Tx, number: str, flag: Flag, rows: Sequence[Ours]) -> None:
        if number:
            incidents.take(tx.connection, number)
        cleared = [row.alert for row in rows if audit.take_flag(tx.connection, row.held, flag)]
        if cleared and number:
            self._desk.apply(tx, number, c.AlertsConfirmed(flag, tuple(cleared)))


def _is_news(row: Ours, flag: Flag) -> bool:
    """True unless it is flagged so already; once an incident is over, nobody waits for its alerts' ends."""
    status = row.held.incident_status
    return row.held.flag is not flag and (flag is not Flag.MISSED or status is None or status.is_open)


def _shows(row: Ours, flag: Flag) -> bool:
    """True while a flag means something: `missed` of an alert that has been resolved since is history."""
    return row.held.flag is flag and row.held.is_open == (flag is not Flag.STILL)

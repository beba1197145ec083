"""What comes round: checklists that are posted when their moment comes, and the weekly digest of stale runbooks.

Every replica looks each minute; a conditional update of the schedule's row decides which of them posts. What was missed
while no replica ran is made good by its latest moment alone, and what is seen for the first time waits for its next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import partial

import structlog

from bot.clock import Clock
from bot.config import Config
from bot.desk import Desk
from bot.errors import DatabaseUnavailable
from bot.incidents.model import Delivery
from bot.runbooks.catalog import Catalog
from bot.runbooks.model import Checklist, Schedule, Step
from bot.runbooks.render import render
from bot.runbooks.review import stale
from bot.runbooks.schedule import due
from bot.runbooks.sites import sites_of
from bot.store import postings, schedules
from bot.store.postings import Item, Posting
from bot.store.tx import Store, Tx

log = structlog.get_logger()

DIGEST = "digest"
WEEKLY = Schedule(cron="0 9 * * mon")
NAME = 40  # characters of a scope's 64; the moment and the word before take the others


class Periodic:
    """Looks what has come round, and puts it into the outbox."""

    def __init__(
        self, store: Store, desk: Desk, clock: Clock, catalog: Catalog, config: Config, *, slack_on: bool = True
    ) -> None:
        self._store = store
        self._desk = desk
        self._clock = clock
        self._catalog = catalog
        self._config = config
        self._slack_on = slack_on
        self._values = sites_of(config.sites).default.values
        self._checklists = {f"checklist:{c.id}": c for c in catalog.checklists if c.schedule is not None}
        self._schedules = {name: c.schedule for name, c in self._checklists.items() if c.schedule} | {DIGEST: WEEKLY}

    async def run(self) -> None:
        """Look once. Nothing is written unless something is due, or seen for the first time."""
        if not self._slack_on:
            return
        try:
            seen = await self._store.read(schedules.seen)
            if self._new(seen) or self._due(seen, self._clock.now()):
                await self._store.write(self._turn)
        except DatabaseUnavailable as error:
            log.warning("periodic_put_off", reason=str(error))

    def _new(self, seen: Mapping[str, datetime]) -> set[str]:
        return self._schedules.keys() - seen.keys()

    def _due(self, seen: Mapping[str, datetime], now: datetime) -> dict[str, datetime]:
        """Give what is due, each with its moment; in one order, so that no two replicas wait for each other."""
        found = {name: due(self._schedules[name], seen[name], now) for name in sorted(seen.keys() & self._schedules)}
        return {name: moment for name, moment in found.items() if moment is not None}

    def _turn(self, tx: Tx) -> None:
        seen = schedules.seen(tx.connection)
        schedules.begin(tx.connection, self._new(seen), tx.now)
        for name, moment in self._due(seen, tx.now).items():
            if not schedules.advance(tx.connection, name, seen[name], moment):
                continue
            if name == DIGEST:
                self._digest(tx, moment)
            elif self._config.runbooks.checklists:  # while that is off the moments pass; it does not make up for them
                self._post(tx, self._checklists[name], moment)

    def _post(self, tx: Tx, checklist: Checklist, moment: datetime) -> None:
        posting = Posting(
            scope=_scope("checklist", checklist.id, moment),
            checklist=checklist.id,
            version=checklist.version,
            title=checklist.title,
            owner=checklist.owner_team or "",
            items=tuple(self._item(step) for step in checklist.items),
            due_at=moment,
            channel=self._config.channel_of(checklist.owner_team),
        )
        if not postings.add(tx.connection, posting, tx.now):
            return
        delivery = Delivery("periodic", "periodic", "periodic", {"channel": posting.channel})
        self._desk.post(tx, posting.scope, delivery)
        tx.on_commit(partial(log.info, "checklist_due", checklist=checklist.id, at=moment.isoformat()))

    def _item(self, step: Step) -> Item:
        """Fill in what the configuration's default site says; no alert tells of another one."""
        text = render(step.text, "", self._values).text
        return Item(step.number, text, render(step.code or "", step.language, self._values).text)

    def _digest(self, tx: Tx, moment: datetime) -> None:
        books: dict[str, list[str]] = {}
        for runbook in self._catalog:
            if stale(runbook, tx.now.date()):
                books.setdefault(self._config.channel_of(runbook.owner_team), []).append(runbook.id)
        for channel, ids in sorted(books.items()):
            delivery = Delivery("digest", "digest", "digest", {"channel": channel, "books": ids})
            self._desk.post(tx, _scope("digest", channel, moment), delivery)


def _scope(word: str, name: str, moment: datetime) -> str:
    """Name what waits in the outbox; of a long name the end gives way to its digest, so that no two are alike."""
    if len(name) > NAME:
        name = f"{name[: NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"{word}:{name}:{moment:%Y%m%dT%H%M}"

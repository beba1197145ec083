"""Takes a dead letter in again, from the command line."""

from __future__ import annotations

import asyncio
from datetime import datetime

from bot.app import make_clock, make_services
from bot.engine.port import Handler, Job
from bot.errors import SitrepError
from bot.reception import ALERTMANAGER
from bot.settings import Settings
from bot.store import inbox
from bot.store.sqlite import SqliteStore
from bot.store.tx import Tx
from handlers.webhooks import alertmanager, pagerduty
from handlers.webhooks.reading import Malformed


class Unmanned:
    """An `Engine` that wakes nobody: the service finds the rows by itself."""

    def enqueue(self, tx: Tx, job: Job, at: datetime | None = None) -> None:
        """Leave it to the service's sweep."""

    async def start(self, handler: Handler) -> None:
        """Nothing runs here."""

    async def stop(self) -> None:
        """Nothing runs here."""


def replay(settings: Settings, receipt: str) -> str:
    """Take a letter in; gives what became of it.

    Raises:
        SitrepError: there is no such dead letter, or it still cannot be read.
    """
    return asyncio.run(_replay(settings, receipt))


async def _replay(settings: Settings, receipt: str) -> str:
    clock = make_clock(settings)
    store = SqliteStore(settings.database_url, clock)
    try:
        services = make_services(settings, store, Unmanned(), clock)

        def work(tx: Tx) -> str:
            letter = inbox.find(tx.connection, receipt)
            if letter is None or letter.state != inbox.DEAD:
                raise SitrepError(f"{receipt} is no dead letter. See `sitrep inbox list`.")
            try:
                if letter.source == ALERTMANAGER:
                    outcome = services.reception.alertmanager(tx, alertmanager.read(letter.body))
                else:
                    outcome = services.pagerduty.receive(tx, pagerduty.read(letter.body))
            except Malformed as error:
                raise SitrepError(f"{receipt} still cannot be read: {error}") from error
            inbox.note(tx.connection, receipt, outcome, state=inbox.REPLAYED)
            return outcome

        return await store.write(work)
    finally:
        await store.close()

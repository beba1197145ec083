"""An engine that wakes nobody, for the command line: the service finds the rows by its own sweep."""

from __future__ import annotations

from datetime import datetime

from bot.engine.port import Handler, Job
from bot.store.tx import Tx


class UnmannedEngine:
    """An `Engine` that leaves the work to the service."""

    remembers = False

    def enqueue(self, tx: Tx, job: Job, at: datetime | None = None) -> None:
        """Do nothing: the row is enough."""

    async def start(self, handler: Handler) -> None:
        """Do nothing."""

    def pause(self) -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """Do nothing."""

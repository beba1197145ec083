"""Who lives: a claim counts as long as its holder does."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Protocol

import structlog

from bot.errors import DatabaseUnavailable
from bot.lifeline import REPLICA, Lifeline
from bot.store import replicas
from bot.store.postgres import PostgresStore
from bot.store.tx import Tx

log = structlog.get_logger()

BEAT = 1.0  # seconds between signs of life
# Seconds without one, after which others take over. A dead replica's jobs come back `STALLED` after its worker's last
# sign of life, which may be `HEARTBEAT` older: what it held must be free by then, or its job finds it taken.
GONE = 6.0
HOLDS = 4.0  # seconds after its last sign of life in which a replica still acts; well before others take over
FORGET = 3600.0  # seconds until a dead replica's row is taken out


class Presence(Protocol):
    """This process among those that serve the same database. `id` names it, and changes once it was taken for dead."""

    id: str

    def alive(self, tx: Tx) -> frozenset[str]:
        """Give the ids of the processes whose claims count."""
        ...

    def holds(self, claimed_as: str) -> bool:
        """True while nobody else can have taken over what was claimed under this id."""
        ...

    async def start(self) -> None:
        """Begin to give signs of life."""
        ...

    async def stop(self) -> None:
        """Let others take over what is still held."""
        ...


class Alone:
    """The only process: whatever an earlier one held is free."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex

    def alive(self, tx: Tx) -> frozenset[str]:  # noqa: ARG002
        """Only this process."""
        return frozenset({self.id})

    def holds(self, claimed_as: str) -> bool:
        """Always: the file's lock keeps everybody else away."""
        return claimed_as == self.id

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""


class Among:
    """One replica among many."""

    def __init__(self, store: PostgresStore, lifeline: Lifeline) -> None:
        self._store = store
        self._lifeline = lifeline
        self.id = uuid.uuid4().hex
        self._beat_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def alive(self, tx: Tx) -> frozenset[str]:
        """Those that gave a sign of life lately."""
        return replicas.alive(tx.connection, GONE)

    def holds(self, claimed_as: str) -> bool:
        """True while this process has not been silent for too long since it claimed."""
        return claimed_as == self.id and time.monotonic() - self._beat_at < HOLDS

    async def start(self) -> None:
        """Give the first sign of life, then one after the other."""
        self._lifeline.hold()
        self._lifeline.note(REPLICA, self.id)
        await self._beat()
        self._task = asyncio.create_task(self._go_on())

    async def stop(self) -> None:
        """Say goodbye, so that others need not wait."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            await self._store.sign(lambda tx: replicas.leave(tx.connection, self.id, FORGET))
            self._lifeline.release(clean=True)
        except DatabaseUnavailable as error:
            log.warning("goodbye_failed", reason=str(error))
            self._lifeline.release(clean=False)

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            try:
                await self._beat()
            except DatabaseUnavailable as error:
                log.warning("sign_of_life_failed", reason=str(error))

    async def _beat(self) -> None:
        # Counted from before the write: the row is never older than this process believes.
        moment, id_ = time.monotonic(), self.id
        await self._store.sign(lambda tx: replicas.beat(tx.connection, id_))
        silent = time.monotonic() - self._beat_at
        if self._beat_at and silent > HOLDS:
            # Others may have taken over meanwhile: what was claimed under the old id is theirs.
            log.warning("taken_for_dead", silent_seconds=round(silent, 1))
            self.id = uuid.uuid4().hex
            new, moment = self.id, time.monotonic()
            self._lifeline.note(REPLICA, new)
            await self._store.sign(lambda tx: replicas.beat(tx.connection, new))
            await self._store.sign(lambda tx: replicas.leave(tx.connection, id_, FORGET))
        self._beat_at = moment

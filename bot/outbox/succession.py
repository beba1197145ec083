"""Frees at once what a replica held that has ended on this machine: a responder need not wait for a time-out.

Only where the kernel proves its end (see `bot.lifeline`). A replica that hangs, one on another machine, and one whose
connection was lost keep what they hold until their time-outs, for they may still act.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from bot.lifeline import Lifeline, Remains
from bot.outbox.presence import GONE, HOLDS
from bot.store import replicas
from bot.store.postgres import PostgresStore
from bot.store.tx import Tx

log = structlog.get_logger()

LOOK_EVERY = 1.0  # seconds; a look is a listing of a folder in memory
# What it wrote to the wire last is still on its way: a look for it must find it, as after a time-out.
ARRIVAL = GONE - HOLDS

TakeOver = Callable[[Sequence[int]], Awaitable[None]]


class Succession:
    """Looks for replicas that have ended on this machine.

    Args:
        store: where replicas give their signs of life.
        lifeline: this process's own.
        take_over: puts the jobs of dead workers back, by the workers' ids.
    """

    def __init__(self, store: PostgresStore, lifeline: Lifeline, take_over: TakeOver) -> None:
        self._store = store
        self._lifeline = lifeline
        self._take_over = take_over

    async def look(self) -> None:
        """Free what those held that have ended since the last look."""
        await asyncio.gather(*(self._free(remains) for remains in self._lifeline.ended()))

    async def _free(self, remains: Remains) -> None:
        done = False
        try:
            await asyncio.sleep(ARRIVAL)
            # Its claims first: a job that met one would leave the delivery to the sweep.
            known = await self._store.sign(lambda tx: _bury(tx, remains.replicas))
            if known:  # else it served a database that is gone, and these numbers are others' workers
                await self._take_over(remains.workers)
                log.info("predecessor_freed", replicas=remains.replicas, workers=remains.workers)
            done = True
        except Exception as error:  # noqa: BLE001 - the database is away; the next look tries again
            log.warning("succession_failed", reason=str(error))
        finally:
            remains.dismiss(done=done)


def _bury(tx: Tx, ids: Sequence[str]) -> bool:
    return replicas.bury(tx.connection, ids)

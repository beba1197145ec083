"""Threads that run units of work, several in one commit where that is wanted."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot import telemetry
from bot.errors import DatabaseUnavailable
from bot.store.tx import Tx

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Waiting:
    """A unit of work, and who waits for it on which event loop."""

    work: Callable[[Tx], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    asked_at: float


@dataclass(slots=True)
class Done:
    """What became of a unit of work; `hooks` run on the event loop before whoever waits goes on."""

    waiting: Waiting
    result: Any = None
    problem: BaseException | None = None
    hooks: Sequence[Callable[[], None]] = ()


Commit = Callable[[list[Waiting]], list[Done]]


class Writers:
    """Runs what is asked for in threads; each takes up to `group` units of work that wait and commits them together."""

    def __init__(self, name: str, commit: Commit, *, threads: int = 1, group: int = 1) -> None:
        self._commit = commit
        self._group = group
        self._queue: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def ask(self, work: Callable[[Tx], T]) -> T:
        """Run `work`; it is durable when this returns.

        Raises:
            DatabaseUnavailable: it is not known to be written.
        """
        if self._closed:
            raise DatabaseUnavailable("the service is stopping")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(Waiting(work, loop, future, time.monotonic()))
        # A caller that goes away does not take its transaction with it.
        return await asyncio.shield(future)

    async def close(self, within: float | None = None) -> None:
        """Finish what waits; after `within` seconds what hangs is left to end with the process."""
        if not self._closed:
            self._closed = True
            for _ in self._threads:
                self._queue.put(None)
            await asyncio.to_thread(self._join, within)

    def _join(self, within: float | None) -> None:
        end = None if within is None else time.monotonic() + within
        for thread in self._threads:
            thread.join(None if end is None else max(end - time.monotonic(), 0))

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            taken = [first]
            stop = False
            with suppress(queue.Empty):
                while len(taken) < self._group:
                    waiting = self._queue.get_nowait()
                    if waiting is None:
                        stop = True
                        break
                    taken.append(waiting)
            _tell(self._commit(taken))
            if stop:
                break


def together(connection: Connection, taken: Sequence[Waiting], now: Callable[[], datetime]) -> list[Done]:
    """Run a group of units of work in one transaction.

    Raises:
        Exception: what the first bad one raised; the transaction must be rolled back.
    """
    ended = []
    for waiting in taken:
        tx = Tx(connection, now())
        ended.append(Done(waiting, tx.run(waiting.work), hooks=tx.hooks))
    return ended


def apart(connection: Connection, taken: Sequence[Waiting], now: Callable[[], datetime]) -> list[Done]:
    """Run a group with a savepoint for each: a bad one never poisons the others."""
    ended = []
    for waiting in taken:
        tx = Tx(connection, now())
        try:
            with connection.begin_nested():
                ended.append(Done(waiting, tx.run(waiting.work), hooks=tx.hooks))
        except Exception as problem:  # noqa: BLE001 - handed to whoever asked
            ended.append(Done(waiting, problem=problem))
    return ended


def lost(taken: Sequence[Waiting], error: Exception) -> list[Done]:
    """Say that nothing of a group is known to be written."""
    return [Done(waiting, problem=DatabaseUnavailable(plain(error))) for waiting in taken]


def plain(error: BaseException) -> str:
    """Give the driver's own words."""
    return str(getattr(error, "orig", None) or error)


def _tell(ended: Sequence[Done]) -> None:
    moment = time.monotonic()
    loops = {done.waiting.loop for done in ended}
    for done in ended:
        if done.problem is None:
            telemetry.COMMITS.observe(moment - done.waiting.asked_at)
    for loop in loops:
        # One wake-up for the whole group; a loop that has ended waits for nobody.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, [done for done in ended if done.waiting.loop is loop])


def _settle(ended: Sequence[Done]) -> None:
    for done in ended:
        for hook in done.hooks:
            hook()
        future, problem = done.waiting.future, done.problem
        if future.done():
            continue
        if problem is None:
            future.set_result(done.result)
        else:
            gone = isinstance(problem, (DBAPIError, PoolTimeout))
            future.set_exception(DatabaseUnavailable(plain(problem)) if gone else problem)

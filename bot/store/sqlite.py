"""SQLite: one writer thread that commits waiting transactions together, and readers beside it (WAL)."""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.clock import Clock
from bot.errors import ConfigError, DatabaseUnavailable
from bot.store.tx import Tx

T = TypeVar("T")

GROUP = 64  # transactions committed together at most; more would make the first of them wait too long
BUSY_MS = 4000  # how long a statement waits for another process's write; a webhook must be answered within 5 s


def sqlite_path(url: str) -> Path:
    """Give the file that a `sqlite:///` URL names.

    Raises:
        ConfigError: the URL names another database, none on disk, or one in a folder that is not there.
    """
    prefix = "sqlite:///"
    if not url.startswith(prefix) or not url.removeprefix(prefix) or ":memory:" in url:
        raise ConfigError(
            "SITREP_DATABASE_URL: give a file, such as sqlite:///sitrep.db. "
            "This version runs on SQLite; PostgreSQL is not supported yet."
        )
    path = Path(url.removeprefix(prefix))
    if not path.parent.is_dir():
        raise ConfigError(f"SITREP_DATABASE_URL: create the folder {path.parent} first.")
    return path


def connect(url: str, *, begin: str = "BEGIN") -> Engine:
    """Make an engine with the settings that durability asks for."""
    engine = create_engine(f"sqlite:///{sqlite_path(url)}", pool_size=8, max_overflow=8, pool_timeout=4)

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # this driver would begin transactions at moments of its own choice
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


class ProcessLock:
    """Held by `serve` alone: a second process on the same file would fire its timers twice."""

    def __init__(self, url: str) -> None:
        self._path = Path(f"{sqlite_path(url)}.lock")
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            ConfigError: another process serves this database.
        """
        try:
            file = self._path.open("a+")
        except OSError as error:
            raise ConfigError(
                f"SITREP_DATABASE_URL: let this user write to {self._path.parent} ({error.strerror})."
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            pid = file.read().strip() or "unknown"
            file.close()
            raise ConfigError(
                f"SITREP_DATABASE_URL: process {pid} already serves this database. Stop it, or name another file."
            ) from error
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        """Let go of the lock."""
        if self._file:
            self._file.close()
            self._file = None


@dataclass(slots=True)
class _Job:
    work: Callable[[Tx], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


class SqliteStore:
    """A `Store` on one SQLite file."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._clock = clock
        self._readers = connect(url)
        self._engine = connect(url, begin="BEGIN IMMEDIATE")
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sitrep-writer", daemon=True)
        self._thread.start()

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in the writer thread; it is durable when this returns."""
        if self._closed:
            raise DatabaseUnavailable("the service is stopping")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Job(work, loop, future))
        # A caller that goes away does not take its transaction with it.
        return await asyncio.shield(future)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a thread of its own."""
        return await asyncio.to_thread(self.read_now, work)

    def read_now(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in this thread."""
        try:
            with self._readers.begin() as connection:
                return work(connection)
        except (DBAPIError, PoolTimeout) as error:
            raise DatabaseUnavailable(_plain(error)) from error

    async def close(self) -> None:
        """Finish the transactions that wait, then close the file."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            self._engine.dispose()
            self._readers.dispose()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            jobs = [first]
            stop = False
            with suppress(queue.Empty):
                while len(jobs) < GROUP:
                    job = self._queue.get_nowait()
                    if job is None:
                        stop = True
                        break
                    jobs.append(job)
            self._commit(jobs)
            if stop:
                break

    def _commit(self, jobs: list[_Job]) -> None:
        done: list[tuple[_Job, Any, Tx]] = []
        failed: list[tuple[_Job, BaseException]] = []
        try:
            with self._engine.begin() as connection:
                for job in jobs:
                    tx = Tx(connection, self._clock.now())
                    try:
                        # Each in a savepoint: a bad one never poisons the group.
                        with connection.begin_nested():
                            done.append((job, job.work(tx), tx))
                    except Exception as error:  # noqa: BLE001 - handed to whoever asked
                        failed.append((job, error))
        except (DBAPIError, PoolTimeout) as error:
            lost = DatabaseUnavailable(_plain(error))
            failed = [(job, lost) for job in jobs]
            done = []
        for job, result, tx in done:
            job.loop.call_soon_threadsafe(_succeed, job.future, result, tx.hooks)
        for job, problem in failed:
            if isinstance(problem, DBAPIError):
                problem = DatabaseUnavailable(_plain(problem))  # noqa: PLW2901
            job.loop.call_soon_threadsafe(_fail, job.future, problem)


def _succeed(future: asyncio.Future[Any], result: Any, hooks: list[Callable[[], None]]) -> None:
    for hook in hooks:
        hook()
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], problem: BaseException) -> None:
    if not future.done():
        future.set_exception(problem)


def _plain(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error)

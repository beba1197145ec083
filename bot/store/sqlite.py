"""SQLite: one writer thread that commits waiting transactions together, and readers beside it (WAL)."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.clock import Clock
from bot.errors import ConfigError, DatabaseUnavailable
from bot.store.tx import Tx
from bot.store.writers import Done, Waiting, Writers, apart, lost, plain, together

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
            "SITREP_DATABASE_URL: give a file, such as sqlite:///sitrep.db, or postgresql://user@host/database."
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

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_error: object) -> None:
        self.release()

    def release(self) -> None:
        """Let go of the lock."""
        if self._file:
            self._file.close()
            self._file = None


class SqliteStore:
    """A `Store` on one SQLite file."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._clock = clock
        self._readers = connect(url)
        self._engine = connect(url, begin="BEGIN IMMEDIATE")
        self._writer = Writers("sitrep-writer", self._commit, group=GROUP)

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in the writer thread; it is durable when this returns."""
        return await self._writer.ask(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a thread of its own."""
        return await asyncio.to_thread(self.read_now, work)

    def read_now(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in this thread."""
        try:
            with self._readers.begin() as connection:
                return work(connection)
        except (DBAPIError, PoolTimeout) as error:
            raise DatabaseUnavailable(plain(error)) from error

    async def close(self) -> None:
        """Finish the transactions that wait, then close the file."""
        await self._writer.close()
        self._engine.dispose()
        self._readers.dispose()

    def _commit(self, taken: list[Waiting]) -> list[Done]:
        if len(taken) > 1:
            # Nearly always all of a group are good; only where one is not do they need a savepoint each.
            with suppress(Exception), self._engine.begin() as connection:
                return together(connection, taken, self._clock.now)
        try:
            with self._engine.begin() as connection:
                return apart(connection, taken, self._clock.now)
        except (DBAPIError, PoolTimeout) as error:
            return lost(taken, error)

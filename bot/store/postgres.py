"""PostgreSQL: many replicas on one database. Its clock decides, its row locks order what meets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.clock import DatabaseClock
from bot.errors import ConfigError, DatabaseUnavailable
from bot.store.tx import Tx
from bot.store.writers import Done, Waiting, Writers, plain

T = TypeVar("T")

WRITERS = 8  # threads, each with a connection
READERS = 4
ATTEMPTS = 3  # of a unit of work that met another one in a deadlock, or waited for its lock in vain
CLASHES = frozenset({"40P01", "40001", "55P03"})  # deadlock_detected, serialization_failure, lock_not_available
CLOSE_WITHIN = 2.0  # seconds
_NOW = text("SELECT clock_timestamp()")
SCHEMES = ("postgresql", "postgres")

# Whoever holds a row's lock and stalls must not stop the others: the server ends what waits or idles too long.
_SERVER = (
    "-c lock_timeout=1500 -c statement_timeout=15000 -c idle_in_transaction_session_timeout=4000 "
    "-c timezone=UTC -c deadlock_timeout=200ms"
)


def is_postgres(url: str) -> bool:
    """True when a database URL names PostgreSQL."""
    return url.partition(":")[0] in SCHEMES


def postgres_url(url: str) -> URL:
    """Give the URL for SQLAlchemy and the driver.

    Raises:
        ConfigError: it is malformed.
    """
    try:
        return make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError) as error:
        raise ConfigError("SITREP_DATABASE_URL: write it as postgresql://user:password@host:5432/database.") from error


def conninfo(url: str) -> str:
    """Give the URL for the driver alone."""
    return postgres_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def connect(url: str, *, size: int = 2, isolation: str = "READ COMMITTED", ping: bool = True, **options: Any) -> Engine:
    """Make an engine that notices a server that has gone; without `ping` the first statement must notice it."""
    return create_engine(
        postgres_url(url),
        pool_size=size,
        max_overflow=0,
        pool_timeout=4,
        pool_pre_ping=ping,
        isolation_level=isolation,
        connect_args={
            "connect_timeout": 3,
            "tcp_user_timeout": 5000,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "options": _SERVER,
            **options,
        },
    )


class PostgresStore:
    """A `Store` on PostgreSQL."""

    def __init__(self, url: str, clock: DatabaseClock) -> None:
        self._clock = clock
        self._engine = connect(url, size=WRITERS + 2, ping=False)
        self._readers = connect(url, size=READERS, isolation="REPEATABLE READ")
        self._writers = Writers("sitrep-writer", self._alone, threads=WRITERS)
        self._signs = Writers("sitrep-signs", self._alone)
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="sitrep-reader")

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a writer's thread; it is durable when this returns."""
        return await self._writers.ask(work)

    async def sign(self, work: Callable[[Tx], T]) -> T:
        """Write a sign of life: behind work that waits for somebody's lock it would come too late.

        Raises:
            DatabaseUnavailable: it is not known to be written.
        """
        return await self._signs.ask(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on one snapshot, in a thread of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.read_now, work)

    def read_now(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in this thread."""
        try:
            with self._readers.begin() as connection:
                return work(connection)
        except (DBAPIError, PoolTimeout) as error:
            raise DatabaseUnavailable(plain(error)) from error

    async def close(self) -> None:
        """Finish the transactions that wait, then close the connections."""
        await self._writers.close(CLOSE_WITHIN)
        await self._signs.close(CLOSE_WITHIN)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._engine.dispose()
        self._readers.dispose()

    def _now(self, connection: Connection) -> datetime:
        # now() would be the transaction's start, and a transaction may wait for a lock before it begins to work.
        return self._clock.told(connection.execute(_NOW).scalar_one())

    def _open(self) -> tuple[Connection, datetime]:
        """Begin a transaction with a look at the clock; a connection that has died since its last use is replaced."""
        for left in (True, False):
            connection = self._engine.connect()
            try:
                return connection, self._now(connection)
            except DBAPIError as error:
                connection.close()
                if not (left and error.connection_invalidated):
                    raise
        raise AssertionError("the second attempt always ends")

    def _alone(self, taken: list[Waiting]) -> list[Done]:
        return [self._one(waiting) for waiting in taken]

    def _one(self, waiting: Waiting) -> Done:
        for left in reversed(range(ATTEMPTS)):
            try:
                connection, now = self._open()
                with connection:
                    tx = Tx(connection, now)
                    result = tx.run(waiting.work)
                    connection.commit()
            except DBAPIError as error:
                if not (left and _clash(error)):
                    return Done(waiting, problem=error)
            except Exception as error:  # noqa: BLE001 - handed to whoever asked
                return Done(waiting, problem=error)
            else:
                return Done(waiting, result, hooks=tx.hooks)
        raise AssertionError("the last attempt always ends")


def _clash(error: BaseException | None) -> bool:
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", "") in CLASHES

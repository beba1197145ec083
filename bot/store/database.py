"""Which database: the URL alone says it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from sqlalchemy import Engine, make_url

from bot.clock import Clock, DatabaseClock
from bot.store import postgres, sqlite
from bot.store.postgres import PostgresStore, is_postgres
from bot.store.sqlite import ProcessLock, SqliteStore

Database = SqliteStore | PostgresStore


def database_clock(url: str, base: Clock) -> Clock:
    """Give the clock that decides: PostgreSQL's own where it is the database, the machine's on SQLite."""
    return DatabaseClock(base) if is_postgres(url) else base


def open_store(url: str, clock: Clock) -> Database:
    """Open the database; `clock` comes from `database_clock`."""
    if isinstance(clock, DatabaseClock):
        return PostgresStore(url, clock)
    return SqliteStore(url, clock)


def connect(url: str) -> Engine:
    """Make an engine for a command that works beside the service."""
    return postgres.connect(url) if is_postgres(url) else sqlite.connect(url)


def serving(url: str) -> AbstractContextManager[object]:
    """Hold what `serve` alone may hold: the lock of an SQLite file; replicas on PostgreSQL are many.

    Raises:
        ConfigError: another process serves this file.
    """
    return nullcontext() if is_postgres(url) else ProcessLock(url)


def exists(url: str) -> bool:
    """True unless the URL names an SQLite file that has not been made."""
    return is_postgres(url) or sqlite.sqlite_path(url).exists()


def shown(url: str) -> str:
    """Give the database's name for people, without its password."""
    return make_url(url).render_as_string(hide_password=True) if is_postgres(url) else str(sqlite.sqlite_path(url))

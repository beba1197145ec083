"""Which database: the URL alone says it."""

from __future__ import annotations

from sqlalchemy import Engine

from bot.clock import Clock, DatabaseClock
from bot.store import postgres, sqlite
from bot.store.postgres import PostgresStore, is_postgres
from bot.store.sqlite import SqliteStore

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

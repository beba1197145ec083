"""The database: whether it answers, whether its schema is this version's, what time it has. It is only read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from bot.doctor.finding import Findings, clocks, fault, ok
from bot.errors import ConfigError
from bot.migrate import known_revisions, revisions
from bot.store import postgres, sqlite
from bot.store.database import exists, shown
from bot.store.postgres import is_postgres
from bot.store.writers import plain

T = TypeVar("T")

NAME = "database"
REACH = "Start the database, or correct the host, user and password in SITREP_DATABASE_URL."
CLOCK_FIX = (
    "Sync both machines' clocks with NTP: timers and the age check of Slack's requests use the database's clock."
)


@dataclass(frozen=True, slots=True)
class Look:
    """What was found; `skew` is how far its clock is ahead of this machine's (zero where it has none of its own)."""

    findings: Findings
    skew: timedelta = field(default_factory=timedelta)


def look(url: str) -> Look:
    """Check a database; blocks."""
    try:
        name = shown(url)
        if not exists(url):
            return Look([ok(NAME, f"{name} does not exist yet: `sitrep serve` creates it")])
        engine = postgres.connect(url) if is_postgres(url) else _readonly(url)
    except ConfigError as error:
        return Look([fault(NAME, "SITREP_DATABASE_URL cannot be used", str(error))])
    try:
        with engine.connect() as connection:
            found = _schema(name, revisions(connection))
            if not is_postgres(url):
                return Look(found)
            ours, theirs = _times(connection)
    except DBAPIError as error:
        return Look([fault(NAME, f"{name} cannot be read: {plain(error)}", REACH)])
    finally:
        engine.dispose()
    return Look([*found, clocks("PostgreSQL", ours, theirs, CLOCK_FIX)], theirs - ours)


def ask(url: str, work: Callable[[Connection], T]) -> T | None:
    """Read from a database; None where there is none yet. Blocks.

    Raises:
        ConfigError: the URL cannot be used.
        DBAPIError: it cannot be read.
    """
    if not exists(url):
        return None
    engine = postgres.connect(url) if is_postgres(url) else _readonly(url)
    try:
        with engine.connect() as connection:
            return work(connection)
    finally:
        engine.dispose()


def _readonly(url: str) -> Engine:
    path = quote(str(sqlite.sqlite_path(url)))
    return create_engine(f"sqlite:///file:{path}?mode=ro&uri=true", poolclass=NullPool, connect_args={"timeout": 2})


def _schema(name: str, at: list[str]) -> Findings:
    known = known_revisions()
    said = " and ".join(at)
    if not at:
        return [ok(NAME, f"{name} is empty: `sitrep serve` creates the tables")]
    if set(at) - set(known):
        fix = "Upgrade Sitrep here to the version that the other replicas have."
        return [fault(NAME, f"{name} is newer than this version: at {said}, this knows {known[-1]}", fix)]
    if at != [known[-1]]:
        text = f"{name} is behind: at {said}, this version needs {known[-1]}"
        return [fault(NAME, text, "Run `sitrep db upgrade`; `sitrep serve` does it at its start, too.")]
    return [ok(NAME, f"{name}, at the newest revision ({said})")]


def _times(connection: Connection) -> tuple[datetime, datetime]:
    theirs: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return datetime.now(UTC), theirs

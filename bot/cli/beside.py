"""The database, beside a running service or without one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from bot.env_names import unknown
from bot.errors import DatabaseUnavailable, SitrepError
from bot.settings import Settings
from bot.store.tx import Tx

T = TypeVar("T")


def fresh(settings: Settings) -> str:
    """Return a sentence when no service has written to the database yet: there is none, or it is empty.

    Raises:
        SitrepError: the database cannot be read.
    """
    from sqlalchemy import inspect
    from sqlalchemy.exc import DBAPIError

    from bot.store.database import connect, exists, shown

    where = shown(settings.database_url)
    if not exists(settings.database_url):
        return f"Nothing yet: there is no database at {where}. `sitrep serve` creates it.{_slips()}"
    engine = connect(settings.database_url)
    try:
        with engine.connect() as connection:
            if inspect(connection).get_table_names():
                return ""
    except DBAPIError as error:
        raise SitrepError(
            f"Could not read the database at {where}: {error.orig}. Check that it runs, and SITREP_DATABASE_URL."
        ) from error
    finally:
        engine.dispose()
    return f"Nothing yet: the database at {where} is empty. `sitrep serve` fills it.{_slips()}"


def read(settings: Settings, work: Callable[[Connection], T]) -> T:
    """Read.

    Raises:
        SitrepError: there is no database, or it cannot be read.
    """
    from sqlalchemy.exc import DBAPIError

    from bot.store.database import connect

    _must_exist(settings)
    engine = connect(settings.database_url)
    try:
        with engine.begin() as connection:
            return work(connection)
    except DBAPIError as error:
        raise SitrepError(
            f"Could not read the database: {error.orig}. Check that it runs. After an upgrade, run `sitrep db upgrade`."
        ) from error
    finally:
        engine.dispose()


def write(settings: Settings, work: Callable[[Tx], T]) -> T:
    """Run a unit of work; what it leaves to do is found by the service's own sweep.

    Raises:
        SitrepError: there is no database, or it cannot be written.
    """
    from bot.clock import machine_clock
    from bot.store.database import database_clock, open_store

    url = settings.database_url

    async def run() -> T:
        store = open_store(url, database_clock(url, machine_clock(settings.test_clock)))
        try:
            return await store.write(work)
        finally:
            await store.close()

    _must_exist(settings)
    try:
        return asyncio.run(run())
    except DatabaseUnavailable as error:
        raise SitrepError(
            f"Could not write to the database: {error}. Check that it runs. After an upgrade, run `sitrep db upgrade`."
        ) from error


def _must_exist(settings: Settings) -> None:
    from bot.store.database import exists, shown

    if not exists(settings.database_url):
        where = shown(settings.database_url)
        raise SitrepError(f"There is no database at {where}. Set SITREP_DATABASE_URL.{_slips()}")


def _slips() -> str:
    """Return what is misspelled in the environment: the database's own name may be."""
    return "".join(f"\n{slip}" for slip in unknown(os.environ, Settings.variables()))

"""Brings a database to the schema of this version, with Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from bot.errors import DatabaseUnavailable
from bot.store.sqlite import connect

SCRIPTS = Path(__file__).resolve().parent.parent / "migrations"


def alembic_config() -> AlembicConfig:
    """Give Alembic's configuration; there is no ini file."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(SCRIPTS))
    return config


def migrate(url: str) -> None:
    """Upgrade to the newest schema.

    Raises:
        DatabaseUnavailable: the database cannot be opened or written.
    """
    engine = connect(url, begin="BEGIN IMMEDIATE")
    try:
        upgrade(engine)
    except DBAPIError as error:
        raise DatabaseUnavailable(f"the schema cannot be upgraded: {error.orig}") from error
    finally:
        engine.dispose()


def upgrade(engine: Engine) -> None:
    """Upgrade over an engine, in one transaction."""
    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

"""Brings a database to the schema of this version, with Alembic."""

from __future__ import annotations

from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError

from bot.errors import DatabaseUnavailable
from bot.store import postgres, sqlite

log = structlog.get_logger()

SCRIPTS = Path(__file__).resolve().parent.parent / "migrations"
LOCK = 0x51_7B_E9  # any number, as long as every replica takes the same


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
    if postgres.is_postgres(url):
        # A replica that starts while another one migrates waits for it.
        engine = postgres.connect(url, options="-c lock_timeout=60000 -c timezone=UTC")
    else:
        engine = sqlite.connect(url, begin="BEGIN IMMEDIATE")
    try:
        upgrade(engine)
    except DBAPIError as error:
        raise DatabaseUnavailable(f"the schema cannot be upgraded: {error.orig}") from error
    finally:
        engine.dispose()


def upgrade(engine: Engine) -> None:
    """Upgrade over an engine, in one transaction; a schema that is newer than this version stays as it is."""
    config = alembic_config()
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        newer = set(MigrationContext.configure(connection).get_current_heads()) - known
        if newer:
            # A replica that starts again in the middle of a rolling upgrade: migrations only ever add.
            log.warning("schema_is_newer", revision=sorted(newer), fix="Finish the upgrade of all replicas.")
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

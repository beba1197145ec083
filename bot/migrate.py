"""Brings a database to the schema of this version, with Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Connection, Engine, column, func, inspect, select, table
from sqlalchemy.exc import DBAPIError

from bot.errors import DatabaseUnavailable
from bot.store import postgres, sqlite

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig

log = structlog.get_logger()

SCRIPTS = Path(__file__).resolve().parent.parent / "migrations"
_VERSION = table("alembic_version", column("version_num"))  # Alembic's own
LOCK = 0x51_7B_E9  # any number, as long as every replica takes the same


def alembic_config() -> AlembicConfig:
    """Give Alembic's configuration; there is no ini file."""
    from alembic.config import Config as AlembicConfig  # noqa: PLC0415 - 11 MB that most starts do not need

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
    with engine.connect() as connection:
        if is_current(connection):
            return
    from alembic import command  # noqa: PLC0415 - as in `alembic_config`
    from alembic.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

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


def is_current(connection: Connection) -> bool:
    """True when the newest migration is in."""
    return revisions(connection) == [known_revisions()[-1]]


def known_revisions() -> list[str]:
    """Give this version's revisions, the newest last; each is what its file's name begins with."""
    return sorted(file.stem.partition("_")[0] for file in (SCRIPTS / "versions").glob("*.py"))


def revisions(connection: Connection) -> list[str]:
    """Give what a database is at: one revision, or none before the first start."""
    if not inspect(connection).has_table(_VERSION.name):
        return []
    return list(connection.execute(select(_VERSION.c.version_num)).scalars())

"""The migrations make the tables that the code expects."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from bot.migrate import migrate
from bot.store.sqlite import connect
from bot.store.tables import metadata


def test_an_upgraded_database_has_the_declared_tables(tmp_path: Path) -> None:
    """After `upgrade` nothing is left that a new migration would have to change."""
    url = f"sqlite:///{tmp_path / 'fresh.db'}"
    migrate(url)
    engine = connect(url)
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        declared = {index.name for table in metadata.tables.values() for index in table.indexes}
        inspector = inspect(connection)
        there = {index["name"] for table in inspector.get_table_names() for index in inspector.get_indexes(table)}
        assert declared <= there
    engine.dispose()


def test_upgrading_twice_is_harmless(tmp_path: Path) -> None:
    """A second start finds nothing to do."""
    url = f"sqlite:///{tmp_path / 'fresh.db'}"
    migrate(url)
    migrate(url)

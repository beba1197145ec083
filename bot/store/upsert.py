"""INSERT ... ON CONFLICT, which both databases know under their own dialect."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(database: Connection | str, table: Table) -> Any:
    """Begin an insert, for a connection or a dialect's name, that can say `on_conflict_do_nothing` or `_do_update`."""
    dialect = database if isinstance(database, str) else database.dialect.name
    return (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table)

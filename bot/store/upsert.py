"""INSERT ... ON CONFLICT, which both databases know under their own dialect."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(connection: Connection, table: Table) -> Any:
    """Begin an insert that can say `on_conflict_do_nothing` or `on_conflict_do_update`."""
    return (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(table)

"""The versions of runbooks that were posted, and in which incidents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from bot.store.tables import incidents, runbook_runs, runbook_versions
from bot.store.upsert import upsert


def keep_version(connection: Connection, book: str, version: str, document: Mapping[str, Any]) -> None:
    """Keep what a version of a runbook says, unless it is kept already."""
    new = upsert(connection.dialect.name, runbook_versions).on_conflict_do_nothing()
    connection.execute(new, {"book": book, "version": version, "document": dict(document)})


def version_of(connection: Connection, book: str, version: str) -> Mapping[str, Any] | None:
    """Give what a version of a runbook says; None where it was never posted."""
    query = select(runbook_versions.c.document)
    return connection.execute(
        query.where(runbook_versions.c.book == book, runbook_versions.c.version == version)
    ).scalar()


def note_run(connection: Connection, incident_id: int, book: str, now: datetime) -> None:
    """Remember that an incident works through a runbook."""
    new = upsert(connection.dialect.name, runbook_runs).on_conflict_do_nothing()
    connection.execute(new, {"incident_id": incident_id, "book": book, "posted_at": now})


def runs_of(connection: Connection, book: str, since: datetime, limit: int) -> list[Mapping[str, Any]]:
    """Give the newest runs of a runbook since a moment, as incidents keep them."""
    query = (
        select(incidents.c.runs)
        .join(runbook_runs, runbook_runs.c.incident_id == incidents.c.id)
        .where(runbook_runs.c.book == book, runbook_runs.c.posted_at >= since)
        .order_by(runbook_runs.c.posted_at.desc())
        .limit(limit)
    )
    return [run for row in connection.execute(query) for run in row.runs if run["book"] == book]

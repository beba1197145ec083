"""Runbooks as they are posted, made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bot.incidents.model import Incident, Status
from bot.incidents.policy import Severity
from bot.incidents.runs import Done, Run, Tick
from bot.runbooks.model import Book, Checklist
from bot.slack.runbook import Sheet

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def ticked(state: Done = Done.DONE, **facts: Any) -> Tick:
    return Tick(state, facts.pop("by", "U1"), facts.pop("name", "Alice"), NOW, **facts)


def a_run(book: Book, **facts: Any) -> Run:
    """Give a run of a book; what is not named is as after its posting."""
    made: dict[str, Any] = {
        "book": book.id,
        "version": book.version,
        "title": book.title,
        "owner": book.owner_team or "",
        "total": len(book.steps),
        "slot": "runbook",
        "posted_at": NOW,
        "reason": "matched by alertname X",
        "checklist": isinstance(book, Checklist),
    }
    return Run(**(made | facts))


def a_sheet(book: Book, facts: Mapping[str, str] | None = None, **run: Any) -> Sheet:
    """Give what is shown of a book in an incident."""
    incident = Incident("INC-20261121-001", "Down", Severity.SEV2, Status.INVESTIGATING, NOW, runbook_id=book.id)
    return Sheet(incident, a_run(book, **run), book, facts or {})

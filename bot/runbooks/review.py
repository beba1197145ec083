"""When a runbook is to be looked through again (seed 002, 5). Pure."""

from __future__ import annotations

from datetime import date, timedelta

from bot.runbooks.model import Runbook

REVIEW = timedelta(days=90)
OVERDUE = timedelta(days=180)


def stale(runbook: Runbook, today: date) -> bool:
    """True when a runbook's review is due; `today` is a UTC date."""
    return today - runbook.last_reviewed_at > REVIEW


def overdue(runbook: Runbook, today: date) -> bool:
    """True when a runbook's review has been due for as long again; `today` is a UTC date."""
    return today - runbook.last_reviewed_at > OVERDUE

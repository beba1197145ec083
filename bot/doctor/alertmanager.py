"""Alertmanager: whether each one answers, whose alerts count as ours, and what never came."""

from __future__ import annotations

from datetime import datetime

import httpx
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bot.alertmanager import Alertmanager
from bot.doctor import database
from bot.doctor.finding import DEADLINE, Findings, fault, ok
from bot.errors import ConfigError
from bot.incidents.flagging import NAMED
from bot.incidents.sources import spoken
from bot.incidents.unheard import CAUSES, DEFAULT_RECEIVERS, OURS_FOR
from bot.settings import Settings
from bot.store import unheard
from bot.store.unheard import Row, State
from bot.threads import in_thread

NAME = "alertmanager api"
FIX = "Start Alertmanager, or set ALERTMANAGER_API_URL to its base URL, without /api."


async def look(settings: Settings, now: datetime) -> Findings:
    """Ask each Alertmanager what fires, as the auditor does, and tell what the auditor has found."""
    found = []
    answered = 0
    async with httpx.AsyncClient(timeout=DEADLINE - 1) as http:  # so that the one that hangs is named
        for source, urls in settings.alertmanager_sources.items():
            problems = (await Alertmanager(urls, http, source).look()).problems
            found += [fault(NAME, problem, FIX) for problem in problems]
            answered += len(urls) - len(problems)
    whose = []
    for source in settings.alertmanager_sources:
        receivers, rows = await in_thread(lambda s=source: _kept(settings, s, now), "doctor-alertmanager")  # type: ignore[misc]
        whose.append(_whose(settings, source, receivers))
        if lost := [row for row in rows.values() if row.state is not State.WAITING and not row.heard_at]:
            names = sorted({row.labels.get("alertname", "Alert") for row in lost})
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            which = f"{len(lost)} ({', '.join(names[:NAMED])}{more})"
            what = f"alerts active in {spoken(source)} that never reached the bot: {which}"
            found.append(fault(NAME, what, CAUSES))
    said = f"{answered} of {len(settings.alertmanager_urls)} answered; {'; '.join(dict.fromkeys(whose))}"
    return found or [ok(NAME, said)]


def _kept(settings: Settings, source: str, now: datetime) -> tuple[frozenset[str], dict[str, Row]]:
    def read(connection: Connection) -> tuple[frozenset[str], dict[str, Row]]:
        return unheard.receivers_of(connection, source, now - OURS_FOR), unheard.rows(connection, source)

    try:
        return database.ask(settings.database_url, read) or (frozenset(), {})
    except (DBAPIError, ConfigError):  # a check of its own says so
        return frozenset(), {}


def _whose(settings: Settings, source: str, receivers: frozenset[str]) -> str:
    configured = settings.config.alertmanager.receivers
    if configured or receivers:
        return f"receivers checked: {', '.join(sorted(configured or receivers))}"
    default = ", ".join(sorted(DEFAULT_RECEIVERS))
    return (
        f"no notification from {spoken(source)} yet; receivers checked: {default}. For others set "
        "alertmanager.receivers (SITREP_CONFIG)"
    )

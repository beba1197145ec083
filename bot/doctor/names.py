"""Whom the names of ladders and services stand for: as Slack answered last, or answers now where it never did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.exc import DBAPIError

from bot.doctor import database
from bot.doctor.finding import Findings, fault, off, ok
from bot.errors import ConfigError, OutwardError
from bot.incidents.cadence import spell
from bot.slack import lookups
from bot.slack.directory import STALE, remarks
from bot.slack.gateway import Gateway
from bot.store import slack_names
from bot.store.slack_names import Answer, Kept
from bot.threads import in_thread

NAME = "slack names"
FIX = "Correct the name in ladders or services (SITREP_CONFIG)."
SLOW = "Run `sitrep doctor` again. A running service retries the lookup by itself."


def kept(url: str, specs: Sequence[str]) -> Mapping[str, Kept]:
    """Return what the database holds of names; nothing where it cannot be read. Blocks."""
    try:
        found = database.ask(url, lambda connection: slack_names.find(connection, specs))
    except (DBAPIError, ConfigError):  # a check of its own says so
        found = None
    return {spec: row for spec, row in (found or {}).items() if row.answered_at is not None}


async def look(gateway: Gateway, url: str, specs: Sequence[str], now: datetime) -> Findings:
    """Say which names stand for nobody, and how old the answers are."""
    known = dict(await in_thread(lambda: kept(url, specs), "doctor-names"))
    for answer in await _ask(gateway, [spec for spec in specs if spec not in known]):
        known[answer.spec] = Kept(answer, now)
    found = []
    for spec in specs:
        row = known.get(spec)
        if row is None:
            found.append(off(NAME, f"{spec} is not checked: Slack did not answer. {SLOW}"))
        elif row.answer.error:
            text, _, fix = lookups.explain(spec, row.answer.error).partition(". ")
            found.append(fault(NAME, f"cannot page {text}", fix))
        elif said := remarks(row, now):
            found.append(fault(NAME, " ".join(said), FIX if now - (row.answered_at or now) <= STALE else SLOW))
    ages = [now - row.answered_at for row in known.values() if row.answered_at]
    if ages and not found:
        oldest = max(ages).total_seconds()
        age = f"the oldest answer is {spell(oldest)} old" if oldest >= 60 else "looked up within the last minute"
        found.append(ok(NAME, f"names found in Slack, from ladders and services: {len(specs)}; {age}"))
    return found


async def _ask(gateway: Gateway, specs: Sequence[str]) -> list[Answer]:
    answers: list[Answer] = []
    groups = [spec for spec in specs if lookups.is_group(spec)]
    try:
        if groups:
            answers += (await lookups.groups(gateway, dict.fromkeys(groups, ""))).values()
        for spec in specs:
            if not lookups.is_group(spec):
                answers.append(await lookups.person(gateway, spec))
    except OutwardError:
        pass  # whoever is left counts as unanswered
    return answers

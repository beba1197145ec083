"""PagerDuty and the runbooks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from bot.doctor.finding import Finding, Findings, fault, ok
from bot.errors import OutwardError, Permanent, SitrepError
from bot.pagerduty.client import PagerDuty
from bot.runbooks import lint
from bot.runbooks.catalog import Catalog
from bot.runbooks.templates import Templates
from bot.settings import Settings

PAGERDUTY, ROUTING_KEY, RUNBOOKS = "pagerduty token", "pagerduty routing key", "runbooks"
RUNBOOKS_FIX = "Run `sitrep runbooks lint`, which names each file and the fix."
SKIPPED = 10  # broken files that are named
_ROUTING_KEY = re.compile(r"[A-Za-z0-9]{32}")


def pagerduty_reach(settings: Settings) -> str:
    """Say what to do where PagerDuty does not answer."""
    host = urlsplit(settings.pagerduty_api_url).hostname
    return f"Let this machine reach {host} (PAGERDUTY_API_URL); see https://status.pagerduty.com for outages."


async def pagerduty(settings: Settings, client: PagerDuty) -> Findings:
    """Ask the REST API who writes: the key and PAGERDUTY_FROM are seen by one call that reads."""
    try:
        user = await client.requester()
    except Permanent as error:
        if not settings.pagerduty_from and error.reason == "pagerduty_invalid":
            fix = "Set PAGERDUTY_FROM to a user's login e-mail."
            return [fault(PAGERDUTY, "it is an account-level key: every write must name a user", fix)]
        return [fault(PAGERDUTY, str(error), error.fix)]
    except OutwardError as error:
        return [fault(PAGERDUTY, f"PagerDuty does not answer: {error}", pagerduty_reach(settings))]
    return [ok(PAGERDUTY, f"it writes as {settings.pagerduty_from or 'its own user'} ({user})")]


def routing_key(settings: Settings) -> Iterator[Finding]:
    """Look at the key's form: only a page would show whether it is valid."""
    if settings.pagerduty_routing_key is None:
        return
    if _ROUTING_KEY.fullmatch(settings.pagerduty_routing_key.get_secret_value()):
        yield ok(ROUTING_KEY, "the format is right; only a real page proves that it works")
    else:
        fix = "Set PAGERDUTY_ROUTING_KEY to the Integration Key of an Events API v2 integration of the service."
        yield fault(ROUTING_KEY, "it is not 32 letters and digits", fix)


def runbooks(folder: Path, today: date, given: Collection[str] = ()) -> Findings:
    """Read the runbooks and the templates, name what is skipped, and count what else is to be mended; blocks."""
    catalog, templates = Catalog.read(folder), Templates.read(folder / "templates")
    if not folder.is_dir():
        return [fault(RUNBOOKS, catalog.problems[0], RUNBOOKS_FIX)]
    skipped = [*catalog.problems, *templates.problems]
    found = [fault(RUNBOOKS, f"broken file: {problem}", RUNBOOKS_FIX) for problem in skipped[:SKIPPED]]
    if len(skipped) > SKIPPED:
        found.append(fault(RUNBOOKS, f"broken files: {len(skipped) - SKIPPED} more", RUNBOOKS_FIX))
    there = f"{len(catalog)} in {folder}, {len(catalog.checklists)} checklists, {len(templates.names)} templates"
    try:
        problems = [problem for problem in lint.lint(folder, catalog, today, given=given) if problem.rule != "broken"]
    except SitrepError as error:
        return [*found, fault(RUNBOOKS, f"{folder} cannot be checked: {error}", RUNBOOKS_FIX)]
    tally = lint.counted(problems)
    if errors := tally[lint.Level.ERROR]:
        return [*found, fault(RUNBOOKS, f"{there}: {errors} {'error' if errors == 1 else 'errors'}", RUNBOOKS_FIX)]
    warned = tally[lint.Level.WARNING]
    return found or [ok(RUNBOOKS, there + (f"; {warned} warnings" if warned else ""))]

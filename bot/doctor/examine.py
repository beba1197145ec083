"""All checks, at the same time. They ask and read; nothing is posted, written or changed anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

from bot.clock import Clock, machine_clock
from bot.doctor import alertmanager, backends, database, service
from bot.doctor.finding import Finding, Findings, off, ok, within
from bot.doctor.slack import Slack
from bot.doctor.standing import integrations
from bot.pagerduty.client import Keys, PagerDuty
from bot.runbooks.sites import sites_of
from bot.settings import Settings
from bot.slack.gateway import Gateway
from bot.slack.throttles import Throttles
from bot.threads import in_thread

# Where these are on, a check of their own says more.
CHECKED = frozenset({"slack", "paging through pagerduty", "alerts compared with alertmanager"})


async def examine(settings: Settings) -> list[Finding]:
    """Check everything that is switched on, and name what is off."""
    clock = machine_clock(settings.test_clock)
    groups = await asyncio.gather(
        _database_and_secret(settings),
        _runbooks(settings, clock),
        _slack(settings, clock),
        _pagerduty(settings, clock),
        _alertmanager(settings, clock),
    )
    return [*(finding for group in groups for finding in group), *_switches(settings)]


async def _database_and_secret(settings: Settings) -> Findings:
    seen = database.Look([])

    async def look() -> Findings:
        nonlocal seen
        seen = await in_thread(lambda: database.look(settings.database_url), "doctor-database")
        return seen.findings

    found = [*await within(database.NAME, database.REACH, look)]
    if settings.slack_on:
        # On PostgreSQL the service goes by the database's clock.
        skew: timedelta = seen.skew
        busy = "Check the service's log, and restart it."
        found += await within(service.NAME, busy, lambda: service.look(settings, skew))
    return found


async def _runbooks(settings: Settings, clock: Clock) -> Findings:
    today, given = clock.now().date(), sites_of(settings.config.sites).variables

    async def look() -> Findings:
        return await in_thread(lambda: backends.runbooks(settings.runbooks, today, given), "doctor-runbooks")

    return await within(backends.RUNBOOKS, backends.RUNBOOKS_FIX, look)


async def _slack(settings: Settings, clock: Clock) -> Findings:
    if settings.slack_bot_token is None:
        return []
    gateway = Gateway(settings.slack_bot_token.get_secret_value(), settings.slack_api_url, Throttles(clock))
    try:
        return await Slack(settings, gateway, clock).look()
    finally:
        await gateway.close()


async def _pagerduty(settings: Settings, clock: Clock) -> Findings:
    found = [*backends.routing_key(settings)]
    if settings.pagerduty_api_token is not None:
        client = PagerDuty(Keys.of(settings), Throttles(clock))
        reach = backends.pagerduty_reach(settings)
        try:
            found += await within(backends.PAGERDUTY, reach, lambda: backends.pagerduty(settings, client))
        finally:
            await client.close()
    return found


async def _alertmanager(settings: Settings, clock: Clock) -> Findings:
    if not settings.alertmanager_urls:
        return []
    return await within(alertmanager.NAME, alertmanager.FIX, lambda: alertmanager.look(settings, clock.now()))


def _switches(settings: Settings) -> Iterator[Finding]:
    for integration in integrations(settings):
        if not integration.on:
            yield off(integration.name, f"set {integration.variables} to switch it on")
        elif integration.name not in CHECKED:
            yield ok(integration.name, "on")

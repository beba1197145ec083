"""What an incident is called that alerts have opened, and what is known of it from them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.incidents import commands as c
from bot.incidents import correlating
from bot.incidents.cadence import spell
from bot.incidents.model import Actor, Alert
from bot.incidents.policy import Severity
from bot.incidents.storm import ALL, Family, StormPolicy
from bot.runbooks.catalog import GENERAL_ID
from bot.text import clip

TITLE = 200  # characters
TENANTS = 20  # that are named
ASKED = 200  # alerts of a group, the worst first, that are asked for facts


def of_group(opened: Sequence[Alert], severity: Severity, now: datetime, *, placed: bool, left_out: int) -> c.Declare:
    """Declare an incident from a group's alerts, the worst of them first; `placed` puts the place into its title."""
    lead = opened[0]
    starts = [a.starts_at for a in opened if a.starts_at]
    return c.Declare(
        number="",
        title=title_of(lead, placed=placed),
        severity=severity,
        actor=Actor("alert", lead.source, lead.name),
        source=lead.source,
        summary=_first(opened, "summary", "description"),
        impact=_first(opened, "impact", "description", "summary"),
        service=_first(opened, "service", "subsystem", "component", "job"),
        region=_first(opened, "region", "cluster"),
        tenants=_tenants(opened),
        ids=correlating.of_alerts(opened),
        alerts=tuple(opened),
        left_out=left_out,
        started_at=min(*starts, now) if starts else None,
    )


def of_storm(
    opened: Sequence[Alert], severity: Severity, now: datetime, *, family: Family, summary: str, left_out: int
) -> c.Declare:
    """Declare a storm: what one group says of itself is not true of it, so only the place is taken over."""
    lead = opened[0]
    starts = [a.starts_at for a in opened if a.starts_at]
    return c.Declare(
        number="",
        title=clip(f"Alert storm {family.where}", TITLE),
        severity=severity,
        actor=Actor("alert", lead.source, lead.name),
        source=lead.source,
        summary=summary,
        service=family.value if family.label == "service" else "",
        region="" if family == ALL else _first(opened, "region", "cluster"),
        runbook_id=GENERAL_ID,
        alerts=tuple(opened),
        left_out=left_out,
        started_at=min(*starts, now) if starts else None,
    )


def why_storm(family: Family, policy: StormPolicy, before: Sequence[str]) -> str:
    """Say why there is one incident instead of many, and where the first ones are."""
    rate = policy.overall if family == ALL else policy.over
    while_ = spell(policy.within.total_seconds())
    text = f"More than {rate} alert groups {family.where} within {while_}: {new_ones(policy)}"
    return text + (f" Opened just before: {', '.join(before)}." if before else "")


def new_ones(policy: StormPolicy) -> str:
    """Say what becomes of the groups that a storm still brings."""
    while_ = spell(policy.join_for.total_seconds())
    return f"new ones join this incident until none has come for {while_} or it is resolved."


def title_of(alert: Alert, *, placed: bool) -> str:
    """Name an incident after an alert: `HighErrorRate on checkout: 5xx above 5%`."""
    where = alert.fact("service", "subsystem", "job") if placed else ""
    said = alert.fact("summary", "title")
    title = alert.name + (f" on {where}" if where else "")
    return clip(" ".join((title + (f": {said}" if said and said != alert.name else "")).split()), TITLE)


def _tenants(opened: Sequence[Alert]) -> str:
    found = list(dict.fromkeys(v for a in opened[:ASKED] if (v := a.fact("tenant", "tenant_id", "customer"))))
    more = len(found) - TENANTS
    return ", ".join(found[:TENANTS]) + (f" and {more} more" if more > 0 else "")


def _first(found: Sequence[Alert], *names: str) -> str:
    return next((value for alert in found[:ASKED] if (value := alert.fact(*names))), "")

"""What an incident is called that alerts have opened, and what is known of it from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from bot.incidents import alert_text, correlating
from bot.incidents import commands as c
from bot.incidents.cadence import spell
from bot.incidents.model import Actor, Alert
from bot.incidents.policy import Severity
from bot.incidents.storm import ALL, Family, StormPolicy
from bot.incidents.subject import common, subject_of
from bot.runbooks.minimum import GENERAL_ID
from bot.text import clip

TITLE = 200  # characters
TENANTS = 20  # that are named
ASKED = 200  # alerts of a group, the worst first, that are asked for facts


def of_group(opened: Sequence[Alert], severity: Severity, now: datetime, *, placed: bool, left_out: int) -> c.Declare:
    """Declare an incident from a group's alerts, the worst of them first; `placed` puts the place into its title."""
    lead = opened[0]
    alike = [alert for alert in opened if alert.name == lead.name]
    starts = [a.starts_at for a in opened if a.starts_at]
    return c.Declare(
        number="",
        title=title_of(opened, placed=placed, left_out=left_out),
        severity=severity,
        actor=Actor("alert", lead.source, lead.name),
        source=lead.source,
        summary=_same(map(alert_text.summary, alike)) or _same(map(alert_text.description, alike)),
        impact=_told(opened, alert_text.impact),
        service=common(map(subject_of, alike)).service,
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


def why_storm(family: Family, policy: StormPolicy) -> str:
    """Say why there is one incident instead of many."""
    rate = policy.overall if family == ALL else policy.over
    while_ = spell(policy.within.total_seconds())
    return f"More than {rate} alert groups {family.where} within {while_}: {new_ones(policy)}"


def new_ones(policy: StormPolicy) -> str:
    """Say what becomes of the groups that a storm still brings."""
    while_ = spell(policy.join_for.total_seconds())
    return f"new ones join this incident until {while_} pass without one, or it is resolved."


def title_of(opened: Sequence[Alert], *, placed: bool, left_out: int = 0) -> str:
    """Name an incident after its alerts, the worst of them first: `HighErrorRate on checkout: 5xx above 5%`.

    Of several alerts of one name only what they have in common is said, and what differs is counted:
    `TargetDown on checkout: 40 pods`.
    """
    lead = opened[0]
    alike = [alert for alert in opened if alert.name == lead.name]
    where = common(map(subject_of, alike)).place if placed else ""
    said = _same(map(alert_text.summary, alike))
    if alert_text.says_nothing(lead.name):
        name = _same(map(alert_text.called, alike)) or lead.name
        if not where or where.casefold() in name.casefold():
            title = name
        else:
            title = f"{name} on {where}" if name == lead.name else f"{where}: {name}"
        said = ""
    else:
        name = alert_text.line(lead.name)
        title = name + (f" on {where}" if where else "")
    if said.casefold() in {"", name.casefold()}:
        said = ""
    count = _counted(alike, left_out) if len(alike) > 1 else ""
    if said or count:
        title += f": {said or count}"
    return clip(" ".join(title.split()), TITLE)


# What alerts of one name differ in, as it is counted; the first that differs counts.
_PLURALS = {
    "pod": "pods",
    "workload": "workloads",
    "node": "nodes",
    "target": "targets",
    "instance": "instances",
    "service": "services",
    "mountpoint": "file systems",
    "namespace": "namespaces",
    "cluster": "clusters",
    "region": "regions",
}


def _counted(alike: Sequence[Alert], left_out: int) -> str:
    """Return how many there are of what differs among alerts: `40 pods`, or else `40 alerts`."""
    subjects = [subject_of(alert) for alert in alike]
    for name, plural in _PLURALS.items():
        values = {getattr(subject, name) for subject in subjects}
        if len(values) > 1 and "" not in values:
            return f"{'more than ' if left_out else ''}{len(values):,} {plural}"
    return f"{len(alike) + left_out:,} alerts"


def _same(texts: Iterable[str]) -> str:
    found = set(texts)
    return found.pop() if len(found) == 1 else ""


def _tenants(opened: Sequence[Alert]) -> str:
    found = list(dict.fromkeys(v for a in opened[:ASKED] if (v := a.fact("tenant", "tenant_id", "customer"))))
    more = len(found) - TENANTS
    return ", ".join(found[:TENANTS]) + (f" and {more} more" if more > 0 else "")


def _told(found: Sequence[Alert], say: Callable[[Alert], str]) -> str:
    return next((said for alert in found[:ASKED] if (said := say(alert))), "")


def _first(found: Sequence[Alert], *names: str) -> str:
    return next((value for alert in found[:ASKED] if (value := alert.fact(*names))), "")

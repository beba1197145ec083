"""What an incident knows for the commands and queries of its runbook. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from bot.incidents.model import Alert, Incident
from bot.incidents.subject import Subject, subject_of

BEFORE = timedelta(minutes=15)  # what went before the start is looked at too
LONGEST_WINDOW = timedelta(hours=24)

# What the alert is about: a label that is only its exporter's is never filled in.
_ABOUT: Mapping[str, Callable[[Subject], str]] = {
    "service": lambda subject: subject.service,
    "region": lambda subject: subject.region,
    "cluster": lambda subject: subject.cluster,
    "namespace": lambda subject: subject.namespace,
    "pod": lambda subject: subject.pod,
    "node": lambda subject: subject.node,
    "instance": lambda subject: subject.instance,
    "deployment": lambda subject: subject.named("deployment") or ("" if subject.workload else subject.service),
}
# What differs within a storm: a command for one service would be wrong for the others.
_DIFFERS = frozenset({"service", "namespace", "deployment", "pod", "node", "instance"})
# Labels that an exporter has for itself.
_SCRAPERS = frozenset({"job", "endpoint"})

# Where an alert has it, in the order of trust.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "job": ("job",),
    "tenant": ("tenant", "tenant_id", "customer"),
    "project": ("project", "project_id"),
    "queue": ("queue", "queue_name"),
    "topic": ("topic",),
    "endpoint": ("endpoint", "url"),
    "database": ("database", "datname", "db"),
    "agent": ("agent", "agent_id"),
    "host": ("host", "hostname"),
    "correlation_id": ("correlation_id",),
    "trace_id": ("trace_id",),
    "resource_name": ("resource_name",),
    "host_role": ("host_role",),
    "session_id": ("session_id",),
}


def facts_of(incident: Incident, alerts: Sequence[Alert], now: datetime) -> dict[str, str]:
    """Give the values of the variables that are known: by the incident itself, else by its alerts in their order."""
    started = incident.started_at or incident.declared_at
    ended = incident.resolved_at or now
    facts = {
        "number": incident.number,
        "title": incident.title,
        "severity": incident.severity.value,
        "window": window(started, ended),
        "started_at": _rfc3339(started - BEFORE),
        "ended_at": _rfc3339(ended),
        "alertname": next((alert.name for alert in alerts), ""),
    }
    subjects = [subject_of(alert) for alert in alerts]
    for name, about in _ABOUT.items():
        facts[name] = str(getattr(incident, name, "")) or _first(name, map(about, subjects), incident)
    for name, labels in _NAMES.items():
        own = (a for a, subject in zip(alerts, subjects, strict=True) if not (name in _SCRAPERS and subject.exporter))
        facts[name] = str(getattr(incident, name, "")) or next((v for alert in own if (v := alert.fact(*labels))), "")
    return {name: value for name, value in facts.items() if value}


def _first(name: str, values: Iterable[str], incident: Incident) -> str:
    return "" if name in _DIFFERS and incident.heard.of_all else next(filter(None, values), "")


def window(started: datetime, ended: datetime) -> str:
    """Give how far back to look from `ended`, in whole minutes, as PromQL and LogQL write it."""
    length = min(max(ended - started, timedelta()) + BEFORE, LONGEST_WINDOW)
    return f"{math.ceil(length.total_seconds() / 60)}m"


def _rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

"""The export for programs: JSON by `schema/timeline-v1.schema.json`."""

from __future__ import annotations

import json
from typing import Any

from bot.incidents.model import Actor, Event, Incident
from bot.timeline.dossier import AlertRow, Dossier, Rendered, filename, plain, utc, utc_or_none
from bot.timeline.milestones import Milestones, milestones

SCHEMA_VERSION = 1


def render_json(dossier: Dossier) -> Rendered:
    """Render as JSON: events in seq order, times in UTC with milliseconds, durations in whole seconds."""
    document = plain(
        {
            "schema_version": SCHEMA_VERSION,
            "incident": incident_json(dossier.incident),
            "milestones": milestones_json(milestones(dossier.incident, dossier.events)),
            "alerts": [_alert(alert) for alert in dossier.alerts],
            "events": [event_json(event) for event in dossier.in_order],
        }
    )
    # Our own keys keep the order of the contract; those that come from outside are sorted where they are read.
    content = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    return Rendered(
        content=content.encode(), content_type="application/json", filename=filename(dossier.incident.number, "json")
    )


def incident_json(incident: Incident) -> dict[str, Any]:
    """Give an incident's state as JSON values."""
    return {
        "number": incident.number,
        "title": incident.title,
        "severity": incident.severity.value,
        "status": incident.status.value,
        "kind": incident.kind,
        "drill": incident.drill,
        "private": incident.private,
        "summary": incident.summary,
        "impact": incident.impact,
        "service": incident.service,
        "region": incident.region,
        "tenants": incident.tenants,
        "correlation_id": incident.correlation_id,
        "trace_id": incident.trace_id,
        "error_code": incident.error_code,
        "resource_name": incident.resource_name,
        "host_role": incident.host_role,
        "source": incident.source,
        "runbook_id": incident.runbook_id,
        "declared_by": _actor(incident.declared_by),
        "acknowledged_by": None if incident.acknowledged_by is None else _actor(incident.acknowledged_by),
        "roles": {str(role): {"id": person.id, "name": person.name} for role, person in sorted(incident.roles.items())},
        "channel": {"id": incident.channel_id, "name": incident.channel_name} if incident.channel_id else None,
    }


def milestones_json(moments: Milestones) -> dict[str, Any]:
    """Give the milestones as JSON values: times in UTC, durations in seconds."""
    return {
        "started": utc_or_none(moments.started),
        "detected": utc_or_none(moments.detected),
        "declared": utc(moments.declared),
        "acknowledged": utc_or_none(moments.acknowledged),
        "mitigated": utc_or_none(moments.mitigated),
        "resolved": utc_or_none(moments.resolved),
        "closed": utc_or_none(moments.closed),
        "time_to_detect": moments.time_to_detect,
        "time_to_acknowledge": moments.time_to_acknowledge,
        "time_to_mitigate": moments.time_to_mitigate,
        "time_to_resolve": moments.time_to_resolve,
    }


def _alert(alert: AlertRow) -> dict[str, Any]:
    return {
        "name": alert.name,
        "status": alert.status,
        "labels": dict(sorted(alert.labels.items())),
        "starts_at": utc_or_none(alert.starts_at),
        "ends_at": utc_or_none(alert.ends_at),
        "value": alert.value,
    }


def event_json(event: Event) -> dict[str, Any]:
    """Give a line of the timeline as JSON values."""
    return {
        "seq": event.seq,
        "occurred_at": utc(event.occurred_at),
        "recorded_at": utc(event.recorded_at),
        "kind": event.kind,
        "actor": _actor(event.actor),
        "text": event.text,
        "source": event.source,
        "data": sorted_data(event),
    }


def sorted_data(event: Event) -> Any:
    """Give an event's data JSON-ready, with the keys of every level sorted."""
    return json.loads(json.dumps(plain(event.data), sort_keys=True))


def _actor(actor: Actor) -> dict[str, str]:
    return {"type": actor.type, "id": actor.id, "name": actor.name}

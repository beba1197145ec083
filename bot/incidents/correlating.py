"""The ids that lead from an incident to logs and traces: the first of each is kept (seed 002, 7.1). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.incidents import envelope
from bot.incidents.draft import Draft
from bot.incidents.model import Alert, Incident

GAP = "telemetry-gap"
ASKED = 200  # alerts, the first of them, that are asked for ids


def of_alerts(alerts: Sequence[Alert]) -> dict[str, str]:
    """Give the ids that alerts carry as labels or annotations, the first of each."""
    found: dict[str, str] = {}
    for name, keys in _CARRIED.items():
        value = next((v for alert in alerts[:ASKED] if (v := alert.fact(*keys))), "")
        if value:
            found[name] = value.strip()[: envelope.LONGEST]
    return found


def warning(found: Mapping[str, str]) -> str:
    """Say what is wrong with a resource name; empty where nothing is."""
    name = found.get("resource_name")
    if not name or envelope.well_formed(name):
        return ""
    return f"The resource name is not of the form {envelope.FORM}. It was kept as typed."


def keep(draft: Draft, found: Mapping[str, str]) -> None:
    """Keep ids that the incident does not have; a correlation id without a trace id is a gap, and work for later."""
    before = draft.incident
    named = {_FIELDS.get(name, name): value for name, value in found.items() if value}
    news = {name: value for name, value in named.items() if not getattr(before, name)}
    if not news:
        return
    draft.set(**news)
    if before.run is not None:
        draft.refresh_run(before.run)
    had_gap, has_gap = _gap(before), _gap(draft.incident)
    if had_gap == has_gap:
        return
    number, code = draft.incident.correlation_id, draft.incident.error_code
    text = f"Close the telemetry gap: {f'error {code} ({number})' if code else number} has no trace_id"
    facts = {"id": GAP, "text": text, "correlation_id": number}
    if has_gap:
        draft.event("followup_added", text, data=facts)
    else:
        draft.event("followup_done", "The trace_id is known now", data=facts)


def _gap(incident: Incident) -> bool:
    return bool(incident.correlation_id) and not incident.trace_id


_FIELDS = {"code": "error_code"}
_CARRIED: Mapping[str, tuple[str, ...]] = {
    "correlation_id": ("correlation_id",),
    "trace_id": ("trace_id",),
    "resource_name": ("resource_name",),
    "host_role": ("host_role",),
    "code": ("error_code",),
}

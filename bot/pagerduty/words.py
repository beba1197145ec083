"""PagerDuty's events in words: how each reads on the timeline, and whether it is said in the incident's channel too.

All of it is plain text: the timeline holds it as it is, and the channel escapes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.pagerduty.event import Bridge, PagerDutyEvent, RoleChange
from bot.text import clip

FIELDS = 10  # custom fields that one line names
ROLES = 10
_DONE = {"complete": "done", "completed": "done", "todo": "to do"}
_TASK_ENDS = {"completed": "done", "deleted": "deleted"}


@dataclass(frozen=True, slots=True)
class Said:
    """An event's kind on the timeline and its text; `aloud` is said in the channel as well."""

    kind: str
    text: str
    aloud: bool = False


def words(event: PagerDutyEvent, before: Mapping[str, Any], *, answered: bool = False) -> Said:
    """Return how an event reads.

    Args:
        event: what happened.
        before: what was known of the PagerDuty incident: `service`, `priority`.
        answered: nobody is to be paged for it: somebody here is on it, or it is over.
    """
    who = ", ".join(event.assignees)
    to = f" to {who}" if who else ""
    match event.type:
        case "incident.triggered":
            return Said("alert_fired", f"PagerDuty incident triggered: {event.title}")
        case "incident.acknowledged" if event.agent_is_user:
            return Said("acknowledged", f"Acknowledged in PagerDuty by {event.actor.name}")
        case "incident.acknowledged":
            by = event.agent_name or "an unnamed agent"
            if answered:
                return Said("note", f"Acknowledged in PagerDuty by {by}")
            return Said("note", f"Acknowledged in PagerDuty by {by}, not by a person: paging goes on", aloud=True)
        case "incident.unacknowledged" if event.agent_is_user:
            return Said("note", f"{event.actor.name} took the acknowledgement back in PagerDuty", aloud=True)
        case "incident.unacknowledged":
            return Said("note", "The acknowledgement in PagerDuty timed out", aloud=True)
        case "incident.reopened":
            return Said("note", f"PagerDuty incident reopened by {event.actor.name}: {event.title}", aloud=True)
        case "incident.resolved" if event.merged_into:
            return Said("note", f"PagerDuty incident merged into {event.merged_into}, not resolved")
        case "incident.resolved":
            return Said("alert_resolved", f"PagerDuty incident resolved by {event.actor.name}")
        case "incident.escalated":
            return Said("escalated", f"Escalated in PagerDuty{to}")
        case "incident.priority_updated":
            was = str(before.get("priority") or "")
            known = f" (was {was})" if was and was != event.priority else ""
            return Said("note", f"PagerDuty priority is now {event.priority or 'unset'}{known}")
        case "incident.service_updated":
            was = str(before.get("service") or "")
            known = f" (was {was})" if was and was != event.service else ""
            return Said("note", f"PagerDuty service is now {event.service or 'unset'}{known}")
        case "incident.incident_type.changed":
            return Said("note", f"PagerDuty incident type is now {event.named or 'unset'}")
        case "incident.annotated":
            return Said("note", f"PagerDuty note: {event.text}", aloud=True)
        case "incident.status_update_published":
            return Said("note", f"PagerDuty status update: {event.text}", aloud=True)
        case "incident.delegated" | "incident.reassigned":
            return Said("note", f"{event.type.removeprefix('incident.').capitalize()} in PagerDuty{to}")
        case "incident.responder.added" | "incident.responder.replied":
            return Said("note", _responder(event), aloud=True)
        case "incident.conference_bridge.updated":
            return Said("note", bridge(event.bridge or Bridge()), aloud=True)
        case "incident.role.assigned" if event.roles:
            return Said("note", "; ".join(_role(change) for change in event.roles[:ROLES]), aloud=True)
        case "incident.custom_field_values.updated" if event.fields:
            named = ", ".join(f"{name} = {value}" for name, value in event.fields[:FIELDS])
            more = len(event.fields) - FIELDS
            return Said("note", f"PagerDuty fields: {named}" + (f" and {more} more" if more > 0 else ""))
        case kind if kind.startswith("incident.task.") and event.named:
            return Said("note", _task(event))
        case kind if kind.startswith("incident.action_invocation.") and event.named:
            return Said("note", f"PagerDuty action {event.named}: {_state(event.state) or kind.rpartition('.')[2]}")
        case "incident.workflow.started" | "incident.workflow.completed" if event.named:
            return Said("note", f"PagerDuty workflow {event.type.rpartition('.')[2]}: {event.named}")
        case _:
            what = event.type.removeprefix("incident.").replace(".", " ").replace("_", " ")
            return Said("note", f"PagerDuty: {what}" + (f": {event.text}" if event.text else ""))


def bridge(there: Bridge) -> str:
    """Return where responders meet."""
    return f"Conference bridge (PagerDuty): {there}" if there else "The conference bridge in PagerDuty was removed"


def _responder(event: PagerDutyEvent) -> str:
    """Say who was asked by whom, or what they answered."""
    said = f": {event.text}" if event.text else ""
    via = f" ({event.policy})" if event.person and event.policy else ""
    whom = f"{event.person or event.policy or 'Someone'}{via}"
    if event.type.endswith(".added"):
        whom = whom if event.person or not event.policy else f"the escalation policy {event.policy}"
        return f"{event.actor.name} asked {whom[0].lower() + whom[1:] if whom == 'Someone' else whom} to respond{said}"
    match event.state.casefold():
        case "accepted":
            return f"{whom} accepted the request to respond{said}"
        case "declined":
            return f"{whom} declined the request to respond{said}"
        case "pending":
            return f"{whom} has not answered the request to respond yet{said}"
        case "":
            return f"{whom} replied to the request to respond{said}"
        case other:
            return f"{whom} replied to the request to respond ({_state(other)}){said}"


def _role(change: RoleChange) -> str:
    was = f" (was {change.before})" if change.before and change.before != change.assignee else ""
    return f"{change.role} in PagerDuty is {change.assignee or 'nobody'}{was}"


def _task(event: PagerDutyEvent) -> str:
    """Say which task, what it is about, how it stands and whose it is."""
    what = event.type.rpartition(".")[2]
    state = _TASK_ENDS.get(what) or _state(event.state)
    detail = f" ({clip(event.detail, 300)})" if event.detail and event.detail != event.named else ""
    whose = f", for {', '.join(event.assignees)}" if event.assignees else ""
    if what == "created":
        return f"PagerDuty task created: {event.named}{detail}{whose}"
    return f"PagerDuty task {event.named}: {state or what}{whose}"


def _state(state: str) -> str:
    return _DONE.get(state.casefold(), state.replace("_", " ").casefold())

"""PagerDuty's incident events, taken in inside one transaction.

Deliveries come at least once and can come out of order: `occurred_at` says which of two states is newer, within one
PagerDuty incident. An acknowledgement is a fact that a later `resolved` does not undo, so it counts when it is late.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.desk import Desk
from bot.incidents import commands as c
from bot.incidents.model import Actor, Alert, Incident
from bot.incidents.sources import PAGERDUTY
from bot.pagerduty.keys import is_ours, page_of
from bot.reception import Reception
from bot.store import alerts
from bot.store.alerts import Group
from bot.store.tx import Tx

STATES = {
    "incident.triggered": "triggered",
    "incident.acknowledged": "acknowledged",
    "incident.unacknowledged": "triggered",
    "incident.reopened": "triggered",
    "incident.resolved": "resolved",
}
OVER = frozenset({"resolved", "merged"})


@dataclass(frozen=True, slots=True)
class PagerDutyEvent:
    """An event, by the fields that matter here; absent ones are empty."""

    id: str
    type: str
    occurred_at: datetime
    agent_id: str = ""
    agent_name: str = ""
    agent_is_user: bool = False
    incident_id: str = ""
    incident_key: str = ""
    number: str = ""
    title: str = ""
    url: str = ""
    service: str = ""
    priority: str = ""
    urgency: str = ""
    created_at: datetime | None = None
    assignees: tuple[str, ...] = ()
    merged_into: str = ""
    text: str = ""
    person: str = ""

    @property
    def actor(self) -> Actor:
        """Who caused it."""
        if self.agent_is_user:
            return Actor("human", self.agent_id, self.agent_name or self.agent_id)
        return Actor("alert", PAGERDUTY, self.agent_name or "PagerDuty")


class PagerDutyReception:
    """Takes events in."""

    def __init__(self, desk: Desk, reception: Reception) -> None:
        self._desk = desk
        self._reception = reception

    def receive(self, tx: Tx, event: PagerDutyEvent) -> str:
        """Take an event in; gives what became of it."""
        if not event.type.startswith("incident.") or not event.incident_id:
            return f"recorded: {event.type}"
        group = alerts.group(tx.connection, PAGERDUTY, event.incident_id, event.incident_key)
        page = page_of(tx.connection, group.hash)
        if page is None and is_ours(group.hash):
            # To declare it here would have the two page each other without end.
            return "recorded: a page of another Sitrep"
        data, newest = self._merge(group, event)
        alerts.set_group(tx.connection, group.id, data=data, incident_id=page.incident_id if page else None)
        group = alerts.group(tx.connection, PAGERDUTY, event.incident_id, "")
        outcome = ""
        if event.type == "incident.triggered":
            if page is not None:
                outcome = f"attached to {page.scope}"
            elif data["status"] in OVER:
                return "recorded: newer events came before it"
            else:
                outcome = self._reception.attach_pagerduty(tx, group, _alert(event))
            group = alerts.group(tx.connection, PAGERDUTY, event.incident_id, "")
        elif event.type == "incident.priority_updated" and data.get("priority") == event.priority:
            outcome = self._reception.raise_pagerduty(tx, group, _alert(event))
            group = alerts.group(tx.connection, PAGERDUTY, event.incident_id, "")
        incident = self._reception.incident_of(tx, group)
        if event.type == "incident.resolved" and newest and not event.merged_into:
            self._reception.close_pagerduty(tx, group, event.occurred_at)
        elif newest and event.type == "incident.reopened":
            self._reception.reopen_pagerduty(tx, group, _alert(event))
        if incident is None:
            return outcome or f"recorded: {event.type}"
        if not outcome.startswith(("declared", "joined")):  # which have told of it
            self._tell(tx, incident, event, data, is_page=page is not None)
        overtaken = event.type == "incident.triggered" and data["status"] == "acknowledged"
        if overtaken and incident.status.is_open and incident.acknowledged_at is None:
            # The acknowledgement came before there was an incident whose ladder it could stop.
            moment = datetime.fromisoformat(data["status_at"])
            self._desk.apply(tx, incident.number, c.Acknowledge(Actor(*data["status_by"]), "pagerduty", moment))
        return outcome or f"noted on {incident.number}"

    def _merge(self, group: Group, event: PagerDutyEvent) -> tuple[dict[str, Any], bool]:
        """Bring a PagerDuty incident's facts up to date; True beside them when this event's state is the newest."""
        data = dict(group.data)
        facts = {"title": event.title, "url": event.url, "number": event.number}
        data.update({key: value for key, value in facts.items() if value})
        newest = True
        state = STATES.get(event.type)
        if state:
            newest = _is_newer(data, "status_at", event.occurred_at)
            if newest:
                # A merge arrives as a resolution, but it is not a fix.
                data["status"] = "merged" if event.merged_into else state
                data["status_at"] = event.occurred_at.isoformat()
                data["status_by"] = [event.actor.type, event.actor.id, event.actor.name]
        if event.priority and _is_newer(data, "priority_at", event.occurred_at):
            data["priority"], data["priority_at"] = event.priority, event.occurred_at.isoformat()
        return data, newest

    def _tell(self, tx: Tx, incident: Incident, event: PagerDutyEvent, data: dict[str, Any], *, is_page: bool) -> None:
        number = incident.number
        if event.type == "incident.acknowledged" and incident.status.is_open and incident.acknowledged_at is None:
            self._desk.apply(tx, number, c.Acknowledge(event.actor, "pagerduty", event.occurred_at))
            return
        kind, text = _words(event)
        if is_page and kind in {"alert_fired", "alert_resolved", "acknowledged"}:
            kind = "note"  # the echo of what we did there, no news of what is broken
        facts: dict[str, Any] = {"pagerduty_event": event.type, "pagerduty_incident": event.incident_id}
        if event.type in STATES:
            facts["pagerduty_status"] = data.get("status", "")
        if event.priority:
            facts["priority"] = event.priority
        if kind == "escalated":
            facts["reason"] = PAGERDUTY
        self._desk.apply(
            tx,
            number,
            c.Record(kind, text, event.actor, event.occurred_at, facts, source=event.url or str(data.get("url", ""))),
        )


def _words(event: PagerDutyEvent) -> tuple[str, str]:
    """Give an event's kind on the timeline, and how it reads there."""
    who = ", ".join(event.assignees)
    to = f" to {who}" if who else ""
    match event.type:
        case "incident.triggered":
            return "alert_fired", f"PagerDuty incident triggered: {event.title}"
        case "incident.acknowledged":
            return "acknowledged", f"Acknowledged in PagerDuty by {event.actor.name}"
        case "incident.resolved" if event.merged_into:
            return "note", f"PagerDuty incident merged into {event.merged_into}; that is not a fix"
        case "incident.resolved":
            return "alert_resolved", f"PagerDuty incident resolved by {event.actor.name}"
        case "incident.escalated":
            return "escalated", f"Escalated in PagerDuty{to}"
        case "incident.priority_updated":
            return "note", f"PagerDuty priority is now {event.priority or 'unset'}"
        case "incident.annotated":
            return "note", f"PagerDuty note: {event.text}"
        case "incident.status_update_published":
            return "note", f"PagerDuty status update: {event.text}"
        case "incident.delegated" | "incident.reassigned":
            return "note", f"{event.type.removeprefix('incident.').capitalize()} in PagerDuty{to}"
        case "incident.responder.added" | "incident.responder.replied":
            said = f": {event.text}" if event.text else ""
            return "note", f"PagerDuty responder {event.person or 'unknown'} {event.type.rpartition('.')[2]}{said}"
        case _:
            what = event.type.removeprefix("incident.").replace(".", " ").replace("_", " ")
            return "note", f"PagerDuty: {what}" + (f": {event.text}" if event.text else "")


def _alert(event: PagerDutyEvent) -> Alert:
    labels = {
        "source": PAGERDUTY,
        "service": event.service,
        "priority": event.priority,
        "urgency": event.urgency,
    }
    return Alert(
        source=PAGERDUTY,
        group_key=event.incident_id,
        fingerprint=event.incident_id,
        name=event.title or f"PagerDuty incident {event.number or event.incident_id}",
        labels={k: v for k, v in labels.items() if v},
        starts_at=event.created_at or event.occurred_at,
        url=event.url,
    )


def _is_newer(data: dict[str, Any], key: str, moment: datetime) -> bool:
    known = data.get(key)
    return not known or moment >= datetime.fromisoformat(known)

"""PagerDuty's incident events, taken in inside one transaction.

Deliveries come at least once and can come out of order: `occurred_at` says which of two states is newer, within one
PagerDuty incident. A person's acknowledgement is a fact that a later `resolved` does not undo, so it counts when it is
late; what PagerDuty took back by then (`unacknowledged`, `reopened`) does not. An acknowledgement by an integration,
a workflow or nobody known is noted, and paging goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.desk import Desk
from bot.incidents import commands as c
from bot.incidents.model import Actor, Alert, Event, Incident
from bot.incidents.sources import PAGERDUTY
from bot.pagerduty import words
from bot.pagerduty.event import DISOWNS, OVER, STATES, Bridge, PagerDutyEvent, is_newer
from bot.pagerduty.keys import is_ours, key_of, page_of, trouble_of
from bot.pagerduty.priorities import Priorities
from bot.pagerduty.words import Said
from bot.reception import Reception
from bot.store import alerts, incidents
from bot.store.alerts import Group
from bot.store.deliveries import Outgoing
from bot.store.tx import Tx

ACKNOWLEDGERS = 50  # people of one PagerDuty incident that are remembered


@dataclass(frozen=True, slots=True)
class _Seen:
    """An event beside what was known of its PagerDuty incident, and what is known with it.

    `newest` says that no later event has told another state; `page` is ours that opened the PagerDuty incident.
    """

    event: PagerDutyEvent
    before: Mapping[str, Any]
    data: Mapping[str, Any]
    newest: bool
    page: Outgoing | None

    @property
    def bridge_moved(self) -> bool:
        """True where responders meet at another address than the one that is known."""
        there = Bridge.from_json(self.data.get("bridge"))
        return bool(there) and there != Bridge.from_json(self.before.get("bridge"))


class PagerDutyReception:
    """Takes events in. `priorities` says which severity an account's priority stands for."""

    def __init__(self, desk: Desk, reception: Reception, priorities: Priorities) -> None:
        self._desk = desk
        self._reception = reception
        self._priorities = priorities

    def receive(self, tx: Tx, event: PagerDutyEvent) -> str:
        """Take an event in; gives what became of it."""
        if event.type == "service.updated" and event.service_id:
            return self._rename(tx, event)
        if not event.type.startswith("incident.") or not event.incident_id:
            return f"recorded: {event.type}"
        group = self._group(tx, event)
        page = page_of(tx.connection, group.hash)
        if page is None and is_ours(group.hash):
            # To declare it here would have the two page each other without end.
            return "recorded: a page of another Sitrep"
        data, newest = _merge(group.data, event)
        seen = _Seen(event, group.data, data, newest, page)
        own = page.incident_id if page and group.incident_id is None else None
        alerts.set_group(tx.connection, group.id, data=data, incident_id=own)
        if event.type == "incident.triggered" and page is None and data["status"] in OVER:
            return "recorded: newer events came before it"
        outcome = self._begin(tx, self._again(tx, event), seen)
        group = self._again(tx, event)
        incident = self._reception.incident_of(tx, group)
        if event.type == "incident.resolved" and newest and not event.merged_into:
            self._reception.close_pagerduty(tx, group, event.occurred_at)
        if incident is None:
            return outcome or f"recorded: {event.type}"
        if not outcome.startswith(("declared", "joined", "reopened")):  # which have told of it
            self._tell(tx, incident, seen)
        if seen.bridge_moved and event.type != "incident.conference_bridge.updated":
            self._tell_bridge(tx, group, incident, seen)
        if event.type == "incident.triggered":
            self._catch_up(tx, incident, seen)
        return outcome or f"noted on {incident.number}"

    def _group(self, tx: Tx, event: PagerDutyEvent) -> Group:
        """Give the PagerDuty incident's group; an event that came late does not move it to an earlier service."""
        group = self._again(tx, event)
        if not event.incident_key or not is_newer(group.data, "facts_at", event.occurred_at):
            return group
        trouble = trouble_of(event.incident_key, event.service_id)
        return alerts.group(tx.connection, PAGERDUTY, event.incident_id, trouble)

    def _again(self, tx: Tx, event: PagerDutyEvent) -> Group:
        return alerts.group(tx.connection, PAGERDUTY, event.incident_id, "")

    def _begin(self, tx: Tx, group: Group, seen: _Seen) -> str:
        """Have an event that begins something, or makes it worse, meet the rules; gives what became of it."""
        event, alert = seen.event, self._alert(tx, seen.event)
        match event.type:
            case "incident.triggered" if seen.page is not None:
                return f"attached to {seen.page.scope}"
            case "incident.triggered":
                again = seen.newest and seen.before.get("status_at") not in {None, seen.data["status_at"]}
                return self._reception.attach_pagerduty(tx, group, alert, event.actor, again=again)
            case "incident.reopened" if seen.newest:
                return self._reception.reopen_pagerduty(tx, group, alert, event.actor, fires=seen.page is None)
            case "incident.priority_updated" if seen.page is None and seen.data.get("priority") == event.priority:
                return self._reception.raise_pagerduty(tx, group, alert, event.actor, worse=self._is_worse(tx, seen))
        return ""

    def _is_worse(self, tx: Tx, seen: _Seen) -> bool:
        """True where a priority stands for something more severe than the one before it, or there was none."""
        was = self._priorities.severity_of(tx.connection, str(seen.before.get("priority") or ""))
        now = self._priorities.severity_of(tx.connection, seen.event.priority)
        return now is not None and (was is None or now.value < was.value)

    def _tell(self, tx: Tx, incident: Incident, seen: _Seen) -> None:
        event, data = seen.event, seen.data
        by_person = event.type == "incident.acknowledged" and event.agent_is_user
        if by_person and incident.acknowledged_at is None and self._counts(tx, incident, seen):
            self._desk.apply(tx, incident.number, c.Acknowledge(event.actor, "pagerduty", event.occurred_at))
            return
        # What we opened there may also be acknowledged by us, in the name of an integration.
        answered = seen.page is not None or incident.acknowledged_at is not None or not incident.status.is_open
        said = words.words(event, seen.before, answered=answered)
        kind, text, aloud, follows = said.kind, said.text, said.aloud, self._follows(incident, seen)
        took_back, void = event.type == "incident.unacknowledged", isinstance(follows, c.VoidAcknowledgement)
        if event.type == "incident.priority_updated" and self._is_lower(tx, incident, seen):
            text, aloud = f"{text}; the severity stays {incident.severity_name}", True
        if took_back and not void and incident.acknowledged_by is not None:
            text += f"; the acknowledgement by {incident.acknowledged_by.name} stands"
        if seen.page is not None and kind in {"alert_fired", "alert_resolved", "acknowledged"}:
            kind = "note"  # the echo of what we did there, no news of what is broken
        facts: dict[str, Any] = {"pagerduty_event": event.type, "pagerduty_incident": event.incident_id}
        if event.type in STATES:
            facts["pagerduty_status"] = data.get("status", "")
        if event.priority:
            facts["priority"] = event.priority
        if kind == "escalated":
            facts["reason"] = PAGERDUTY
        aloud = aloud and not (took_back and void)  # which is said with what follows
        self._record(tx, incident, seen, Said(kind, text, aloud), facts)
        if follows is not None:
            self._desk.apply(tx, incident.number, follows)

    def _is_lower(self, tx: Tx, incident: Incident, seen: _Seen) -> bool:
        """True for a priority that fell below the incident's severity: people lower that, PagerDuty does not."""
        was = self._priorities.severity_of(tx.connection, str(seen.before.get("priority") or ""))
        now = self._priorities.severity_of(tx.connection, seen.event.priority)
        low = was is not None and (now is None or now.value > max(was.value, incident.severity.value))
        return low and incident.status.is_open

    def _tell_bridge(self, tx: Tx, group: Group, incident: Incident, seen: _Seen) -> None:
        """Say where responders meet, unless another PagerDuty incident has said so; the card shows it as well."""
        there = Bridge.from_json(seen.data["bridge"])
        others = alerts.groups_of(tx.connection, group.incident_id or 0)
        if any(Bridge.from_json(g.data.get("bridge")) == there for g in others if g.id != group.id):
            return
        facts = {"pagerduty_incident": seen.event.incident_id, "bridge": there.to_json()}
        self._record(tx, incident, seen, Said("note", words.bridge(there), aloud=True), facts)

    def _record(self, tx: Tx, incident: Incident, seen: _Seen, said: Said, facts: dict[str, Any]) -> None:
        event, source = seen.event, seen.event.url or str(seen.data.get("url", ""))
        record = c.Record(said.kind, said.text, event.actor, event.occurred_at, facts, source=source, aloud=said.aloud)
        self._desk.apply(tx, incident.number, record)

    # -- acknowledgements ----------------------------------------------------------------------------------------

    def _counts(self, tx: Tx, incident: Incident, seen: _Seen) -> bool:
        """True for an acknowledgement that stops the ladder: nothing has taken it back, and paging has not restarted.

        The last matters for one that comes late, such as the echo of our own answer to what we opened there.
        """
        moment = seen.event.occurred_at
        if not incident.status.is_open or _disowned(seen.data, moment):
            return False
        timeline = incidents.timeline(tx.connection, incident.number)
        return not any(line.occurred_at > moment for line in timeline if _starts_anew(line))

    def _catch_up(self, tx: Tx, incident: Incident, seen: _Seen) -> None:
        """Take over an acknowledgement that came before there was an incident whose ladder it could stop."""
        given = seen.data.get("acknowledged")
        if given and incident.status.is_open and incident.acknowledged_at is None:
            moment = datetime.fromisoformat(given[0])
            if not _disowned(seen.data, moment):
                self._desk.apply(tx, incident.number, c.Acknowledge(Actor(*given[1:]), "pagerduty", moment))

    def _follows(self, incident: Incident, seen: _Seen) -> c.VoidAcknowledgement | c.AnswerAgain | None:
        """Say what follows for the incident's acknowledgement where PagerDuty has taken one back.

        One that was given here stands where PagerDuty's own only timed out: whoever gave it is on it, and overdue
        updates page. What we opened there is then acknowledged anew, so that it does not page beside that person.
        """
        event, moment = seen.event, seen.event.occurred_at
        given, by = incident.acknowledged_at, incident.acknowledged_by
        if event.type not in DISOWNS or given is None or by is None or given > moment or not incident.status.is_open:
            return None
        if event.type == "incident.reopened":
            return c.VoidAcknowledgement("the PagerDuty incident was reopened", event.actor)
        if by.id not in seen.data.get("acknowledgers", ()):
            return c.AnswerAgain(key_of(seen.page)) if seen.page and not event.agent_is_user else None
        if datetime.fromisoformat(seen.data["acknowledged"][0]) > moment:
            return None
        by_hand = f"{event.actor.name} took it back in PagerDuty"
        return c.VoidAcknowledgement(by_hand if event.agent_is_user else "it timed out in PagerDuty", event.actor)

    def _rename(self, tx: Tx, event: PagerDutyEvent) -> str:
        """Say on the open incidents of a service that it has another name now."""
        told = []
        for group in alerts.of_open_incidents(tx.connection, PAGERDUTY):
            was = str(group.data.get("service") or "")
            if group.data.get("service_id") != event.service_id or was == event.service:
                continue
            alerts.set_group(tx.connection, group.id, data={**group.data, "service": event.service})
            number = incidents.number_of(tx.connection, group.incident_id or 0)
            text = f"The PagerDuty service {was} is called {event.service} now"
            facts = {"pagerduty_event": event.type}
            if number not in told:
                self._desk.apply(tx, number, c.Record("note", text, event.actor, event.occurred_at, facts))
                told.append(number)
        return f"noted on {', '.join(told)}" if told else f"recorded: {event.type}"

    def _alert(self, tx: Tx, event: PagerDutyEvent) -> Alert:
        severity = self._priorities.severity_of(tx.connection, event.priority)
        labels = {
            "source": PAGERDUTY,
            "service": event.service,
            "priority": event.priority,
            "urgency": event.urgency,
            "severity": severity.value if severity else "",
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


def _merge(known: Mapping[str, Any], event: PagerDutyEvent) -> tuple[dict[str, Any], bool]:
    """Bring a PagerDuty incident's facts up to date; True beside them when this event's state is the newest."""
    data, moment = dict(known), event.occurred_at
    if not event.is_full:
        data.update({k: v for k, v in {"title": event.title, "url": event.url}.items() if v and not data.get(k)})
    elif is_newer(data, "facts_at", moment):
        facts = {name: getattr(event, name) for name in ("title", "url", "number", "service", "service_id", "urgency")}
        data.update({name: value for name, value in facts.items() if value})
        data["facts_at"] = moment.isoformat()
    newest, state = True, STATES.get(event.type)
    if state:
        newest = is_newer(data, "status_at", moment)
        if newest:
            # A merge arrives as a resolution, but it is not a fix.
            data["status"] = "merged" if event.merged_into else state
            data["status_at"] = moment.isoformat()
            data["status_by"] = [event.actor.type, event.actor.id, event.actor.name]
    if event.type == "incident.acknowledged" and event.agent_is_user:
        people = [*(name for name in data.get("acknowledgers", ()) if name != event.actor.id), event.actor.id]
        data["acknowledgers"] = people[-ACKNOWLEDGERS:]
        if "acknowledged" not in data or moment >= datetime.fromisoformat(data["acknowledged"][0]):
            data["acknowledged"] = [moment.isoformat(), event.actor.type, event.actor.id, event.actor.name]
    if event.type in DISOWNS and is_newer(data, "disowned_at", moment):
        data["disowned_at"] = moment.isoformat()
    if (event.priority or event.type == "incident.priority_updated") and is_newer(data, "priority_at", moment):
        data["priority"], data["priority_at"] = event.priority, moment.isoformat()
    if event.bridge is not None and is_newer(data, "bridge_at", moment):
        data["bridge"], data["bridge_at"] = event.bridge.to_json(), moment.isoformat()
    return data, newest


def _disowned(data: Mapping[str, Any], moment: datetime) -> bool:
    """True where PagerDuty has taken an acknowledgement back that was given at a moment."""
    return "disowned_at" in data and moment < datetime.fromisoformat(data["disowned_at"])


def _starts_anew(line: Event) -> bool:
    return line.kind == "reopened" or line.data.get("void") == "acknowledgement"

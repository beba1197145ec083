"""A PagerDuty account: services, escalation policies with who is on call, incidents, and whom it has notified.

Source: https://developer.pagerduty.com/api-reference and https://developer.pagerduty.com/docs/webhooks-overview.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.sandbox.faults import FaultRegistry
from bot.sandbox.model import Call, Json

SITE = "https://sandbox.pagerduty.com"
OPEN = ("triggered", "acknowledged")


class PagerDutyError(Exception):
    """The REST API answers `{"error": {"message", "code", "errors"}}` with this HTTP status."""

    def __init__(self, status: int, code: int, message: str, *errors: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"error": {"message": message, "code": code, "errors": list(errors)}}


@dataclass(slots=True)
class Incident:
    """One incident. `key` is its de-duplication key, `source` the API that opened it."""

    id: str
    number: int
    key: str
    title: str
    service: str
    policy: str
    urgency: str
    created_at: str
    source: str = "rest"
    status: str = "triggered"
    details: Any = None
    alerts: list[Json] = field(default_factory=list)  # what the bodies of its alerts hold, as their tools sent it
    requests: list[Json] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """True until it is resolved."""
        return self.status in OPEN

    def api(self) -> Json:
        """What `GET /incidents/{id}` shows."""
        return {
            "id": self.id,
            "type": "incident",
            "summary": f"[#{self.number}] {self.title}",
            "incident_number": self.number,
            "html_url": f"{SITE}/incidents/{self.id}",
            "title": self.title,
            "status": self.status,
            "incident_key": self.key,
            "created_at": self.created_at,
            "urgency": self.urgency,
            "service": _reference("service", self.service),
            "escalation_policy": _reference("escalation_policy", self.policy),
            "priority": None,
            "incidents_responders": [],
            "responder_requests": list(self.requests),
        }


@dataclass(frozen=True, slots=True)
class Notice:
    """People were woken: by which escalation policy, for which incident, and why (`incident` or `request`)."""

    policy: str
    incident: str
    why: str
    people: tuple[str, ...]


class Account:
    """The account's state. `oncall` names who an escalation policy notifies; an empty list is an empty roster.

    A key of the account itself (`account_key`) must name a user in each write; a user's own key need not.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.lock = threading.RLock()
        self.now = now
        self.api_token = "sandbox-api-token"  # noqa: S105 - the stand-in's
        self.routing_key = "sandbox-routing-key"
        self.account_key = True
        self.users: dict[str, str] = {"PUSITREP": "sitrep@example.com", "PUALICE1": "alice@example.com"}
        self.oncall: dict[str, list[str]] = {"PDEFAULT": ["Olivia Oncall"], "PLEADS01": ["Maeve Lead"]}
        self.services: dict[str, str] = {"PSERVICE": "PDEFAULT"}
        self.events_service = "PSERVICE"
        self.priorities: list[str] = []
        self.incidents: list[Incident] = []
        self.notices: list[Notice] = []
        self.calls: list[Call] = []
        self.faults = FaultRegistry()
        self.latency = 0.0
        self._events = 0

    # -- what tests ask ---------------------------------------------------------------------------------------

    def count(self, method: str) -> int:
        """How many calls of this name have arrived, such as `POST /incidents`."""
        with self.lock:
            return sum(call.method == method for call in self.calls)

    def incident(self, incident_id: str) -> Incident:
        """The incident of that id. Raises a 404 when there is none."""
        with self.lock:
            for incident in self.incidents:
                if incident.id == incident_id:
                    return incident
        raise PagerDutyError(404, 2100, "Not Found")

    def by_key(self, key: str) -> Incident | None:
        """The open incident with that key."""
        with self.lock:
            return next((i for i in self.incidents if i.key == key and i.is_open), None)

    def open_one(self, title: str, *, service: str = "PSERVICE", key: str = "") -> Incident:
        """Open an incident as a monitoring tool would."""
        with self.lock:
            return self._open(
                key or f"key-{len(self.incidents)}", title, service, self.services[service], source="tool"
            )

    def event(self, kind: str, incident: Incident, agent: str = "", **data: Any) -> Json:
        """Make the body of a V3 webhook about an incident, such as `incident.acknowledged`; `agent` is a user's id."""
        with self.lock:
            self._events += 1
            shown = {**incident.api(), "number": incident.number, "assignees": [], "teams": [], "resolve_reason": None}
            about: Json = {**_reference("user", agent), "summary": self.users[agent]} if agent else {}
            return {
                "event": {
                    "id": f"SANDBOXEVENT{self._events:04}",
                    "event_type": kind,
                    "resource_type": "incident",
                    "occurred_at": self._moment(),
                    "agent": about or _reference("service", incident.service),
                    "client": None,
                    "data": {**shown, **data},
                }
            }

    # -- the REST API -----------------------------------------------------------------------------------------

    def create_incident(self, asked: Json, sender: str) -> Json:
        """`POST /incidents`."""
        with self.lock:
            self._must_be_named(sender)
            service = _id(asked.get("service"))
            if service not in self.services:
                raise PagerDutyError(400, 2001, "Invalid Input Provided", "Service not found")
            policy = _id(asked.get("escalation_policy")) or self.services[service]
            if policy not in self.oncall:
                raise PagerDutyError(400, 2001, "Invalid Input Provided", "Escalation policy not found")
            if not asked.get("title"):
                raise PagerDutyError(400, 2001, "Invalid Input Provided", "Title cannot be empty.")
            key = str(asked.get("incident_key") or f"generated-{len(self.incidents)}")
            if any(i.key == key and i.is_open and i.service == service for i in self.incidents):
                why = "Open incident with matching dedup key already exists on this service"
                raise PagerDutyError(400, 2002, "Arguments Caused Error", why)
            urgency = str(asked.get("urgency") or "high")
            made = self._open(key, str(asked["title"]), service, policy, urgency=urgency)
            made.details = asked.get("body")
            return {"incident": made.api()}

    def list_incidents(self, query: Mapping[str, Sequence[str]]) -> Json:
        """`GET /incidents`, newest first as `sort_by=created_at:desc` has it, in pages."""
        with self.lock:
            statuses, keys = query.get("statuses[]", ()), query.get("incident_key", ())
            found = [
                incident.api()
                for incident in self.incidents
                if (not statuses or incident.status in statuses) and (not keys or incident.key in keys)
            ]
        if query.get("sort_by") == ["created_at:desc"]:
            found.reverse()
        return _page("incidents", found, query)

    def get_incident(self, incident_id: str) -> Json:
        """`GET /incidents/{id}`."""
        with self.lock:
            return {"incident": self.incident(incident_id).api()}

    def list_alerts(self, incident_id: str, query: Mapping[str, Sequence[str]]) -> Json:
        """`GET /incidents/{id}/alerts`."""
        with self.lock:
            incident = self.incident(incident_id)
            found = [
                {
                    "id": f"{incident.id}A{number}",
                    "type": "alert",
                    "summary": incident.title,
                    "status": incident.status,
                    "alert_key": incident.key,
                    "body": {"type": "alert_body", **body},
                    "incident": _reference("incident", incident.id),
                }
                for number, body in enumerate(incident.alerts)
            ]
        return _page("alerts", found, query)

    def put_incident(self, incident_id: str, asked: Json, sender: str) -> Json:
        """`PUT /incidents/{id}`: acknowledge or resolve."""
        with self.lock:
            self._must_be_named(sender)
            incident = self.incident(incident_id)
            if not incident.is_open:
                raise PagerDutyError(400, 2001, "Invalid Input Provided", "Incident Already Resolved")
            self._move(incident, str(asked.get("status")))
            return {"incident": incident.api()}

    def request_responders(self, incident_id: str, asked: Json, sender: str) -> Json:
        """`POST /incidents/{id}/responder_requests`: wakes people each time."""
        with self.lock:
            self._must_be_named(sender)
            incident = self.incident(incident_id)
            if asked.get("requester_id") not in self.users:
                raise PagerDutyError(400, 2001, "Invalid Input Provided", "Requester not found")
            if not incident.is_open:
                raise PagerDutyError(400, 2001, "Invalid Input Provided", "Incident is already resolved")
            targets = [_id(target.get("responder_request_target")) for target in asked["responder_request_targets"]]
            if any(target not in self.oncall for target in targets):
                raise PagerDutyError(400, 2001, "Invalid Input Provided", "Escalation policy not found")
            made: Json = {"message": asked.get("message"), "responder_request_targets": targets}
            incident.requests.append(made)
            for target in targets:
                self._notify(target, incident, "request")
            return {"responder_request": made}

    def list_oncalls(self, query: Mapping[str, Sequence[str]]) -> Json:
        """`GET /oncalls`."""
        with self.lock:
            wanted = query.get("escalation_policy_ids[]", ()) or tuple(self.oncall)
            found = [
                {
                    "escalation_policy": _reference("escalation_policy", policy),
                    "escalation_level": 1,
                    "schedule": None,
                    "user": {**_reference("user", f"PU{name.split()[0].upper()}"), "summary": name},
                }
                for policy in wanted
                for name in self.oncall.get(policy, ())
            ]
        return _page("oncalls", found, query)

    def list_priorities(self, query: Mapping[str, Sequence[str]]) -> Json:
        """`GET /priorities`, the most severe first."""
        found = [{**_reference("priority", f"PPRIO{n}"), "name": name} for n, name in enumerate(self.priorities)]
        return _page("priorities", found, query)

    def list_users(self, query: Mapping[str, Sequence[str]]) -> Json:
        """`GET /users`, with `query` as a part of the address."""
        part = next(iter(query.get("query", ())), "")
        with self.lock:
            found = [_user(user, email) for user, email in self.users.items() if part.lower() in email.lower()]
        return _page("users", found, query)

    def me(self) -> Json:
        """`GET /users/me`: whose key it is; an account's own is nobody's."""
        if self.account_key:
            message = "The current user cannot be determined from an account-level access token"
            raise PagerDutyError(400, 2001, message)
        user, email = next(iter(self.users.items()))
        return {"user": _user(user, email)}

    # -- the Events API ---------------------------------------------------------------------------------------

    def enqueue(self, event: Json) -> tuple[int, Json]:
        """`POST /v2/enqueue`; gives status and body."""
        wrong = [name for name in ("event_action", "dedup_key", "routing_key") if not event.get(name)]
        payload = event.get("payload") or {}
        if event.get("event_action") == "trigger":
            wrong += [f"payload.{name}" for name in ("summary", "source", "severity") if not payload.get(name)]
        if len(str(event.get("dedup_key"))) > 255:
            wrong.append("dedup_key")
        if event.get("routing_key") != self.routing_key:
            wrong.append("routing_key")
        if wrong:
            errors = [f"'{name}' is missing, blank or invalid" for name in wrong]
            return 400, {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
        key = str(event["dedup_key"])
        with self.lock:
            there = self.by_key(key)
            if event["event_action"] == "trigger":
                if there is None:
                    policy = self.services[self.events_service]
                    there = self._open(key, str(payload["summary"]), self.events_service, policy, source="events")
                    there.details = payload.get("custom_details")
                there.log.append("trigger")
            elif there is not None:
                self._move(there, f"{event['event_action']}d")
        return 202, {"status": "success", "message": "Event processed", "dedup_key": key}

    # -- inside -----------------------------------------------------------------------------------------------

    def _open(
        self, key: str, title: str, service: str, policy: str, *, source: str = "rest", urgency: str = "high"
    ) -> Incident:
        number = len(self.incidents) + 1
        incident_id = f"Q{number:05}SANDBOX"
        made = Incident(incident_id, number, key, title, service, policy, urgency, self._moment(), source)
        self.incidents.append(made)
        self._notify(policy, made, "incident")
        return made

    def _move(self, incident: Incident, status: str) -> None:
        if status not in {"acknowledged", "resolved"}:
            raise PagerDutyError(400, 2001, "Invalid Input Provided", "Status must be acknowledged or resolved.")
        incident.status = status
        incident.log.append(status)

    def _notify(self, policy: str, incident: Incident, why: str) -> None:
        if self.oncall[policy]:
            self.notices.append(Notice(policy, incident.id, why, tuple(self.oncall[policy])))

    def _must_be_named(self, sender: str) -> None:
        if self.account_key and sender not in self.users.values():
            raise PagerDutyError(400, 2001, "Invalid Input Provided", "From header must name a user of the account")

    def _moment(self) -> str:
        return datetime.fromtimestamp(self.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _reference(kind: str, item: str) -> Json:
    plural = {"escalation_policy": "escalation_policies", "priority": "priorities"}.get(kind, f"{kind}s")
    return {"id": item, "type": f"{kind}_reference", "summary": item, "html_url": f"{SITE}/{plural}/{item}"}


def _user(user: str, email: str) -> Json:
    return {"id": user, "type": "user", "summary": email, "name": email, "email": email}


def _id(reference: Any) -> str:
    return str(reference.get("id") or "") if isinstance(reference, dict) else ""


def _page(name: str, found: list[Json], query: Mapping[str, Sequence[str]]) -> Json:
    limit = int(next(iter(query.get("limit", ())), 25))
    offset = int(next(iter(query.get("offset", ())), 0))
    shown = found[offset : offset + limit]
    return {name: shown, "limit": limit, "offset": offset, "more": offset + limit < len(found), "total": None}

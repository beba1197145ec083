"""`POST /webhooks/pagerduty`: PagerDuty's V3 webhook.

Source: https://developer.pagerduty.com/docs/webhooks-overview and /docs/verifying-webhook-signatures.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, Field, ValidationError

from bot.incidents.sources import PAGERDUTY
from bot.pagerduty.event import Bridge, PagerDutyEvent, RoleChange
from bot.text import clean
from handlers.webhooks.misdirected import misdirected
from handlers.webhooks.reading import Lenient, Malformed, explain, in_utc, parse_json

ID = 64  # characters of an id, a number or a state
URL = 1000
MOST = 50  # entries of one list that are read


class Agent(Lenient):
    """Who caused the event."""

    id: str | None = None
    type: str | None = None
    summary: str | None = None


class EventBody(Lenient):
    """The event; `data` depends on its type."""

    id: str = Field(min_length=1, max_length=120)
    event_type: str = Field(min_length=1, max_length=120)
    occurred_at: AwareDatetime
    agent: Agent | None = None
    data: dict[str, Any] | None = None


class Envelope(Lenient):
    """The body."""

    event: EventBody


def verified(raw: bytes, header: str, secrets: Sequence[bytes]) -> bool:
    """True when one of the header's v1 signatures is one of ours; several secrets are good while one is rotated."""
    sent = [part.strip().removeprefix("v1=").lower() for part in header.split(",") if part.strip().startswith("v1=")]
    expected = [hmac.new(secret, raw, hashlib.sha256).hexdigest() for secret in secrets]
    matches = [
        hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "replace")) for ours in expected for theirs in sent
    ]
    return any(matches)


def read(raw: bytes) -> PagerDutyEvent:
    """Parse a body.

    Raises:
        Malformed: it is none that PagerDuty's V3 webhook sends; the message says why, and what to send instead.
    """
    body = parse_json(raw)
    try:
        event = Envelope.model_validate(body).event
    except ValidationError as error:
        raise Malformed(misdirected(body, PAGERDUTY) or explain(error)) from error
    data = event.data or {}
    is_full = data.get("type") == "incident"
    about = _object(data if is_full else data.get("incident") or _incident_of_roles(data))
    agent = event.agent or Agent()
    return PagerDutyEvent(
        id=event.id,
        type=event.event_type,
        occurred_at=in_utc(event.occurred_at),
        agent_id=clean(agent.id or "", ID),
        agent_name=clean(agent.summary or "", 80),
        agent_is_user=(agent.type or "").startswith("user"),
        is_full=is_full,
        incident_id=_text(about.get("id"), ID),
        incident_key=_text(data.get("incident_key"), 255),
        number=_text(about.get("number"), ID),
        title=_text(about.get("title") or about.get("summary"), 500),
        url=_text(about.get("html_url"), URL),
        service=_summary(data if data.get("type") == "service" else about.get("service")),
        service_id=_text((data if data.get("type") == "service" else _object(about.get("service"))).get("id"), ID),
        priority=_summary(about.get("priority")),
        urgency=_text(about.get("urgency"), ID),
        created_at=_moment(about.get("created_at")),
        assignees=_names(data.get("assignees")),
        merged_into=_merged_into(data.get("resolve_reason")),
        text=_text(data.get("content") or data.get("message"), 3000),
        person=_summary(data.get("user")),
        policy=_summary(data.get("escalation_policy")),
        state=_text(data.get("state") or data.get("status"), ID),
        named=_named(data, is_full=is_full),
        detail=_text(data.get("description"), 500),
        fields=_fields(data),
        roles=_roles(data),
        bridge=_bridge(data, is_full=is_full),
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value[:MOST] if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any, limit: int) -> str:
    """Return what a field says; nothing where it holds no text or number."""
    said = value if isinstance(value, str) else str(value) if isinstance(value, (int, float)) else ""
    return clean(said.strip(), limit)


def _summary(value: Any) -> str:
    value = _object(value)
    return _text(value.get("summary") or value.get("name") or value.get("id"), 200)


def _names(value: Any) -> tuple[str, ...]:
    return tuple(name for item in _objects(value) if (name := _summary(item)))


def _incident_of_roles(data: dict[str, Any]) -> Any:
    """Return the incident of role assignments, which name it in each of them."""
    return next((item.get("incident") for item in _objects(data.get("incident_role_assignments"))), None)


def _roles(data: dict[str, Any]) -> tuple[RoleChange, ...]:
    return tuple(
        RoleChange(
            _summary(item.get("role")) or "A role", _summary(item.get("assignee")), _summary(item.get("old_assignee"))
        )
        for item in _objects(data.get("incident_role_assignments"))
    )


def _fields(data: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the custom fields that changed, with their present values; all of them where none is named."""
    present = _objects(data.get("custom_fields"))
    changed = {item.get("id"): item for item in _objects(data.get("changed_custom_fields"))}
    shown = [item for item in present if item.get("id") in changed] or list(changed.values()) or present
    return tuple(
        (_text(item.get("display_name") or item.get("name"), 80) or "a field", _value(item.get("value")))
        for item in shown
    )


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, (_value(item) for item in value[:MOST]))) or "unset"
    if isinstance(value, bool):
        return str(value).lower()
    return _text(value, 200) or "unset"


def _named(data: dict[str, Any], *, is_full: bool) -> str:
    """Return what a task, an action, a workflow or an incident's type is called."""
    if is_full:
        return _summary(data.get("incident_type"))
    for part in ("action", "incident_workflow"):
        if name := _summary(data.get(part)):
            return name
    return _text(data.get("name") or data.get("summary"), 300)


def _bridge(data: dict[str, Any], *, is_full: bool) -> Bridge | None:
    """Return the conference bridge; None where the event says nothing of one."""
    there = _object(data.get("conference_bridge"))
    if is_full and there:
        return Bridge(_text(there.get("conference_url"), URL), tuple(filter(None, [_number(there)]))) or None
    if data.get("type") != "incident_conference_bridge":
        return None
    numbers = tuple(filter(None, (_number(item) for item in _objects(data.get("conference_numbers")))))
    return Bridge(_text(data.get("conference_url"), URL), numbers)


def _number(item: dict[str, Any]) -> str:
    label, number = _text(item.get("label"), 40), _text(item.get("number") or item.get("conference_number"), 80)
    return f"{label} {number}" if label and number else number


def _merged_into(reason: Any) -> str:
    reason = _object(reason)
    if reason.get("type") != "merge_resolve_reason":
        return ""
    return _summary(reason.get("incident")) or "another PagerDuty incident"


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return in_utc(moment) if moment.tzinfo else None

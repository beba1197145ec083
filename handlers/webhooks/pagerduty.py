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

from bot.pagerduty import PagerDutyEvent
from bot.text import clean
from handlers.webhooks.reading import Lenient, Malformed, explain, in_utc, parse_json


class Agent(Lenient):
    """Who caused the event."""

    id: str = ""
    type: str = ""
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
        Malformed: it is none that PagerDuty sends; the message says why.
    """
    try:
        event = Envelope.model_validate(parse_json(raw)).event
    except ValidationError as error:
        raise Malformed(explain(error)) from error
    data = event.data or {}
    about = data if data.get("type") == "incident" else data.get("incident")
    about = about if isinstance(about, dict) else {}
    agent = event.agent or Agent()
    return PagerDutyEvent(
        id=event.id,
        type=event.event_type,
        occurred_at=in_utc(event.occurred_at),
        agent_id=agent.id,
        agent_name=clean(agent.summary or "", 80),
        agent_is_user=agent.type.startswith("user"),
        incident_id=clean(str(about.get("id") or ""), 64),
        incident_key=clean(str(data.get("incident_key") or ""), 255),
        number=str(about.get("number") or ""),
        title=clean(str(about.get("title") or about.get("summary") or ""), 500),
        url=str(about.get("html_url") or ""),
        service=_summary(about.get("service")),
        priority=_summary(about.get("priority")),
        urgency=str(about.get("urgency") or ""),
        created_at=_moment(about.get("created_at")),
        assignees=_names(about.get("assignees")),
        merged_into=_merged_into(data.get("resolve_reason")),
        text=clean(str(data.get("content") or data.get("message") or ""), 3000),
        person=_summary(data.get("user")),
    )


def _summary(value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    return clean(str(value.get("summary") or value.get("name") or value.get("id") or ""), 200)


def _names(value: Any) -> tuple[str, ...]:
    return tuple(_summary(item) for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def _merged_into(reason: Any) -> str:
    if not isinstance(reason, dict) or reason.get("type") != "merge_resolve_reason":
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

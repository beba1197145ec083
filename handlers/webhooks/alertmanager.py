"""`POST /webhooks/alertmanager`: Alertmanager's webhook, version 4 of its body.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. Alertmanager retries 5xx at once and
other errors at the next group_interval only, so trouble of our own answers 503.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal

from pydantic import Field, ValidationError

from bot.incidents.model import Alert
from bot.incidents.sources import ALERTMANAGER
from bot.reception import Notification
from bot.text import clean
from handlers.webhooks.reading import Lenient, Malformed, explain, in_utc, parse_json

LONGEST_KEY = 500  # characters; an index entry of PostgreSQL has room for some 2,700 bytes


class AlertBody(Lenient):
    """One alert of the body."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    startsAt: datetime | None = None  # noqa: N815 - Alertmanager's name
    endsAt: datetime | None = None  # noqa: N815
    generatorURL: str = ""  # noqa: N815
    fingerprint: str = Field(min_length=1, max_length=64)


class Body(Lenient):
    """The body; fields that newer servers add are ignored."""

    version: Literal["4"]
    groupKey: str = Field(min_length=1)  # noqa: N815
    alerts: list[AlertBody]
    truncatedAlerts: int = Field(default=0, ge=0)  # noqa: N815


def read(raw: bytes) -> Notification:
    """Parse a body.

    Raises:
        Malformed: it is none that Alertmanager sends; the message says why.
    """
    try:
        body = Body.model_validate(parse_json(raw))
    except ValidationError as error:
        raise Malformed(explain(error)) from error
    hash_ = hashlib.sha256(body.groupKey.encode()).hexdigest()
    key = _short(body.groupKey, hash_)
    made = [(alert.status, _alert(key, alert)) for alert in body.alerts]
    return Notification(
        group_key=key,
        firing=tuple(alert for status, alert in made if status == "firing"),
        resolved=tuple(alert for status, alert in made if status == "resolved"),
        truncated=body.truncatedAlerts,
        key_hash=hash_,
    )


def _short(key: str, hash_: str) -> str:
    """Return a group's key, or what stands for one that is too long for PostgreSQL's index."""
    return key if len(key) <= LONGEST_KEY else f"{key[:LONGEST_KEY]}#{hash_}"


def _alert(group_key: str, alert: AlertBody) -> Alert:
    return Alert(
        source=ALERTMANAGER,
        group_key=group_key,
        fingerprint=alert.fingerprint,
        name=clean(alert.labels.get("alertname", "Alert"), 200),
        labels=alert.labels,
        annotations=alert.annotations,
        starts_at=_moment(alert.startsAt),
        ends_at=_moment(alert.endsAt),
        url=alert.generatorURL,
    )


def _moment(value: datetime | None) -> datetime | None:
    # Go's zero time, 0001-01-01, stands for "not yet".
    return in_utc(value) if value and value.tzinfo and value.year > 1970 else None

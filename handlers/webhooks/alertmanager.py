"""`POST /webhooks/alertmanager`: Alertmanager's webhook, version 4 of its body, and Grafana's, which calls itself 1.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. Alertmanager retries 5xx at once and
other errors at the next group_interval only, so trouble of our own answers 503. What is harmlessly odd is taken in:
nobody resends an alert in a better form.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, WithJsonSchema, WrapValidator

from bot.incidents.model import Alert
from bot.incidents.sources import ALERTMANAGER
from bot.reception import Notification
from bot.text import clean
from handlers.webhooks import grafana
from handlers.webhooks.labels import LONGEST, fingerprint, fit, text, texts
from handlers.webhooks.misdirected import misdirected
from handlers.webhooks.reading import Lenient, Malformed, explain, in_utc, parse_json

_QUOTED = re.compile(r"\\(.)")  # Alertmanager sends the receiver's name with regexp.QuoteMeta's backslashes
LONGEST_KEY = 500  # characters; an index entry of PostgreSQL has room for some 2,700 bytes
MOST_FIRING = 20_000  # alerts of a body that are kept; of the others the number is
NAMED = 5  # alerts that cannot be read and are named
OVER = frozenset({"resolved", "ok", "normal", "inactive"})  # every other word for an alert's state is loud
GRAFANAS = frozenset({"values", "valueString", "dashboardURL", "panelURL", "silenceURL", "imageURL", "ruleUID"})
_ANY_MOMENT = TypeAdapter(datetime)


def _object(value: Any) -> Any:
    return value if isinstance(value, dict) else {}


def _address(value: Any) -> str:
    return value if isinstance(value, str) and value.startswith(("http://", "https://")) else ""


def _count(value: Any) -> int:
    number = value if isinstance(value, int) else int(value) if isinstance(value, str) and value.isdecimal() else 0
    return max(int(number), 0)


def _moment(value: Any) -> datetime | None:
    """Return a moment in UTC; None for what is none, and for Go's zero time, which stands for "not yet"."""
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else _ANY_MOMENT.validate_python(value)
    except ValueError:
        try:
            moment = _ANY_MOMENT.validate_python(value)
        except ValidationError:
            return None
    try:
        moment = in_utc(moment if moment.tzinfo else _ANY_MOMENT.validate_python(f"{moment.isoformat()}Z"))
    except Malformed:
        return None
    return moment if moment.year > 1970 else None


def _or_why(value: Any, read: Any) -> Any:
    """Return an alert, or why it cannot be read: the others of its body are no worse for it."""
    try:
        return read(value)
    except ValidationError as error:
        return Unread(explain(error))


class Unread(str):
    """Why an alert cannot be read."""

    __slots__ = ()


Text = Annotated[str, BeforeValidator(text)]
Texts = Annotated[dict[str, str], BeforeValidator(texts)]
Address = Annotated[str, BeforeValidator(_address)]
Moment = Annotated[
    datetime | None,
    BeforeValidator(_moment),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}),
]


class AlertBody(Lenient):
    """One alert of the body; the fields from `values` on are Grafana's."""

    status: Annotated[Text, WithJsonSchema({"enum": ["firing", "resolved"]})] = ""
    labels: Texts = Field(default_factory=dict)
    annotations: Annotated[Texts, BeforeValidator(_object)] = Field(default_factory=dict)
    startsAt: Moment = None  # noqa: N815 - Alertmanager's name
    endsAt: Moment = None  # noqa: N815
    generatorURL: Text = ""  # noqa: N815
    fingerprint: Text = ""
    values: Annotated[dict[str, Any], BeforeValidator(_object)] = Field(default_factory=dict)
    valueString: Text = ""  # noqa: N815
    dashboardURL: Address = ""  # noqa: N815
    panelURL: Address = ""  # noqa: N815
    silenceURL: Address = ""  # noqa: N815
    imageURL: Address = ""  # noqa: N815
    ruleUID: Text = ""  # noqa: N815

    @property
    def links(self) -> dict[str, str]:
        """Grafana's facts by the names of the annotations that hold them."""
        return {
            "dashboard_url": self.dashboardURL,
            "panel_url": self.panelURL,
            "silence_url": self.silenceURL,
            "image_url": self.imageURL,
            "rule_uid": self.ruleUID or self.labels.get("__alert_rule_uid__", ""),
        }


class Body(Lenient):
    """The body; fields that newer servers add are ignored."""

    version: Annotated[Literal["4", "1"], BeforeValidator(text)]
    groupKey: Annotated[str, BeforeValidator(text), Field(min_length=1)]  # noqa: N815
    alerts: Annotated[
        list[Annotated[AlertBody, WrapValidator(_or_why)]],
        BeforeValidator(lambda value: [] if value is None else value),
    ]
    status: Annotated[Text, WithJsonSchema({"enum": ["firing", "resolved"]})] = ""
    truncatedAlerts: Annotated[int, BeforeValidator(_count), Field(ge=0)] = 0  # noqa: N815
    receiver: Text = ""


def read(raw: bytes, source: str = ALERTMANAGER) -> Notification:
    """Parse a body.

    Args:
        raw: the body.
        source: where it came from.

    Raises:
        Malformed: it is none that Alertmanager or Grafana sends, or none of its alerts can be read; the message says
            why.
    """
    value = parse_json(raw)
    try:
        body = Body.model_validate(value)
    except ValidationError as error:
        raise Malformed(misdirected(value, ALERTMANAGER) or explain(error)) from error
    found: list[AlertBody | Unread] = list(body.alerts)
    unread = [f"alerts.{n}: {each}" for n, each in enumerate(found) if isinstance(each, Unread)]
    sent = [each for each in found if not isinstance(each, Unread)]
    if unread and not sent:
        raise Malformed("; ".join(unread[:NAMED]))
    hash_ = hashlib.sha256(body.groupKey.encode()).hexdigest()
    key = _short(body.groupKey, hash_)
    firing = [each for each in sent if (each.status or body.status).strip().lower() not in OVER]
    resolved = [each for each in sent if (each.status or body.status).strip().lower() in OVER]
    return Notification(
        receiver=_QUOTED.sub(r"\1", body.receiver)[:LONGEST_KEY],
        group_key=key,
        firing=tuple(_alert(source, key, each) for each in firing[:MOST_FIRING]),
        resolved=tuple(_alert(source, key, each) for each in resolved),
        truncated=body.truncatedAlerts + max(len(firing) - MOST_FIRING, 0),
        source=source,
        key_hash=hash_,
        tester=grafana.tester(body.version, body.groupKey, sent),
        unread=tuple(unread[:NAMED]),
    )


def _short(key: str, hash_: str) -> str:
    """Return a group's key, or what stands for one that is too long for PostgreSQL's index."""
    return key if len(key) <= LONGEST_KEY else f"{key[:LONGEST_KEY]}#{hash_}"


def _alert(source: str, group_key: str, alert: AlertBody) -> Alert:
    extra = {} if alert.model_fields_set.isdisjoint(GRAFANAS) else grafana.told(alert)
    ends_at = alert.endsAt
    if ends_at and alert.startsAt and ends_at < alert.startsAt:
        ends_at = alert.startsAt  # two clocks wrote them: it did end
    return Alert(
        source=source,
        group_key=group_key,
        fingerprint=fingerprint(alert.fingerprint, alert.labels),
        name=clean(grafana.name_of(alert.labels), 200),
        labels=fit(alert.labels),
        annotations=fit({**extra, **alert.annotations}),
        starts_at=alert.startsAt,
        ends_at=ends_at,
        url=alert.generatorURL if len(alert.generatorURL) <= LONGEST else "",
    )

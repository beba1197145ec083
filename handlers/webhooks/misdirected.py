"""Recognizes bodies that are meant for another address or come from a retired version, and says where they belong.

Sources: PagerDuty's V1 and V2 webhooks (https://developer.pagerduty.com/docs/webhooks-v2-overview), its Events APIs V1
and V2, Alertmanager's webhook and its API, Slack's Events API and interactivity, Grafana's legacy alerting.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bot.incidents.sources import ALERTMANAGER, PAGERDUTY

HINT = 64 * 1024  # bytes of an unsigned body that is looked at for a hint

_V3 = (
    "Sitrep takes V3 webhooks. In PagerDuty, open Integrations > Generic Webhooks (v3) and add a subscription to this "
    "address for all incident events, then put its signing secret into PAGERDUTY_WEBHOOK_SECRETS"
)
_SLACK = frozenset({"url_verification", "event_callback", "block_actions", "view_submission", "shortcut"})


def misdirected(body: Any, here: str) -> str:
    """Return what a body is that does not belong `here`, and where to send it; empty where that is not known."""
    for source, is_one, advice in _KNOWN:
        if source != here and is_one(body):
            return advice
    return ""


def hint(raw: bytes, here: str) -> str:
    """Return the same for a body that nobody has vouched for; empty where it is long or no JSON."""
    if len(raw) > HINT:
        return ""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return _SLACK_FORM if raw.startswith((b"payload=", b"token=")) or b"&command=%2F" in raw else ""
    return misdirected(body, here)


def _has(body: Any, *names: str) -> bool:
    return isinstance(body, dict) and all(name in body for name in names)


def _is_v1(body: Any) -> bool:
    return _is_legacy(body) and any("data" in m and "event" not in m for m in body["messages"] if isinstance(m, dict))


def _is_legacy(body: Any) -> bool:
    return _has(body, "messages") and isinstance(body["messages"], list)


def _is_v3(body: Any) -> bool:
    return _has(body, "event") and _has(body["event"], "event_type")


def _is_notification(body: Any) -> bool:
    return _has(body, "alerts") and (_has(body, "groupKey") or _has(body, "receiver"))


def _are_alerts(body: Any) -> bool:
    alerts = body.get("alerts") if isinstance(body, dict) and len(body) == 1 else body
    return isinstance(alerts, list) and bool(alerts) and all(_has(alert, "labels") for alert in alerts)


def _is_slack(body: Any) -> bool:
    return _has(body, "type") and isinstance(body["type"], str) and body["type"] in _SLACK


_SLACK_FORM = "This is a request of Slack's: set the app's request URLs to /slack/events"
_KNOWN: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("", _is_v1, f"This is PagerDuty's V1 webhook, which PagerDuty has retired. {_V3}"),
    ("", _is_legacy, f"This is PagerDuty's V2 webhook. {_V3}"),
    (PAGERDUTY, _is_v3, "This is PagerDuty's webhook: set the subscription's address to /webhooks/pagerduty"),
    (
        "",
        lambda body: _has(body, "routing_key", "event_action") or _has(body, "service_key", "event_type"),
        "This is an event for PagerDuty's Events API: send it to https://events.pagerduty.com/v2/enqueue",
    ),
    (
        ALERTMANAGER,
        _is_notification,
        "This is Alertmanager's webhook: set `url` in its webhook_configs to /webhooks/alertmanager",
    ),
    (
        "",
        _are_alerts,
        (
            "These are alerts for Alertmanager's own API: point Prometheus at Alertmanager, and Alertmanager's "
            "webhook_configs at /webhooks/alertmanager"
        ),
    ),
    (
        "",
        lambda body: _has(body, "ruleName", "evalMatches"),
        (
            "This is Grafana's legacy alerting: use a webhook contact point of Grafana's unified alerting (version 9 "
            "and later) with /webhooks/alertmanager"
        ),
    ),
    ("", _is_slack, _SLACK_FORM),
)

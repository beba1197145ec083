"""What senders send: Alertmanager's and PagerDuty's bodies, made here or as they were recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
GROUP = '{}:{alertname="HighErrorRate"}'


def body(
    *alerts: Mapping[str, Any], status: str = "firing", group: str = GROUP, truncated: int = 0, **changes: Any
) -> dict[str, Any]:
    """Make an Alertmanager body."""
    return {
        "version": "4",
        "groupKey": group,
        "status": status,
        "receiver": "sitrep",
        "truncatedAlerts": truncated,
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "alerts": list(alerts),
        **changes,
    }


def alert(fingerprint: str = "aa", status: str = "firing", **changes: Any) -> dict[str, Any]:
    """Make one alert of a body."""
    return {
        "status": status,
        "labels": {"alertname": "HighErrorRate", "severity": "critical", "service": "checkout", "region": "eu-west-1"},
        "annotations": {"summary": "5xx above 5%", "metric": "http_errors_total", "threshold": "1%", "value": "7.5%"},
        "startsAt": "2026-11-21T06:55:43.4017449Z",
        "endsAt": "2026-11-21T07:10:43.4017449Z" if status == "resolved" else "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": fingerprint,
        **changes,
    }


def warning(fingerprint: str = "aa", status: str = "firing", **changes: Any) -> dict[str, Any]:
    """Make an alert that is worth a look, not an incident."""
    labels = {"alertname": "DiskFills", "severity": "warning", "service": "orders-db"}
    return alert(fingerprint, status, **{"labels": labels, "annotations": {"summary": "80% used"}, **changes})


def recorded(number: int) -> bytes:
    """Give a body that a real Alertmanager 0.25 has sent, byte for byte."""
    (path,) = (FIXTURES / "alertmanager").glob(f"alertmanager-{number:02d}-*.json")
    return path.read_bytes()


def pagerduty(name: str, *, event_id: str = "", after: float | None = None, **data: Any) -> dict[str, Any]:
    """Give a PagerDuty event after its documentation.

    Args:
        name: the fixture's name.
        event_id: another event id, for an event of its own.
        after: seconds between the triggered fixture's `occurred_at` and this one's, instead of its own.
        data: fields of `event.data` that differ.
    """
    envelope = json.loads((FIXTURES / "pagerduty" / f"{name}.json").read_text())
    event = envelope["event"]
    event["data"].update(data)
    event["id"] = event_id or event["id"]
    if after is not None:
        first = datetime.fromisoformat(pagerduty("incident.triggered")["event"]["occurred_at"])
        event["occurred_at"] = (first + timedelta(seconds=after)).isoformat()
    return dict(envelope)


def grafana(status: str = "firing", *, group: str = "", **changes: Any) -> dict[str, Any]:
    """Make the body of Grafana's webhook with one alert, of which `changes` are fields."""
    labels = {"alertname": "High memory usage", "grafana_folder": "Shop", "team": "blue", "zone": "us-1"}
    one = {
        "status": status,
        "labels": labels,
        "annotations": {},
        "startsAt": "2026-11-21T07:55:43.157076+01:00",
        "endsAt": "2026-11-21T08:10:00+01:00" if status == "resolved" else "0001-01-01T00:00:00Z",
        "generatorURL": "https://grafana.example/alerting/grafana/dfz1/view?orgId=1",
        "fingerprint": "c279ea6550cf8427",
        "silenceURL": "https://grafana.example/alerting/silence/new?alertmanager=grafana&orgId=1",
        "dashboardURL": "https://grafana.example/d/abcd?orgId=1",
        "panelURL": "https://grafana.example/d/abcd?orgId=1&viewPanel=4",
        "imageURL": "https://grafana.example/img/9.png",
        "values": {"B": 44.23943737541908, "C": 1},
        "valueString": "[ var='B' labels={pod=cart-1} value=44.23943737541908 ]",
        **changes,
    }
    key = group or '{}/{__grafana_receiver__="sitrep"}:{alertname="High memory usage", grafana_folder="Shop"}'
    extra = {"orgId": 1, "title": "[FIRING:1] High memory usage", "state": "alerting", "message": "**Firing**"}
    return {**body(one, status=status, group=key, version="1"), **extra}


def grafana_test(second: int = 7, **changes: Any) -> dict[str, Any]:
    """Make what Grafana's test button sends: each press is a group of its own."""
    one = {
        "labels": {"alertname": "TestAlert", "instance": "Grafana"},
        "annotations": {"summary": "Notification test"},
        "generatorURL": "",
        "dashboardURL": "",
        "panelURL": "",
        "values": None,
        "valueString": "[ metric='foo' labels={instance=bar} value=10 ]",
        **changes,
    }
    key = f'{{alertname="TestAlert", instance="Grafana"}}2026-11-29 08:12:{second:02}.92607674 +0100 CET m=+448423.18'
    return grafana(group=key, **one)

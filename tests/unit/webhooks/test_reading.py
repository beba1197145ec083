"""Bodies from outside become typed values, cleaned, or one typed error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from handlers.webhooks import alertmanager, pagerduty
from handlers.webhooks.reading import MAX_DEPTH, Malformed, parse_json
from tests.integration import bodies


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (rb'"a\u0000b\u0007c\td\ne"', "abc\td\ne"),
        (rb'"\u202eevil\u2066"', "evil"),
        (rb'"\ud800x"', "?x"),
        ('"\U0001f4a5 \U00020000 \u00e9"'.encode(), "\U0001f4a5 \U00020000 \u00e9"),
        (rb'"\ud83d\udca5"', "\U0001f4a5"),
        (rb'{"k\u0000ey": ["a\u0000", {"b": null}]}', {"key": ["a", {"b": None}]}),
    ],
)
def test_text_is_made_fit_to_store(raw: bytes, value: Any) -> None:
    """Control characters and overrides go, lone surrogates are replaced, and all other text stays."""
    assert parse_json(raw) == value


def test_nesting_is_bounded() -> None:
    """The deepest body that is taken has the documented depth; one more, or ten thousand more, is refused."""
    assert parse_json(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 500, 990, 10_000):
        with pytest.raises(Malformed, match="nested too deep"):
            parse_json(nested(depth))


def test_a_recorded_body_is_read_in_full() -> None:
    """Sample 5: one alert over, one firing, with the times that Alertmanager wrote in nanoseconds."""
    read = alertmanager.read(bodies.recorded(5))
    assert read.group_key == '{}:{alertname="HighErrorRate", cluster="eu1"}'
    (over,), (fires,) = read.resolved, read.firing
    assert (over.fingerprint, fires.fingerprint) == ("caae61f849f563be", "360cbe186ac3040d")
    assert over.ends_at == datetime(2026, 11, 21, 6, 55, 45, tzinfo=UTC)
    assert fires.starts_at == datetime(2026, 11, 21, 6, 55, 43, 401744, tzinfo=UTC)
    assert fires.ends_at is None
    assert (fires.name, fires.labels["instance"], fires.annotations["summary"]) == (
        "HighErrorRate",
        "b:9090",
        "5xx above 5%",
    )


def test_the_error_names_the_field() -> None:
    """Whoever mends the sender reads which fields are wrong."""
    with pytest.raises(Malformed, match="version: "):
        alertmanager.read(json.dumps(bodies.body(bodies.alert(), version="5")).encode())
    with pytest.raises(Malformed, match=r"alerts\.0: labels: "):
        alertmanager.read(json.dumps(bodies.body(bodies.alert(labels=[]))).encode())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "incident.triggered",
            {
                "incident_id": "PGR0VU2",
                "incident_key": "d3640fbd41094207a1c11e58e46b1662",
                "number": "2",
                "title": "Checkout answers 5xx",
                "service": "Checkout API",
                "priority": "P1",
                "urgency": "high",
                "assignees": ("Olivia Oncall",),
                "agent_is_user": False,
                "agent_name": "Checkout API",
                "created_at": datetime(2026, 11, 20, 14, 0, tzinfo=UTC),
                "merged_into": "",
            },
        ),
        (
            "incident.triggered-nulls",
            {"incident_key": "", "service": "", "priority": "", "assignees": (), "agent_id": "", "agent_name": ""},
        ),
        ("incident.acknowledged", {"agent_id": "PTUXL6G", "agent_name": "Olivia Oncall", "agent_is_user": True}),
        (
            "incident.annotated",
            {"incident_id": "PGR0VU2", "title": "Checkout answers 5xx", "text": "The pool of db-3 is exhausted"},
        ),
        ("incident.status_update_published", {"incident_id": "PGR0VU2"}),
        ("incident.responder.added", {"incident_id": "PGR0VU2", "person": "Maeve Lead"}),
        ("incident.responder.added-nulls", {"incident_id": "PGR0VU2", "person": "", "text": ""}),
        ("incident.custom_field_values.updated", {"incident_id": "PGR0VU2", "title": ""}),
        ("incident.resolved-merged", {"merged_into": "Orders database is down"}),
        ("incident.resolved", {"merged_into": ""}),
        ("pagey.ping", {"incident_id": "", "type": "pagey.ping"}),
        ("service.updated", {"incident_id": "", "type": "service.updated"}),
    ],
)
def test_a_pagerduty_event_is_read_by_its_fields(name: str, expected: dict[str, Any]) -> None:
    """Full incidents and references, present and null fields end in the same flat event."""
    read = pagerduty.read(json.dumps(bodies.pagerduty(name)).encode())
    assert {field: getattr(read, field) for field in expected} == expected
    assert read.occurred_at.tzinfo is UTC

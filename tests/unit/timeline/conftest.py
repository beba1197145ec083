from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.incidents.model import Actor, Event, Incident, Person, Role, Status
from bot.incidents.policy import Severity
from bot.timeline.export import AlertRow, Dossier

START = datetime(2026, 11, 20, 14, 32, 5, 123987, tzinfo=UTC)  # a Friday
ALICE = Actor("human", "U1", "Alice")


@pytest.fixture(scope="session")
def at() -> Callable[[float], datetime]:
    """Give the moment so many seconds after the start."""
    return lambda seconds: START + timedelta(seconds=seconds)


@pytest.fixture(scope="session")
def make_event(at: Callable[[float], datetime]) -> Callable[..., Event]:
    """Make an event; `when` and `late` are seconds."""

    def make(seq: int, kind: str = "note", *, when: float | None = None, late: float = 0, **changes: Any) -> Event:
        occurred = at(seq if when is None else when)
        facts = {"actor": ALICE, "text": "", "data": {}} | changes
        return Event(seq, occurred, occurred + timedelta(seconds=late), kind, **facts)

    return make


@pytest.fixture(scope="session")
def make_incident(at: Callable[[float], datetime]) -> Callable[..., Incident]:
    """Make a resolved incident, but for these changes."""

    def make(**changes: Any) -> Incident:
        facts: dict[str, Any] = {
            "number": "INC-20261120-001",
            "title": "Quota checks fail",
            "severity": Severity.SEV1,
            "status": Status.RESOLVED,
            "declared_at": at(60),
            "declared_by": ALICE,
            "service": "metering",
            "region": "eu-1",
            "impact": "no quota checks",
            "tenants": "acme",
            "correlation_id": "c-1",
            "resource_name": "core:eu-1:acme",
            "roles": {Role.LEAD: Person("U1", "Alice"), Role.SCRIBE: Person("U2", "Bob")},
            "started_at": at(0),
            "detected_at": at(30),
            "acknowledged_at": at(120),
            "mitigated_at": at(900),
            "resolved_at": at(1680.9),
            "channel_id": "C1",
            "channel_name": "incident-20261120-001",
        }
        return Incident(**(facts | changes))

    return make


@pytest.fixture(scope="session")
def dossier(
    at: Callable[[float], datetime], make_event: Callable[..., Event], make_incident: Callable[..., Incident]
) -> Dossier:
    """An ordinary incident with its events in no order."""
    events = (
        make_event(2, "declared", when=60, data={"z": 1, "a": {"d": 1, "c": [1, 2]}}, text="Declared"),
        make_event(1, "alert_fired", when=30, actor=Actor("alert", "alertmanager", "Alertmanager"), text="High"),
        make_event(4, "note", when=45, late=600, text="saw it earlier", source="https://x.slack.com/archives/C1/p1"),
        make_event(3, "acknowledged", when=120, late=60),
        make_event(5, "followup_added", when=700, text="raise the pool", data={"owner": "Bob", "due": at(0).date()}),
        make_event(6, "followup_added", when=701, text="review the limits"),
        make_event(7, "followup_done", when=800, data={"followup": 5}),
        make_event(8, "resolved", when=1680, data={"to": "resolved"}),
    )
    alerts = (AlertRow("HighErrorRate", "resolved", {"b": "2", "a": "1"}, at(30), at(1500), "0.042"),)
    return Dossier(make_incident(), events, alerts)

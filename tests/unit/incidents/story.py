"""An incident's hours, told by hand: a clock, the incident, and everything that happened to it, minute by minute."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.incidents import commands as c
from bot.incidents.machine import decide
from bot.incidents.model import Actor, Alert, Decision, Delivery, Event, Incident, Person, TimerKind
from bot.incidents.policy import DEFAULT_POLICY, Level, Policy, Severity

START = datetime(2026, 11, 21, 3, 0, 0, tzinfo=UTC)  # 3 am, of course
NUMBER = "INC-20261121-001"

ALICE = Actor("human", "U1", "Alice")
BOB = Actor("human", "U2", "Bob")
ALICE_PERSON = Person("U1", "Alice")
BOB_PERSON = Person("U2", "Bob")

LADDER = (
    Level("On-call SRE", 0, ("alice@example.com",)),
    Level("SRE Team Lead", 5 * 60, ("bob@example.com",)),
    Level("Engineering Manager", 15 * 60, ("charlie@example.com",)),
    Level("VP Engineering", 30 * 60, ("dana@example.com",)),
)


def policy_with(**rows: dict[str, Any]) -> Policy:
    """Give the default policy but for these fields of these severities."""
    return Policy({name: replace(row, **rows.get(name.value, {})) for name, row in DEFAULT_POLICY.severities.items()})


POLICY = policy_with(sev1={"ladder": LADDER}, sev2={"ladder": LADDER})


def an_alert(fingerprint: str = "aa", **changes: Any) -> Alert:
    """Make an alert of a checkout that fails."""
    facts: dict[str, Any] = {
        "source": "alertmanager",
        "group_key": "{}:{}",
        "name": "HighErrorRate",
        "labels": {"alertname": "HighErrorRate", "region": "eu-west-1"},
        "annotations": {"value": "7.5%"},
        "starts_at": START - timedelta(minutes=4),
    }
    return Alert(fingerprint=fingerprint, **{**facts, **changes})


class Story:
    """One incident from its declaration on. Minutes are counted from there.

    Timers fire at exactly the moment at which they are due, and before a command of the same moment; `away` is the
    exception: nothing fires until its end, as when the service is down.
    """

    def __init__(self, severity: Severity = Severity.SEV2, policy: Policy = POLICY, **facts: Any) -> None:
        self.policy = policy
        self.now = START
        self.events: list[Event] = []
        self.deliveries: list[Delivery] = []
        made = c.Declare(NUMBER, "Checkout is down", severity, ALICE, **facts)
        self.incident: Incident = self._keep(decide(None, made, policy, START)).incident

    @property
    def minute(self) -> float:
        """Minutes since the declaration."""
        return (self.now - START).total_seconds() / 60

    def do(self, *commands: c.Command) -> Decision:
        """Do some commands now; gives the last decision."""
        for command in commands:
            decision = self._keep(decide(self.incident, command, self.policy, self.now))
        return decision

    def at(self, minute: float) -> Story:
        """Let time pass, every timer being punctual."""
        end = moment(minute)
        while (timer := self.incident.due(end)) is not None:
            self.now = max(self.now, timer.due_at)
            self.do(c.TimerFired(timer.key))
        self.now = end
        return self

    def away(self, minute: float) -> Story:
        """Let time pass with nobody there to look at the timers until its end."""
        self.now = moment(minute)
        return self.at(minute)

    def kinds(self) -> list[str]:
        """The kinds of all that is on the timeline."""
        return [event.kind for event in self.events]

    def of(self, kind: str) -> list[Event]:
        """The events of a kind."""
        return [event for event in self.events if event.kind == kind]

    def armed(self) -> dict[str, float]:
        """What is armed: kind (a ladder's step with its level) and the minute at which it is due."""
        named = {(f"ladder {t.level}" if t.kind is TimerKind.LADDER else t.kind.value): t for t in self.incident.timers}
        assert len(named) == len(self.incident.timers), "two of a kind are armed"
        return {name: (timer.due_at - START).total_seconds() / 60 for name, timer in named.items()}

    def table(self) -> list[tuple[float, str]]:
        """What happened and when: (minute, kind), with the level and the reason of a page and how late a notice is."""
        return [((event.recorded_at - START).total_seconds() / 60, _tell(event)) for event in self.events]

    def _keep(self, decision: Decision) -> Decision:
        self.incident = decision.incident
        self.events += decision.events
        self.deliveries += decision.deliveries
        return decision


def moment(minute: float) -> datetime:
    """Give the moment so many minutes after the declaration."""
    return START + timedelta(minutes=minute)


def _tell(event: Event) -> str:
    if event.kind in {"paged", "escalated"}:
        return f"{event.kind} {event.data['level']} {event.data['reason']}"
    if event.kind == "update_overdue":
        return f"update_overdue by {event.data['late_seconds'] / 60:g}"
    return event.kind

"""A PagerDuty event as values: what happened, to which PagerDuty incident, and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from bot.incidents.model import Actor
from bot.incidents.sources import PAGERDUTY

# The types that move a PagerDuty incident, and the state that each leaves it in.
STATES = {
    "incident.triggered": "triggered",
    "incident.acknowledged": "acknowledged",
    "incident.unacknowledged": "triggered",
    "incident.reopened": "triggered",
    "incident.resolved": "resolved",
}
OVER = frozenset({"resolved", "merged"})
# An acknowledgement given before one of these counts no more.
DISOWNS = frozenset({"incident.unacknowledged", "incident.reopened"})


@dataclass(frozen=True, slots=True)
class Bridge:
    """Where responders meet: a conference's address and its telephone numbers."""

    url: str = ""
    numbers: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return True where there is anything to join."""
        return bool(self.url or self.numbers)

    def __str__(self) -> str:
        """Return it as people read it."""
        return ", ".join(part for part in (self.url, *self.numbers) if part)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return {"url": self.url, "numbers": list(self.numbers)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any] | None) -> Self:
        """Return what `to_json` wrote."""
        return cls(kept["url"], tuple(kept["numbers"])) if kept else cls()


@dataclass(frozen=True, slots=True)
class RoleChange:
    """A role of the PagerDuty incident, who has it now and who had it; empty is nobody."""

    role: str
    assignee: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class PagerDutyEvent:
    """An event, by the fields that matter here; absent ones are empty.

    `is_full` says that it brings the whole PagerDuty incident and not a reference to it. `named` is what a task, an
    action, a workflow or an incident type is called, `detail` what else is said of it, `fields` are custom fields.
    """

    id: str
    type: str
    occurred_at: datetime
    agent_id: str = ""
    agent_name: str = ""
    agent_is_user: bool = False
    is_full: bool = False
    incident_id: str = ""
    incident_key: str = ""
    number: str = ""
    title: str = ""
    url: str = ""
    service: str = ""
    service_id: str = ""
    priority: str = ""
    urgency: str = ""
    created_at: datetime | None = None
    assignees: tuple[str, ...] = ()
    merged_into: str = ""
    text: str = ""
    person: str = ""
    policy: str = ""
    state: str = ""
    named: str = ""
    detail: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    roles: tuple[RoleChange, ...] = ()
    bridge: Bridge | None = None

    @property
    def actor(self) -> Actor:
        """Who caused it."""
        if self.agent_is_user:
            return Actor("human", self.agent_id, self.agent_name or self.agent_id)
        return Actor("alert", PAGERDUTY, self.agent_name or "PagerDuty")


def is_newer(data: Mapping[str, Any], key: str, moment: datetime) -> bool:
    """Return True unless what a PagerDuty incident's facts hold under `key` occurred later than this."""
    known = data.get(key)
    return not known or moment >= datetime.fromisoformat(known)

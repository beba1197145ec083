"""Incidents, their events, timers and deliveries, as values. All times are aware UTC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.incidents.away import Away
from bot.incidents.digest import Digest
from bot.incidents.heard import Heard
from bot.incidents.policy import DEFAULT_POLICY, Policy, Severity, SeverityPolicy
from bot.incidents.runs import Mitigation, Run, run_of


class Status(StrEnum):
    """Where an incident stands."""

    TRIAGE = "triage"
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    MERGED = "merged"
    DECLINED = "declined"

    @property
    def is_open(self) -> bool:
        """True while somebody has to work on it."""
        return self in OPEN_STATUSES


OPEN_STATUSES = frozenset({Status.TRIAGE, Status.INVESTIGATING, Status.IDENTIFIED, Status.MONITORING})


class Role(StrEnum):
    """The roles that can be assigned. The lead is the incident commander."""

    LEAD = "lead"
    TECH_LEAD = "tech_lead"
    COMMUNICATIONS = "communications"
    SCRIBE = "scribe"


class TimerKind(StrEnum):
    """What can wake an incident up."""

    UPDATE_REMINDER = "update_reminder"
    UPDATE_OVERDUE = "update_overdue"
    UPDATE_CLIMB = "update_climb"
    CADENCE_RESUME = "cadence_resume"
    LADDER = "ladder"
    ALERT_DIGEST = "alert_digest"
    FLAP_HOLD = "flap_hold"
    ROLLBACK = "rollback"
    HANDOFF = "handoff"


CADENCE_KINDS = frozenset({TimerKind.UPDATE_REMINDER, TimerKind.UPDATE_OVERDUE, TimerKind.UPDATE_CLIMB})
# Alerts go on after the end of their incident, and so do these.
ALERT_KINDS = frozenset({TimerKind.ALERT_DIGEST, TimerKind.FLAP_HOLD})

# The kinds of timeline events: a contract with whoever reads exports.
KINDS = frozenset(
    [
        "alert_fired",
        "alert_resolved",
        "declared",
        "channel_opened",
        "runbook_posted",
        "runbook_step_done",
        "runbook_step_skipped",
        "runbook_step_undone",
        "severity_changed",
        "status_changed",
        "role_assigned",
        "handoff",
        "paged",
        "page_delivered",
        "page_failed",
        "acknowledged",
        "escalated",
        "update_posted",
        "update_due",
        "update_overdue",
        "cadence_paused",
        "note",
        "pinned",
        "followup_added",
        "followup_done",
        "responder_joined",
        "mitigated",
        "resolved",
        "reopened",
        "merged",
        "cancelled",
        "declined",
        "closed",
        "delivery_failed",
        "exported",
    ]
)


class Refused(Exception):  # noqa: N818 - the word a responder is told
    """A command does not fit the incident's state. `code` is for machines; the message names what to do instead."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something: `type` is human, bot, alert or system; `id` a Slack user id or the source's name."""

    type: str
    id: str
    name: str


SYSTEM = Actor("system", "sitrep", "Sitrep")


@dataclass(frozen=True, slots=True)
class Person:
    """A human in Slack, by user id and the name to print."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Handoff:
    """The command of an incident, offered to somebody who has not accepted yet."""

    to: Person
    by: Person
    at: datetime
    slot: str = ""  # the delivery that offers it


class TaskState(StrEnum):
    """Where a task stands."""

    OPEN = "open"
    DONE = "done"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do during the incident; `id` counts from 1 within it. Nobody has it where `owner_id` is empty."""

    id: int
    text: str
    owner_id: str = ""
    owner: str = ""
    state: TaskState = TaskState.OPEN

    @property
    def is_open(self) -> bool:
        """True while it is to be done."""
        return self.state is TaskState.OPEN


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as its source tells it. `fingerprint` is an identity within the group, never an authentication."""

    source: str
    group_key: str
    fingerprint: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    url: str = ""

    def fact(self, *names: str) -> str:
        """Give the first non-empty value among annotations, then labels, of these names; else an empty string."""
        for name in names:
            value = self.annotations.get(name) or self.labels.get(name)
            if value:
                return value
        return ""


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the timeline: append-only. `seq` counts from 1 within the incident."""

    seq: int
    occurred_at: datetime
    recorded_at: datetime
    kind: str
    actor: Actor
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True, slots=True)
class Timer:
    """An armed timer; `key` is unique within the incident and never used again."""

    key: str
    kind: TimerKind
    due_at: datetime
    level: int = 0


# Whatever hangs elsewhere, what is in these lanes goes out.
PAGE_LANES = frozenset({"page", "pagerduty"})


@dataclass(frozen=True, slots=True)
class Delivery:
    """A call to the outside that must happen, once.

    `slot` names it within the incident. `needs` lists slots that must have been delivered before; `after` lists
    slots that must have ended, either way. Deliveries of one lane go out in order. A `coalesce` delivery is not
    added while an equal one still waits: it renders the state of the moment it is sent in. `wait` holds it back for
    so many seconds, so that what comes meanwhile goes along; where it `restarts`, each that is not added makes the
    waiting one wait so long from then.
    """

    kind: str
    slot: str
    lane: str
    data: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    coalesce: bool = False
    wait: int = 0
    restarts: bool = False


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident's state. Everything in it follows from its timeline and its armed timers."""

    number: str
    title: str
    severity: Severity
    status: Status
    declared_at: datetime
    declared_by: Actor = SYSTEM
    policy: Policy = DEFAULT_POLICY
    summary: str = ""
    impact: str = ""
    kind: str = "operational"
    drill: bool = False
    private: bool = False
    service: str = ""
    region: str = ""
    tenants: str = ""
    correlation_id: str = ""
    resource_name: str = ""
    host_role: str = ""
    trace_id: str = ""
    error_code: str = ""
    source: str = "slack"
    runbook_id: str = ""
    roles: Mapping[str, Person] = field(default_factory=dict)
    acknowledged_by: Actor | None = None
    started_at: datetime | None = None
    detected_at: datetime | None = None
    acknowledged_at: datetime | None = None
    mitigated_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    channel_id: str = ""
    channel_name: str = ""
    away: Away | None = None  # why it goes on outside its channel
    cadence_from: datetime | None = None
    paused_until: datetime | None = None
    cadence_every: int | None = None  # seconds, where the last update named its next
    last_update: str = ""
    ended_at: datetime | None = None  # resolved, cancelled or merged
    quiet_told: bool = False  # whether it was suggested to resolve it, since its alerts had ended
    merged_into: str = ""  # the number of the incident that goes on for it
    handoff: Handoff | None = None
    tasks: tuple[Task, ...] = ()
    subscribers: tuple[str, ...] = ()  # ids of people who are told of updates
    ladder_from: datetime | None = None
    ladder_level: int = 0
    opened_channel: bool = False
    paging: Mapping[str, Any] = field(default_factory=dict)  # by level: its pages that may still reach somebody
    digest: Digest = Digest()  # noqa: RUF009 - frozen
    heard: Heard = Heard()  # noqa: RUF009
    runs: tuple[Run, ...] = ()
    mitigations: tuple[Mitigation, ...] = ()  # those that are still in place
    timers: tuple[Timer, ...] = ()
    mitigation_seq: int = 0
    event_seq: int = 0
    timer_seq: int = 0
    delivery_seq: int = 0

    @property
    def lead(self) -> Person | None:
        """The incident commander, if there is one."""
        return self.roles.get(Role.LEAD)

    def is_shown_to(self, user_id: str) -> bool:
        """False where somebody must not even know of it: a private one that they have no part in."""
        people = {self.declared_by.id, *(person.id for person in self.roles.values()), *self.subscribers}
        people |= set(self.away.told) if self.away else set()
        return not self.private or user_id in people

    @property
    def run(self) -> Run | None:
        """The runbook that is being worked through, once it has been posted."""
        return run_of(self.runs, self.runbook_id)

    @property
    def beside(self) -> Run | None:
        """The checklist that stands in the runbook's message."""
        run = self.run
        return next((each for each in self.runs if each.checklist and run and each.slot == run.slot), None)

    @property
    def shown_runs(self) -> tuple[Run, ...]:
        """The runs that have a message of their own."""
        beside = self.beside
        return tuple(run for run in self.runs if beside is None or run.book != beside.book)

    @property
    def severity_name(self) -> str:
        """What people call its severity, in the words that were in force when it opened."""
        return self.policy.called(self.severity)

    @property
    def rule(self) -> SeverityPolicy:
        """What the policy frozen on the incident says of its present severity."""
        return self.policy.of(self.severity)

    @property
    def update_every(self) -> int | None:
        """Seconds until the next update: as the last one has said, else by the cadence; None without one."""
        return self.cadence_every or self.regular_every

    @property
    def regular_every(self) -> int | None:
        """Seconds between updates by the cadence: slower while a fix is watched; None without one."""
        rule = self.rule
        if rule.update_every and self.status is Status.MONITORING:
            return rule.monitoring_every or rule.update_every
        return rule.update_every

    @property
    def is_at_home(self) -> bool:
        """True while its messages go to a channel of its own."""
        return self.opened_channel and self.away is None

    @property
    def home_slot(self) -> str:
        """The delivery that gives its messages a place: its own channel, or a thread in the alerts channel.

        A private one has no such thread: while its channel cannot be written, they go out as direct messages.
        """
        return "channel" if self.is_at_home or (self.opened_channel and self.private) else "thread"

    def moved(self, needs: tuple[str, ...]) -> tuple[str, ...]:
        """Say what a message needs to go out in its present place that was to go out in another."""
        return tuple(self.home_slot if slot in {"channel", "thread"} else slot for slot in needs)

    @property
    def next_update_at(self) -> datetime | None:
        """When the next update is due; None without a cadence or while it is paused."""
        if not self.status.is_open or self.paused_until or self.cadence_from is None:
            return None
        every = self.update_every
        return self.cadence_from + timedelta(seconds=every) if every else None

    @property
    def update_is_overdue(self) -> bool:
        """True from the overdue notice to the next update."""
        return any(timer.kind is TimerKind.UPDATE_CLIMB for timer in self.timers)

    @property
    def next_page(self) -> Timer | None:
        """The ladder step that comes next unless somebody acknowledges."""
        return min((t for t in self.timers if t.kind is TimerKind.LADDER), key=lambda t: t.due_at, default=None)

    def is_late(self, made: Mitigation) -> bool:
        """True once the rollback of a change has been asked for."""
        return any(t.kind is TimerKind.ROLLBACK and t.level == made.id and t.due_at > made.due_at for t in self.timers)

    def due(self, now: datetime) -> Timer | None:
        """Give the timer to fire first of those that are due; at one moment the ladder's levels go in their order."""
        return min((t for t in self.timers if t.due_at <= now), key=lambda t: (t.due_at, t.kind, t.level), default=None)

    @property
    def duration(self) -> timedelta | None:
        """From start (or declaration) to resolution; None while open."""
        if self.resolved_at is None:
            return None
        return max(self.resolved_at - (self.started_at or self.declared_at), timedelta())


@dataclass(frozen=True, slots=True)
class Decision:
    """What a command leads to: the new state, lines for the timeline, calls to make. Timers are in the state."""

    incident: Incident
    events: tuple[Event, ...] = ()
    deliveries: tuple[Delivery, ...] = ()


_MOVES = frozenset({"status_changed", "resolved", "reopened", "closed", "cancelled", "merged"})


def derive(events: Iterable[Event]) -> tuple[Status, Severity]:
    """Work out status and severity from a timeline alone.

    Raises:
        ValueError: the timeline holds no `declared` event.
    """
    status: Status | None = None
    severity: Severity | None = None
    for event in events:
        if event.kind == "declared":
            status, severity = Status(event.data["status"]), Severity(event.data["severity"])
        elif event.kind == "severity_changed":
            severity = Severity(event.data["to"])
        elif event.kind in _MOVES and "to" in event.data:
            status = Status(event.data["to"])
    if status is None or severity is None:
        raise ValueError("Give a timeline that holds its declared event.")
    return status, severity

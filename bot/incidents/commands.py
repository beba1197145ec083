"""What can be asked of an incident. Each is a fact or a wish; `machine.decide` says what follows.

What is asked of the work on it is in `bot.incidents.work`, and can be named from here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bot.incidents.away import ChannelNamed, ChannelShut, LookAtChannel, PostAgain
from bot.incidents.heard import Heard, Joined
from bot.incidents.model import SYSTEM, Actor, Alert, Person, Role, Status
from bot.incidents.policy import Severity
from bot.incidents.reconcile import Flag
from bot.incidents.work import (
    AddFollowUp,
    AddTask,
    CaptureMessage,
    EndMitigation,
    EndTask,
    FitRunbook,
    Intervene,
    LoseMessage,
    PostRunbook,
    RanStep,
    ReleaseMessage,
    RewordMessage,
    Said,
    SkipStep,
    StartRun,
    Step,
    TickStep,
    TurnPage,
    UndoStep,
)

# fmt: off
__all__ = [
    "AcceptHandoff", "Acknowledge", "AddFollowUp", "AddNote", "AddTask", "AlertsChanged", "AlertsConfirmed",
    "AlertsFlagged", "AnswerAgain", "AssignRole", "BringIn", "Cancel", "CaptureMessage", "ChannelNamed",
    "ChannelShut", "ComeBack", "Command", "Declare", "DeclineHandoff", "Delivered", "DeliveryFailed",
    "Describe", "EndMitigation", "EndTask", "Escalate", "Export", "FiresAgain", "FitRunbook", "Gathered",
    "GetsWorse", "Intervene", "KeepCadence", "LookAtChannel", "LoseMessage", "MergeInto", "MergedFrom",
    "Mitigate", "OfferHandoff", "OfferMerge", "PageLost", "PagePeople", "PauseCadence", "PostAgain",
    "PostRunbook", "PostUpdate", "RanStep", "Record", "Refresh", "ReleaseMessage", "Reopen", "Resolve",
    "RewordMessage", "Said", "SeeStorm", "SetSeverity", "SetStatus", "SkipStep", "SplitOff", "StartRun", "Step",
    "Subscribe", "TickStep", "TimerFired", "TurnPage", "UndoStep", "Unmerge", "VoidAcknowledgement",
    "with_number",
]
# fmt: on


@dataclass(frozen=True, slots=True)
class Declare:
    """Open an incident. `number` comes from the database; `alerts` are those that made us.

    `left_out` counts alerts that their source did not name, because its notification would have been too long. `ids`
    are those of `bot.incidents.envelope`.
    """

    number: str
    title: str
    severity: Severity
    actor: Actor
    source: str = "slack"
    summary: str = ""
    impact: str = ""
    service: str = ""
    region: str = ""
    tenants: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)
    runbook_id: str = ""
    alerts: tuple[Alert, ...] = ()
    heard: Heard = Heard()  # noqa: RUF009 - frozen
    left_out: int = 0
    started_at: datetime | None = None
    drill: bool = False
    private: bool = False


@dataclass(frozen=True, slots=True)
class AlertsChanged:
    """Alerts of the incident's groups began or stopped firing, or say something new. Never closes the incident.

    `flapping` holds fingerprints whose changes are no news; `left_out` counts alerts that their source did not name.
    `joined` says what the rules make of those that began; they are `expected` where a person has had them join.
    `carried` says it of those that fire since before, and follow their group into the incident.
    """

    opened: tuple[Alert, ...] = ()
    closed: tuple[Alert, ...] = ()
    flapping: frozenset[str] = frozenset()
    left_out: int = 0
    joined: tuple[Joined, ...] = ()
    expected: bool = False
    carried: tuple[Joined, ...] = ()


@dataclass(frozen=True, slots=True)
class FiresAgain:
    """Alerts fire again though the incident is over: it reopens if they still do at `until`.

    `flaps` says that they come and go. Else their source says that they never stopped: its `resolved` was wrong, or
    this is a late copy, whose own `resolved` follows.
    """

    alerts: tuple[Alert, ...]
    until: datetime
    flaps: bool = True


@dataclass(frozen=True, slots=True)
class AlertsFlagged:
    """Alerts differ from what their source reports, and have for a while. Never closes anything."""

    flag: Flag
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class AlertsConfirmed:
    """What `flag` said of these alerts is so no more."""

    flag: Flag
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class PostUpdate:
    """A status update: what the state is, what is being done and by whom, when it should be over."""

    text: str
    actor: Actor
    action: str = ""
    eta: str = ""
    impact: str = ""
    status: Status | None = None
    next_in: int | None = None  # seconds until the next one
    owner: Person | None = None  # of the next step


@dataclass(frozen=True, slots=True)
class KeepCadence:
    """Nothing has changed; the next update is due a full interval from now, or in `next_in` seconds."""

    actor: Actor
    next_in: int | None = None


@dataclass(frozen=True, slots=True)
class PauseCadence:
    """Ask for no updates for some seconds."""

    seconds: int
    actor: Actor
    why: str = ""


@dataclass(frozen=True, slots=True)
class SetStatus:
    """Move to another status."""

    status: Status
    actor: Actor


@dataclass(frozen=True, slots=True)
class SetSeverity:
    """Raise or lower the severity."""

    severity: Severity
    actor: Actor
    why: str = ""


@dataclass(frozen=True, slots=True)
class GetsWorse:
    """Its source says that it is more severe than it was: raise the severity, and page whoever did not know."""

    severity: Severity
    why: str
    actor: Actor


@dataclass(frozen=True, slots=True)
class AssignRole:
    """Give a role to a person. `over` is the id of whoever is known to have it (empty: nobody); None: whoever has."""

    person: Person
    actor: Actor
    role: Role = Role.LEAD
    over: str | None = None


@dataclass(frozen=True, slots=True)
class OfferHandoff:
    """Offer the command to somebody."""

    person: Person
    actor: Actor


@dataclass(frozen=True, slots=True)
class AcceptHandoff:
    """Take the command over that was offered."""

    actor: Actor


@dataclass(frozen=True, slots=True)
class DeclineHandoff:
    """Do not take the command that was offered."""

    actor: Actor
    why: str = ""


@dataclass(frozen=True, slots=True)
class Escalate:
    """Page the next level of the ladder now, whoever has acknowledged.

    `reached` is the highest level that the actor knows to be paged: two who ask at once mean the same level.
    """

    actor: Actor
    why: str = ""
    reached: int | None = None


@dataclass(frozen=True, slots=True)
class PagePeople:
    """Page somebody by name: Slack people (as a ladder names them), PagerDuty's target, or both."""

    name: str
    people: tuple[str, ...]
    actor: Actor
    why: str = ""
    pagerduty: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Tell the person of updates, or no more."""

    actor: Actor
    on: bool = True


@dataclass(frozen=True, slots=True)
class Mitigate:
    """A fix is in place."""

    actor: Actor
    text: str = ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """It was no incident."""

    actor: Actor
    why: str = ""


@dataclass(frozen=True, slots=True)
class MergeInto:
    """It is a part of another incident, whose number and channel are given."""

    into: str
    actor: Actor
    channel: str = ""
    groups: tuple[int, ...] = ()  # the rows of its alert groups, which go on there


@dataclass(frozen=True, slots=True)
class Unmerge:
    """It was no part of the other incident after all: it is investigated again."""

    actor: Actor
    why: str = ""


@dataclass(frozen=True, slots=True)
class SplitOff:
    """An incident that was merged into this one goes on by itself again."""

    number: str
    actor: Actor


@dataclass(frozen=True, slots=True)
class MergedFrom:
    """Another incident has become a part of this one, with what its people had `heard`.

    `told` says that a message tells of it and others together.
    """

    number: str
    title: str
    actor: Actor
    heard: Heard = Heard()  # noqa: RUF009 - frozen
    told: bool = False


@dataclass(frozen=True, slots=True)
class OfferMerge:
    """This incident is a storm's: `why`, and the incidents that opened just before it."""

    why: str
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SeeStorm:
    """A storm's incident, and its channel, takes what this one is probably a part of."""

    number: str
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Gathered:
    """Somebody has merged these incidents into this one, at once."""

    numbers: tuple[str, ...]
    actor: Actor


@dataclass(frozen=True, slots=True)
class Describe:
    """Say anew what the incident is called, or what it is about; what is None stays."""

    actor: Actor
    title: str | None = None
    summary: str | None = None


@dataclass(frozen=True, slots=True)
class BringIn:
    """Invite people into the incident's channel, named as a ladder names them."""

    people: tuple[str, ...]
    actor: Actor


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Somebody is on it: stop the ladder. `occurred_at` is the source's time where there is one."""

    actor: Actor
    via: str = "slack"
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class VoidAcknowledgement:
    """The acknowledgement no longer covers the incident: page as if nobody had acknowledged. `why` follows a colon."""

    why: str
    actor: Actor


@dataclass(frozen=True, slots=True)
class AnswerAgain:
    """PagerDuty has forgotten that what we opened there under a key is acknowledged here."""

    key: str


@dataclass(frozen=True, slots=True)
class AddNote:
    """Put a line on the timeline, at the time at which it happened."""

    text: str
    actor: Actor
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Resolve:
    """The incident is over."""

    actor: Actor
    text: str = ""
    root_cause: str = ""
    fix: str = ""
    follow_ups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reopen:
    """It was not over."""

    actor: Actor
    why: str = ""


@dataclass(frozen=True, slots=True)
class ComeBack:
    """What had ended is there again: reopen, and page as if it had just been declared. `alerts` fire again."""

    actor: Actor
    why: str
    alerts: tuple[Alert, ...] = ()


@dataclass(frozen=True, slots=True)
class TimerFired:
    """An armed timer is due. `firing` counts the alerts that began after the incident was over, where that matters."""

    key: str
    firing: int = 0


@dataclass(frozen=True, slots=True)
class Delivered:
    """A delivery reached its destination; `result` is what came back (a channel id, a message's time stamp)."""

    kind: str
    slot: str
    result: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeliveryFailed:
    """A delivery failed for good; `fix` tells the operator what to do. `words` are the reason as people read it."""

    kind: str
    slot: str
    reason: str
    fix: str
    data: dict[str, Any] = field(default_factory=dict)
    words: str = ""


@dataclass(frozen=True, slots=True)
class PageLost:
    """A page gets to nobody: it is `homeless`, for the place to post it is not there, or it mentions no one.

    The other fields are those of `DeliveryFailed`.
    """

    kind: str
    slot: str
    reason: str
    fix: str
    data: dict[str, Any] = field(default_factory=dict)
    words: str = ""
    homeless: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """Something happened outside that belongs on the timeline and changes no state.

    `aloud` is said in the incident's place as well, while it is open.
    """

    kind: str
    text: str
    actor: Actor = SYSTEM
    occurred_at: datetime | None = None
    data: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    refresh: bool = True
    aloud: bool = False


@dataclass(frozen=True, slots=True)
class Export:
    """Somebody wants the timeline in the channel, as md, json or csv."""

    fmt: str
    actor: Actor


@dataclass(frozen=True, slots=True)
class Refresh:
    """What the live messages show has changed, though no state has."""


Command = (
    Declare
    | AlertsChanged
    | FiresAgain
    | AlertsFlagged
    | AlertsConfirmed
    | PostUpdate
    | KeepCadence
    | PauseCadence
    | SetStatus
    | SetSeverity
    | GetsWorse
    | AssignRole
    | OfferHandoff
    | AcceptHandoff
    | DeclineHandoff
    | Escalate
    | PagePeople
    | Subscribe
    | AddTask
    | EndTask
    | AddFollowUp
    | Mitigate
    | Cancel
    | MergeInto
    | MergedFrom
    | OfferMerge
    | SeeStorm
    | Gathered
    | Unmerge
    | SplitOff
    | Describe
    | BringIn
    | Acknowledge
    | VoidAcknowledgement
    | AnswerAgain
    | AddNote
    | CaptureMessage
    | ReleaseMessage
    | RewordMessage
    | LoseMessage
    | StartRun
    | FitRunbook
    | PostRunbook
    | TickStep
    | RanStep
    | SkipStep
    | UndoStep
    | TurnPage
    | Intervene
    | EndMitigation
    | Resolve
    | Reopen
    | ComeBack
    | TimerFired
    | Delivered
    | DeliveryFailed
    | PageLost
    | Record
    | Export
    | ChannelShut
    | ChannelNamed
    | LookAtChannel
    | PostAgain
    | Refresh
)


def with_number(command: Declare, number: str) -> Declare:
    """Give the same declaration under another number."""
    return replace(command, number=number)

"""What can be asked of the work on an incident: tasks and follow-ups, captured messages, runbooks and their steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.incidents.model import Actor, Person
from bot.incidents.runs import Run


@dataclass(frozen=True, slots=True)
class AddTask:
    """Something is to be done now."""

    text: str
    actor: Actor
    owner: Person | None = None


@dataclass(frozen=True, slots=True)
class EndTask:
    """A task is done, or left out."""

    task: int
    actor: Actor
    skipped: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True)
class AddFollowUp:
    """Something is left to do afterwards; `due` is an ISO date, or empty; `source` a permalink to where it was said."""

    text: str
    actor: Actor
    owner: Person | None = None
    due: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A message as Slack tells it: `text` as it was meant, `raw` as it was sent, `source` its permalink.

    `ts` names it within its channel; `edited` is its last edit's time stamp, or empty.
    """

    author: Person
    channel: str
    ts: str
    text: str
    raw: str
    at: datetime
    source: str = ""
    edited: str = ""


@dataclass(frozen=True, slots=True)
class CaptureMessage:
    """A message belongs on the timeline. `known` is the line that it has already, or 0; `mark` asks for a reaction."""

    said: Said
    actor: Actor
    via: str
    known: int = 0
    mark: bool = True


@dataclass(frozen=True, slots=True)
class ReleaseMessage:
    """A message is to be on the timeline no more; `known` is its line, `marked` asks for the reaction to go."""

    known: int
    channel: str
    ts: str
    actor: Actor
    marked: bool = True


@dataclass(frozen=True, slots=True)
class RewordMessage:
    """A message that is on the timeline was edited; `known` is its line."""

    known: int
    said: Said
    actor: Actor


@dataclass(frozen=True, slots=True)
class LoseMessage:
    """A message that is on the timeline was deleted; `known` is its line."""

    known: int
    channel: str
    ts: str


@dataclass(frozen=True, slots=True)
class StartRun:
    """A runbook or checklist is about to be posted."""

    run: Run


@dataclass(frozen=True, slots=True)
class PostRunbook:
    """Post a runbook instead of the present one; the same one is posted once more, with its ticks."""

    book: str
    actor: Actor


@dataclass(frozen=True, slots=True)
class FitRunbook:
    """An alert that joined leads to a runbook that fits better than the present one; `alert` is what it is called.

    `at_once` says that only the general one stands, so that it may be replaced where nobody has ticked a step of it.
    """

    book: str
    title: str
    alert: str
    reason: str
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a posted runbook, as that version of it says. `approval` names who must agree to it."""

    book: str
    number: int
    text: str
    section: str = ""
    approval: str = ""


@dataclass(frozen=True, slots=True)
class TickStep:
    """A step is done. With a `rollback` it is a change, to be taken back within so many seconds.

    `command` is the one that was shown or, where `ran` says so, the one that was run.
    """

    step: Step
    actor: Actor
    command: str = ""
    ran: bool = False
    approved_by: str = ""
    rollback: str = ""
    rollback_within: int = 0
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RanStep:
    """Somebody says which command they ran for a step that is done."""

    step: Step
    actor: Actor
    command: str


@dataclass(frozen=True, slots=True)
class SkipStep:
    """A step is left out."""

    step: Step
    why: str
    actor: Actor


@dataclass(frozen=True, slots=True)
class UndoStep:
    """A step was not done, or not left out, after all."""

    step: Step
    actor: Actor


@dataclass(frozen=True, slots=True)
class TurnPage:
    """Show a page of a long runbook, counted from 0."""

    book: str
    page: int


@dataclass(frozen=True, slots=True)
class Intervene:
    """A responder's tool has done something: what, by which command; with a `rollback` it is to be taken back."""

    text: str
    actor: Actor
    command: str = ""
    rollback: str = ""
    rollback_within: int = 0
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EndMitigation:
    """A change was taken back, or is to stay."""

    mitigation: int
    actor: Actor
    permanent: bool = False

"""What has been done of a runbook in an incident, and what was changed that must be taken back. Pure values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

ACTS = frozenset({"acknowledge", "lead", "update"})  # points that are done by an act, and that do it when ticked


class Done(StrEnum):
    """What became of a step."""

    DONE = "done"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Tick:
    """One step, ticked or skipped: by whom (id and name), when, why it was skipped, who had approved it."""

    state: Done
    by: str
    name: str
    at: datetime
    why: str = ""
    approved_by: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A runbook or a checklist as it is worked through.

    `version` is the one that was posted: later edits of the file change nothing. `facts` are what the incident knew
    then, so that a command does not change under somebody's hand. `slot` is the delivery that shows it, `reason` says
    why it was chosen. `page` is the page that somebody turned to, counted from 0; None follows the next step.
    `due_review` is False once its owner has been asked to review it. `points` are the numbers of steps by what they
    have in common with steps of other runs.
    """

    book: str
    version: str
    title: str
    owner: str
    total: int
    slot: str
    posted_at: datetime
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    ticks: Mapping[int, Tick] = field(default_factory=dict)
    page: int | None = None
    checklist: bool = False
    due_review: bool = True
    points: Mapping[str, int] = field(default_factory=dict)

    @property
    def next_step(self) -> int | None:
        """The number of the first step that is neither done nor skipped; None when there is no such one."""
        return next((number for number in range(1, self.total + 1) if number not in self.ticks), None)

    def count(self, state: Done) -> int:
        """Count the steps of which this became."""
        return sum(tick.state is state for tick in self.ticks.values())

    def to_json(self) -> dict[str, Any]:
        """Give a JSON-ready copy."""
        ticks = {str(number): _dated(asdict(tick), "at") for number, tick in sorted(self.ticks.items())}
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return _dated(plain, "posted_at") | {"facts": dict(self.facts), "ticks": ticks, "points": dict(self.points)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Run:
        """Read what `to_json` wrote, here or in a newer version."""
        ticks = {
            int(number): Tick(**{**tick, "state": Done(tick["state"]), "at": datetime.fromisoformat(tick["at"])})
            for number, tick in data["ticks"].items()
        }
        known = {name: data[name] for name in (f.name for f in fields(cls)) if name in data}
        return cls(**{**known, "ticks": ticks, "posted_at": datetime.fromisoformat(data["posted_at"])})


@dataclass(frozen=True, slots=True)
class Mitigation:
    """A change that is to be taken back: what, by whom, how to take it back, and by when.

    `id` counts from 1 within the incident; `within` is in seconds. `book` and `step` name the step it came from, if
    any.
    """

    id: int
    text: str
    by: str
    name: str
    at: datetime
    rollback: str
    within: int
    due_at: datetime
    command: str = ""
    book: str = ""
    step: int = 0

    def to_json(self) -> dict[str, Any]:
        """Give a JSON-ready copy."""
        return _dated(asdict(self), "at", "due_at")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Mitigation:
        """Read what `to_json` wrote."""
        return cls(**{**data, **{name: datetime.fromisoformat(data[name]) for name in ("at", "due_at")}})


# What a command shows for a value that nobody knows, and how people write one down.
_UNFILLED = re.compile(r"⟨[^⟨⟩\n]+⟩|<[A-Za-z][\w.-]*>")


def unfilled(command: str) -> tuple[str, ...]:
    """Return the placeholders of a command that stand for a value: as it stands, nobody can have run it."""
    return tuple(dict.fromkeys(_UNFILLED.findall(command)))


def run_of(runs: Iterable[Run], book: str) -> Run | None:
    """Find the run of a runbook or checklist; an incident has one of each at most."""
    return next((run for run in runs if run.book == book), None)


def _dated(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return values | {name: values[name].isoformat() for name in names}

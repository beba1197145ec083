"""What a runbook is: its metadata contract (seed 002, 3) and its steps."""

from __future__ import annotations

import hashlib
import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self

from apscheduler.triggers.cron import CronTrigger
from pydantic import BaseModel, ConfigDict, StringConstraints, field_validator, model_validator

from bot.incidents.matchers import Matcher
from bot.incidents.policy import Severity

# Ids are dotted so that they never look like a path: they stay when a file is renamed (seed 002, 4).
DottedId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+$", max_length=100)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]

_WORD = re.compile(r"[^\W_]+")


class Kind(StrEnum):
    """What a section is for; `OTHER` is any heading besides the five."""

    SYMPTOMS = "symptoms"
    DIAGNOSIS = "diagnosis"
    REMEDIATION = "remediation"
    VERIFICATION = "verification"
    ESCALATION = "escalation"
    OTHER = "other"

    @classmethod
    def of(cls, title: str) -> Kind:
        """Give the kind that a heading names."""
        word = title.strip().casefold()
        return next((kind for kind in cls if kind.value == word), cls.OTHER)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Frozen):
    """One thing to do.

    `number` counts from 1 through the whole file, so that "step 7" names one step whoever says it. `text` is
    CommonMark; `code` is the fenced block under it, if any, and `language` the fence's word (empty without one).
    `rollback` says how to take it back, `rollback_within` (seconds) by when; `no_rollback` why nothing is to be taken
    back; `approval` who must have agreed. `point` is a word for what it is about: steps of a runbook and a checklist
    that name the same point say the same, and those of `bot.incidents.runs.ACTS` are done by an act.
    """

    section: str
    number: int
    text: str
    code: str | None = None
    language: str = ""
    rollback: str | None = None
    rollback_within: int | None = None
    no_rollback: str | None = None
    approval: str | None = None
    point: str | None = None

    @property
    def key(self) -> str:
        """What steps that say the same have in common: their point, else their words."""
        return self.point or hashlib.sha256(" ".join(_WORD.findall(self.text.casefold())).encode()).hexdigest()[:12]

    @property
    def kind(self) -> Kind:
        """What the step's section is for."""
        return Kind.of(self.section)


class Section(_Frozen):
    """A level-2 heading with the CommonMark between it and its first step (`intro`), and its steps."""

    title: str
    intro: str = ""
    steps: tuple[Step, ...] = ()

    @property
    def kind(self) -> Kind:
        """What the section is for."""
        return Kind.of(self.title)


class Query(_Frozen):
    """A saved query, with the variables of `bot.runbooks.render`."""

    title: Text
    language: Literal["promql", "logql", "traceql", "sql"]
    expr: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class Metadata(_Frozen):
    """A runbook's front matter. `url` is a repository path or an address, `last_reviewed_at` an ISO date.

    `signals` are signal keys and alert names, the surest first; `alerts` further alert names, and regular expressions
    for families of them; all of `matchers` must hold on an alert; `services` are values of its label `service`;
    `symptom` says that the alert names are those of a symptom that any component can have, so that a runbook whose
    `matchers` know the component goes first; `escalation` is a row of the escalation matrix or a ladder's name;
    `verification` names checklists to run afterwards.
    """

    id: DottedId
    title: Text
    severity_hint: Severity
    owner_team: Text
    last_reviewed_at: date
    url: Text
    backup_owner: Text | None = None
    signals: tuple[Text, ...] = ()
    alerts: tuple[Text, ...] = ()
    symptom: bool = False
    matchers: tuple[str, ...] = ()
    services: tuple[Text, ...] = ()
    dashboards: tuple[Text, ...] = ()
    queries: tuple[Query, ...] = ()
    escalation: Text | None = None
    verification: tuple[DottedId, ...] = ()

    @field_validator("matchers")
    @classmethod
    def _readable(cls, matchers: tuple[str, ...]) -> tuple[str, ...]:
        for matcher in matchers:
            Matcher.parse(matcher)
        return matchers

    @field_validator("alerts")
    @classmethod
    def _compiles(cls, alerts: tuple[str, ...]) -> tuple[str, ...]:
        for name in alerts:
            try:
                re.compile(name)
            except re.error as error:
                raise ValueError(f"fix the regular expression {name!r}: {error}") from error
        return alerts


class Runbook(Metadata):
    """A whole runbook. `version` is the start of the SHA-256 of its file: it changes with every edit."""

    version: str
    summary: str = ""
    sections: tuple[Section, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps of all sections, in order."""
        return tuple(step for section in self.sections for step in section.steps)


class Schedule(_Frozen):
    """When a periodic checklist is posted: every so often (`1d`, `2w`), or by five fields of cron in UTC."""

    every: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,2}[dw]$")] | None = None
    cron: Text | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.every is None) == (self.cron is None):
            raise ValueError("give either `every` or `cron`")
        if self.cron is not None:
            if any(char.isdigit() for char in self.cron.split()[-1]):
                # APScheduler counts them from Monday, cron from Sunday.
                raise ValueError("write weekdays in `cron` as names, such as mon")
            CronTrigger.from_crontab(self.cron, timezone="UTC")
        return self


class ChecklistMetadata(_Frozen):
    """A checklist's front matter."""

    id: DottedId
    title: Text
    schedule: Schedule | None = None
    owner_team: Text | None = None


class Checklist(ChecklistMetadata):
    """Items to tick off, the same for every incident. `version` is the start of the SHA-256 of its file."""

    version: str
    items: tuple[Step, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The items: what is worked through, as of a runbook."""
        return self.items


Book = Runbook | Checklist

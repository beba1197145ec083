"""What a runbook is: its metadata contract (seed 002, 3) and its steps."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from bot.incidents.policy import Severity

# Ids are dotted so that they never look like a path: they stay when a file is renamed (seed 002, 4).
DottedId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+$", max_length=100)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Frozen):
    """One thing to do.

    `number` counts from 1 through the whole file, so that "step 7" names one step whoever says it. `text` is
    CommonMark; `code` is the fenced block under it, if any, and `language` the fence's word (empty without one).
    """

    section: str
    number: int
    text: str
    code: str | None = None
    language: str = ""


class Section(_Frozen):
    """A level-2 heading with the CommonMark between it and its first step (`intro`), and its steps."""

    title: str
    intro: str = ""
    steps: tuple[Step, ...] = ()


class Metadata(_Frozen):
    """A runbook's front matter. `url` is a repository path or an address, `last_reviewed_at` an ISO date."""

    id: DottedId
    title: Text
    severity_hint: Severity
    owner_team: Text
    last_reviewed_at: date
    url: Text
    backup_owner: Text | None = None
    signals: tuple[Text, ...] = ()


class Runbook(Metadata):
    """A whole runbook. `version` is the start of the SHA-256 of its file: it changes with every edit."""

    version: str
    summary: str = ""
    sections: tuple[Section, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps of all sections, in order."""
        return tuple(step for section in self.sections for step in section.steps)


class ChecklistMetadata(_Frozen):
    """A checklist's front matter."""

    id: DottedId
    title: Text


class Checklist(ChecklistMetadata):
    """Items to tick off, the same for every incident. `version` is the start of the SHA-256 of its file."""

    version: str
    items: tuple[Step, ...]

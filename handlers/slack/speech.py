"""What a verb is, what was typed with it, and how it can be answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bot.errors import OutwardError
from bot.incidents.model import Incident, Person
from bot.slack.card import MARKS
from bot.slack.mrkdwn import esc
from bot.text import clip
from handlers.slack import grammar
from handlers.slack.answers import Answer
from handlers.slack.context import FIND_WITHIN, Asked

TEXT = 2500


class Mistake(Exception):  # noqa: N818 - the responder's, told kindly
    """A line that can't be done as it was typed; the message, in mrkdwn, names the fix."""


class Where(StrEnum):
    """Where a verb works: anywhere, or about an incident (in its channel, or behind its number)."""

    ANYWHERE = "anywhere"
    INCIDENT = "incident"


class Stage(StrEnum):
    """When a verb about an incident makes sense: always, while it is open, or once it is over."""

    ANY = "any"
    OPEN = "open"
    OVER = "over"

    def fits(self, incident: Incident) -> bool:
        """True where the verb can be offered."""
        return self is Stage.ANY or incident.status.is_open == (self is Stage.OPEN)


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a verb's form; their values, joined, are what would be typed.

    `kind` is line, text, person, date, incident (another one that is open), service (one that is configured), or one
    of `options` (value and label). `before` stands before a value that is given, such as `at `. `initial` is taken
    from the incident.
    """

    name: str
    label: str
    kind: str = "line"
    optional: bool = False
    options: tuple[tuple[str, str], ...] = ()
    before: str = ""
    placeholder: str = ""
    initial: Callable[[Incident], str] | None = None


@dataclass(frozen=True, slots=True)
class Spoken:
    """A verb with what follows it, and the incident it is about (None where it needs none)."""

    asked: Asked
    rest: str
    incident: Incident | None

    @property
    def subject(self) -> Incident:
        """The incident, for verbs that need one."""
        assert self.incident is not None  # noqa: S101 - `answer` has seen to it
        return self.incident

    @property
    def command(self) -> str:
        """The slash command's name."""
        return self.asked.command

    @property
    def plain(self) -> str:
        """What follows, as it was meant: mentions by name, Slack's escapes undone."""
        return self.meant(self.rest)

    @property
    def text(self) -> str:
        """What follows, as it was meant and without quotes around it."""
        return clip(grammar.unquote(self.plain), TEXT)

    def meant(self, typed: str) -> str:
        """Undo Slack's escapes in a part of what follows."""
        return grammar.plain(typed, self.asked.directory.name_of)

    async def apply(self, command: Any) -> Incident:
        """Do a command on the incident.

        Raises:
            Refused: it does not fit.
        """
        return await self.asked.apply(self.subject.number, command)

    async def person(self, mention: str) -> Person:
        """Give the person of a mention or an `@name`.

        Raises:
            Mistake: nobody is called that, or Slack did not say in time.
        """
        try:
            # A large workspace's list of people takes longer than an answer may.
            found = await asyncio.wait_for(self.asked.directory.find(mention), FIND_WITHIN)
        except (OutwardError, TimeoutError) as error:
            reason = getattr(error, "reason", "it took too long")
            raise Mistake(f"Slack did not say who that is ({reason}). Type `@` and pick from its list.") from error
        if found is None:
            raise Mistake(f"Nobody here is called {esc(mention, 40)}. Type `@` and pick the person from Slack's list.")
        return found


Handler = Callable[[Spoken], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: what follows it, what it does, where and when. Help, suggestions, menu, forms and docs are made of it.

    `form` asks for what follows, where the line ends after one of `asks` (nothing, or a first word); with no `asks` the
    line needs nothing, and the form is the menu's alone.
    """

    name: str
    usage: str
    help: str
    handler: Handler
    example: str
    where: Where = Where.INCIDENT
    aliases: tuple[str, ...] = ()
    form: tuple[Field, ...] = field(default=())
    asks: tuple[str, ...] = ("",)
    stage: Stage = Stage.ANY

    def shown(self, command: str) -> str:
        """Show how it is written, fit for mrkdwn."""
        return "`" + esc(f"{command} {self.name} {self.usage}".strip()) + "`"


def one_line(incident: Incident) -> str:
    """Name an incident on one line."""
    where = f" <#{incident.channel_id}>" if incident.channel_id else ""
    lead = f"lead {esc(incident.lead.name)}" if incident.lead else "no lead"
    return (
        f"{MARKS[incident.severity]} {incident.number} {incident.severity.value} {incident.status.value}, "
        f"{lead}: {esc(incident.title, 120)}{where}"
    )

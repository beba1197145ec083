"""What a verb is, what was typed with it, and how it can be answered."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from bot import times
from bot.errors import OutwardError
from bot.incidents.model import Incident, Person
from bot.incidents.policy import DEFAULT_POLICY, Policy, Severity
from bot.slack.card import MARKS
from bot.slack.faults import words
from bot.slack.members import MENTION
from bot.slack.mrkdwn import esc
from bot.text import clip
from handlers.slack import grammar
from handlers.slack.answers import Answer
from handlers.slack.context import FIND_WITHIN, Asked

TEXT = 10_000  # characters, more than Slack lets through
CHOICES = 5  # buttons of a question
KEEP = "-"  # the line of a button that leaves all as it is


class Mistake(Exception):  # noqa: N818 - the responder's, told kindly
    """A line that can't be done as it was typed; the message, in mrkdwn, names the fix.

    `field` is the input of a form that it is about, where it is known.
    """

    def __init__(self, text: str, field: str = "") -> None:
        super().__init__(text)
        self.field = field

    @property
    def plain(self) -> str:
        """The message without mark-up, as it stands under a form's field."""
        return html.unescape(str(self)).replace("`", "")


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to a question: what its button says, and the line that is done when it is pressed."""

    label: str
    line: str
    style: str = ""


class Question(Mistake):
    """A line that can mean several things, or that ends something: asked back once, with a button for each meaning."""

    def __init__(self, text: str, *choices: Choice) -> None:
        super().__init__(text)
        self.choices = choices


class Where(StrEnum):
    """Where a verb works: anywhere, or about an incident (in its channel, or behind its number)."""

    ANYWHERE = "anywhere"
    INCIDENT = "incident"


class Text(StrEnum):
    """Where a free text stands in what follows a verb: nowhere, behind its arguments, or all of it is one."""

    NONE = "none"
    LATER = "later"
    ALL = "all"


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

    `kind` is line, text, time (at which something happened), person, date, severity, incident (another one that is
    open), service (one that is configured), or one of `options` (value and label). `before` stands before a value that
    is given, such as `at `. `initial` is taken from the incident.
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
    """A verb with what follows it, and the incident it is about (None where it needs none).

    `sure` says that the person was asked already, and has pressed the button that means this.
    """

    asked: Asked
    rest: str
    incident: Incident | None
    word: str = ""
    sure: bool = False

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
        directory = self.asked.directory
        return grammar.plain(directory.members.unlabelled(typed), directory.name_of)

    async def apply(self, command: Any) -> Incident:
        """Do a command on the incident.

        Raises:
            Refused: it does not fit.
        """
        return await self.asked.apply(self.subject.number, command)

    def line(self, rest: str, word: str = "") -> str:
        """Return the whole line that does a verb, this one's or another, on the same incident."""
        number = self.incident.number if self.incident else ""
        return " ".join(part for part in (number, word or self.word, rest) if part)

    async def person(self, typed: str) -> Person:
        """Return the person of a mention or an `@name`.

        Raises:
            Mistake: nobody is called that, an app or a deactivated account is, or Slack did not say in time.
            Question: several are called that.
        """
        members = self.asked.directory.members
        try:
            # A large workspace's list of people takes longer than an answer may.
            found = await asyncio.wait_for(members.find(typed), FIND_WITHIN)
        except (OutwardError, TimeoutError) as error:
            if mention := MENTION.fullmatch(typed):  # it says itself whom it means
                return Person(mention[1], members.name_of(mention[1]))
            reason = words(error) if isinstance(error, OutwardError) else "it took too long"
            raise Mistake(
                f"Could not look up {esc(typed, 40)}: Slack did not answer ({esc(reason, 80)}). "
                "Type `@` and pick the person from Slack's list."
            ) from error
        if not found:
            raise Mistake(f"Nobody here is called {esc(typed, 40)}. Type `@` and pick the person from Slack's list.")
        if len(found) > 1:
            choices = [
                Choice(clip(f"{each.name} (@{each.handle})", 70), self.line(self.rest.replace(typed, f"<@{each.id}>")))
                for each in found[:CHOICES]
            ]
            raise Question(f"{len(found)} people are called {esc(typed, 40)}. Which one do you mean?", *choices)
        (member,) = found
        if member.is_app:
            raise Mistake(f"{esc(member.name, 40)} is an app. Name a person.")
        if member.is_deactivated:
            raise Mistake(f"{esc(member.name, 40)}'s Slack account is deactivated. Name someone else.")
        return member.person

    async def moment(self, typed: str, *, is_ahead: bool = False) -> datetime:
        """Return the moment of a time that was typed: the last that fits or, where it `is_ahead`, the next one.

        Raises:
            Mistake: it is no time, or lies on the wrong side of now.
        """
        now, zone = self.asked.services.clock.now(), await self.asked.zone()
        try:
            found = times.ahead(typed, now, zone) if is_ahead else times.past(typed, now, zone)
        except ValueError as error:
            raise Mistake(esc(str(error))) from error
        if found.is_day:
            raise Mistake(f"Add the time of day to “{esc(typed, 40)}”, such as {esc(typed, 40)} 09:30.")
        return found.at

    async def when(self, moment: datetime) -> str:
        """Say a moment with its day, in UTC and in the person's own time."""
        return times.spoken(moment, await self.asked.zone())


Handler = Callable[[Spoken], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: what follows it, what it does, where and when. Help, suggestions, menu, forms and docs are made of it.

    `text` says where a free text stands in what follows: other incidents may be named in it.

    `when` narrows down for which incidents the menu offers it. `ends` is set where an incident ends by it: its form
    says what is still open.

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
    text: Text = Text.NONE
    when: Callable[[Incident], bool] | None = None
    ends: bool = False

    def shown(self, command: str, policy: Policy = DEFAULT_POLICY) -> str:
        """Show how it is written, fit for mrkdwn."""
        return "`" + esc(f"{command} {self.name} {in_words(self.usage, policy)}".strip()) + "`"


def in_words(text: str, policy: Policy) -> str:
    """Have a verb's usage or example name the severities as people type them."""
    words = {"severities": policy.choice, "levels": "1-4" if policy.choice == "sev1-4" else policy.choice}
    for severity in Severity:
        words |= {severity.value: policy.typed(severity), f"level{severity.value[-1]}": policy.argument(severity)}
    return text.format_map(words)


def one_line(incident: Incident) -> str:
    """Name an incident on one line."""
    where = f" <#{incident.channel_id}>" if incident.channel_id else ""
    into = f" into {incident.merged_into}" if incident.merged_into else ""
    lead = f"lead {esc(incident.lead.name)}" if incident.lead else "no lead"
    return (
        f"{MARKS[incident.severity]} {incident.number} {incident.severity_name} {incident.status.value}{into}, "
        f"{lead}: {esc(incident.title, 120)}{where}"
    )

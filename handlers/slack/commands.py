"""`/incident`: reads a line, does it in one transaction, and answers with what happened or what to do instead."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bot import telemetry
from bot.durations import parse_duration
from bot.errors import DatabaseUnavailable, OutwardError
from bot.incidents import commands as c
from bot.incidents import envelope
from bot.incidents.model import Incident, Person, Refused, Status
from bot.incidents.policy import Severity
from bot.incidents.responding import SETTABLE
from bot.runbooks.search import search
from bot.slack import modals
from bot.slack.card import MARKS
from bot.slack.mrkdwn import esc
from bot.store.tx import Tx
from bot.text import clip
from bot.timeline.export import FORMATS
from handlers.slack import grammar
from handlers.slack.context import DATABASE_AWAY, FIND_WITHIN, LISTED, WRITE_WITHIN, Asked

TITLE = 200
TEXT = 2500
PAUSE_MAX = 24 * 3600
STATUSES = (*(s.value for s in SETTABLE), Status.RESOLVED.value, Status.CLOSED.value)


class Mistake(Exception):  # noqa: N818 - the responder's, told kindly
    """A line that can't be done as it was typed; the message names the fix."""


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
        return self.asked.services.settings.config.slack.command

    @property
    def plain(self) -> str:
        """What follows, as it was meant: mentions by name, Slack's escapes undone."""
        return grammar.plain(self.rest, self.asked.directory.name_of)

    @property
    def text(self) -> str:
        """What follows, as it was meant and without quotes around it."""
        return clip(grammar.unquote(self.plain), TEXT)


async def answer(asked: Asked, text: str) -> str:
    """Do what a line says; gives what to show to the person who typed it."""
    line = grammar.read(text)
    command = asked.services.settings.config.slack.command
    try:
        said = await asyncio.wait_for(_answer(asked, line, command), WRITE_WITHIN)
    except (Mistake, Refused) as error:
        telemetry.INTERACTIONS.labels("command", "refused").inc()
        # A refusal is plain text; a mistake's text is mrkdwn already.
        return esc(str(error)) if isinstance(error, Refused) else str(error)
    except (DatabaseUnavailable, TimeoutError):
        telemetry.INTERACTIONS.labels("command", "unavailable").inc()
        return DATABASE_AWAY
    telemetry.INTERACTIONS.labels("command", "done").inc()
    return said


async def _answer(asked: Asked, line: grammar.Line, command: str) -> str:
    if not line.word and not line.number:
        return grammar.help_text(command)
    verb = line.verb
    if verb is None and line.word:
        near = grammar.nearest(line.word)
        word = esc(line.word, 40)
        if near:
            return f"There is no `{word}`. Did you mean {grammar.usage(command, grammar.BY_NAME[near])}?"
        return f"There is no `{word}`. Type `{command} help` to see what there is."
    incident = await asked.find(line.number) if line.number or (verb and verb.needs_incident) else None
    if line.number and incident is None:
        raise Mistake(f"There is no {line.number}. {await _open_ones(asked)}")
    if verb is None:
        return _one_line(incident) if incident else grammar.help_text(command)
    if verb.needs_incident and incident is None:
        example = f"`{command} INC-... {verb.name}`"
        raise Mistake(
            f"This is no incident's channel. Type it in one, or name the incident: {example}. {await _open_ones(asked)}"
        )
    return await _VERBS[verb.name](Spoken(asked, line.rest, incident))


async def _open_ones(asked: Asked) -> str:
    found = await asked.open_incidents()
    if not found:
        return "No incident is open."
    lines = [_one_line(incident) for incident in found[:LISTED]]
    more = f"\nand {len(found) - LISTED} more" if len(found) > LISTED else ""
    return "Open incidents:\n" + "\n".join(lines) + more


def _one_line(incident: Incident) -> str:
    where = f" <#{incident.channel_id}>" if incident.channel_id else ""
    lead = f"lead {esc(incident.lead.name)}" if incident.lead else "no lead"
    return (
        f"{MARKS[incident.severity]} {incident.number} {incident.severity.value} {incident.status.value}, "
        f"{lead}: {esc(incident.title, 120)}{where}"
    )


async def _declare(spoken: Spoken) -> str:
    title, severity = grammar.title_and_severity(spoken.plain)
    if not title:
        return await spoken.asked.open_modal(modals.declare("", spoken.asked.channel))
    incident = await declare(spoken.asked, title, severity or Severity.SEV2)
    return declared(incident)


async def declare(
    asked: Asked, title: str, severity: Severity, *, service: str = "", impact: str = "", error: str = ""
) -> Incident:
    """Open an incident in the name of whoever asked; a pasted `error` gives it its ids."""
    made = c.Declare(
        number="",
        title=clip(" ".join(title.split()), TITLE),
        severity=severity,
        actor=asked.user,
        service=service,
        impact=impact,
        ids=envelope.read(f"{error}\n{impact}\n{title}"),
    )

    def work(tx: Tx) -> Incident:
        return asked.services.desk.declare(tx, made)[0]

    return await asked.write(work)


def declared(incident: Incident) -> str:
    """Say where a new incident is to be found."""
    if incident.opened_channel:
        name = f"#incident-{incident.number.removeprefix('INC-')}"
        return f"Declared {incident.number} ({incident.severity.value}): opening {name}."
    return f"Declared {incident.number} ({incident.severity.value}): see its thread in the alerts channel."


async def _update(spoken: Spoken) -> str:
    incident = spoken.subject
    if not spoken.rest:
        return await spoken.asked.open_modal(modals.update(incident))
    after = await spoken.asked.apply(incident.number, c.PostUpdate(spoken.text, spoken.asked.user))
    due = f" Next update at {after.next_update_at:%H:%M} UTC." if after.next_update_at else ""
    return f"Posted the update.{due}"


async def _status(spoken: Spoken) -> str:
    word = spoken.rest.split(" ")[0].casefold()
    if word not in STATUSES:
        raise Mistake(f"Give one of these: {', '.join(STATUSES)}. Example: `{spoken.command} status identified`.")
    after = await spoken.asked.apply(spoken.subject.number, c.SetStatus(Status(word), spoken.asked.user))
    return f"{after.number} is {after.status.value}."


async def _severity(spoken: Spoken) -> str:
    severity, why = grammar.severity_and_why(spoken.text)
    if severity is None:
        raise Mistake(f"Give a severity from 1 to 4. Example: `{spoken.command} sev 1 all regions are down`.")
    after = await spoken.asked.apply(spoken.subject.number, c.SetSeverity(severity, spoken.asked.user, why))
    return f"{after.number} is {after.severity.value}."


async def _lead(spoken: Spoken) -> str:
    user = spoken.asked.user
    person: Person | None = Person(user.id, user.name)
    if spoken.rest:
        mention = spoken.rest.split(" ")[0]
        try:
            # A large workspace's list of people takes longer than an answer may.
            person = await asyncio.wait_for(spoken.asked.directory.find(mention), FIND_WITHIN)
        except (OutwardError, TimeoutError) as error:
            reason = getattr(error, "reason", "it took too long")
            raise Mistake(f"Slack did not say who that is ({reason}). Type `@` and pick from its list.") from error
        if person is None:
            raise Mistake(f"Nobody here is called {esc(mention, 40)}. Pick the person from Slack's list.")
    after = await spoken.asked.apply(spoken.subject.number, c.AssignRole(person or Person(user.id, user.name), user))
    return f"{after.lead.name if after.lead else 'Nobody'} leads {after.number}."


async def _acknowledge(spoken: Spoken) -> str:
    after = await spoken.asked.apply(spoken.subject.number, c.Acknowledge(spoken.asked.user))
    return f"Acknowledged {after.number}. Nobody else is paged."


async def _note(spoken: Spoken) -> str:
    await spoken.asked.apply(spoken.subject.number, c.AddNote(spoken.text, spoken.asked.user))
    return "Noted on the timeline."


async def _runbook(spoken: Spoken) -> str:
    """Post the runbook that the words name; without words the present one again, at the channel's end."""
    incident, catalog = spoken.subject, spoken.asked.services.catalog
    if not spoken.rest:
        book = catalog.get(incident.runbook_id) or catalog.general
        await spoken.asked.apply(incident.number, c.PostRunbook(book.id, spoken.asked.user))
        return f"Posting {esc(book.title)} again. For another one: `{spoken.command} runbook &lt;words&gt;`."
    found = search(catalog, spoken.text)
    if not found:
        raise Mistake(
            f"No runbook is about {esc(spoken.text, 80)}. Try one word, such as `{spoken.command} runbook redis`."
        )
    if len(found) > 1:
        listed = "\n".join(f"`{esc(book.id)}`: {esc(book.title, 100)}" for book in found[:LISTED])
        more = f"\nand {len(found) - LISTED} more" if len(found) > LISTED else ""
        raise Mistake(f"Several fit. Take one by its id, `{spoken.command} runbook &lt;id&gt;`:\n{listed}{more}")
    await spoken.asked.apply(incident.number, c.PostRunbook(found[0].id, spoken.asked.user))
    return f"Posting {esc(found[0].title)} (`{esc(found[0].id)}`)."


async def _pause(spoken: Spoken) -> str:
    word, _, why = spoken.text.partition(" ")
    try:
        seconds = parse_duration(word)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= PAUSE_MAX:
        raise Mistake(f"Say for how long, up to 24h. Example: `{spoken.command} pause 30m waiting for the restore`.")
    after = await spoken.asked.apply(spoken.subject.number, c.PauseCadence(seconds, spoken.asked.user, why.strip()))
    return f"No update is asked for until {after.paused_until:%H:%M} UTC."


async def _resolve(spoken: Spoken) -> str:
    if not spoken.rest and spoken.subject.status.is_open:
        return await spoken.asked.open_modal(modals.resolve(spoken.subject))
    after = await spoken.asked.apply(spoken.subject.number, c.Resolve(spoken.asked.user, text=spoken.text))
    return f"Resolved {after.number}."


async def _reopen(spoken: Spoken) -> str:
    after = await spoken.asked.apply(spoken.subject.number, c.Reopen(spoken.asked.user, spoken.text))
    return f"Reopened {after.number}."


async def _export(spoken: Spoken) -> str:
    fmt = spoken.rest.casefold() or "md"
    if fmt not in FORMATS:
        raise Mistake(f"Give one of these formats: {', '.join(FORMATS)}. Example: `{spoken.command} export md`.")
    await spoken.asked.apply(spoken.subject.number, c.Export(fmt, spoken.asked.user))
    return f"The timeline of {spoken.subject.number} is on its way to the incident's channel as {fmt}."


async def _list(spoken: Spoken) -> str:
    return await _open_ones(spoken.asked)


async def _help(spoken: Spoken) -> str:
    return grammar.help_text(spoken.command)


_VERBS: Mapping[str, Callable[[Spoken], Awaitable[str]]] = {
    "declare": _declare,
    "update": _update,
    "status": _status,
    "sev": _severity,
    "lead": _lead,
    "ack": _acknowledge,
    "note": _note,
    "runbook": _runbook,
    "pause": _pause,
    "resolve": _resolve,
    "reopen": _reopen,
    "export": _export,
    "list": _list,
    "help": _help,
}

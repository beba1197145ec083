"""`/incident`: reads a line, has its verb do it, and answers with what happened or what to do instead."""

from __future__ import annotations

import asyncio
import html

from bot import telemetry
from bot.errors import DatabaseUnavailable
from bot.incidents.model import Incident, Refused
from bot.slack import modals, panel
from bot.slack.mrkdwn import code, esc
from handlers.slack import asking, grammar, table
from handlers.slack.answers import Answer, Form, Reply
from handlers.slack.context import DATABASE_AWAY, WRITE_WITHIN, Asked
from handlers.slack.questions import asked_back
from handlers.slack.speech import KEEP, Choice, Mistake, Question, Spoken, Text, Verb, Where, one_line
from handlers.slack.verbs.opening import open_ones

SURE = 0.75  # how alike an unknown word must be to a verb to be no title
SURELY = 3  # words behind a verb, a number among them, that are too few for a text in which it is only mentioned
TAIL = 3  # digits of an incident's number in its channel's name
NUMBERED = frozenset({"sev", "done", "task", "pause"})  # verbs with a number of their own
WORK = frozenset({"note", "task", "followup", "summary"})  # what goes on where an incident was merged into
SHORT = 20  # characters of a text that is typed again in no time


async def answer(asked: Asked, text: str, *, sure: bool = False) -> Reply:
    """Do what a line says; gives what to show to the person who typed it.

    `sure` says that the line is the answer to a question of ours.
    """
    command = asked.command
    if sure and text == KEEP:
        return Reply("Nothing has changed.")
    try:
        said = await asyncio.wait_for(_answer(asked, grammar.read(text), text, sure=sure), WRITE_WITHIN)
    except Question as question:
        telemetry.INTERACTIONS.labels("command", "asked").inc()
        return asked_back(question, command)
    except (Mistake, Refused) as error:
        telemetry.INTERACTIONS.labels("command", "refused").inc()
        # A refusal is plain text; a mistake's text is mrkdwn already.
        why = asked.refusal(error) if isinstance(error, Refused) else str(error)
        return Reply(why + _as_typed(command, text))
    except (DatabaseUnavailable, TimeoutError):
        telemetry.INTERACTIONS.labels("command", "unavailable").inc()
        return Reply(DATABASE_AWAY + _as_typed(command, text))
    telemetry.INTERACTIONS.labels("command", "done").inc()
    if isinstance(said, Form):
        return Reply(await asked.open_modal(said.view))
    return said if isinstance(said, Reply) else Reply(said)


def _as_typed(command: str, text: str) -> str:
    """Repeat a longer line that was not done: Slack has taken it from the box in which it was typed."""
    words = grammar.read(text).rest
    typed = code(html.unescape(f"{command} {text.strip()}"), 2500)  # Slack has escaped it once already
    return f"\nYou typed:\n```{typed}```" if len(words) > SHORT else ""


async def _answer(asked: Asked, line: grammar.Line, typed: str, *, sure: bool) -> Answer:
    line = await _with_number(asked, line)
    command, verb = asked.command, table.find(line.word)
    incident = await _named(asked, line.named)
    if not line.word:
        if incident is None:
            return Form(modals.declare("", asked.channel, policy=asked.policy))
        return one_line(incident) if line.named else Reply(*panel.panel(incident))
    if verb is None:
        severity = asked.policy.find(line.word)
        if severity and incident:
            raise Mistake(f"There is no `{esc(line.word, 40)}`. Did you mean `{command} sev {esc(line.word, 40)}`?")
        near = None if severity else table.nearest(line.word, cutoff=table.NEAR if incident else SURE)
        if near is None and incident is None:
            title = grammar.plain(asked.directory.members.unlabelled(typed), asked.directory.name_of)
            read = grammar.titled(title, asked.severities)
            return Form(modals.declare(read.title, asked.channel, severity=read.severity, policy=asked.policy))
        word = esc(line.word, 40)
        if near:
            raise Mistake(f"There is no `{word}`. Did you mean {near.shown(command, asked.policy)}?")
        raise Mistake(f"There is no `{word}`. Type `{command} help` to see every verb.")
    rest = line.rest
    if verb.where is Where.INCIDENT and verb.name != "merge" and not (sure and line.named):
        incident, rest = await _behind(asked, verb, line, incident)
    if verb.where is Where.INCIDENT and incident is None:
        example = f"`{command} INC-... {verb.name}`"
        raise Mistake(
            f"This channel belongs to no incident. Type it in an incident's channel, or name the incident: {example}. "
            f"{await open_ones(asked)}"
        )
    if incident is not None and incident.merged_into and verb.name in WORK and rest and not sure:
        raise _goes_on_elsewhere(verb, incident, rest)
    if verb.text is Text.ALL:
        await asked.directory.members.learn(rest)
    return await asking.do(verb, Spoken(asked, rest, incident, verb.name, sure))


async def _with_number(asked: Asked, line: grammar.Line) -> grammar.Line:
    """Read a short number in front of a verb as the open incident that it names: `002 ack`, `#2 resolve`.

    Raises:
        Mistake: no open incident, or more than one, has that number.
    """
    number, behind = grammar.short_number(line.word), grammar.read(line.rest)
    if line.named or number is None or behind.named or table.find(behind.word) is None:
        return line
    found = await _ending(asked, number)
    if len(found) != 1:
        how_many = "Several open incidents have" if found else "No open incident has"
        raise Mistake(f"{how_many} the number {esc(line.word, 20)}. {await open_ones(asked)}")
    return grammar.Line(found[0].number, behind.word, behind.rest)


async def _ending(asked: Asked, number: int) -> list[Incident]:
    """Return the open incidents that a short number can name: each day counts anew."""
    return [each for each in await asked.open_incidents() if int(each.number.rpartition("-")[2]) == number]


async def _named(asked: Asked, named: str) -> Incident | None:
    """Return the incident that was named, else the one whose channel this is.

    Raises:
        Mistake: what was named is none, or none that the person may see.
    """
    incident = await asked.find(named)
    if named and incident is None:
        shown = named if named.startswith("INC-") else f"<#{named}>"
        none = f"There is no {shown}." if shown == named else f"{shown} belongs to no incident."
        raise Mistake(f"{none} {await open_ones(asked)}")
    return incident


async def _behind(asked: Asked, verb: Verb, line: grammar.Line, here: Incident | None) -> tuple[Incident | None, str]:
    """Read an incident that is named behind the verb: it is the one that is meant, unless it may belong to a text.

    Raises:
        Question: it is not clear which incident is meant.
        Mistake: what was named is no incident.
    """
    named, rest = grammar.take_incident(line.rest)
    is_first, mentioned = bool(named), grammar.incidents_in(line.rest)
    is_only_mentioned = verb.text is not Text.NONE and len(line.rest.split()) > SURELY
    if not is_first and mentioned and not is_only_mentioned:  # `ack for INC-...`, `sev 3 INC-...`
        named, rest = mentioned[-1], grammar.without_incidents(line.rest)
    if not named and here is not None and not line.named:
        await _ask_about_number(asked, verb, line, here)
    if not named or (not is_first and here is None and verb.text is not Text.NONE):
        return here, line.rest
    there = await _named(asked, named)
    if here is None or there is None or here.number == there.number:
        return there, rest if is_first or verb.text is Text.NONE else line.rest
    is_sure = verb.text is Text.NONE or (is_first and (verb.text is Text.LATER or not rest.strip()))
    if is_sure and not line.named:
        return there, rest
    raise _which(verb, line, here, there, rest)


async def _ask_about_number(asked: Asked, verb: Verb, line: grammar.Line, here: Incident) -> None:
    """Ask where a number behind a verb may be the short one of another incident that is open: `resolve 002`.

    Raises:
        Question: it may be.
    """
    first, _, rest = line.rest.partition(" ")
    digits = first.strip("#:,;.")
    number = grammar.short_number(first)
    if number is None or verb.name in NUMBERED or (digits.isdecimal() and len(digits) < TAIL and rest.strip()):
        return
    for there in await _ending(asked, number):
        if there.number != here.number:
            raise _which(verb, line, here, there, rest.strip())


def _goes_on_elsewhere(verb: Verb, incident: Incident, rest: str) -> Question:
    name, into = verb.name.capitalize(), incident.merged_into
    return Question(
        f"{incident.number} was merged into {into}, where the work continues. Where does it belong?",
        Choice(f"{name} {into}", f"{into} {verb.name} {rest}", "primary"),
        Choice(f"{name} {incident.number}", f"{incident.number} {verb.name} {rest}"),
    )


def _which(verb: Verb, line: grammar.Line, here: Incident, there: Incident, rest: str) -> Question:
    name = verb.name.replace("_", " ").capitalize()
    return Question(
        f"You named {there.number} ({esc(there.title, 60)}), and {'also' if line.named else 'this is the channel of'} "
        f"{here.number} ({esc(here.title, 60)}). Which incident do you mean?",
        Choice(f"{name} {there.number}", f"{there.number} {verb.name} {rest}".strip()),
        Choice(f"{name} {here.number}", f"{here.number} {verb.name} {line.rest}".strip()),
    )

"""`/incident`: reads a line, has its verb do it, and answers with what happened or what to do instead."""

from __future__ import annotations

import asyncio

from bot import telemetry
from bot.errors import DatabaseUnavailable
from bot.incidents.model import Refused
from bot.slack import modals, panel
from bot.slack.mrkdwn import esc
from handlers.slack import asking, grammar, table
from handlers.slack.answers import Answer, Form, Reply
from handlers.slack.context import DATABASE_AWAY, WRITE_WITHIN, Asked
from handlers.slack.speech import Mistake, Spoken, Where, one_line
from handlers.slack.verbs.opening import open_ones

SURE = 0.75  # how alike an unknown word must be to a verb to be no title


async def answer(asked: Asked, text: str) -> Reply:
    """Do what a line says; gives what to show to the person who typed it."""
    command = asked.command
    try:
        said = await asyncio.wait_for(_answer(asked, grammar.read(text), text, command), WRITE_WITHIN)
    except (Mistake, Refused) as error:
        telemetry.INTERACTIONS.labels("command", "refused").inc()
        # A refusal is plain text; a mistake's text is mrkdwn already.
        return Reply(asked.refusal(error) if isinstance(error, Refused) else str(error))
    except (DatabaseUnavailable, TimeoutError):
        telemetry.INTERACTIONS.labels("command", "unavailable").inc()
        return Reply(DATABASE_AWAY)
    telemetry.INTERACTIONS.labels("command", "done").inc()
    if isinstance(said, Form):
        return Reply(await asked.open_modal(said.view))
    return said if isinstance(said, Reply) else Reply(said)


async def _answer(asked: Asked, line: grammar.Line, typed: str, command: str) -> Answer:
    verb = table.find(line.word)
    incident = await asked.find(line.number)
    if line.number and incident is None:
        raise Mistake(f"There is no {line.number}. {await open_ones(asked)}")
    if not line.word:
        if incident is None:
            return Form(modals.declare("", asked.channel))
        return one_line(incident) if line.number else Reply(*panel.panel(incident))
    if verb is None:
        near = table.nearest(line.word, cutoff=table.NEAR if incident else SURE)
        if near is None and incident is None:
            title, _ = grammar.title_and_severity(grammar.plain(typed, asked.directory.name_of))
            return Form(modals.declare(title, asked.channel))
        word = esc(line.word, 40)
        if near:
            raise Mistake(f"There is no `{word}`. Did you mean {near.shown(command)}?")
        raise Mistake(f"There is no `{word}`. Type `{command} help` to see what there is.")
    if verb.where is Where.INCIDENT and incident is None:
        example = f"`{command} INC-... {verb.name}`"
        raise Mistake(
            f"This is no incident's channel. Type it in one, or name the incident: {example}. {await open_ones(asked)}"
        )
    return await asking.do(verb, Spoken(asked, line.rest, incident))

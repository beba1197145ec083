"""The buttons: each does what a line would, or opens the form that the line would."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot import telemetry
from bot.errors import DatabaseUnavailable
from bot.incidents.model import Refused
from bot.slack import modals, tasks
from handlers.slack import asking, checklists, grammar, shortcuts, steps, table, triage
from handlers.slack.answers import Answer, Form
from handlers.slack.context import DATABASE_AWAY, Asked
from handlers.slack.questions import asked_back
from handlers.slack.speech import Mistake, Question, Spoken

# The line that each button stands for; its value names the incident.
LINES: Mapping[str, str] = {
    "incident_update": "update",
    "incident_same": "update same",
    "incident_ack": "ack",
    "incident_lead": "lead",
    "incident_mitigate": "mitigate",
    "incident_resolve": "resolve",
    "incident_reopen": "reopen",
    "incident_unmerge": "unmerge",
    "incident_accept": "accept",
    "incident_decline": "decline",
    "incident_export": "export md",
    "incident_catchup": "catchup",
    tasks.ADD: "task add",
    tasks.DONE: "task done",  # and the task's number, from the value
    tasks.SKIP: "task skip",
}
MORE, DECLARE, GATHER = "incident_more", "home_declare", "storm_merge"
_LINE = re.compile(rf"({'|'.join(LINES)}|{MORE})(_(INC-)?[0-9-]+)?")  # a suffix makes it like no other of its message
ACTIONS: tuple[str | re.Pattern[str], ...] = (
    _LINE,
    DECLARE,
    GATHER,
    steps.ACTIONS,
    checklists.ACTIONS,
    triage.ACTIONS,
    shortcuts.ACTIONS,
)


async def press(asked: Asked, action_id: str, value: str) -> str:
    """Do what a button says; gives a line only for what could not even be put into the outbox."""
    said: Answer = ""
    try:
        said = await _press(asked, action_id, value)
        await asked.tell(said)
    except (DatabaseUnavailable, TimeoutError):
        telemetry.INTERACTIONS.labels("button", "unavailable").inc()
        return DATABASE_AWAY
    refused = bool(said) and not isinstance(said, Form)
    telemetry.INTERACTIONS.labels("button", "refused" if refused else "done").inc()
    return ""


async def _press(asked: Asked, action_id: str, value: str) -> Answer:
    try:
        if steps.ACTIONS.fullmatch(action_id):
            return await steps.press(asked, action_id, value)
        if checklists.ACTIONS.fullmatch(action_id):
            return await checklists.press(asked, action_id, value)
        if triage.ACTIONS.fullmatch(action_id):
            return await triage.press(asked, action_id, value)
        if shortcuts.ACTIONS.fullmatch(action_id):
            return await shortcuts.press(asked, value)
        if action_id == GATHER:
            return await _gather(asked, value)
        if action_id == DECLARE:
            return Form(modals.declare("", asked.user.id, policy=asked.policy))
        found = _LINE.fullmatch(action_id)
        name = found.group(1) if found else ""
        return await (asking.open_menu(asked, value) if name == MORE else _line(asked, LINES[name], value))
    except Refused as error:
        return asked.refusal(error)
    except Question as question:
        return asked_back(question, asked.command)
    except Mistake as error:
        return str(error)


async def _gather(asked: Asked, value: str) -> Answer:
    """Merge what a storm began with into its incident."""
    number, _, named = value.partition("|")
    into = await asking.subject(asked, number)
    found = [each for each in named.split(",") if await asked.find(each) is not None]
    desk = asked.services.desk
    merged = await asked.write(lambda tx: desk.gather(tx, found, into.number, asked.user))
    example = f"`{asked.command} {merged[0]} unmerge`"
    return f"Merged {', '.join(merged)} into {into.number}. To split one off again: {example}."


async def _line(asked: Asked, text: str, value: str) -> Answer:
    """Do what the line of a button says; a change is seen where the button is, so only a task's end is answered."""
    number, _, rest = value.partition("|")
    line = grammar.read(f"{text} {rest}")
    verb = table.BY_NAME[line.word]
    spoken = Spoken(asked, line.rest, await asking.subject(asked, number), verb.name)
    said = await asking.do(verb, spoken)
    is_away = spoken.incident is not None and spoken.incident.away is not None
    return "" if isinstance(said, str) and verb.name != "task" and not is_away else said

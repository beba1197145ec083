"""The buttons and forms of alerts that wait for a look: accept, merge, decline."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection

from bot.incidents import commands as c
from bot.incidents.model import Incident, Refused
from bot.incidents.policy import Severity
from bot.slack import triage as shown
from bot.slack.modals import OPTIONS
from bot.slack.triage import ACCEPT, DECLINE, MERGE, UNDO
from bot.store import incidents
from bot.triage import Filled, TooLate
from handlers.slack.answers import Answer, Form
from handlers.slack.context import Asked
from handlers.slack.verbs.opening import declared

ACTIONS = re.compile(f"{ACCEPT}|{MERGE}|{DECLINE}|{UNDO}")
CALLBACKS = (ACCEPT, MERGE, DECLINE)


async def press(asked: Asked, action_id: str, value: str) -> Answer:
    """Give the form of a button, or a line for the person where there is nothing to decide.

    Raises:
        Refused: it is decided, or over.
    """

    def look(connection: Connection) -> tuple[c.Declare, list[Incident]]:
        drafted = asked.services.triage.draft(connection, value, asked.services.clock.now())
        if action_id != MERGE:
            return drafted, []
        newest = incidents.page(connection, limit=OPTIONS, before=None, status="open")
        return drafted, [incident for _, incident in newest if incident.is_shown_to(asked.user.id)]

    if action_id == UNDO:
        await asked.write(lambda tx: asked.services.triage.undo(tx, value))
        return ""
    drafted, found = await asked.services.store.read(look)
    metadata = f"{value}|{asked.channel}"
    if action_id == ACCEPT:
        return Form(shown.accept(metadata, drafted, asked.policy))
    if action_id == DECLINE:
        return Form(shown.decline(metadata))
    if not found:
        return "No incident is open. Press Accept to declare one."
    return Form(shown.merge(metadata, found))


async def submit(asked: Asked, callback: str, metadata: str, values: Mapping[str, str]) -> dict[str, str]:
    """Decide as a form says; gives an error by field, none when it is done, or was done before by somebody else.

    Raises:
        Refused: it does not fit.
    """
    scope, _, channel = metadata.partition("|")
    here = replace(asked, channel=channel)
    try:
        if callback == ACCEPT:
            if not values.get("title"):
                return {"title": "Say in a few words what is wrong."}
            incident = await _accept(asked, scope, values)
            await here.tell(declared(incident))
        elif callback == MERGE:
            number = values.get("incident", "")
            await asked.write(lambda tx: asked.services.triage.merge(tx, scope, number, asked.user))
        else:
            why = values.get("why", "")
            if not why:
                return {"why": "Say why this is not an incident. The triage message shows the reason."}
            await asked.write(lambda tx: asked.services.triage.decline(tx, scope, why, asked.user))
    except TooLate as error:
        await here.tell(asked.refusal(error))
    return {}


async def _accept(asked: Asked, scope: str, values: Mapping[str, str]) -> Incident:
    try:
        severity = Severity(values.get("severity", ""))
    except ValueError as error:
        raise Refused("bad_severity", "Pick a severity.") from error
    filled = Filled(values["title"], severity, values.get("service", ""), values.get("impact", ""))
    return await asked.write(lambda tx: asked.services.triage.accept(tx, scope, filled, asked.user))

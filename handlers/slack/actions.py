"""The buttons: each does what its verb does, or opens the form that the verb would."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from bot import telemetry
from bot.errors import DatabaseUnavailable
from bot.incidents import commands as c
from bot.incidents.model import Actor, Incident, Person, Refused
from bot.slack import catchup, modals
from bot.slack.mrkdwn import esc
from handlers.slack import checklists, steps, triage
from handlers.slack.context import DATABASE_AWAY, Asked
from handlers.slack.speech import Answer, Reply

FORMS: Mapping[str, Callable[[Incident], dict[str, Any]]] = {
    "incident_update": modals.update,
    "incident_resolve": modals.resolve,
}
COMMANDS: Mapping[str, Callable[[Actor], c.Command]] = {
    "incident_ack": c.Acknowledge,
    "incident_same": c.KeepCadence,
    "incident_mitigate": c.Mitigate,
    "incident_accept": c.AcceptHandoff,
    "incident_lead": lambda user: c.AssignRole(Person(user.id, user.name), user),
    "incident_reopen": c.Reopen,
    "incident_export": lambda user: c.Export("md", user),
}
CATCH_UP = "incident_catchup"
DECLARE = "home_declare"
ACTIONS: tuple[str | re.Pattern[str], ...] = (
    *FORMS,
    *COMMANDS,
    re.compile(rf"{CATCH_UP}(_INC-[0-9-]+)?"),
    DECLARE,
    steps.ACTIONS,
    checklists.ACTIONS,
    triage.ACTIONS,
)


async def press(asked: Asked, action_id: str, value: str, thread_ts: str | None) -> str:
    """Do what a button says; gives a line only for what could not even be put into the outbox."""
    try:
        said = await _press(asked, action_id, value)
        if isinstance(said, Reply):
            await asked.whisper(said.text, thread_ts, said.blocks)
        elif said:
            await asked.whisper(said, thread_ts)
    except (DatabaseUnavailable, TimeoutError):
        telemetry.INTERACTIONS.labels("button", "unavailable").inc()
        return DATABASE_AWAY
    telemetry.INTERACTIONS.labels("button", "refused" if said else "done").inc()
    return ""


async def _press(asked: Asked, action_id: str, value: str) -> Answer:
    try:
        if steps.ACTIONS.fullmatch(action_id):
            return await steps.press(asked, action_id, value)
        if checklists.ACTIONS.fullmatch(action_id):
            return await checklists.press(asked, action_id, value)
        if triage.ACTIONS.fullmatch(action_id):
            return await triage.press(asked, action_id, value)
        if action_id == DECLARE:
            return await asked.open_modal(modals.declare("", asked.channel))
        if action_id.startswith(CATCH_UP):
            return Reply(*catchup.catch_up(await asked.board(value)))
        form = FORMS.get(action_id)
        if form is None:
            await asked.apply(value, COMMANDS[action_id](asked.user))
            return ""
        incident = await asked.find(value)
        if incident is None:
            return f"There is no {value[:40]}."
        if not incident.status.is_open:
            command = asked.services.settings.config.slack.command
            return f"{incident.number} is {incident.status.value}. Reopen it first: `{command} reopen`."
        return await asked.open_modal(form(incident))
    except Refused as error:
        return esc(str(error))

"""Verbs that open an incident, or show those that are open."""

from __future__ import annotations

from bot.incidents import commands as c
from bot.incidents import envelope
from bot.incidents.model import Incident
from bot.incidents.policy import Severity
from bot.slack import modals
from bot.store.tx import Tx
from bot.text import clip
from handlers.slack import grammar
from handlers.slack.answers import Answer, Form
from handlers.slack.context import LISTED, Asked
from handlers.slack.speech import Spoken, one_line

TITLE = 200


async def declare(spoken: Spoken) -> Answer:
    """Open an incident; without a title open the form."""
    title, severity = grammar.title_and_severity(spoken.plain)
    if not title:
        return Form(modals.declare("", spoken.asked.channel))
    return declared(await open_one(spoken.asked, title, severity or Severity.SEV2))


async def test(spoken: Spoken) -> Answer:
    """Open an incident that pages nobody and says everywhere that it is a test."""
    title, severity = grammar.title_and_severity(spoken.plain)
    if not title:
        return Form(modals.declare("", spoken.asked.channel, drill=True))
    return declared(await open_one(spoken.asked, title, severity or Severity.SEV2, drill=True))


async def private(spoken: Spoken) -> Answer:
    """Open an incident that only those who are invited can see."""
    title, severity = grammar.title_and_severity(spoken.plain)
    if not title:
        return Form(modals.declare("", spoken.asked.channel, private=True))
    return declared(await open_one(spoken.asked, title, severity or Severity.SEV2, private=True))


async def show_open(spoken: Spoken) -> str:
    """List the open incidents."""
    return await open_ones(spoken.asked)


async def open_one(
    asked: Asked,
    title: str,
    severity: Severity,
    *,
    service: str = "",
    impact: str = "",
    error: str = "",
    drill: bool = False,
    private: bool = False,
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
        drill=drill,
        private=private,
    )

    def work(tx: Tx) -> Incident:
        return asked.services.desk.declare(tx, made)[0]

    return await asked.write(work)


def declared(incident: Incident) -> str:
    """Say where a new incident is to be found, and what is special about it."""
    if incident.opened_channel:
        where = f"opening #incident-{incident.number.removeprefix('INC-')}."
    else:
        where = "see its thread in the alerts channel."
    also = " It is a test: nobody is paged." if incident.drill else ""
    also += " Only who is invited sees it." if incident.private else ""
    return f"Declared {incident.number} ({incident.severity.value}): {where}{also}"


async def open_ones(asked: Asked) -> str:
    """List the open incidents, worst first."""
    found = await asked.open_incidents()
    if not found:
        return "No incident is open."
    lines = [one_line(incident) for incident in found[:LISTED]]
    more = f"\nand {len(found) - LISTED} more" if len(found) > LISTED else ""
    return "Open incidents:\n" + "\n".join(lines) + more

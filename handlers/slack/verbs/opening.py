"""Verbs that open an incident, or show those that are open."""

from __future__ import annotations

import re

from bot.incidents import commands as c
from bot.incidents import envelope
from bot.incidents.model import Incident
from bot.incidents.policy import Severity
from bot.incidents.rooms import prefix_of
from bot.slack import modals
from bot.slack.mrkdwn import esc
from bot.store.tx import Tx
from bot.text import clip
from handlers.slack import grammar
from handlers.slack.answers import Answer, Form
from handlers.slack.context import LISTED, Asked
from handlers.slack.speech import Choice, Question, Spoken, one_line

TITLE = 200
_PRIVATE = re.compile(r"[\s,;:(-]+private[)!.]*$", re.IGNORECASE)


async def declare(spoken: Spoken) -> Answer:
    """Open an incident; without a title open the form.

    Raises:
        Question: the title ends in "private", which may be a wish.
    """
    if not spoken.sure and (meant := _PRIVATE.search(spoken.rest)) and meant.start():
        rest = spoken.rest[: meant.start()]
        raise Question(
            "Is this incident private, so that only invited people see it?",
            Choice("Declare it private", f"private {rest}"),
            Choice("Declare it for everybody", f"declare {spoken.rest}"),
        )
    return await _open(spoken)


async def test(spoken: Spoken) -> Answer:
    """Open an incident that pages nobody and says everywhere that it is a test."""
    return await _open(spoken, drill=True)


async def private(spoken: Spoken) -> Answer:
    """Open an incident that only those who are invited can see."""
    return await _open(spoken, private=True)


async def _open(spoken: Spoken, *, drill: bool = False, private: bool = False) -> Answer:
    asked = spoken.asked
    read = grammar.titled(spoken.plain, asked.severities)
    if not read.title or read.is_torn:
        form = modals.declare(
            read.title, asked.channel, severity=read.severity, drill=drill, private=private, policy=asked.policy
        )
        return Form(form)
    severity = read.severity or Severity.SEV2
    incident = await open_one(asked, read.title, severity, drill=drill, private=private)
    source = f"from “{read.severities[0][1]}”" if read.severities else "the default"
    return declared(incident, source)


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


def declared(incident: Incident, source: str = "") -> str:
    """Say where a new incident is, and what is special about it; `source` is where its severity was taken from."""
    if incident.opened_channel:
        where = f"opening its channel. Its name begins with {prefix_of(incident.number)}."
    else:
        where = "see its thread in the alerts channel."
    also = " This is a test: nobody is paged." if incident.drill else ""
    also += " Only invited people see it." if incident.private else ""
    severity = f"{incident.severity_name}, {esc(source)}" if source else incident.severity_name
    return f"Declared {incident.number} ({severity}): {where}{also}"


async def open_ones(asked: Asked) -> str:
    """List the open incidents, worst first."""
    found = await asked.open_incidents()
    if not found:
        return "No incident is open."
    lines = [one_line(incident) for incident in found[:LISTED]]
    more = f"\nand {len(found) - LISTED} more" if len(found) > LISTED else ""
    return "Open incidents:\n" + "\n".join(lines) + more

"""Steps that are acts: to tick "Acknowledge the page" acknowledges it. Pure."""

from __future__ import annotations

from bot.incidents import checking, people, responding
from bot.incidents import commands as c
from bot.incidents.draft import Draft
from bot.incidents.model import Person
from bot.incidents.runs import run_of
from bot.incidents.ticking import point_of
from bot.incidents.wording import is_in_slack


def tick(draft: Draft, command: c.TickStep) -> None:
    """Tick a step, and do what it says where that is an act which nobody has done yet."""
    checking.tick(draft, command)
    incident, actor = draft.incident, command.actor
    run = run_of(incident.runs, command.step.book)
    point = point_of(run, command.step.number) if run else ""
    if not incident.status.is_open or not is_in_slack(actor):
        return
    if point == "acknowledge" and incident.acknowledged_at is None:
        responding.acknowledge(draft, c.Acknowledge(actor))
    elif point == "lead" and incident.lead is None:
        people.assign(draft, c.AssignRole(Person(actor.id, actor.name), actor))

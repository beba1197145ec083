"""The buttons and forms of runbooks: tick, skip, undo, turn the page, take another; and of what they have changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection

from bot.incidents import commands as c
from bot.incidents.model import Refused
from bot.incidents.runs import Run, run_of, unfilled
from bot.runbooks.model import Book
from bot.running import Place, board_of
from bot.slack import modals
from bot.slack import runbook as shown
from handlers.slack.answers import Answer, Form
from handlers.slack.context import Asked

ACTIONS = re.compile(r"runbook_(done|undo|skip|page|swap)(_\d+)?|mitigation_(rolled_back|permanent)")
CALLBACKS = ("runbook_skip", "runbook_approve")


async def press(asked: Asked, action_id: str, value: str) -> Answer:
    """Do what a button says; gives the form that it opens.

    Raises:
        Refused: it does not fit.
    """
    found = ACTIONS.fullmatch(action_id)
    verb, place = (found.group(1) or found.group(3)) if found else "", _place(value)
    user, runner = asked.user, asked.services.runner
    if verb == "done":
        _, step = await asked.services.store.read(lambda c: runner.step(c, board_of(c, place.number), place))
        if step.approval:
            command = await asked.services.store.read(lambda c: runner.command(c, place))
            complete = not unfilled(command)
            return Form(modals.approve(value, step.number, step.approval, command, complete=complete))
        await asked.write(lambda tx: runner.tick(tx, place, user))
    elif verb == "undo":
        await asked.write(lambda tx: runner.undo(tx, place, user))
    elif verb == "skip":
        run, book = await _posted(asked, place)
        left = shown.options(run, book)
        if not left:
            raise Refused("no_change", "Every step is done or skipped already.")
        return Form(modals.skip(value, left))
    elif verb == "page":
        await asked.apply(place.number, c.TurnPage(place.book, place.step))
    elif verb == "swap":
        await asked.apply(place.number, c.PostRunbook(place.book, user))
    else:
        number = int(place.book) if place.book.isdecimal() else 0
        await asked.apply(place.number, c.EndMitigation(number, user, permanent=verb == "permanent"))
    return ""


async def submit(asked: Asked, callback: str, metadata: str, values: Mapping[str, str]) -> dict[str, str]:
    """Do what a form says; gives an error by field, none when it is done.

    Raises:
        Refused: it does not fit.
    """
    place, runner = _place(metadata), asked.services.runner
    if callback == "runbook_skip":
        why, step = values.get("why", ""), int(values.get("step") or 0)
        if not why:
            return {"why": "Say why it is skipped: the timeline keeps it."}
        await asked.write(lambda tx: runner.skip(tx, replace(place, step=step), why, asked.user))
        return {}
    approver = await _approver(asked, values)
    if not approver:
        return {"person": "Say who approved: pick the person, or write the name below."}
    command, ran = values.get("command", ""), bool(values.get("command") or values.get(modals.RAN))
    await asked.write(lambda tx: runner.tick(tx, place, asked.user, approved_by=approver, command=command, ran=ran))
    return {}


async def _approver(asked: Asked, values: Mapping[str, str]) -> str:
    """Name who approved, as far as Slack can tell in time."""
    person, said = await asked.person(values.get("person", "")), values.get("name", "")
    if person is None:
        return said
    return f"{person.name} ({said})" if said else person.name


async def _posted(asked: Asked, place: Place) -> tuple[Run, Book]:
    def look(connection: Connection) -> tuple[Run, Book]:
        run = run_of(board_of(connection, place.number).incident.runs, place.book)
        if run is None:
            raise Refused("no_run", f"{place.book[:100]} is not posted in {place.number}.")
        return run, asked.services.runner.posted(connection, run)

    return await asked.services.store.read(look)


def _place(value: str) -> Place:
    """Read a button's value or a form's metadata: number, runbook (or change), and a step or page."""
    number, book, step = [*value.split("|"), "", ""][:3]
    return Place(number, book, int(step) if step.isdecimal() else 0)

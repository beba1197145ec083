"""The buttons and forms of runbooks: tick, skip, undo, turn the page, take another; and of what they have changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from bot.incidents import commands as c
from bot.incidents.model import Incident, Refused
from bot.incidents.runs import Run, run_of, unfilled
from bot.runbooks.model import Book, Step
from bot.running import Place, board_of
from bot.slack import modals
from bot.slack import runbook as shown
from handlers.slack import updating
from handlers.slack.answers import Answer, Form
from handlers.slack.context import Asked

ACTIONS = re.compile(r"runbook_(done|undo|skip|page|swap)(_\d+)?|checklist_ticks|mitigation_(rolled_back|permanent)")
BOXES = "checklist_ticks"
CALLBACKS = ("runbook_skip", "runbook_approve")


async def press(asked: Asked, action_id: str, value: str) -> Answer:
    """Do what a button says; gives the form that it opens.

    Raises:
        Refused: it does not fit.
    """
    found = ACTIONS.fullmatch(action_id)
    verb, place = (found.group(1) or found.group(3)) if found else "", _place(value)
    user, runner = asked.user, asked.services.runner
    if action_id == BOXES:
        return await _boxes(asked, value)
    if verb == "done":
        return await _tick(asked, place)
    if verb == "undo":
        await asked.write(lambda tx: runner.undo(tx, place, user))
    elif verb == "skip":
        run, book = await _posted(asked, place)
        left = shown.options(run, book)
        if not left:
            raise Refused("no_change", "All steps are done or skipped.")
        return Form(modals.skip(value, left))
    elif verb == "page":
        await asked.apply(place.number, c.TurnPage(place.book, place.step))
    elif verb == "swap":
        await asked.apply(place.number, c.PostRunbook(place.book, user))
    else:
        number = int(place.book) if place.book.isdecimal() else 0
        await asked.apply(place.number, c.EndMitigation(number, user, permanent=verb == "permanent"))
    return ""


async def _tick(asked: Asked, place: Place) -> Answer:
    """Tick a step; give the form that asks for an approval, or for the update that the step is."""
    runner, user = asked.services.runner, asked.user

    def look(connection: Connection) -> tuple[Step, Incident]:
        board = board_of(connection, place.number)
        return runner.step(connection, board, place)[1], board.incident

    step, incident = await asked.services.store.read(look)
    if step.approval:
        command = await asked.services.store.read(lambda c: runner.command(c, place))
        value = f"{place.number}|{place.book}|{place.step}"
        return Form(modals.approve(value, step.number, step.approval, command, complete=not unfilled(command)))
    if step.point == "update" and incident.status.is_open and not incident.last_update:
        return Form(await updating.form(asked, incident))
    await asked.write(lambda tx: runner.tick(tx, place, user))
    return ""


async def _boxes(asked: Asked, value: str) -> Answer:
    """Tick the boxes that somebody has ticked, and undo those they have cleared; `value` tells both states."""
    number, book, before, now = [*value.split("|"), "", "", "", ""][:4]
    was, ticked = set(before.split(",")) - {""}, set(now.split(",")) - {""}
    answer: Answer = ""
    for each in sorted(was ^ ticked):
        place = _place(f"{number}|{book}|{each}")
        if each in ticked:
            answer = await _tick(asked, place) or answer
        else:
            await asked.write(partial(asked.services.runner.undo, place=place, actor=asked.user))
    return answer


async def submit(asked: Asked, callback: str, metadata: str, values: Mapping[str, str]) -> dict[str, str]:
    """Do what a form says; gives an error by field, none when it is done.

    Raises:
        Refused: it does not fit.
    """
    place, runner = _place(metadata), asked.services.runner
    if callback == "runbook_skip":
        why, step = values.get("why", ""), int(values.get("step") or 0)
        if not why:
            return {"why": "Say why you skip it. The timeline shows it."}
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

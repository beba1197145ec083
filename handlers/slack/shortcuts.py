"""The shortcuts: declare an incident, work on it, put a message on its timeline, make it a follow-up."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

from sqlalchemy import Connection

from bot import capturing, telemetry
from bot.errors import DatabaseUnavailable
from bot.incidents import commands as c
from bot.incidents.capturing import SHORTCUT
from bot.incidents.model import Incident, Refused
from bot.slack import modals
from bot.slack import said as slack_says
from bot.slack import shortcuts as forms
from bot.slack.shortcuts import FOLLOW, PICK, TAKE_OFF, Noted, Spot
from bot.store import captures, incidents
from handlers.slack import asking
from handlers.slack.answers import Answer, Form, Reply
from handlers.slack.captures import meant as all_of_it
from handlers.slack.captures import said
from handlers.slack.context import DATABASE_AWAY, WRITE_WITHIN, Asked

FROM_MESSAGE, TIMELINE, FOLLOW_UP, WORK = "incident_from_message", "timeline_add", "followup_add", "incident_work"
DECLARE, WORK_ON_ONE = "incident_declare", "incident_work_on_one"  # on no message: the answers are direct messages
SHORTCUTS = (FROM_MESSAGE, TIMELINE, FOLLOW_UP, WORK, DECLARE, WORK_ON_ONE)
CALLBACKS = (PICK, FOLLOW)
ACTIONS = re.compile(TAKE_OFF)
TITLE = 200


async def use(asked: Asked, callback: str, message: Mapping[str, Any]) -> str:
    """Do what a shortcut says; gives a line only for what could not even be put into the outbox."""
    try:
        await asked.tell(await asyncio.wait_for(_use(asked, callback, message), WRITE_WITHIN))
    except (DatabaseUnavailable, TimeoutError):
        telemetry.INTERACTIONS.labels("shortcut", "unavailable").inc()
        return DATABASE_AWAY
    telemetry.INTERACTIONS.labels("shortcut", "done").inc()
    return ""


async def _use(asked: Asked, callback: str, message: Mapping[str, Any]) -> Answer:
    if callback == DECLARE:
        return Form(modals.declare("", asked.channel, policy=asked.policy))
    if callback == WORK_ON_ONE:
        return await asking.open_menu(asked)
    if callback in {FROM_MESSAGE, FOLLOW_UP}:
        await asked.directory.members.learn(slack_says.text_of(message))
    meant = _meant(asked, message)
    if callback == FROM_MESSAGE:
        title = next((line.strip() for line in meant.splitlines() if line.strip(" `")), "")
        error = meant if slack_says.looks_like_an_error(meant) else ""
        return Form(modals.declare(title.strip("` ")[:TITLE], asked.channel, error, policy=asked.policy))
    here = await asked.services.store.read(lambda connection: _here(connection, asked.channel, message))
    if callback == WORK:
        return await asking.open_menu(asked, here or "")
    if callback == TIMELINE and here is not None:
        return await _capture(asked, here, message)
    noted = Noted(
        channel=asked.channel,
        ts=str(message.get("ts") or ""),
        thread_ts=asked.thread_ts,
        number=here or "",
        author=slack_says.author_of(message),
        text=slack_says.text_of(message) if callback == TIMELINE else "",
        edited=slack_says.edited_at(message),
    )
    open_ones: list[Incident] = [] if here else await asked.open_incidents()
    if not here and not open_ones:
        return asking.none_open(asked)
    return Form(forms.pick(noted, open_ones) if callback == TIMELINE else forms.follow_up(noted, meant, open_ones))


def _meant(asked: Asked, message: Mapping[str, Any]) -> str:
    return all_of_it(asked.services, slack_says.text_of(message))


def _here(connection: Connection, channel: str, message: Mapping[str, Any]) -> str | None:
    """Give the number of the incident whose channel or thread a message is in."""
    incident = incidents.by_channel(connection, channel)
    if incident is not None:
        return incident.number
    return captures.by_thread(connection, channel, str(message.get("thread_ts") or message.get("ts") or ""))


async def _capture(asked: Asked, number: str, message: Mapping[str, Any], *, elsewhere: bool = False) -> Answer:
    """Put a message on a timeline; in the incident's own place a reaction shows it to all.

    Whoever has put it there by the shortcut can take it off again.
    """
    ts, author = str(message.get("ts") or ""), slack_says.author_of(message)
    looks = [slack_says.permalink(asked.gateway, asked.channel, ts)]
    names = [asked.directory.members.get(author)] if author[:1] in {"U", "W"} else []
    link, *_ = await slack_says.in_time(*looks, asked.directory.members.learn(slack_says.text_of(message)), *names)
    told = said(asked.services, (asked.channel, ts), message, link=str(link or ""), author=author)
    desk = asked.services.desk
    put = partial(capturing.capture, desk=desk, number=number, said=told, actor=asked.user, via=SHORTCUT)
    try:
        await asked.write(lambda tx: put(tx, mark=not elsewhere))
        text = f"Added to the timeline of {number}."
    except Refused as error:
        text = asked.refusal(error)
        known = await asked.services.store.read(lambda connection: captures.find(connection, number, asked.channel, ts))
        if known is None or not known.is_undone_by(asked.user.id, SHORTCUT):
            return text
    return Reply(text, forms.there(text, Spot(asked.channel, ts, number)))


async def press(asked: Asked, value: str) -> str:
    """Take a message off a timeline, for whoever has put it there by the shortcut.

    Raises:
        Refused: it is not there, or was put there otherwise.
    """
    spot = Spot.unpacked(value)
    if spot is None:
        raise Refused(
            "no_message", "Could not tell which message this button belongs to. Use the shortcut on the message again."
        )
    off = partial(capturing.take_off, desk=asked.services.desk, actor=asked.user, via=SHORTCUT)
    await asked.write(lambda tx: off(tx, number=spot.number, channel=spot.channel, ts=spot.ts))
    return f"Taken off the timeline of {spot.number}."


async def submit(asked: Asked, callback: str, metadata: str, values: Mapping[str, str]) -> dict[str, str]:
    """Do what a form says; gives an error by field, none when it is done.

    Raises:
        Refused: it does not fit.
    """
    noted = Noted.unpacked(metadata)
    number = noted.number or values.get("incident", "")
    there = replace(asked, channel=noted.channel, thread_ts=noted.thread_ts)
    if callback == PICK:
        message = {"user": noted.author, "ts": noted.ts, "text": noted.text, "edited": {"ts": noted.edited}}
        await there.tell(await _capture(there, number, message, elsewhere=True))
        return {}
    text, due = values.get("text", ""), values.get("due", "")
    if not text:
        return {"text": "Type the follow-up."}
    if due and not _is_date(due):
        return {"due": "Write the day as 2026-12-01."}
    looks = slack_says.in_time(slack_says.permalink(asked.gateway, noted.channel, noted.ts))
    (link,), owner = await asyncio.gather(looks, asked.person(values.get("owner", "")))
    await asked.apply(number, c.AddFollowUp(text, asked.user, owner, due, str(link or "")))
    if not noted.number:
        await there.tell(f"Added the follow-up to {number}.")
    return {}


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False

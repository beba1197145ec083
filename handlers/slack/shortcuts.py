"""The shortcuts: declare an incident, put a message on a timeline, make it a follow-up."""

from __future__ import annotations

import asyncio
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
from bot.incidents.model import Incident, Person, Refused
from bot.slack import modals
from bot.slack import said as slack_says
from bot.slack import shortcuts as forms
from bot.slack.mrkdwn import esc
from bot.slack.shortcuts import FOLLOW, PICK, Noted
from bot.store import captures, incidents
from handlers.slack import grammar
from handlers.slack.captures import said
from handlers.slack.context import DATABASE_AWAY, WRITE_WITHIN, Asked

FROM_MESSAGE, TIMELINE, FOLLOW_UP, DECLARE = (
    "incident_from_message",
    "timeline_add",
    "followup_add",
    "incident_declare",
)
SHORTCUTS = (FROM_MESSAGE, TIMELINE, FOLLOW_UP, DECLARE)
CALLBACKS = (PICK, FOLLOW)
TITLE = 200


async def use(asked: Asked, callback: str, message: Mapping[str, Any]) -> str:
    """Do what a shortcut says; gives a line only for what could not even be put into the outbox."""
    thread_ts = str(message.get("thread_ts") or "") or None
    try:
        told = await asyncio.wait_for(_use(asked, callback, message), WRITE_WITHIN)
        if told:
            where = asked if asked.channel else replace(asked, channel=asked.user.id)
            await where.whisper(told, thread_ts)
    except (DatabaseUnavailable, TimeoutError):
        telemetry.INTERACTIONS.labels("shortcut", "unavailable").inc()
        return DATABASE_AWAY
    telemetry.INTERACTIONS.labels("shortcut", "done").inc()
    return ""


async def _use(asked: Asked, callback: str, message: Mapping[str, Any]) -> str:
    if callback == DECLARE:  # from nowhere: the answer comes as a direct message
        return await asked.open_modal(modals.declare("", asked.user.id))
    meant = _meant(asked, message)
    if callback == FROM_MESSAGE:
        title = next((line.strip() for line in meant.splitlines() if line.strip(" `")), "")
        error = meant if slack_says.looks_like_an_error(meant) else ""
        return await asked.open_modal(modals.declare(title.strip("` ")[:TITLE], asked.channel, error))
    here = await asked.services.store.read(lambda connection: _here(connection, asked.channel, message))
    if callback == TIMELINE and here is not None:
        return await _capture(asked, here, message)
    noted = Noted(
        channel=asked.channel,
        ts=str(message.get("ts") or ""),
        thread_ts=str(message.get("thread_ts") or ""),
        number=here or "",
        author=slack_says.author_of(message),
        text=slack_says.text_of(message) if callback == TIMELINE else "",
        edited=slack_says.edited_at(message),
    )
    open_ones: list[Incident] = [] if here else await asked.open_incidents()
    if not here and not open_ones:
        command = asked.services.settings.config.slack.command
        return f"No incident is open. Declare one: `{command} declare <title>`.".replace("<title>", "&lt;title&gt;")
    if callback == TIMELINE:
        return await asked.open_modal(forms.pick(noted, open_ones))
    return await asked.open_modal(forms.follow_up(noted, meant, open_ones))


def _meant(asked: Asked, message: Mapping[str, Any]) -> str:
    return grammar.plain(slack_says.text_of(message), asked.directory.name_of)


def _here(connection: Connection, channel: str, message: Mapping[str, Any]) -> str | None:
    """Give the number of the incident whose channel or thread a message is in."""
    incident = incidents.by_channel(connection, channel)
    if incident is not None:
        return incident.number
    return captures.by_thread(connection, channel, str(message.get("thread_ts") or message.get("ts") or ""))


async def _capture(asked: Asked, number: str, message: Mapping[str, Any], *, elsewhere: bool = False) -> str:
    """Put a message on a timeline; in the incident's own place a reaction shows it to all."""
    ts, author = str(message.get("ts") or ""), slack_says.author_of(message)
    looks = [slack_says.permalink(asked.gateway, asked.channel, ts)]
    names = [asked.directory.find(f"<@{author}>")] if author[:1] in {"U", "W"} else []
    link, *_ = await slack_says.in_time(*looks, *names)
    told = said(asked.services, (asked.channel, ts), message, link=str(link or ""), author=author)
    desk = asked.services.desk
    put = partial(capturing.capture, desk=desk, number=number, said=told, actor=asked.user, via=SHORTCUT)
    try:
        await asked.write(lambda tx: put(tx, mark=not elsewhere))
    except Refused as error:
        return esc(str(error))
    return f"Added to the timeline of {number}."


async def submit(asked: Asked, callback: str, metadata: str, values: Mapping[str, str]) -> dict[str, str]:
    """Do what a form says; gives an error by field, none when it is done.

    Raises:
        Refused: it does not fit.
    """
    noted = Noted.unpacked(metadata)
    number = noted.number or values.get("incident", "")
    there = replace(asked, channel=noted.channel)
    thread_ts = noted.thread_ts or None
    if callback == PICK:
        message = {"user": noted.author, "ts": noted.ts, "text": noted.text, "edited": {"ts": noted.edited}}
        await there.whisper(await _capture(there, number, message, elsewhere=True), thread_ts)
        return {}
    text, due = values.get("text", ""), values.get("due", "")
    if not text:
        return {"text": "Say what is left to do."}
    if due and not _is_date(due):
        return {"due": "Write the day as 2026-12-01."}
    owner_id = values.get("owner", "")
    looks = [asked.directory.find(f"<@{owner_id}>")] if owner_id else []
    link, *found = await slack_says.in_time(slack_says.permalink(asked.gateway, noted.channel, noted.ts), *looks)
    owner = (found[0] or Person(owner_id, owner_id)) if found else None
    await asked.apply(number, c.AddFollowUp(text, asked.user, owner, due, str(link or "")))
    if not noted.number:
        await there.whisper(f"Added the follow-up to {number}.", thread_ts)
    return {}


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False

"""Slack's events about messages: pins and reactions put them on a timeline, edits and deletions are kept there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection

from bot import capturing
from bot.errors import Permanent
from bot.incidents import commands as c
from bot.incidents.capturing import PIN, REACTION, stamp
from bot.incidents.model import Actor, Delivery, Person, Refused
from bot.outbox import missing
from bot.services import Services
from bot.slack import said as slack_says
from bot.slack.faults import words
from bot.slack.said import in_time
from bot.store import captures, inbox, incidents
from bot.store.tx import Tx
from bot.text import clean
from handlers.slack import grammar
from handlers.slack.events import SLACK

EVENTS = ("pin_added", "pin_removed", "reaction_added", "reaction_removed", "message")


class Untold(Exception):  # noqa: N818 - what it is
    """Slack did not say in time what a message is: it sends the event again when we fail."""


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did to a message: `via` is a pin or a reaction; `at` Slack's own time stamp of it."""

    event_id: str
    via: str
    user: str
    channel: str
    ts: str
    at: str

    def undone(self, at: str) -> str:
        """Name the moment at which the same was taken back, as the inbox remembers it."""
        return f"undone:{self.via}:{self.user}:{self.channel}:{self.ts}:{at}"


async def heard(services: Services, body: Mapping[str, Any]) -> None:
    """Do what an event asks for; whatever is about no incident, or from the bot itself, changes nothing.

    Raises:
        Untold, DatabaseUnavailable: Slack is to send the event again.
    """
    event, event_id = body.get("event") or {}, str(body.get("event_id") or "")
    kind = event.get("type")
    if kind == "message":
        await _changed(services, event_id, event, body)
        return
    item = event.get("item") or {}
    if item.get("type") != "message":
        return
    via = PIN if str(kind).startswith("pin") else REACTION
    if via == REACTION and not _is_ours(services, str(event.get("reaction") or "")):
        return
    message = item.get("message") or {}
    channel = str(item.get("channel") or event.get("channel_id") or "")
    ts, user = str(item.get("ts") or message.get("ts") or ""), str(event.get("user") or "")
    if not (stamp(ts)[0] and user and channel) or user == await myself(services, body):
        return
    act = Act(event_id, via, user, channel, ts, str(event.get("event_ts") or "0")[:20])
    if str(kind).endswith("_added"):
        await _added(services, act, message, str(event.get("item_user") or slack_says.author_of(message)))
    else:
        await _taken_back(services, act)


def _is_ours(services: Services, name: str) -> bool:
    wanted = services.settings.config.slack.timeline_reaction
    return wanted is not None and name.partition("::")[0] == wanted  # a skin tone changes nothing


async def myself(services: Services, body: Mapping[str, Any]) -> str:
    """Give the bot's own user id, as the event says it."""
    bots = (a for a in body.get("authorizations") or [] if a.get("is_bot"))
    if found := next(bots, None):
        return str(found.get("user_id") or "")
    assert services.gateway is not None  # noqa: S101 - Slack called us
    (me,) = await in_time(services.gateway.me())
    return str((me or {}).get("user_id") or "")


async def _added(services: Services, act: Act, message: Mapping[str, Any], author: str) -> None:
    channel, ts, user = act.channel, act.ts, act.user

    def look(connection: Connection) -> tuple[str, bool]:
        here = incidents.by_channel(connection, channel)
        if here is None:
            return "", captures.has_threads(connection, channel)
        kept = captures.find(connection, here.number, channel, ts)
        return here.number, kept is None or kept.removed

    number, matters = await services.store.read(look)
    if not matters:
        return
    gateway, directory = services.gateway, services.directory
    assert gateway is not None  # noqa: S101 - Slack called us
    assert directory is not None  # noqa: S101
    people = {user, author} if author[:1] in {"U", "W"} else {user}
    whole, link, *_ = await in_time(
        _given(message) if message else slack_says.message_or_refusal(gateway, channel, ts),
        slack_says.permalink(gateway, channel, ts),
        *(directory.members.get(each) for each in sorted(people)),
    )
    if whole is None:
        raise Untold(f"{channel} {ts}")
    if isinstance(whole, Permanent):
        await services.store.write(lambda tx: _refuse(tx, services, act, whole))
        return
    if not whole:
        return
    if not number:
        root = str(whole.get("thread_ts") or ts)
        number = await services.store.read(lambda connection: captures.by_thread(connection, channel, root) or "")
    if not number:
        return
    await directory.members.learn(slack_says.text_of(whole))
    told = said(services, (channel, ts), whole, link=str(link or whole.get("permalink") or ""), author=author)
    who = _actor(services, user)

    def work(tx: Tx) -> None:
        receipt = inbox.keep_once(tx.connection, SLACK, b"", tx.now, act.event_id)
        if receipt is None:
            return
        inbox.note(tx.connection, receipt, f"{act.via} {number}")
        incidents.take(tx.connection, number)
        if inbox.came_between(tx.connection, SLACK, act.undone(act.at), act.undone("99999999999")):
            return  # taken back while we were asking Slack, or while Slack tried to tell us
        with suppress(Refused):  # it is there already, by whoever was quicker
            capturing.capture(tx, services.desk, number, told, actor=who, via=act.via)

    await services.store.write(work)


def _refuse(tx: Tx, services: Services, act: Act, error: Permanent) -> None:
    """Tell whoever wants a message on the timeline that it can't be read."""
    if inbox.keep_once(tx.connection, SLACK, b"", tx.now, act.event_id) is None:
        return
    text = f"Could not add that message to the timeline: the bot can't read it ({words(error)}). {error.fix}"
    data = {"channel": act.channel, "user": act.user, "text": text, "thread_ts": None}
    services.desk.post(tx, f"whisper:{act.event_id[:40]}", Delivery("whisper", "whisper", "whisper", data))


async def _given(message: Mapping[str, Any]) -> Mapping[str, Any]:
    return message


async def _taken_back(services: Services, act: Act) -> None:
    def look(connection: Connection) -> tuple[str, bool]:
        here = incidents.by_channel(connection, act.channel)
        known = captures.of_message(connection, act.channel, act.ts)
        matters = here is not None or bool(known) or captures.has_threads(connection, act.channel)
        return here.number if here else "", matters

    number, matters = await services.store.read(look)
    if not matters:
        return
    assert services.directory is not None  # noqa: S101 - Slack called us
    await in_time(services.directory.members.get(act.user))
    who, desk = _actor(services, act.user), services.desk

    def work(tx: Tx) -> list[str]:
        if number:
            incidents.take(tx.connection, number)
        released = capturing.release(tx, desk, act.channel, act.ts, actor=who, via=act.via)
        if not released:  # it may be on its way
            inbox.keep_once(tx.connection, SLACK, b"", tx.now, act.undone(act.at))
        return released

    await services.store.write(lambda tx: _once(tx, act.event_id, f"{act.via} taken back", work))


async def _changed(services: Services, event_id: str, event: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    """Keep what has become of a message that is on a timeline."""
    channel, subtype = str(event.get("channel") or ""), event.get("subtype")
    message = event.get("message") or {}
    # A thread's first message that is deleted leaves its replies below a tombstone.
    deleted = subtype == "message_deleted" or message.get("subtype") == "tombstone"
    ts = str((event.get("deleted_ts") if subtype == "message_deleted" else message.get("ts")) or "")
    if subtype not in {"message_changed", "message_deleted"} or not stamp(ts)[0]:
        return
    known, ours = await services.store.read(
        lambda c: (captures.of_message(c, channel, ts), missing.posted_at(c, channel, ts) if deleted else None)
    )
    if ours is not None:
        await services.store.write(lambda tx: missing.post_again(tx, services.desk, ours))
        return
    if deleted:
        if any(not kept.removed for kept in known):
            lost = partial(capturing.lose, desk=services.desk, channel=channel, ts=ts)
            await services.store.write(lambda tx: _once(tx, event_id, "deleted", lost))
        return
    if slack_says.is_unfurled(event):
        return
    text, edited = slack_says.text_of(message), slack_says.edited_at(message)
    if not any(kept.is_changed_by(text, edited) for kept in known):
        return
    author = slack_says.author_of(message)
    if author == await myself(services, body):  # our messages are live; what they show is on the timeline as it is
        return
    by = str((message.get("edited") or {}).get("user") or author)
    assert services.directory is not None  # noqa: S101 - Slack called us
    members = services.directory.members
    people = [members.get(each) for each in sorted({by, author}) if each[:1] in {"U", "W"}]
    await in_time(members.learn(text), *people)
    told = said(services, (channel, ts), message, author=author)
    work = partial(capturing.reword, desk=services.desk, said=told, actor=_actor(services, by))
    await services.store.write(lambda tx: _once(tx, event_id, "edited", work))


def _once(tx: Tx, event_id: str, outcome: str, work: Callable[[Tx], list[str]]) -> None:
    receipt = inbox.keep_once(tx.connection, SLACK, b"", tx.now, event_id)
    if receipt is not None:
        inbox.note(tx.connection, receipt, " ".join([outcome, *work(tx)])[:200])


def said(
    services: Services, place: tuple[str, str], message: Mapping[str, Any], *, link: str = "", author: str = ""
) -> c.Said:
    """Return a message as it is kept: names instead of ids, Slack's escapes undone. `place` is its channel and ts."""
    channel, ts = place
    directory = services.directory
    assert directory is not None  # noqa: S101 - Slack called us
    raw = slack_says.text_of(message)
    who = slack_says.author_of(message) or author
    name = str(message.get("username") or "") or directory.name_of(who)
    return c.Said(
        author=Person(who, clean(name, 80)),
        channel=channel,
        ts=ts,
        text=clean(meant(services, raw), slack_says.LONGEST).strip(),
        raw=raw,
        at=slack_says.moment_of(ts),
        source=clean(link, 1000),
        edited=slack_says.edited_at(message),
    )


def meant(services: Services, raw: str) -> str:
    """Return what a message says, with everyone by the one name that goes with them."""
    directory = services.directory
    assert directory is not None  # noqa: S101 - Slack called us
    return grammar.plain(directory.members.unlabelled(raw), directory.name_of, labels=True)


def _actor(services: Services, user: str) -> Actor:
    assert services.directory is not None  # noqa: S101 - Slack called us
    return Actor("human", user, services.directory.name_of(user))

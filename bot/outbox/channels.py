"""Sends what concerns an incident's channel itself: it is opened, named, filled, looked at, brought back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from bot.errors import Permanent
from bot.incidents.asking import BY as ASKED_BY
from bot.incidents.rooms import prefix_of
from bot.outbox.call import Call, Result
from bot.outbox.people import people_of
from bot.outbox.shut import NO_POSTING, SHUT
from bot.outbox.worker import PAGES, Superseded
from bot.slack import card, messages
from bot.slack.faults import not_invited
from bot.slack.rooms import name_of
from bot.store import deliveries


async def _channel(call: Call) -> Result:
    incident = call.board.incident
    name = await _room(call)
    first = [spec for level in incident.rule.ladder[:1] for spec in level.slack]
    call.directory.prepare(first)
    channel, name = await call.gateway.open_channel(name, maybe_done=call.row.tried, private=incident.private)
    return {"channel": channel, "name": name}


async def _room(call: Call) -> str:
    """Return the channel's name: the same at each attempt, whatever becomes of the title and the pattern meanwhile."""
    kept, prefix = call.row.result.get("room"), prefix_of(call.board.incident.number)
    if kept or call.row.tried:  # an attempt that has kept none took the plain name
        return str(kept or prefix)
    name = name_of(call.board.incident, call.tools.slack.channel_name)
    if name != prefix:
        await call.tools.store.write(lambda tx: deliveries.keep_progress(tx.connection, call.row.id, {"room": name}))
    return name


async def _topic(call: Call) -> Result:
    incident = call.board.incident
    if not incident.is_at_home:
        raise Superseded
    try:
        name = await call.gateway.set_topic(incident.channel_id, card.topic(incident))
    except Permanent as error:
        raise call.meant(error, incident.channel_id) from error
    return {"renamed": name} if name and name != incident.channel_name else {}


async def _invite(call: Call) -> Result:
    found, channel = await people_of(call), call.board.incident.channel_id
    try:
        refused = await call.gateway.invite(channel, found.users)
    except Permanent as error:
        raise call.meant(error, channel) from error
    problems = [*found.problems, *(not_invited(call.directory.name_of(user), code) for user, code in refused)]
    if len(refused) >= len(found.users):
        fix = "" if ASKED_BY in call.row.data else "Name someone else in the ladder (SITREP_CONFIG)."
        raise Permanent("invite_failed", fix, " ".join(problems))
    return {"problems": problems}


async def _unarchive(call: Call) -> Result:
    """Bring the channel of an incident that was reopened back from the archive; says so where Slack refuses."""
    channel = call.board.incident.channel_id
    try:
        about = await call.gateway.about(channel)
        if about.get("is_archived", not about):
            await call.gateway.unarchive(channel)
    except Permanent as error:
        return {"shut": error.reason if error.reason in SHUT - {"not_in_channel"} else "is_archived"}
    return {"channel": channel, "name": str(about.get("name") or ""), "unarchived": bool(about.get("is_archived"))}


async def _channel_check(call: Call) -> Result:
    """Look how the channel is; where the incident goes on elsewhere, a message that it takes is the proof."""
    call = await call.anew()
    incident, channel = call.board.incident, call.board.incident.channel_id
    waiting = await call.tools.store.read(lambda c: deliveries.unfinished(c, call.row.scope))
    found: dict[str, Any] = {"card": bool(call.board.result("card")), "open": incident.status.is_open}
    found["paging"] = any(row.kind in PAGES for row in waiting)
    try:
        if call.row.data.get("unarchive"):
            with suppress(Permanent):  # the message below tells
                await call.gateway.unarchive(channel)
        about = await call.gateway.about(channel)
        found["name"] = str(about.get("name") or "")
        if about.get("is_archived"):
            return {**found, "shut": "is_archived"}
        if incident.away is not None:
            await call.post(messages.home_again(call.board), channel=channel)
            found["written"] = True
    except Permanent as error:
        if error.reason in SHUT | NO_POSTING:
            return {**found, "shut": error.reason}
        raise
    return found


SENDERS: Mapping[str, Callable[[Call], Awaitable[Result]]] = {
    "channel": _channel,
    "topic": _topic,
    "invite": _invite,
    "unarchive": _unarchive,
    "channel_check": _channel_check,
}

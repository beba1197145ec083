"""How each kind of delivery is sent. A sender renders the state of the moment and calls Slack."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from bot import board as boards
from bot import telemetry
from bot.board import Board
from bot.errors import Permanent, Retryable
from bot.incidents import commands as c
from bot.incidents.escalation import is_needless
from bot.incidents.model import Incident
from bot.incidents.wording import at_work, mention, worded
from bot.outbox import channels, homes, periodic, reactions, runbooks, templates, triage
from bot.outbox.call import Call, Result, Tools
from bot.outbox.people import people_of, wait_for_slack
from bot.outbox.shut import GONE, NO_THREAD, ChannelShut, MessageGone
from bot.outbox.worker import Superseded
from bot.runbooks.templates import Filling
from bot.slack import card, messages
from bot.slack.gateway import Posted
from bot.slack.messages import Message
from bot.slack.said import permalink
from bot.store import deliveries, incidents
from bot.store.deliveries import Outgoing
from bot.store.tx import Tx
from bot.timeline.collect import collect
from bot.timeline.export import render

KEEP_BOARD = 1.0  # seconds
AGAIN = 5.0  # seconds until another replica may take what this one does not know
# What these show may be as old as their claim: whatever changed since has asked for an edit of its own.
TOGETHER = frozenset({"channel", "card", "thread", "announcement", "topic", "pin", "runbook", "checklist"})


class Sender:
    """Sends one delivery."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._boards: dict[str, tuple[float, asyncio.Task[Board | None]]] = {}

    async def __call__(self, row: Outgoing, since: float) -> Result:
        """Send it; gives what is to be remembered of it.

        Args:
            row: the delivery.
            since: the moment, by the monotonic clock, after which what it shows must have been read.

        Raises:
            OutwardError: it did not succeed.
            Superseded: there is nothing to send any more.
        """
        sender = _SENDERS.get(row.kind)
        if sender is None:  # written by a newer replica, while the others are upgraded one by one
            raise Retryable("newer_version", f"{row.kind} is not known here", after=AGAIN)
        board = None
        if row.incident_id is not None:
            # A change joins an edit that waits for its turn, so that one shows the state of its own claim.
            together = row.kind in TOGETHER and not row.coalesce
            board = await (self._shared(row.scope, since) if together else self._load(row))
        return await sender(Call(self._tools, row, board))

    async def _load(self, row: Outgoing) -> Board | None:
        page, edit = row.kind == "page", row.kind == "refresh_card"
        return await self._tools.store.read(lambda c: boards.load(c, row.scope, with_events=page, for_card=edit))

    async def _shared(self, scope: str, since: float) -> Board | None:
        """Read an incident's board once for all that goes out together."""
        read_at, task = self._boards.get(scope, (-1.0, None))
        if task is None or read_at < since:
            task = asyncio.ensure_future(self._tools.store.read(lambda c: boards.load(c, scope)))
            self._boards[scope] = (time.monotonic(), task)
            task.add_done_callback(lambda _done: self._forget(scope, task))
        return await asyncio.shield(task)

    def _forget(self, scope: str, task: asyncio.Task[Board | None]) -> None:
        if not task.cancelled():
            task.exception()  # whoever waits hears of it
        asyncio.get_running_loop().call_later(KEEP_BOARD, self._drop, scope, task)

    def _drop(self, scope: str, task: asyncio.Task[Board | None]) -> None:
        if self._boards.get(scope, (0.0, None))[1] is task:
            del self._boards[scope]


async def _card(call: Call) -> Result:
    incident = call.board.incident
    if not incident.is_at_home:
        raise Superseded
    try:
        return await call.post(card.card(call.board), channel=incident.channel_id)
    except Permanent as error:
        if not isinstance(call.meant(error, incident.channel_id, said=True), ChannelShut):
            raise
        raise ChannelShut(error, incident.channel_id, said=False) from error  # it comes once the channel is back


async def _thread(call: Call) -> Result:
    """Post the card that has a thread below it; one that is there from before is taken up again."""
    message = card.card(call.board)
    if (old := await call.there("thread")) is not None:
        try:
            await call.replace("thread", message)
        except MessageGone:
            pass  # somebody deleted it
        else:
            return old.result
    channel = await call.gateway.channel_id(call.tools.slack.alerts_channel)
    return await call.post(message, channel=channel)


async def _announcement(call: Call) -> Result:
    channel = await call.gateway.channel_id(call.tools.slack.announcements_channel)
    return await call.post(card.announcement(call.board), channel=channel)


async def _refresh_card(call: Call) -> Result:
    message = card.card(call.board, await runbooks.next_step(call))
    slots = ("card", "thread") if call.board.incident.away is None else ("thread",)
    edited = False
    gone: list[MessageGone] = []
    shut: list[ChannelShut] = []
    for slot in slots:
        try:
            edited = await call.edit(slot, message) or edited
        except MessageGone as error:
            gone.append(error)
        except ChannelShut as error:
            shut.append(error)
    if gone:
        raise MessageGone(gone[0], [row for error in gone for row in error.rows])
    if shut:
        raise shut[0]
    if not edited:
        raise Superseded
    return {}


async def _refresh_announcement(call: Call) -> Result:
    if not await call.edit("announcement", card.announcement(call.board)):
        raise Superseded
    return {}


async def _pin(call: Call) -> Result:
    posted = call.board.result("card")
    if not posted:
        raise Superseded
    place = Posted(str(posted["channel"]), str(posted["ts"]))
    try:
        await call.gateway.pin(place)
    except Permanent as error:
        if error.reason == GONE:  # the next edit of the card finds it gone, and has it posted and pinned again
            raise Superseded from error
        raise call.meant(error, place.channel) from error
    return {}


async def _notification(call: Call) -> Result:
    ladder = call.board.incident.rule.ladder
    specs = ladder[0].slack if ladder and ladder[0].after == 0 else ()
    found = await call.directory.resolve(specs)
    wait_for_slack(call, found)
    filling = Filling(call.tools.templates)
    message = messages.notification(filling, call.board, found.mentions)
    await templates.tell(call, filling, "The notification", mention(call.board.incident.declared_by))
    posted = await call.post(message, people=found.users or None)
    people = [call.directory.name_of(user) for user in found.users]
    return {**posted, "people": people, "problems": found.notes, "mentions": list(found.mentions)}


async def _page(call: Call) -> Result:
    reason = str(call.row.data["reason"])
    posted = await call.find()
    if posted is None and is_needless(call.board.incident, reason):
        raise Superseded
    found = await people_of(call)
    if posted is None:
        # Those calls took a while: nobody is paged after an acknowledgement that came meanwhile.
        call = await call.anew(with_events=True)
        if is_needless(call.board.incident, reason):
            raise Superseded
        message = messages.page(call.board, call.row.data, found.mentions)
        directly = bool(call.row.data.get("direct"))
        posted = await call.post(message, looked_for=True, people=found.users, directly=directly)
    people = [call.directory.name_of(user) for user in found.users]
    return {**posted, "people": people, "problems": found.notes, "mentions": list(found.mentions)}


async def _refresh_pages(call: Call) -> Result:
    """Let pages and the notification show that they are answered: they ask for no acknowledgement any more."""
    call = await call.anew(with_events=True)
    kinds = ("page", "notification")
    sent = await call.tools.store.read(
        lambda c: [row for k in kinds for row in deliveries.of_kind(c, call.row.scope, k)]
    )
    for row in sent:
        mentions = [str(each) for each in row.result.get("mentions", ())]
        places = [row.result, *dict(row.result.get("direct") or {}).values()]
        places = [Posted(str(each["channel"]), str(each["ts"])) for each in places if each.get("channel")]
        if not mentions:
            continue
        if row.kind == "page":
            text, blocks = messages.page(call.board, row.data, mentions)
        else:
            text, blocks = messages.notification(call.tools.templates, call.board, mentions)
        for place in places:
            with suppress(Permanent):  # somebody has deleted it, or its channel cannot be written
                await call.gateway.edit(place, text, blocks, key=row.key, number=call.row.scope)
    return {}


async def _page_pagerduty(call: Call) -> Result:
    return await call.tools.paging.page(call.row, call.board)


async def _pagerduty_state(call: Call) -> Result:
    return await call.tools.paging.answer(call.row, call.board)


async def _reminder(call: Call) -> Result:
    if (posted := await call.find()) is not None:
        return posted
    call = await call.anew()
    incident = call.board.incident
    if not _still_due(call) or incident.update_is_overdue:
        raise Superseded
    return await call.post(messages.reminder(incident, call.row.data), looked_for=True)


async def _take_back(call: Call) -> Result:
    """Delete a message that asked for what has been done since."""
    slot, kind = call.row.data.get("slot"), str(call.row.data.get("kind", ""))
    if slot is not None:
        rows = [row] if (row := await call.there(str(slot))) else []
    else:
        rows = await call.tools.store.read(lambda c: deliveries.of_kind(c, call.row.scope, kind))
    posted = [Posted(str(row.result["channel"]), str(row.result["ts"])) for row in rows if row.result.get("ts")]
    if not posted:
        raise Superseded
    for each in posted:
        await call.gateway.delete(each)
    return {}


def _still_due(call: Call) -> bool:
    """False once an update that came while the message was on its way has made it untrue."""
    due = call.board.incident.next_update_at
    return due is not None and due.isoformat() == call.row.data["due_at"]


async def _answerable(call: Call) -> tuple[str, ...]:
    """Mention the lead, else who acknowledged, else whoever was paged last."""
    incident = call.board.incident
    if people := at_work(incident):
        return (f"<@{people[0]}>",)
    if incident.ladder_level and incident.rule.ladder:
        level = incident.rule.ladder[min(incident.ladder_level, len(incident.rule.ladder)) - 1]
        return (await call.directory.resolve(level.slack)).mentions
    return ()


async def _alerts_joined(call: Call) -> Result:
    mentions = await _answerable(call) if call.row.data["loud"] or call.board.incident.lead else ()
    command = call.tools.slack.command
    return await call.post(messages.alerts_joined(call.board.incident, call.row.data, mentions, command))


async def _overdue(call: Call) -> Result:
    if (posted := await call.find()) is not None:
        return posted
    mentions = await _answerable(call)
    call = await call.anew()
    waiting = await call.tools.store.read(lambda c: deliveries.unfinished(c, call.row.scope))
    newer = any(row.kind == "overdue" and row.id > call.row.id for row in waiting)
    if newer or not _still_due(call):
        raise Superseded
    late = int(call.row.data["late_seconds"]) + int(call.age.total_seconds())
    said = {**call.row.data, "late_seconds": late}
    message = messages.overdue(call.board.incident, said, mentions, call.tools.slack.command)
    return await call.post(message, looked_for=True)


async def _suggest_resolve(call: Call) -> Result:
    """Suggest once that it is over, while it is quiet."""
    if (posted := await call.find()) is not None:
        return posted
    call = await call.anew()
    board, incident = call.board, call.board.incident
    if incident.quiet_told or not incident.status.is_open or board.counts.firing:
        raise Superseded
    return await call.post(messages.suggest_resolve(board), looked_for=True)


async def _update(call: Call) -> Result:
    filling = Filling(call.tools.templates)
    message = messages.update(filling, call.board.incident, call.row.data)
    await templates.tell(call, filling, "Your update", str(call.row.data["author"]))
    return await call.post(message)


async def _resolution(call: Call) -> Result:
    tools = call.tools
    filling, command = Filling(tools.templates), tools.slack.command
    message = messages.resolution(filling, call.board, call.row.data, tools.public_url, command)
    await templates.tell(call, filling, "Your resolution", str(call.row.data["author"]))
    return await call.post(message)


async def _say(call: Call) -> Result:
    return await call.post(messages.plain(worded(str(call.row.data["text"]), call.tools.slack.command)))


async def _moved(call: Call) -> Result:
    said = messages.plain(f"The channel is open now: continue in <#{call.board.incident.channel_id}>.")
    return await _under(call, "thread", said)


async def _came_from(call: Call) -> Result:
    """Link the thread in which an incident was worked on, before its severity was raised."""
    there = call.board.result("thread")
    if not there:
        raise Superseded
    link = await permalink(call.gateway, str(there["channel"]), str(there["ts"]))
    if not link:
        raise Superseded
    return await call.post(messages.plain(f"Earlier messages: <{link}|the thread in the alerts channel>."))


async def _storm(call: Call) -> Result:
    """Offer to merge what a storm began with, and have those incidents point to it."""
    numbers, here = [str(each) for each in call.row.data["numbers"]], call.board.incident

    def link(tx: Tx) -> list[Incident]:
        """One after the other, in the order in which others lock them."""
        found = []
        for each in sorted(numbers):
            before = incidents.take(tx.connection, each)
            if before is None or not before.status.is_open:
                continue
            known = any(e.data.get("storm") == here.number for e in incidents.timeline(tx.connection, each))
            see = c.SeeStorm(here.number, here.channel_id)
            found.append(before if known else call.tools.runner.desk.apply(tx, each, see))
        return found

    before = await call.tools.store.write(link)
    shown = [each for each in before if not each.private]
    return await call.post(messages.storm(here, str(call.row.data["why"]), shown, call.tools.slack.command))


async def _under(call: Call, slot: str, message: Message) -> Result:
    """Post in the thread of a slot's message."""
    there = call.board.result(slot)
    if not there:
        raise Superseded
    text, blocks = message
    where, root = str(there["channel"]), str(there["ts"])
    key, number = call.row.key, call.row.scope
    try:
        posted = await call.gateway.post(
            where, text, blocks, key=key, number=number, thread_ts=root, maybe_done=call.row.tried
        )
    except Permanent as error:
        if error.reason in NO_THREAD:
            raise MessageGone(error, [call.board.slots[slot]], said=True) from error
        raise
    return {"channel": posted.channel, "ts": posted.ts}


async def _handoff(call: Call) -> Result:
    """Brief whoever is offered the command; nothing goes out once it is accepted or withdrawn."""
    call = await call.anew(with_events=True)
    offered = call.board.incident.handoff
    if offered is None or offered.to.id != call.row.data["to"]:
        raise Superseded
    return await call.post(messages.handoff(call.board, offered))


async def _announced_update(call: Call) -> Result:
    """Say an update in the thread of the announcement."""
    return await _under(call, "announcement", messages.update_for(call.board.incident, call.row.data))


async def _direct(call: Call) -> Result:
    """Tell a subscriber of an update, in a direct message."""
    channel = await call.gateway.direct(str(call.row.data["user"]))
    incident = call.board.incident
    return await call.post(messages.update_for(incident, call.row.data), channel=channel)


async def _note(call: Call) -> Result:
    return await call.post(messages.note(call.row.data))


async def _operators(call: Call) -> Result:
    channel = await call.gateway.channel_id(call.tools.slack.operators)
    said = {name: str(call.row.data[name]) for name in ("text", "mark") if call.row.data.get(name)}
    return await call.post(messages.operators(**said), channel=channel)


async def _whisper(call: Call) -> Result:
    if call.row.tried:  # nobody can tell whether it was shown; at most once is better than twice
        raise Superseded
    data = call.row.data
    where, user = str(data["channel"]), str(data["user"])
    await call.gateway.whisper(where, user, str(data["text"]), data.get("thread_ts"), data.get("blocks"))
    return {}


async def _export(call: Call) -> Result:
    data, progress = call.row.data, dict(call.row.result)
    fmt, number = str(data["format"]), call.row.scope
    seq = int(data["seq"])
    dossier = await call.tools.store.read(lambda c: collect(c, number, up_to=seq))
    if dossier is None:
        raise Superseded
    made = render(dossier, fmt)
    if "file_id" not in progress:
        progress["file_id"] = await call.gateway.put_file(made.filename, made.content)
        await call.tools.store.write(lambda tx: deliveries.keep_progress(tx.connection, call.row.id, progress))
    channel, thread_ts = await _room(call)
    comment = f"Timeline of {number} for {data['author']}"
    try:
        await call.gateway.share_file(
            progress["file_id"], made.filename, channel, comment, thread_ts, maybe_done=call.row.tried
        )
    except Permanent as error:
        raise call.meant(error, channel, said=True) from error
    return progress


async def _room(call: Call) -> tuple[str, str | None]:
    """Return where a file is shared: a private incident without a channel sends it to whoever asked."""
    if call.is_private_and_away:
        return await call.gateway.direct(str(call.row.data["user"])), None
    return call.place()


_SENDERS: Mapping[str, Callable[[Call], Awaitable[Result]]] = {
    "card": _card,
    "thread": _thread,
    "announcement": _announcement,
    "refresh_card": _refresh_card,
    "refresh_announcement": _refresh_announcement,
    "pin": _pin,
    "notification": _notification,
    "page": _page,
    "refresh_pages": _refresh_pages,
    "page_pagerduty": _page_pagerduty,
    "pagerduty_state": _pagerduty_state,
    **channels.SENDERS,
    **runbooks.SENDERS,
    **reactions.SENDERS,
    "reminder": _reminder,
    "take_back": _take_back,
    "overdue": _overdue,
    "alerts_joined": _alerts_joined,
    "suggest_resolve": _suggest_resolve,
    "update": _update,
    "resolution": _resolution,
    "say": _say,
    "storm": _storm,
    "moved": _moved,
    "came_from": _came_from,
    "note": _note,
    "handoff": _handoff,
    "announced_update": _announced_update,
    "direct": _direct,
    "home": homes.publish,
    "operators": _operators,
    "whisper": _whisper,
    **triage.SENDERS,
    "export": _export,
    "periodic": periodic.post,
    "refresh_periodic": periodic.refresh,
    "digest": periodic.digest,
}
for _kind in _SENDERS:
    telemetry.DELIVERIES_FAILED.labels(_kind)  # from zero on, so that the first failure is an increase

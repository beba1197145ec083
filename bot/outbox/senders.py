"""How each kind of delivery is sent. A sender renders the state of the moment and calls Slack."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot import board as boards
from bot.board import Board
from bot.config import SlackConfig
from bot.errors import Permanent
from bot.incidents.model import Alert
from bot.outbox.worker import Superseded
from bot.runbooks.catalog import Catalog
from bot.runbooks.match import Match, match
from bot.runbooks.templates import Templates
from bot.slack import card, messages
from bot.slack.directory import Directory, Resolved
from bot.slack.gateway import Gateway, Posted
from bot.slack.messages import Message
from bot.store import alerts, deliveries
from bot.store.deliveries import Outgoing
from bot.store.tx import Store
from bot.timeline.collect import collect
from bot.timeline.export import render

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tools:
    """What senders work with. `gateway` is None while Slack is off."""

    store: Store
    slack: SlackConfig
    catalog: Catalog
    templates: Templates
    gateway: Gateway | None
    directory: Directory | None
    public_url: str = ""


class Sender:
    """Sends one delivery."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def __call__(self, row: Outgoing) -> Result:
        """Send it; gives what is to be remembered of it.

        Raises:
            OutwardError: it did not succeed.
            Superseded: there is nothing to send any more.
        """
        board = None
        if row.incident_id is not None:
            with_events = row.kind == "page"
            board = await self._tools.store.read(lambda c: boards.load(c, row.scope, with_events=with_events))
        return await _SENDERS[row.kind](Call(self._tools, row, board))


@dataclass(frozen=True, slots=True)
class Call:
    """One delivery with what it is about."""

    tools: Tools
    row: Outgoing
    maybe_board: Board | None

    @property
    def board(self) -> Board:
        """The incident's state."""
        if self.maybe_board is None:
            raise Superseded
        return self.maybe_board

    @property
    def gateway(self) -> Gateway:
        """Slack."""
        if self.tools.gateway is None:
            raise Permanent("slack_off", "Set SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET.")
        return self.tools.gateway

    @property
    def directory(self) -> Directory:
        """Who is who in Slack."""
        if self.tools.directory is None:
            raise Permanent("slack_off", "Set SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET.")
        return self.tools.directory

    def place(self) -> tuple[str, str | None]:
        """Where the incident's messages go: its channel, or the thread under its card in the alerts channel."""
        incident = self.board.incident
        if incident.opened_channel and incident.channel_id:  # a raised one has its thread until the channel is there
            return incident.channel_id, None
        thread = self.board.result("thread")
        return str(thread.get("channel", "")), str(thread.get("ts", "")) or None

    async def post(self, message: Message, *, channel: str | None = None) -> Result:
        """Post a message, in the incident's place unless a channel is named."""
        text, blocks = message
        where, thread_ts = (channel, None) if channel else self.place()
        number = self.row.scope if self.row.incident_id is not None else ""
        posted = await self.gateway.post(
            where, text, blocks, key=self.row.key, number=number, thread_ts=thread_ts, maybe_done=self.row.tried
        )
        return {"channel": posted.channel, "ts": posted.ts}

    async def edit(self, slot: str, message: Message) -> bool:
        """Edit a slot's message; False when it is not there."""
        row, result = self.board.slots.get(slot), self.board.result(slot)
        if row is None or not result:
            return False
        text, blocks = message
        await self.gateway.edit(
            Posted(str(result["channel"]), str(result["ts"])), text, blocks, key=row.key, number=self.row.scope
        )
        return True


async def _channel(call: Call) -> Result:
    incident = call.board.incident
    name = f"incident-{incident.number.removeprefix('INC-').lower()}"
    first = [spec for level in incident.rule.ladder[:1] for spec in level.slack]
    # Looking people up costs a round trip of its own; the invitation that follows must not wait for it.
    (channel, name), _ = await asyncio.gather(
        call.gateway.open_channel(name, maybe_done=call.row.tried), call.directory.warm(first)
    )
    return {"channel": channel, "name": name}


async def _card(call: Call) -> Result:
    return await call.post(card.card(call.board))


async def _thread(call: Call) -> Result:
    channel = await call.gateway.channel_id(call.tools.slack.alerts_channel)
    return await call.post(card.card(call.board), channel=channel)


async def _announcement(call: Call) -> Result:
    channel = await call.gateway.channel_id(call.tools.slack.announcements_channel)
    return await call.post(card.announcement(call.board), channel=channel)


async def _refresh_card(call: Call) -> Result:
    message = card.card(call.board)
    edited = [await call.edit(slot, message) for slot in ("card", "thread")]
    if not any(edited):
        raise Superseded
    return {}


async def _refresh_announcement(call: Call) -> Result:
    if not await call.edit("announcement", card.announcement(call.board)):
        raise Superseded
    return {}


async def _topic(call: Call) -> Result:
    incident = call.board.incident
    await call.gateway.set_topic(incident.channel_id, card.topic(incident))
    return {}


async def _pin(call: Call) -> Result:
    posted = call.board.result("card")
    await call.gateway.pin(Posted(str(posted["channel"]), str(posted["ts"])))
    return {}


async def _invite(call: Call) -> Result:
    found = await _people(call)
    problems = [*found.problems, *await call.gateway.invite(call.board.incident.channel_id, found.users)]
    if problems and len(problems) >= len(call.row.data["people"]):
        raise Permanent("invite_failed", "Correct the person in the ladder (SITREP_CONFIG).", "; ".join(problems))
    return {"problems": problems}


async def _notification(call: Call) -> Result:
    ladder = call.board.incident.rule.ladder
    specs = ladder[0].slack if ladder and ladder[0].after == 0 else ()
    found = await call.directory.resolve(specs)
    posted = await call.post(messages.notification(call.tools.templates, call.board, found.mentions))
    return {**posted, "people": [call.directory.name_of(user) for user in found.users]}


async def _page(call: Call) -> Result:
    incident = call.board.incident
    # Nobody is paged after an acknowledgement was committed, or after the end; an overdue update still pages.
    needless = not incident.status.is_open or (incident.acknowledged_at and call.row.data["reason"] != "update_overdue")
    if needless and not call.row.tried:
        raise Superseded
    found = await _people(call)
    posted = await call.post(messages.page(call.board, call.row.data, found.mentions))
    return {**posted, "people": [call.directory.name_of(user) for user in found.users], "problems": found.problems}


async def _people(call: Call) -> Resolved:
    specs = [str(spec) for spec in call.row.data["people"]]
    found = await call.directory.resolve(specs)
    if specs and not found.mentions:
        raise Permanent("nobody_found", "Correct the people in the ladder (SITREP_CONFIG).", "; ".join(found.problems))
    return found


async def _runbook(call: Call) -> Result:
    found = runbook_of(call.tools.catalog, call.board)
    posted = await call.post(messages.runbook(found))
    return {**posted, "runbook_id": found.runbook.id, "version": found.runbook.version, "reason": found.reason}


def runbook_of(catalog: Catalog, board: Board) -> Match:
    """Choose an incident's runbook: the one it names, else by its alerts."""
    named = catalog.get(board.incident.runbook_id) if board.incident.runbook_id else None
    if named:
        return Match(named, "named by the incident")
    seen: Sequence[Alert] = [shown.alert for shown in board.alerts]
    return match(catalog, seen)


async def _checklist(call: Call) -> Result:
    return await call.post(messages.checklist(call.tools.catalog))


async def _reminder(call: Call) -> Result:
    _must_still_be_due(call)
    return await call.post(messages.reminder(call.board.incident, call.row.data))


def _must_still_be_due(call: Call) -> None:
    """An update that came while the message was on its way has made it untrue."""
    due = call.board.incident.next_update_at
    if not call.row.tried and (due is None or due.isoformat() != call.row.data["due_at"]):
        raise Superseded


async def _overdue(call: Call) -> Result:
    _must_still_be_due(call)
    incident = call.board.incident
    if incident.lead:
        mentions: tuple[str, ...] = (f"<@{incident.lead.id}>",)
    elif incident.ladder_level and incident.rule.ladder:
        level = incident.rule.ladder[min(incident.ladder_level, len(incident.rule.ladder)) - 1]
        mentions = (await call.directory.resolve(level.slack)).mentions
    else:
        mentions = ()
    return await call.post(messages.overdue(incident, call.row.data, mentions))


async def _update(call: Call) -> Result:
    return await call.post(messages.update(call.tools.templates, call.board.incident, call.row.data))


async def _resolution(call: Call) -> Result:
    message = messages.resolution(call.tools.templates, call.board.incident, call.row.data, call.tools.public_url)
    return await call.post(message)


async def _say(call: Call) -> Result:
    return await call.post(messages.plain(str(call.row.data["text"])))


async def _note(call: Call) -> Result:
    return await call.post(messages.note(call.row.data))


async def _operators(call: Call) -> Result:
    channel = await call.gateway.channel_id(call.tools.slack.operators)
    return await call.post(messages.operators(str(call.row.data["text"])), channel=channel)


async def _whisper(call: Call) -> Result:
    if call.row.tried:  # nobody can tell whether it was shown; at most once is better than twice
        raise Superseded
    data = call.row.data
    await call.gateway.whisper(str(data["channel"]), str(data["user"]), str(data["text"]), data.get("thread_ts"))
    return {}


async def _triage(call: Call) -> Result:
    shown = await call.tools.store.read(lambda c: alerts.of_group(c, int(call.row.data["group_id"])))
    if not shown:
        raise Superseded
    channel = await call.gateway.channel_id(call.tools.slack.alerts_channel)
    return await call.post(messages.triage(shown, str(call.row.data["severity"])), channel=channel)


async def _refresh_triage(call: Call) -> Result:
    rows = await call.tools.store.read(lambda c: deliveries.by_slots(c, call.row.scope, ("triage",)))
    first = next((row for row in rows if row.result), None)
    shown = await call.tools.store.read(lambda c: alerts.of_group(c, int(call.row.data["group_id"])))
    if first is None or not shown:
        raise Superseded
    text, blocks = messages.triage(shown, str(call.row.data["severity"]))
    posted = Posted(str(first.result["channel"]), str(first.result["ts"]))
    await call.gateway.edit(posted, text, blocks, key=first.key)
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
    channel, thread_ts = call.place()
    comment = f"Timeline of {number} for {data['author']}"
    await call.gateway.share_file(
        progress["file_id"], made.filename, channel, comment, thread_ts, maybe_done=call.row.tried
    )
    return progress


_SENDERS: Mapping[str, Callable[[Call], Awaitable[Result]]] = {
    "channel": _channel,
    "card": _card,
    "thread": _thread,
    "announcement": _announcement,
    "refresh_card": _refresh_card,
    "refresh_announcement": _refresh_announcement,
    "topic": _topic,
    "pin": _pin,
    "invite": _invite,
    "notification": _notification,
    "page": _page,
    "runbook": _runbook,
    "checklist": _checklist,
    "reminder": _reminder,
    "overdue": _overdue,
    "update": _update,
    "resolution": _resolution,
    "say": _say,
    "note": _note,
    "operators": _operators,
    "whisper": _whisper,
    "triage": _triage,
    "refresh_triage": _refresh_triage,
    "export": _export,
}

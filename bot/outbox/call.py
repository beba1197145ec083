"""A delivery on its way: what senders work with, and the calls that all of them make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from bot import board as boards
from bot.board import Board
from bot.clock import Clock
from bot.config import SlackConfig
from bot.errors import Permanent
from bot.incidents.policy import DEFAULT_POLICY, Policy
from bot.outbox.paging import Paging
from bot.outbox.worker import Superseded
from bot.runbooks.catalog import Catalog
from bot.runbooks.links import NOWHERE, Places
from bot.runbooks.templates import Templates
from bot.running import Runner
from bot.slack import messages
from bot.slack.directory import Directory
from bot.slack.gateway import Gateway, Posted
from bot.slack.messages import Message
from bot.store import deliveries
from bot.store.deliveries import Outgoing
from bot.store.tx import Store

Result = Mapping[str, Any]

# These show the state of the moment in which they go out, or what no time changes.
TIMELESS = frozenset(
    {"card", "thread", "announcement", "triage", "triage_storm", "runbook", "checklist", "periodic", "digest"}
)


@dataclass(frozen=True, slots=True)
class Tools:
    """What senders work with. `gateway` is None while Slack is off."""

    store: Store
    clock: Clock
    paging: Paging
    slack: SlackConfig
    runner: Runner
    templates: Templates
    gateway: Gateway | None
    directory: Directory | None
    public_url: str = ""
    places: Places = NOWHERE
    policy: Policy = DEFAULT_POLICY

    @property
    def catalog(self) -> Catalog:
        """The runbooks and checklists."""
        return self.runner.catalog


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

    @property
    def age(self) -> timedelta:
        """How long ago it was decided."""
        return self.tools.clock.now() - self.row.created_at

    def place(self) -> tuple[str, str | None]:
        """Where the incident's messages go: its channel, or the thread under its card in the alerts channel."""
        incident = self.board.incident
        if incident.opened_channel and incident.channel_id:  # a raised one has its thread until the channel is there
            return incident.channel_id, None
        thread = self.board.result("thread")
        return str(thread.get("channel", "")), str(thread.get("ts", "")) or None

    async def anew(self, *, with_events: bool = False) -> Call:
        """Read the incident again: what was asked of Slack before may have taken a while."""
        board = await self.tools.store.read(lambda c: boards.load(c, self.row.scope, with_events=with_events))
        return replace(self, maybe_board=board)

    async def post(self, message: Message, *, channel: str | None = None, looked_for: bool = False) -> Result:
        """Post a message, in the incident's place unless a channel is named; one that comes late says so.

        What an attempt without an answer has posted is looked for first, unless the sender has just done that.
        """
        text, blocks = message if self.row.kind in TIMELESS else messages.dated(message, self.row.created_at, self.age)
        where, thread_ts = (channel, None) if channel else self.place()
        number = self.row.scope if self.row.incident_id is not None else ""
        maybe_done = self.row.tried and not looked_for
        posted = await self.gateway.post(
            where, text, blocks, key=self.row.key, number=number, thread_ts=thread_ts, maybe_done=maybe_done
        )
        return {"channel": posted.channel, "ts": posted.ts}

    async def find(self) -> Result | None:
        """Look for what an attempt without an answer has posted in the incident's place."""
        if not self.row.tried:
            return None
        where, thread_ts = self.place()
        found = await self.gateway.find(where, self.row.key, thread_ts)
        return None if found is None else {"channel": where, "ts": found}

    async def there(self, slot: str) -> Outgoing | None:
        """Give a slot's delivery of this scope once its message is there."""
        rows = await self.tools.store.read(lambda c: deliveries.by_slots(c, self.row.scope, (slot,)))
        return next((row for row in reversed(rows) if row.result.get("ts")), None)

    async def replace(self, slot: str, message: Message) -> Result:
        """Give a slot's message other content.

        Raises:
            Superseded: it is not there.
        """
        row, (text, blocks) = await self.there(slot), message
        if row is None:
            raise Superseded
        posted = Posted(str(row.result["channel"]), str(row.result["ts"]))
        number = self.row.scope if self.row.incident_id is not None else ""
        await self.gateway.edit(posted, text, blocks, key=row.key, number=number)
        return {}

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

"""A delivery on its way: what senders work with, and the calls that all of them make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from bot import board as boards
from bot.board import Board
from bot.clock import Clock
from bot.config import SlackConfig
from bot.errors import Permanent, Retryable
from bot.incidents.policy import DEFAULT_POLICY, Policy
from bot.incidents.wording import at_work, is_in_slack
from bot.outbox.paging import Paging
from bot.outbox.shut import GONE, NO_THREAD, SHUT, MessageGone, of_channel
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
    [
        *("card", "thread", "announcement", "triage", "triage_storm", "runbook", "checklist", "periodic", "digest"),
        "suggest_resolve",
    ]
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
        """Where the incident's messages go: its channel, or the thread under its card in the alerts channel.

        Raises:
            Retryable: the thread is not there yet.
        """
        incident = self.board.incident
        if incident.is_at_home and incident.channel_id:  # a raised one has its thread until the channel is there
            return incident.channel_id, None
        thread = self.board.result("thread")
        if incident.away is not None and not thread:
            raise Retryable("slack_no_answer", "the thread in the alerts channel is not there yet", after=1.0)
        return str(thread.get("channel", "")), str(thread.get("ts", "")) or None

    @property
    def is_private_and_away(self) -> bool:
        """True while what is to be said goes out as direct messages: no thread may show a private incident."""
        return self.board.incident.private and self.board.incident.away is not None

    async def anew(self, *, with_events: bool = False) -> Call:
        """Read the incident again: what was asked of Slack before may have taken a while."""
        board = await self.tools.store.read(lambda c: boards.load(c, self.row.scope, with_events=with_events))
        return replace(self, maybe_board=board)

    async def post(
        self,
        message: Message,
        *,
        channel: str | None = None,
        looked_for: bool = False,
        people: Sequence[str] | None = None,
        directly: bool = False,
    ) -> Result:
        """Post a message, in the incident's place unless a channel is named; one that comes late says so.

        What an attempt without an answer has posted is looked for first, unless the sender has just done that.
        `people` are whom a private incident tells of it in direct messages, while its channel cannot be written;
        `directly` does so with any message.

        Raises:
            ChannelShut: the incident's channel cannot be written.
            MessageGone: the thread's first message was deleted.
        """
        text, blocks = message if self.row.kind in TIMELESS else messages.dated(message, self.row.created_at, self.age)
        number = self.row.scope if self.row.incident_id is not None else ""
        key, maybe_done = self.row.key, self.row.tried and not looked_for
        if channel:
            posted = await self.gateway.post(channel, text, blocks, key=key, number=number, maybe_done=maybe_done)
            return {"channel": posted.channel, "ts": posted.ts}
        if maybe_done and (found := await self.find()) is not None:
            return found
        if directly or self.is_private_and_away:
            return await self._directly((text, blocks), self._who_works() if people is None else people)
        where, thread_ts = self.place()
        try:
            posted = await self.gateway.post(where, text, blocks, key=key, number=number, thread_ts=thread_ts)
        except Permanent as error:
            root = self.board.slots.get("thread")
            if thread_ts and root is not None and error.reason in NO_THREAD:
                raise MessageGone(error, [root], said=True) from error
            raise self.meant(error, where, said=True) from error
        return {"channel": posted.channel, "ts": posted.ts}

    def meant(self, error: Permanent, channel: str, *, said: bool = False) -> Permanent:
        """Return what an error of a call to a channel means for the incident."""
        home = self.maybe_board.incident.channel_id if self.maybe_board is not None else ""
        return of_channel(error, channel, home, said=said)

    def _who_works(self) -> tuple[str, ...]:
        """Return the ids of those who hear of a private incident: its lead and who acknowledged, else who declared."""
        incident = self.board.incident
        by = incident.declared_by
        return at_work(incident) or ((by.id,) if is_in_slack(by) else ())

    async def _directly(self, message: Message, people: Sequence[str]) -> Result:
        """Send a message to each of them; whoever has it already is not sent it again.

        Raises:
            Permanent: there is nobody to tell, or nobody could be told.
        """
        done: dict[str, dict[str, str]] = dict(self.row.result.get("direct") or {})
        refused: Permanent | None = None
        for user in people:
            if user in done:
                continue
            try:
                channel = await self.gateway.direct(user)
                text, blocks = message
                posted = await self.gateway.post(
                    channel, text, blocks, key=self.row.key, number=self.row.scope, maybe_done=self.row.attempts > 0
                )
            except Permanent as error:
                refused = error
                continue
            done[user] = {"channel": posted.channel, "ts": posted.ts}
            progress = {**self.row.result, "direct": dict(done)}
            await self.tools.store.write(lambda tx, p=progress: deliveries.keep_progress(tx.connection, self.row.id, p))  # type: ignore[misc]
        if not done:
            fix = "Take the lead, or make the incident's channel writable again."
            raise refused or Permanent(
                "nobody_found", fix, "it has no lead and no acknowledgement, so nobody was notified"
            )
        return {**self.row.result, "direct": done, "told": list(done)}

    async def find(self) -> Result | None:
        """Look for what an attempt without an answer has posted, wherever the incident's place was since."""
        if not self.row.tried:
            return None
        incident, thread = self.board.incident, self.board.result("thread")
        places = [(str(thread["channel"]), str(thread["ts"]))] if thread else []
        if incident.opened_channel and incident.channel_id:
            places.insert(0, (incident.channel_id, ""))
        for where, thread_ts in places:
            try:
                found = await self.gateway.find(where, self.row.key, thread_ts or None)
            except Permanent as error:  # it cannot be read any more: whoever writes there meets it again
                if error.reason not in SHUT | NO_THREAD:
                    raise
                continue
            if found is not None:
                return {"channel": where, "ts": found}
        return None

    async def there(self, slot: str) -> Outgoing | None:
        """Give a slot's delivery of this scope once its message is there."""
        rows = await self.tools.store.read(lambda c: deliveries.by_slots(c, self.row.scope, (slot,)))
        return next((row for row in reversed(rows) if row.result.get("ts")), None)

    async def replace(self, slot: str, message: Message) -> Result:
        """Give a slot's message other content.

        Raises:
            Superseded: it is not there.
            ChannelShut, MessageGone: it cannot be reached, or was deleted.
        """
        row = await self.there(slot)
        if row is None:
            raise Superseded
        await self._change(row, message)
        return {}

    async def edit(self, slot: str, message: Message) -> bool:
        """Edit a slot's message; False when it is not there.

        Raises:
            ChannelShut, MessageGone: it cannot be reached, or was deleted.
        """
        row = self.board.slots.get(slot)
        if row is None or not self.board.result(slot):
            return False
        await self._change(row, message)
        return True

    async def _change(self, row: Outgoing, message: Message) -> None:
        text, blocks = message
        posted = Posted(str(row.result["channel"]), str(row.result["ts"]))
        number = self.row.scope if self.row.incident_id is not None else ""
        try:
            await self.gateway.edit(posted, text, blocks, key=row.key, number=number)
        except Permanent as error:
            if error.reason == GONE and self.row.incident_id is not None:
                raise MessageGone(error, [row]) from error
            raise self.meant(error, posted.channel) from error

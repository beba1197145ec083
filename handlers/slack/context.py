"""What a Slack handler knows about who asks, where, and about which incident."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, TypeVar

from sqlalchemy import Connection

from bot.board import Board
from bot.errors import OutwardError
from bot.incidents import commands as c
from bot.incidents.model import Actor, Delivery, Incident, Person, Refused
from bot.incidents.policy import Policy, Severity
from bot.incidents.wording import worded
from bot.running import board_of
from bot.services import Services
from bot.slack.directory import Directory
from bot.slack.faults import words
from bot.slack.gateway import Gateway
from bot.slack.mrkdwn import esc
from bot.store import incidents
from bot.store.tx import Tx
from handlers.slack.answers import Answer, Form, Reply

T = TypeVar("T")

WRITE_WITHIN = 2.5  # seconds; Slack gives an interaction 3
DATABASE_AWAY = "The database did not answer in time. Check the card in a moment. If nothing changed, try again."
LISTED = 10
FIND_WITHIN = 1.5  # seconds that Slack gets to say who somebody is


@dataclass(frozen=True, slots=True)
class Asked:
    """One interaction: a command, a press, a submitted form."""

    services: Services
    user: Actor
    channel: str
    trigger_id: str = ""
    thread_ts: str = ""  # of the message that it is about, where that is in a thread

    @property
    def command(self) -> str:
        """The slash command's name."""
        return self.services.settings.config.slack.command

    @property
    def severities(self) -> Mapping[str, Severity]:
        """The severities by the names under which people type them."""
        return self.policy.names

    @property
    def policy(self) -> Policy:
        """The response policy in force, for whatever is not an incident's own."""
        return self.services.settings.config.policy

    @property
    def gateway(self) -> Gateway:
        """Slack; on wherever a handler runs."""
        assert self.services.gateway is not None  # noqa: S101 - Slack called us
        return self.services.gateway

    @property
    def directory(self) -> Directory:
        """Who is who in Slack; on wherever a handler runs."""
        assert self.services.directory is not None  # noqa: S101 - Slack called us
        return self.services.directory

    async def find(self, named: str) -> Incident | None:
        """Return the incident of a number or a channel's id; without either, the one whose channel this is."""

        def look(connection: Connection) -> Incident | None:
            if not named:
                return incidents.by_channel(connection, self.channel)
            by_number = named.startswith("INC-")
            found = incidents.load(connection, named) if by_number else incidents.by_channel(connection, named)
            is_here = found is not None and found.channel_id != "" and found.channel_id == self.channel
            return found if found and (is_here or found.is_shown_to(self.user.id)) else None

        return await self.services.store.read(look)

    async def zone(self) -> tzinfo:
        """Return the time zone that the person has set in Slack; UTC where Slack does not tell in time."""
        return await self.directory.members.zone(self.user.id)

    async def board(self, number: str, *, with_events: bool = False) -> Board:
        """Return an incident with what its messages show; with its timeline only where that is asked for.

        Raises:
            Refused: there is no such incident.
        """
        return await self.services.store.read(lambda c: board_of(c, number, with_events=with_events))

    async def open_incidents(self) -> list[Incident]:
        """Give the open incidents."""
        found = await self.services.store.read(incidents.list_open)
        return [incident for incident in found if incident.is_shown_to(self.user.id)]

    async def apply(self, number: str, command: c.Command) -> Incident:
        """Do a command.

        Raises:
            Refused: it does not fit.
            DatabaseUnavailable, TimeoutError: nothing was saved, or it is not known to be.
        """
        return await self.write(lambda tx: self.services.desk.apply(tx, number, command))

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run a unit of work within the time that Slack gives.

        Raises:
            DatabaseUnavailable, TimeoutError: nothing was saved, or it is not known to be.
        """
        return await asyncio.wait_for(self.services.store.write(work), WRITE_WITHIN)

    async def open_modal(self, view: dict[str, Any]) -> str:
        """Open a form; gives a line to show when Slack refused."""
        try:
            await self.gateway.call("views.open", trigger_id=self.trigger_id, view=view)
        except OutwardError as error:
            return f"Could not open the form ({words(error)}). Try again, or type it: `{self.command} help` shows how."
        return ""

    async def person(self, user_id: str) -> Person | None:
        """Return whoever was picked in a form, by name as far as Slack tells it in time; None where nobody was."""
        if not user_id:
            return None
        return Person(user_id, await self.directory.members.named(user_id, ""))

    def refusal(self, error: Refused) -> str:
        """Say why something was refused, and what to do instead; fit for mrkdwn."""
        return esc(worded(str(error), self.command))

    async def tell(self, answer: Answer) -> None:
        """Answer the person who asked, and nobody else."""
        if isinstance(answer, Form):
            answer = await self.open_modal(answer.view)
        if isinstance(answer, Reply):
            await self._whisper(answer.text, answer.blocks)
        elif answer:
            await self._whisper(answer)

    async def _whisper(self, text: str, blocks: Sequence[Any] = ()) -> None:
        """Say it through the outbox."""
        data: dict[str, Any] = {"channel": self.channel, "user": self.user.id, "text": text}
        data["thread_ts"] = self.thread_ts or None
        if blocks:
            data["blocks"] = list(blocks)
        scope = f"whisper:{self.trigger_id[:40] or self.user.id}"
        delivery = Delivery("whisper", "whisper", "whisper", data)
        await self.write(lambda tx: self.services.desk.post(tx, scope, delivery))


async def actor(services: Services, user_id: str, handle: str) -> Actor:
    """Return the actor of an interaction, under the name that others see."""
    name = await services.directory.members.named(user_id, handle) if services.directory else handle or user_id
    return Actor("human", user_id, name)

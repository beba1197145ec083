"""Slack's events: who joined an incident's channel, what became of it, who looks at the App Home."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from bot import board as boards
from bot.incidents import commands as c
from bot.incidents.model import Actor, Delivery
from bot.services import Services
from bot.slack import catchup
from bot.store import inbox, incidents
from bot.store.tx import Tx

SLACK = "slack"
# What can become of a channel; private ones have events of their own.
CHANNEL_EVENTS = tuple(
    f"{kind}_{what}" for kind in ("channel", "group") for what in ("archive", "unarchive", "deleted", "left", "rename")
)
LATE = timedelta(minutes=5)  # after the declaration: whoever joins by then was asked to


async def joined(services: Services, event_id: str, channel: str, user_id: str) -> None:
    """Note a responder who joined an incident's channel; Slack's repeats of an event change nothing."""
    found = await services.store.read(lambda connection: incidents.by_channel(connection, channel))
    if found is None:
        return
    name = await services.directory.members.named(user_id, "") if services.directory else user_id

    def work(tx: Tx) -> None:
        receipt = inbox.keep_once(tx.connection, SLACK, b"", tx.now, event_id)
        if receipt is None:
            return
        inbox.note(tx.connection, receipt, f"joined {found.number}")
        actor = Actor("human", user_id, name)
        services.desk.apply(
            tx, found.number, c.Record("responder_joined", f"{name} joined the channel", actor, refresh=False)
        )
        late = tx.now - found.declared_at > LATE and found.status.is_open
        if late and (whisper := _catch_up(tx, found.number, channel, user_id)) is not None:
            services.desk.post(tx, f"catchup:{event_id[:40]}", whisper)

    await services.store.write(work)


def _catch_up(tx: Tx, number: str, channel: str, user_id: str) -> Delivery | None:
    """Tell somebody who joins late what they have missed, and nobody else."""
    board = boards.load(tx.connection, number, with_events=True)
    if board is None:
        return None
    text, blocks = catchup.catch_up(board)
    data = {"channel": channel, "user": user_id, "text": text, "blocks": blocks}
    return Delivery("whisper", "whisper", "whisper", data)


async def channel_changed(services: Services, event_id: str, event: Mapping[str, Any], me: str) -> None:
    """Look at an incident's channel of which something has become: Slack's events may come late or out of order."""
    about = event.get("channel")
    channel = str(about.get("id") if isinstance(about, Mapping) else about or "")
    user = event.get("user")
    if str(event.get("type")).startswith("member_") and user != me:
        return  # somebody else has left, or joined
    found = await services.store.read(lambda connection: incidents.by_channel(connection, channel))
    if found is None:
        return

    def work(tx: Tx) -> None:
        receipt = inbox.keep_once(tx.connection, SLACK, b"", tx.now, f"look:{event_id}"[:64])
        if receipt is not None:
            inbox.note(tx.connection, receipt, f"{event.get('type')} {found.number}")
            services.desk.apply(tx, found.number, c.LookAtChannel())

    await services.store.write(work)


async def home_opened(services: Services, user_id: str) -> None:
    """Show somebody their Home; opened twice at once it is published once."""

    def work(tx: Tx) -> None:
        services.desk.post(
            tx, f"home:{user_id[:40]}", Delivery("home", "home", "home", {"user": user_id}, coalesce=True)
        )

    if user_id:
        await services.store.write(work)

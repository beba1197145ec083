"""Slack's events: who joined an incident's channel."""

from __future__ import annotations

from bot.incidents import commands as c
from bot.incidents.model import Actor
from bot.services import Services
from bot.store import inbox, incidents
from bot.store.tx import Tx

SLACK = "slack"


async def joined(services: Services, event_id: str, channel: str, user_id: str) -> None:
    """Note a responder who joined an incident's channel; Slack's repeats of an event change nothing."""
    found = await services.store.read(lambda connection: incidents.by_channel(connection, channel))
    if found is None:
        return
    name = services.directory.name_of(user_id) if services.directory else user_id

    def work(tx: Tx) -> None:
        receipt = inbox.keep_once(tx.connection, SLACK, b"", tx.now, event_id)
        if receipt is None:
            return
        inbox.note(tx.connection, receipt, f"joined {found.number}")
        actor = Actor("human", user_id, name)
        services.desk.apply(
            tx, found.number, c.Record("responder_joined", f"{name} joined the channel", actor, refresh=False)
        )

    await services.store.write(work)

"""The buttons of a periodic checklist: anyone ticks an item off, or takes that back."""

from __future__ import annotations

import re

from bot.incidents.model import Delivery
from bot.slack import periodic
from bot.slack.periodic import DONE, UNDO
from bot.store import postings
from bot.store.postings import Mark
from bot.store.tx import Tx
from handlers.slack.context import Asked

ACTIONS = re.compile(rf"({DONE}|{UNDO})_\d+")  # which item is in the value; the id has it to be like no other
GONE = "This checklist is no longer in the database. Use the next one that is posted."


async def press(asked: Asked, action_id: str, value: str) -> str:
    """Tick an item off or take that back; gives a line for whoever comes second."""
    return await asked.write(lambda tx: _mark(asked, tx, value, done=action_id.startswith(DONE)))


def _mark(asked: Asked, tx: Tx, value: str, *, done: bool) -> str:
    scope, _, number = value.rpartition("|")
    posting = postings.take(tx.connection, scope)
    item = posting.item(number) if posting else None
    if posting is None or item is None:
        return GONE
    if posting.is_done(item) == done:
        return periodic.said_before(item, posting.marks.get(item.number), tx.now)
    postings.mark(tx.connection, posting, item, Mark(done, asked.user.id, tx.now))
    edit = Delivery("refresh_periodic", "refresh_periodic", "periodic", needs=("periodic",), coalesce=True)
    asked.services.desk.post(tx, scope, edit)
    return ""

"""How what comes round is sent: checklists as they stand, and the digest of stale runbooks."""

from __future__ import annotations

from bot.outbox.call import Call, Result
from bot.outbox.worker import Superseded
from bot.runbooks.review import stale
from bot.slack import periodic
from bot.slack.messages import Message
from bot.store import postings


async def post(call: Call) -> Result:
    """Post a checklist."""
    message = await _checklist(call)
    return await call.post(message, channel=await call.gateway.channel_id(str(call.row.data["channel"])))


async def refresh(call: Call) -> Result:
    """Have a checklist's message show what is ticked off."""
    return await call.replace("periodic", await _checklist(call))


async def digest(call: Call) -> Result:
    """Post what is stale at this moment of the runbooks that were stale when the digest was due."""
    today = call.tools.clock.now().date()
    named = (call.tools.catalog.get(str(book)) for book in call.row.data["books"])
    books = [book for book in named if book is not None and stale(book, today)]
    if not books:
        raise Superseded
    channel = await call.gateway.channel_id(str(call.row.data["channel"]))
    return await call.post(periodic.digest(books, today), channel=channel)


async def _checklist(call: Call) -> Message:
    posting = await call.tools.store.read(lambda c: postings.load(c, call.row.scope))
    if posting is None:
        raise Superseded
    return periodic.checklist(posting)

"""Publishes App Homes: what one person sees when they open the tab."""

from __future__ import annotations

from sqlalchemy import Connection

from bot.incidents.model import Incident
from bot.outbox.call import Call, Result
from bot.runbooks.review import stale
from bot.slack.home import SHOWN, Desktop, home
from bot.store import incidents, triage
from bot.store.standing import Standing, standing

LOOKED_AT = 40  # newest incidents, to find those that are over


async def publish(call: Call) -> Result:
    """Show what stands at this moment."""
    user, now = str(call.row.data["user"]), call.tools.clock.now()

    def look(connection: Connection) -> tuple[list[Incident], list[Incident], Standing, int]:
        newest = incidents.page(connection, limit=LOOKED_AT, before=None, status=None)
        over = [i for _, i in newest if not i.status.is_open and i.is_shown_to(user)][:SHOWN]
        opened = [i for i in incidents.list_open(connection) if i.is_shown_to(user)]
        return opened, over, standing(connection), triage.waiting(connection)

    opened, over, stands, waiting = await call.tools.store.read(look)
    books = [book for book in call.tools.catalog if stale(book, now.date())]
    view = home(Desktop(user, now, opened, over, books, stands, waiting, call.tools.slack.command))
    await call.gateway.call("views.publish", user_id=user, view=view)
    return {}

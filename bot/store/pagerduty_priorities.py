"""The names of the PagerDuty account's priorities, the most severe first, as PagerDuty listed them last."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from bot.store.tables import pagerduty_priorities


def names(connection: Connection) -> tuple[str, ...]:
    """Return them; empty where PagerDuty has never been asked, or the account has none."""
    rows = connection.execute(select(pagerduty_priorities.c.name).order_by(pagerduty_priorities.c.place))
    return tuple(rows.scalars())


def replace(connection: Connection, new: Sequence[str]) -> None:
    """Keep these names instead; nothing is written where they are the same."""
    new = tuple(dict.fromkeys(new))
    if new == names(connection):
        return
    connection.execute(delete(pagerduty_priorities))
    if new:
        rows = [{"place": place, "name": name} for place, name in enumerate(new)]
        connection.execute(insert(pagerduty_priorities), rows)

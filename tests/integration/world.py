"""All that a webhook can change, to be compared before and after one that must change nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from bot.store.database import connect
from tests.conftest import Client, wait_for
from tests.patience import UNFINISHED

# Who is who is asked again from time to time, whatever happens; that changes nothing.
LOOK_UPS = frozenset({"users.lookupByEmail", "users.info", "usergroups.list"})


class World:
    """Looks at the rows and at the workspace, from outside the service."""

    def __init__(self, bot: Client, environ: Mapping[str, str]) -> None:
        self._bot = bot
        self.path = environ["SITREP_DATABASE_URL"].removeprefix("sqlite:///")
        self._engine = connect(environ["SITREP_DATABASE_URL"])

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Ask the database itself."""
        try:
            with self._engine.begin() as connection:
                return [dict(row) for row in connection.execute(text(query)).mappings()]
        finally:
            self._engine.dispose()  # no connection is left open: the service's own end is to be the file's last

    def execute(self, statement: str) -> None:
        """Change the database from outside."""
        try:
            with self._engine.begin() as connection:
                connection.execute(text(statement))
        finally:
            self._engine.dispose()

    def settle(self) -> None:
        """Wait until everything that is to be sent has been sent."""

        def quiet() -> bool:
            return not self.rows(f"SELECT id FROM deliveries WHERE {UNFINISHED}")  # noqa: S608 - a constant

        wait_for(quiet, what="the deliveries")

    def snapshot(self) -> dict[str, Any]:
        """Give everything that people or exports can see, and every call that was made to Slack."""
        self.settle()
        workspace = self._bot.workspace
        tables = ("incidents", "events", "timers", "deliveries", "alert_groups", "alerts")
        return {
            "rows": {table: self._all(table) for table in tables},
            "messages": {c.name: [(m.ts, m.text, m.blocks) for m in c.log] for c in workspace.channels.values()},
            "pins": {c.name: list(c.pins) for c in workspace.channels.values()},
            "topics": {c.name: c.topic for c in workspace.channels.values()},
            "calls": [call.method for call in workspace.calls if call.method not in LOOK_UPS],
        }

    def _all(self, table: str) -> list[dict[str, Any]]:
        rows = self.rows(f"SELECT * FROM {table} ORDER BY 1, 2")  # noqa: S608
        # What a group said last is kept to know it again; nobody sees it.
        return [{k: v for k, v in row.items() if (table, k) != ("alert_groups", "digest")} for row in rows]

    def said(self) -> str:
        """Give every text and block that the bot has put into the workspace, edits included, as Slack got them."""
        self.settle()
        return "\n".join(json.dumps(call.args, ensure_ascii=False, default=str) for call in self._bot.workspace.calls)

    def card(self, number: str) -> str:
        """Give the pinned card as it is now."""
        self.settle()
        (pinned,) = self._bot.workspace.pinned(self._bot.room(number))
        return pinned.text + json.dumps(pinned.blocks, ensure_ascii=False)

    def dead(self) -> list[dict[str, Any]]:
        """Give the dead letters."""
        return self.rows("SELECT * FROM inbox WHERE state = 'dead' ORDER BY id")

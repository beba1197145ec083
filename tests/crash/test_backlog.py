"""A process that dies with more to send than it can send at once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bot.outbox.gate import SLOTS
from bot.sandbox.faults import Fault
from tests.conftest import wait_for
from tests.crash.world import World, settled
from tests.patience import PATIENCE

MORE = SLOTS + 12


def test_what_waited_for_its_turn_is_not_looked_for(tmp_path: Path) -> None:
    """Only what was being sent may have happened: a look at the history for everything would run into its limit."""
    with World(tmp_path) as world:
        world.workspace.faults.add(Fault("chat.postMessage", "hang", times=None))
        for number in range(MORE):
            world.client.slash(f"declare Number {number} is slow sev3")
        wait_for(lambda: world.workspace.count("chat.postMessage") >= SLOTS, PATIENCE, "a call from each slot")
        world.process.kill()
        world.process.wait_dead()
        assert states(world.database) == {"sending": SLOTS, "pending": 2 * MORE - SLOTS}  # each has a runbook, too
        world.workspace.faults.clear()
        world.process.start()
        wait_for(lambda: settled(world.database), PATIENCE, "the end of all deliveries")
        assert world.workspace.count("conversations.history") == SLOTS
        said = world.workspace.texts("ops-alerts")
        assert sorted(said) == sorted(set(said))
        assert len(said) == MORE


def states(database: Path) -> dict[str, int]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as connection:
        return dict(connection.execute("SELECT state, count(*) FROM deliveries GROUP BY state").fetchall())

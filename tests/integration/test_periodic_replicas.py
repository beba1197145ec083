"""What comes round where two replicas look at the same time, each a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.store.database import connect
from tests.conftest import wait_for
from tests.faults.cluster import CONFIG, Cluster, cluster_on, doubled, together
from tests.integration.rounds import buttons, checklist, daily, items, prepare, rounds, whole
from tests.patience import PATIENCE

ITEMS = 6
DAY = timedelta(days=1)
KNOWN = "SELECT name FROM schedules"
TAKEN = "SELECT name FROM schedules WHERE last_at = :at AND name <> 'digest'"

WAITING = (
    "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE schedules %'"
)


@pytest.fixture
def moment() -> datetime:
    """When the checklists come round for the first time."""
    return whole(datetime.now(UTC), hours=6)


@pytest.fixture
def pair(postgres: str, tmp_path: Path, moment: datetime) -> Iterator[Cluster]:
    """Two replicas that know of two checklists."""
    runbooks = prepare(tmp_path, moment.date())
    checklist(runbooks, "round", daily(moment), ITEMS)
    checklist(runbooks, "other", daily(moment))
    config = CONFIG.replace("checklists: false", "checklists: true")
    environ = {"SITREP_RUNBOOKS": str(runbooks)}
    with cluster_on(postgres, tmp_path / "cluster", 2, config=config, environ=environ) as cluster:
        wait_for(lambda: len(cluster.rows(KNOWN)) == 3, PATIENCE, "the first look")
        yield cluster


def turn(pair: Cluster, moment: datetime) -> None:
    """Turn the clock to just after a moment."""
    pair.hands.advance((moment - pair.hands.now()).total_seconds() + 1)


def taken(pair: Cluster, moment: datetime) -> None:
    """Wait until a moment is taken and all has been sent."""
    wait_for(lambda: len(pair.rows(TAKEN, at=moment)) == 2, PATIENCE, "the moment")
    pair.wait_settled()


def test_two_replicas_post_a_checklist_once(pair: Cluster, moment: datetime) -> None:
    """Both see that it is due and want to take its moment, day after day, and one of them posts."""
    for day in range(3):
        engine = connect(pair.url)
        with engine.begin() as held:
            held.execute(text("SELECT name FROM schedules FOR UPDATE"))
            turn(pair, moment + day * DAY)
            wait_for(lambda: pair.rows(WAITING)[0]["n"] == 2, PATIENCE, "both replicas")
        engine.dispose()
        taken(pair, moment + day * DAY)
        assert [len(rounds(pair.workspace, name)) for name in ("round", "other")] == [day + 1] * 2
    assert doubled(pair.workspace) == []


def test_two_people_who_press_at_once_tick_an_item_once(pair: Cluster, moment: datetime) -> None:
    """Each asks a replica of its own: one ticks, and the other one alone is told who did and when."""
    turn(pair, moment)
    taken(pair, moment)
    (message,) = rounds(pair.workspace, "round")
    stale = message.blocks
    for number in range(1, ITEMS + 1):
        message.blocks = stale  # both still see it open
        replies = together(
            *(
                partial(replica.client.people.press, user, "ops-alerts", message.ts, f"checklist_done_{number}")
                for replica, user in zip(pair.replicas, ("alice", "bob"), strict=True)
            )
        )
        assert [reply.ok for reply in replies] == [True, True]
        pair.wait_settled()
    (message,) = rounds(pair.workspace, "round")
    assert message.text == f"Round of round: {ITEMS} of {ITEMS} done."
    assert [button["text"]["text"] for button in buttons(message)] == ["Undo"] * ITEMS
    people = {pair.workspace.user(name).id: name for name in ("alice", "bob")}
    for number, line in enumerate(items(message), start=1):
        (winner,) = (user for user in people if f"Done by <@{user}> at " in line)
        told = {
            user: [m.text for m in pair.workspace.ephemerals(name) if f" item {number} " in m.text]
            for user, name in people.items()
        }
        assert told.pop(winner) == []
        ((said,),) = told.values()
        assert said.startswith(f"<@{winner}> ticked item {number} at ")
